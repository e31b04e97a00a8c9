"""Predicted and counted terms: which stands for which, and where they part ways."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_dsocr.alignment import Pair, align

TERMS = st.lists(st.integers(1, 10), max_size=8)
DISTINCT = st.lists(st.integers(1, 1000), min_size=1, max_size=8, unique=True)


def pairs(predicted, counted):
    """Spell the pairs out as values."""
    return [
        ([predicted[i] for i in pair.predicted], [counted[i] for i in pair.counted], pair.agrees)
        for pair in align(predicted, counted)
    ]


@pytest.mark.parametrize(
    ("predicted", "counted", "expected"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([5, 7], [5, 7], [([5], [5], True), ([7], [7], True)], id="equal"),
        pytest.param([5, 7, 9], [5, 8, 9], [([5], [5], True), ([7], [8], False), ([9], [9], True)], id="one wrong"),
        pytest.param([5, 12], [5, 4, 8], [([5], [5], True), ([12], [4, 8], True)], id="one for two"),
        pytest.param([4, 8, 5], [12, 5], [([4, 8], [12], True), ([5], [5], True)], id="two for one"),
        pytest.param([12, 5], [2, 4, 6, 5], [([12], [2, 4, 6], True), ([5], [5], True)], id="one for three"),
        pytest.param([2, 4, 6], [12], [([2, 4, 6], [12], True)], id="three for one"),
        pytest.param([5, 7], [5], [([5], [5], True), ([7], [], False)], id="one not counted"),
        pytest.param([7], [5, 7], [([], [5], False), ([7], [7], True)], id="one not predicted"),
        pytest.param([], [3], [([], [3], False)], id="nothing predicted"),
        pytest.param([3], [], [([3], [], False)], id="nothing counted"),
    ],
)
def test_terms_are_matched_in_their_order(predicted, counted, expected):
    assert pairs(predicted, counted) == expected


def test_a_pair_is_two_ranges():
    assert align([12], [4, 8]) == [Pair(range(1), range(2), agrees=True)]


@given(TERMS, TERMS)
def test_the_ranges_cover_both_sides_in_order(predicted, counted):
    made = align(predicted, counted)
    assert [i for pair in made for i in pair.predicted] == list(range(len(predicted)))
    assert [i for pair in made for i in pair.counted] == list(range(len(counted)))


@given(TERMS, TERMS)
def test_a_pair_agrees_exactly_if_both_sides_have_the_same_sum(predicted, counted):
    for left, right, agrees in pairs(predicted, counted):
        assert agrees == (sum(left) == sum(right))


@given(TERMS)
def test_equal_terms_agree_everywhere_one_by_one(terms):
    assert pairs(terms, terms) == [([term], [term], True) for term in terms]


@given(DISTINCT, st.data())
def test_a_changed_term_is_the_only_disagreement(terms, data):
    """The new value is none that a neighbour or a sum of neighbours could stand for."""
    changed = data.draw(st.integers(0, len(terms) - 1))
    counted = [*terms[:changed], 10_000, *terms[changed + 1 :]]
    disagreements = [(left, right) for left, right, agrees in pairs(terms, counted) if not agrees]
    assert disagreements == [([terms[changed]], [10_000])]


@given(DISTINCT, st.data())
def test_a_term_fused_from_two_agrees_with_both(terms, data):
    assume(len(terms) > 1)
    first = data.draw(st.integers(0, len(terms) - 2))
    fused = [*terms[:first], terms[first] + terms[first + 1], *terms[first + 2 :]]
    assert all(agrees for _, _, agrees in pairs(terms, fused))
    assert all(agrees for _, _, agrees in pairs(fused, terms))


@given(DISTINCT, st.data())
def test_a_term_left_out_is_one_disagreement_at_most(terms, data):
    """None, if a neighbour stands for the sum of it and another by chance."""
    gone = data.draw(st.integers(0, len(terms) - 1))
    counted = [*terms[:gone], *terms[gone + 1 :]]
    assert sum(not agrees for _, _, agrees in pairs(terms, counted)) <= 1
