"""Where a kernel is needed, and how many experts are expected to be: of ints, of arrays, of symbols."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import SizeError, kernels, total
from dsocr_cost.polynomial import symbol

POINTS = st.lists(st.integers(0, 300), min_size=1, max_size=5)
SYMBOL = symbol("x")


def evaluated(made, points):
    """Insert the points into what was made of the symbol, all at once."""
    return made.evaluate("it", {"x": np.array(points)}).tolist()


@given(POINTS)
def test_several_is_1_above_1(points):
    one_by_one = [kernels.several(point) for point in points]
    assert one_by_one == [1 if point > 1 else 0 for point in points]
    assert kernels.several(np.array(points)).tolist() == evaluated(kernels.several(SYMBOL), points) == one_by_one


@given(POINTS, st.integers(0, 4))
def test_differ_is_1_unless_both_are_equal(points, other):
    one_by_one = [kernels.differ(point, other) for point in points]
    assert one_by_one == [0 if point == other else 1 for point in points]
    assert kernels.differ(np.array(points), other).tolist() == one_by_one
    assert evaluated(kernels.differ(SYMBOL, other), points) == one_by_one
    assert evaluated(kernels.differ(other, SYMBOL), points) == one_by_one


def test_symbols_that_are_equal_do_not_differ():
    assert kernels.differ(SYMBOL + 1, 1 + SYMBOL) == 0
    assert kernels.differ(SYMBOL + 2, 1 + SYMBOL) == 1


@pytest.mark.parametrize(("left", "right", "expected"), [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 1)])
def test_either_is_1_where_one_of_both_is(left, right, expected):
    assert kernels.either(left, right) == kernels.either(np.array([left]), np.array([right])).tolist()[0] == expected


@pytest.mark.parametrize(("tokens", "experts"), [(0, 0), (1, 6), (2, 11), (8, 35), (32, 61), (10**5, 64), (10**40, 64)])
def test_touched_is_expected_of_even_routing(tokens, experts):
    """64 * (1 - (1 - 6 / 64)**T): 6.0, 11.4, 34.9, 61.3 at T = 1, 2, 8, 32, and all in the end."""
    assert kernels.touched(64, 6, tokens) == experts


@given(POINTS, st.integers(1, 70), st.data())
def test_touched_at_any_size(points, experts, data):
    picks = data.draw(st.integers(1, experts))
    one_by_one = [kernels.touched(experts, picks, point) for point in points]
    assert one_by_one == [round(experts * (1 - (1 - picks / experts) ** point)) for point in points]
    assert all(min(picks, picks * point) <= one <= experts for one, point in zip(one_by_one, points, strict=True))
    assert kernels.touched(experts, picks, np.array(points)).tolist() == one_by_one
    assert evaluated(kernels.touched(experts, picks, SYMBOL), points) == one_by_one


def test_flags_of_other_experts_are_other_flags():
    """52 of 64 and 31 of 32 by 6 each, 48 of 64 by 5 each, of 17 tokens."""
    experts = [(64, 6), (32, 6), (64, 5)]
    summed = sum(1000**index * kernels.touched(*one, SYMBOL) for index, one in enumerate(experts))
    assert evaluated(summed, [17]) == [
        sum(1000**index * kernels.touched(*one, 17) for index, one in enumerate(experts))
    ]


@pytest.mark.parametrize(
    "flag",
    [kernels.several(SYMBOL), kernels.differ(SYMBOL, 300), kernels.touched(64, 6, SYMBOL)],
    ids=["several", "differ: 0 at the largest point", "touched"],
)
def test_a_flag_of_a_symbol_hides_no_overflow(flag):
    with pytest.raises(SizeError, match=r"^it: .* does not fit into int64"):
        (flag * 2**62 * SYMBOL).evaluate("it", {"x": np.array([300, 200])})


def test_ops_of_a_symbol_evaluate_to_those_of_its_value():
    """A layer norm that is launched where there are several rows."""

    def of(rows):
        return total([kernels.layer_norm("x", 2, rows, 8).times(kernels.several(rows))])

    for rows in (1, 2, 5):
        for name in ("cuda_flops", "io_bytes", "launches"):
            assert evaluated(getattr(of(SYMBOL), name), [rows]) == [getattr(of(rows), name)]
