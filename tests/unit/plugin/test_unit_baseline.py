"""A row against the stored row of its key: the edge of the tolerance, the rank test, what an update stores."""

import math
from dataclasses import replace

import pytest

from pytest_dsocr import Verdict
from pytest_dsocr.baseline import SIGNIFICANCE, against, can_differ, change_text, gated, has_moved, rank_test, ungated
from pytest_dsocr.row import AgainstBaseline, Change

ROUNDS = tuple(0.100 + 0.001 * number for number in range(8))
"""Eight rounds of 100 to 107 ms."""


@pytest.fixture
def count(make_row):
    """Make a row of a count with a tolerance of a tenth."""
    return lambda measured, **given: make_row(**{"measured": measured, "rtol": 0.1, **given})


@pytest.fixture
def time(make_row):
    """Make a row of a time with a tolerance of a tenth, by default of rounds around the figure."""

    def make(measured, **given):
        rounds = tuple(one * measured / 0.1035 for one in ROUNDS)
        return make_row(**{"metric": "latency_s", "measured": measured, "rtol": 0.1, "samples": rounds, **given})

    return make


# --- how it stands ---


@pytest.mark.parametrize(
    ("measured", "change"),
    [
        pytest.param(100, Change.SAME, id="the same"),
        pytest.param(110, Change.SAME, id="a tenth more"),
        pytest.param(111, Change.REGRESSION, id="more than a tenth more"),
        pytest.param(90, Change.SAME, id="a tenth less"),
        pytest.param(89, Change.IMPROVEMENT, id="more than a tenth less"),
        pytest.param(0, Change.IMPROVEMENT, id="nothing"),
    ],
)
def test_a_count_moves_when_it_is_beyond_the_tolerance_of_the_stored_figure(count, measured, change):
    standing = against(count(measured), count(100), "base.json")
    assert (standing.change, standing.measured, standing.source) == (change, 100, "base.json")
    assert standing.relative_change == (measured - 100) / 100
    assert standing.p_value is None


@pytest.mark.parametrize(("more", "change"), [(1, Change.REGRESSION), (0, Change.SAME), (-1, Change.IMPROVEMENT)])
def test_at_tolerance_0_the_last_digit_of_a_large_count_decides(count, more, change):
    assert against(count(2**80 + more, rtol=0.0), count(2**80, rtol=0.0), "").change is change


def test_the_tolerance_is_that_of_the_measured_row(count):
    assert against(count(120, rtol=0.5), count(100, rtol=0.0), "").change is Change.SAME
    assert against(count(120, rtol=0.0), count(100, rtol=0.5), "").change is Change.REGRESSION


@pytest.mark.parametrize(("measured", "change"), [(0, Change.SAME), (1, Change.REGRESSION)])
def test_more_than_a_stored_0_is_a_regression_of_no_percentage(count, measured, change):
    standing = against(count(measured), count(0), "")
    assert (standing.change, standing.relative_change) == (change, None)
    assert change is Change.SAME or change_text(standing) == "more than the stored 0"


def test_a_row_without_a_stored_one_is_new(count):
    standing = against(count(100), None, "base.json")
    assert (standing.change, standing.measured) == (Change.NEW, None)
    assert standing.reason == "no stored row has its key"


def test_a_row_of_other_sizes_is_new_and_says_which_are_stored(count):
    standing = against(count(100), count(50, sizes={"batch": 2, "height": 8}), "base.json")
    assert (standing.change, standing.measured) == (Change.NEW, None)
    assert standing.reason == "the stored row is of other sizes: batch=2, height=8"


@pytest.mark.parametrize("verdict", [Verdict.ERROR, Verdict.INCONCLUSIVE])
@pytest.mark.parametrize("whose", ["measured", "stored"])
def test_what_is_not_to_be_trusted_moves_nothing(count, verdict, whose):
    rows = {"measured": count(200), "stored": count(100)}
    rows[whose] = replace(rows[whose], verdict=verdict, reason="the clock was throttled")
    standing = against(rows["measured"], rows["stored"], "")
    assert standing.change is Change.UNCERTAIN
    assert standing.reason == f"the {whose} row is {verdict}: the clock was throttled"


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_what_fails_its_prediction_is_measured_all_the_same(count, verdict):
    assert against(count(111, verdict=verdict), count(100), "").change is Change.REGRESSION


