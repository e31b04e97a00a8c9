"""A prediction, a measurement and a tolerance: the verdict."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dsocr import Verdict
from pytest_dsocr.compare import Judgement, judge

COUNT = st.integers(1, 2**80)


def test_only_pass_is_a_pass():
    assert list(Verdict) == ["pass", "fail", "error", "inconclusive", "not run"]


@pytest.mark.parametrize(
    ("predicted", "measured", "verdict"),
    [
        pytest.param(2**53 + 1, 2**53 + 1, Verdict.PASS, id="equal beyond 2**53"),
        pytest.param(2**53 + 1, 2**53, Verdict.FAIL, id="one more beyond 2**53"),
        pytest.param(2**53, 2**53 + 1, Verdict.FAIL, id="one less beyond 2**53"),
        pytest.param(2**100, 2**100 + 1, Verdict.FAIL, id="one less at 2**100"),
        pytest.param(0, 0, Verdict.PASS, id="nothing and nothing"),
        pytest.param(0, 1, Verdict.FAIL, id="nothing predicted"),
        pytest.param(1.5, 1.5, Verdict.PASS, id="equal floats"),
    ],
)
def test_at_tolerance_0_the_last_digit_decides(predicted, measured, verdict):
    assert judge(predicted, measured, 0.0).verdict is verdict


@pytest.mark.parametrize(
    ("predicted", "measured", "rtol", "verdict"),
    [
        pytest.param(110, 100, 0.1, Verdict.PASS, id="at the upper edge"),
        pytest.param(90, 100, 0.1, Verdict.PASS, id="at the lower edge"),
        pytest.param(111, 100, 0.1, Verdict.FAIL, id="over"),
        pytest.param(89, 100, 0.1, Verdict.FAIL, id="under"),
        pytest.param(100, 90, 0.1, Verdict.FAIL, id="10 % of the predicted is no measure"),
        pytest.param(1.25, 1.0, 0.25, Verdict.PASS, id="floats at the upper edge"),
        pytest.param(1.2500001, 1.0, 0.25, Verdict.FAIL, id="floats over"),
        pytest.param(300, 100, 2, Verdict.PASS, id="a tolerance above 1"),
    ],
)
def test_the_tolerance_is_a_share_of_the_measured_in_both_directions(predicted, measured, rtol, verdict):
    assert judge(predicted, measured, rtol).verdict is verdict


@given(COUNT)
def test_a_count_agrees_with_itself_and_with_nothing_else(count):
    assert judge(count, count, 0.0) == Judgement(Verdict.PASS)
    assert judge(count + 1, count, 0.0).verdict is Verdict.FAIL
    assert judge(count - 1, count, 0.0).verdict is Verdict.FAIL


def test_a_fail_says_why():
    assert judge(2, 1, 0.5) == Judgement(Verdict.FAIL, "the difference is larger than the rule allows")


@pytest.mark.parametrize("rtol", [0.0, 0.5, 1e9], ids=["exact", "half", "anything"])
def test_a_measurement_of_nothing_is_an_error_whatever_the_tolerance(rtol):
    assert judge(7, 0, rtol) == Judgement(
        Verdict.ERROR, "measured 0 although the prediction is not: the measurement saw nothing"
    )


@pytest.mark.parametrize(
    "figure",
    [math.nan, math.inf, -math.inf, -1, -0.5, True, False, "7", None],
    ids=["nan", "inf", "-inf", "negative count", "negative float", "True", "False", "text", "None"],
)
def test_what_is_no_figure_is_an_error_on_either_side(figure):
    allowed = f"is {figure!r}, allowed is a finite number of at least 0"
    assert judge(figure, 7, 1e9) == Judgement(Verdict.ERROR, f"predicted {allowed}")
    assert judge(7, figure, 1e9) == Judgement(Verdict.ERROR, f"measured {allowed}")


@pytest.mark.parametrize(
    ("spread", "verdict"),
    [
        (None, Verdict.PASS),
        (0.0, Verdict.PASS),
        (0.1, Verdict.PASS),
        (0.11, Verdict.INCONCLUSIVE),
    ],
    ids=["a count", "none", "as wide as the tolerance", "wider"],
)
@pytest.mark.parametrize("predicted", [100, 105], ids=["equal", "close"])
def test_noise_wider_than_the_tolerance_is_inconclusive(predicted, spread, verdict):
    assert judge(predicted, 100, 0.1, spread=spread).verdict is verdict


def test_noise_does_not_turn_a_difference_into_a_fail():
    assert judge(200, 100, 0.1, spread=0.25) == Judgement(
        Verdict.INCONCLUSIVE, "the measurement's spread of 25% is wider than 10%"
    )


def test_a_spread_that_is_no_number_is_never_a_pass():
    assert judge(100, 100, 0.1, spread=math.nan).verdict is not Verdict.PASS


# --- times: one side fails ---

SLOWER = "slower than predicted by more than the rule allows"
FASTER = "notice: faster than predicted by more than the rule allows"


@pytest.mark.parametrize(
    ("predicted", "measured", "judgement"),
    [
        pytest.param(100.0, 100.0, Judgement(Verdict.PASS), id="equal"),
        pytest.param(90.0, 100.0, Judgement(Verdict.PASS), id="slower within the tolerance"),
        pytest.param(110.0, 100.0, Judgement(Verdict.PASS), id="faster within the tolerance"),
        pytest.param(89.0, 100.0, Judgement(Verdict.FAIL, SLOWER), id="slower"),
        pytest.param(111.0, 100.0, Judgement(Verdict.PASS, FASTER), id="faster"),
        pytest.param(9999.0, 100.0, Judgement(Verdict.PASS, FASTER), id="much faster"),
    ],
)
def test_a_time_fails_where_it_is_slower_and_is_a_notice_where_it_is_faster(predicted, measured, judgement):
    assert judge(predicted, measured, 0.1, spread=0.01, one_sided=True) == judgement


@pytest.mark.parametrize("given", [{"one_sided": True}, {}], ids=["a time", "a count"])
def test_nothing_is_faster_than_it_can_be(given):
    """Whatever the noise and the doubt: it is the measurement that is wrong."""
    judgement = judge(0.4, 0.49, 9.0, spread=20.0, floor=0.5, doubt="throttled", **given)
    assert judgement == Judgement(
        Verdict.ERROR, "measured 0.49, the least that is physically possible is 0.5: the measurement is wrong"
    )
    assert judge(0.5, 0.5, 0.1, floor=0.5, **given) == Judgement(Verdict.PASS)


@pytest.mark.parametrize("predicted", [0.5, 1.0, 2.0], ids=["slower", "equal", "faster"])
@pytest.mark.parametrize(
    ("noise", "reason"),
    [
        ({"spread": 0.3}, "the measurement's spread of 30% is wider than 10%"),
        ({"spread": 0.01, "doubt": "the card was throttled"}, "the card was throttled"),
    ],
    ids=["noise", "doubt"],
)
def test_a_time_in_doubt_is_inconclusive_on_every_side(predicted, noise, reason):
    assert judge(predicted, 1.0, 0.1, one_sided=True, **noise) == Judgement(Verdict.INCONCLUSIVE, reason)


def test_a_count_fails_on_both_sides():
    assert [judge(predicted, 100, 0.1).verdict for predicted in (80, 120)] == [Verdict.FAIL] * 2