# --- times ---


@pytest.mark.parametrize(
    ("measured", "change"),
    [
        pytest.param(0.109, Change.SAME, id="9 % slower"),
        pytest.param(0.112, Change.REGRESSION, id="12 % slower"),
        pytest.param(0.088, Change.IMPROVEMENT, id="12 % faster"),
    ],
)
def test_a_time_moves_when_its_rounds_differ_too(time, measured, change):
    standing = against(time(measured), time(0.1), "")
    assert standing.change is change
    assert (standing.p_value is None) is (change is Change.SAME)
    assert change is Change.SAME or standing.p_value < SIGNIFICANCE


@pytest.mark.parametrize(("measured", "faster"), [(0.15, False), (0.05, True)], ids=["slower", "faster"])
def test_a_time_whose_rounds_do_not_differ_is_uncertain(time, measured, faster):
    standing = against(time(measured, samples=ROUNDS), time(0.1, samples=ROUNDS), "")
    assert standing.change is Change.UNCERTAIN
    # the same rounds: each side wins half of all pairs, so p is a half and a little
    assert 0.5 <= standing.p_value < 0.6
    assert standing.reason.startswith(
        "beyond the tolerance, and its rounds do not differ from the stored (rank test: p"
    )


def test_rounds_that_point_the_other_way_are_no_evidence(time):
    """The median is higher, all other rounds are lower."""
    slower = time(0.15, samples=(0.01,) * 7 + (0.15,))
    assert against(slower, time(0.1), "").change is Change.UNCERTAIN


@pytest.mark.parametrize("whose", ["measured", "stored"])
def test_a_time_without_rounds_is_uncertain(time, whose):
    rows = {"measured": time(0.2), "stored": time(0.1)}
    rows[whose] = replace(rows[whose], samples=())
    standing = against(rows["measured"], rows["stored"], "")
    assert (standing.change, standing.p_value) == (Change.UNCERTAIN, None)
    assert standing.reason == f"the {whose} row has no rounds to test"


def test_rounds_that_are_no_numbers_are_no_evidence(time):
    standing = against(time(0.2, samples=(math.nan,) * 7), time(0.1), "")
    assert standing.change is Change.UNCERTAIN
    assert math.isnan(standing.p_value)


def test_a_count_needs_no_rounds(count):
    assert against(count(200, samples=()), count(100, samples=()), "").change is Change.REGRESSION


@pytest.mark.parametrize("more", [True, False], ids=["slower", "faster"])
def test_the_rank_test_counts_the_ways_to_order_the_rounds(more):
    """All 4 rounds beyond all 5 others: one of the 9 choose 4 = 126 ways to rank them."""
    slow, fast = (5.0, 6.0, 7.0, 8.0), (0.0, 1.0, 2.0, 3.0, 4.0)
    head, base = (slow, fast) if more else (fast, slow)
    assert rank_test(head, base, more=more) == pytest.approx(1 / 126)
    assert rank_test(head, base, more=not more) == 1.0


@pytest.mark.parametrize(("head", "base", "can"), [(1, 300, True), (1, 90, False), (4, 4, False), (5, 5, True)])
def test_so_many_rounds_can_differ_or_not(head, base, can):
    """One of 301 and of 91 orders; 8 choose 4 are 70, 10 choose 5 are 252: more than a hundred are enough."""
    assert can_differ(head, base) is can


def test_three_rounds_a_side_never_differ(time):
    """Of 6 choose 3 = 20 orders even the best is one in twenty."""
    standing = against(time(0.2, samples=(0.2, 0.21, 0.22)), time(0.1, samples=(0.1, 0.11, 0.12)), "")
    assert (standing.change, standing.p_value) == (Change.UNCERTAIN, None)
    assert standing.reason == "too few rounds to tell: 3 measured, 3 stored"


# --- what the gate makes of it ---


def test_a_regression_fails_a_row_that_passed(count):
    row = gated(count(125), count(100), "base.json")
    assert (row.verdict, row.reason) == (Verdict.FAIL, "regression: +25% of the stored")
    assert row.baseline.change is Change.REGRESSION


def test_a_slower_time_says_how_sure_that_is(time):
    row = gated(time(0.2), time(0.1), "")
    # one of the 16 choose 8 = 12,870 ways to rank the rounds
    assert row.reason == f"regression: +100% of the stored (rank test: p = {1 / 12870:.2g})"


def test_a_regression_that_is_faster_than_predicted_says_both(time):
    """Predicted 3 s, stored 1 s, measured 2 s: both are news."""
    row = gated(time(2, reason="notice: faster than predicted"), time(1), "")
    assert row.reason.startswith("regression: +100% of the stored (rank test: p")
    assert row.reason.endswith("); notice: faster than predicted")


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE])
def test_a_verdict_that_is_worse_already_stays(count, verdict):
    row = gated(count(200, verdict=verdict, reason="why"), count(100), "")
    assert (row.verdict, row.reason) == (verdict, "why")


@pytest.mark.parametrize("measured", [100, 50], ids=["same", "improvement"])
def test_what_did_not_regress_passes(count, measured):
    assert gated(count(measured), count(100), "").verdict is Verdict.PASS


def test_where_times_are_advice_a_slower_one_is_inconclusive_and_a_larger_count_fails(time, count):
    slower, larger = (gated(make(2), make(1), "", advisory="advisory under xdist") for make in (time, count))
    assert slower.verdict is Verdict.INCONCLUSIVE
    assert slower.reason.startswith("advisory under xdist: regression: +100% of the stored")
    assert larger.verdict is Verdict.FAIL


def test_a_run_that_takes_over_what_moved_fails_nothing(count):
    row = gated(count(200), count(100), "", updating=True)
    assert (row.verdict, row.reason, row.baseline.change) == (Verdict.PASS, "", Change.REGRESSION)


@pytest.mark.parametrize("advisory", ["", "advisory"])
@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("measured", [100, 200])
@pytest.mark.parametrize("reason", ["", "notice: faster than predicted"], ids=["", "with a notice"])
def test_without_its_standing_a_row_is_what_it_was(time, advisory, verdict, measured, reason):
    row = time(measured, verdict=verdict, reason=reason)
    assert ungated(gated(row, time(100), "base.json", advisory=advisory)) == row


def test_a_change_that_is_no_percentage_is_told_without_one():
    assert change_text(AgainstBaseline(Change.REGRESSION, 1e-320, math.inf)) == "moved"


# --- what an update stores ---


@pytest.mark.parametrize(
    ("measured", "moved"),
    [
        pytest.param(1000, False, id="the same"),
        pytest.param(1100, False, id="a third of the tolerance more"),
        pytest.param(900, False, id="a third of the tolerance less"),
        pytest.param(1101, True, id="more than a third more"),
        pytest.param(899, True, id="more than a third less"),
    ],
)
def test_an_update_stores_what_moved_by_more_than_a_third_of_its_tolerance(count, measured, moved):
    assert has_moved(count(measured, rtol=0.3), count(1000)) is moved


def test_at_tolerance_0_any_difference_is_stored(count):
    assert has_moved(count(101, rtol=0.0), count(100))
    assert not has_moved(count(100, rtol=0.0), count(100))


@pytest.mark.parametrize(
    "given",
    [{"sizes": {"batch": 2}}, {"verdict": Verdict.ERROR}, {"verdict": Verdict.INCONCLUSIVE}],
    ids=["of other sizes", "an error", "inconclusive"],
)
def test_a_stored_row_that_nothing_can_be_held_against_is_replaced(count, given):
    assert has_moved(count(100), count(100, **given))


def test_a_row_that_is_not_stored_yet_is_stored(count):
    assert has_moved(count(100), None)
