"""Results of shards and machines, put together: each row once, what ran nowhere, and what still holds."""

import math
import re
from dataclasses import replace

import pytest

from pytest_dsocr import Device, NotRun, Results, ResultsError, Verdict
from pytest_dsocr.markers import NO_GPU, NO_TIME
from pytest_dsocr.merging import merged
from pytest_dsocr.row import AgainstBaseline, Change

FAMILIES = {"tensor_flops": "flops", "params": "params", "latency_s": "latency"}
CPU, H200 = Device("cpu", "Bench, 2 threads", torch="2.13.0"), Device("cuda", "NVIDIA H200", torch="2.13.0")


def together(*parts):
    return merged([(f"{name}.json", part) for name, part in zip("abcd", parts, strict=False)], FAMILIES)


@pytest.fixture
def ran(make_row):
    """Make a row of a test by the test's name."""
    return lambda test, **given: make_row(**{"test": test, "case": test, **given})


# --- rows ---


def test_rows_stand_in_the_order_in_which_they_are_given(ran):
    first, second = Results((ran("c"), ran("a"))), Results((ran("b"),))
    assert [row.case for row in together(second, first).rows] == ["b", "c", "a"]


def test_one_part_is_as_it_was(ran):
    part = Results((ran("a"),), (NotRun("b", "why"),), ({"torch": "2.13.0"},), ("why not",))
    assert together(part) == part


def test_a_row_that_stands_in_several_is_taken_once(ran):
    assert together(Results((ran("a"), ran("b"))), Results((ran("b"), ran("c")))).rows == (ran("a"), ran("b"), ran("c"))


def test_a_row_keeps_its_standing_against_the_baseline_wherever_it_has_one(ran):
    stands = ran("a", baseline=AgainstBaseline(Change.IMPROVEMENT, 100, -0.5))
    for parts in ((stands, ran("a")), (ran("a"), stands)):
        assert together(*(Results((row,)) for row in parts)).rows == (stands,)


def test_rows_that_saw_no_number_agree(ran):
    row = ran("a", measured=math.nan, verdict=Verdict.ERROR)
    assert len(together(Results((row,)), Results((replace(row, measured=float("nan")),))).rows) == 1


def test_the_same_row_of_two_machines_is_two(ran):
    assert len(together(Results((ran("a", device=CPU),)), Results((ran("a", device=H200),))).rows) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"measured": 5}, "measured 71672266752 there, 5 here"),
        ({"predicted": 5}, "predicted 71672266752 there, 5 here"),
        ({"measured": math.nan}, "measured 71672266752 there, nan here"),
        ({"verdict": Verdict.FAIL}, "verdict pass there, fail here"),
        ({"rtol": 0.5}, "rtol 0.0 there, 0.5 here"),
        ({"sizes": {"batch": 2}}, "sizes {'batch': 1, 'height': 64, 'width': 64} there, {'batch': 2} here"),
        ({"test": "other.py::test"}, "test a there, other.py::test here"),
        (
            {"predicted": 5, "verdict": Verdict.FAIL},
            "predicted 71672266752 there, 5 here, verdict pass there, fail here",
        ),
    ],
    ids=["measured", "predicted", "measured no number", "verdict", "tolerance", "sizes", "test", "two things"],
)
def test_a_row_on_which_two_parts_disagree_is_refused_with_both(ran, given, said):
    message = f"b.json: vision.Attention, a, tensor_flops: stands in a.json, too, and differs: {said}; allowed are rows"
    with pytest.raises(ResultsError, match=f"^{re.escape(message)} that agree$"):
        together(Results((ran("a"),)), Results((replace(ran("a"), **given),)))


def test_of_many_rows_that_disagree_the_first_is_named(ran):
    parts = (Results(tuple(ran(case, measured=measured) for case in "abc")) for measured in (1, 2))
    with pytest.raises(ResultsError, match=r"vision.Attention, a, .*; allowed are rows that agree; and 2 more rows$"):
        together(*parts)


def test_two_rows_of_one_key_in_one_part_are_refused(ran):
    with pytest.raises(ResultsError, match=r"^b\.json: rows: 2 have the key of vision\.Attention, a, tensor_flops on "):
        together(Results((ran("c"),)), Results((ran("a"), ran("a"))))


# --- what did not run ---


def test_what_ran_nowhere_is_listed_once(ran):
    parts = Results((ran("a"),), (NotRun("b", "why"),)), Results((ran("c"),), (NotRun("b", "why"), NotRun("d", "why")))
    assert together(*parts).not_run == (NotRun("b", "why"), NotRun("d", "why"))


def test_what_ran_in_another_part_on_such_a_device_is_not_listed(ran):
    lost = Results((ran("a"),), (NotRun("b", "lost with a worker"),))
    assert together(lost, Results((ran("b"),))).not_run == ()
    assert together(Results((ran("b"),)), lost).not_run == ()


def test_a_part_that_measured_nothing_may_be_of_any_device(ran):
    lost = Results((), (NotRun("b", "the run ended before it"),))
    assert together(lost, Results((ran("b", device=H200),))).not_run == ()


def test_what_failed_on_one_machine_is_missing_there_although_it_ran_on_another(ran):
    failed = Results((ran("a", device=H200),), (NotRun("b", "out of memory"),))
    assert together(failed, Results((ran("b", device=CPU),))).not_run == (NotRun("b", "out of memory"),)


@pytest.mark.parametrize(
    "reason",
    [f"{NO_GPU} cpu: give --dsocr-device cuda", f"vision.Attention, b, latency_s: {NO_TIME}"],
    ids=["a card", "a clock"],
)
def test_what_asks_for_another_device_ran_where_that_was(ran, reason):
    skipped = Results((ran("a", device=CPU),), (NotRun("b", reason),))
    row = ran("b", device=H200, metric="latency_s")
    assert together(skipped, Results((row,))).not_run == ()


def test_a_metric_that_a_test_could_not_measure_stays_listed_beside_its_rows(ran):
    one = NotRun("a", "vision.Attention, a, params: no such thing")
    part = Results((ran("a"),), (one,))
    assert together(part).not_run == (one,)
    assert together(part, Results((ran("b"),))).not_run == (one,)
    assert together(part, part).not_run == (one,)


def test_a_part_does_not_stand_in_for_itself(ran):
    """A test compared one case twice, in two dtypes, of which one could not be measured."""
    part = Results((ran("a"),), (NotRun("a", "vision.Attention, a, tensor_flops: not in float16"),))
    assert together(part, Results((ran("b"),))).not_run == part.not_run


def test_a_metric_that_another_part_measured_is_not_listed(ran):
    flops, params = (f"vision.Attention, a, {metric}: not here" for metric in ("tensor_flops", "params"))
    first = Results((ran("a"),), (NotRun("a", params),))
    second = Results((ran("a", metric="params"),), (NotRun("a", flops),))
    assert together(first, second).not_run == ()


def test_a_metric_of_another_case_does_not_stand_for_it(ran):
    """The test has rows in the other part, and is incomplete there as well."""
    missing = tuple(NotRun("a", f"vision.Attention, {case}, params: not here") for case in "xy")
    first, second = (Results((ran("a", case="z"),), (one,)) for one in missing)
    assert together(first, second).not_run == missing


# --- what else they say ---


def test_each_environment_is_kept_once(ran):
    first, second = {"torch": "2.13.0", "python": "3.11"}, {"torch": "2.14.0"}
    same = {"python": "3.11", "torch": "2.13.0"}
    parts = (Results((ran(case),), environments=(one,)) for case, one in zip("abc", (first, second, same), strict=True))
    assert together(*parts).environments == (first, second)


@pytest.mark.parametrize(
    ("complaint", "left"),
    [
        pytest.param("--dsocr-require gpu: nothing was measured", (), id="a device that another part has"),
        pytest.param("--dsocr-require params: nothing was measured", (), id="a metric"),
        pytest.param("--dsocr-require latency: nothing was measured", (), id="a family"),
        pytest.param("--dsocr-require decoder.LMHead: nothing was measured", (), id="a layer"),
        pytest.param("--dsocr-require all: 7 comparisons did not run", (), id="that nothing is left out"),
        pytest.param(
            "--dsocr-require memory: nothing was measured",
            ("--dsocr-require memory: nothing was measured",),
            id="what no part has",
        ),
        pytest.param(
            "tolerances.toml: rule 7 (layer = x, metric = y (z)) judged no row: remove it, or correct its names",
            (),
            id="a rule that judged elsewhere",
        ),
        pytest.param(
            "tolerances.toml: rule 8 (layer = x) judged no row: remove it, or correct its names",
            ("tolerances.toml: rule 8 (layer = x) judged no row: remove it, or correct its names",),
            id="a rule that judged nowhere",
        ),
        pytest.param("out.html: cannot be written: why", ("out.html: cannot be written: why",), id="what happened"),
    ],
)
def test_what_a_part_complained_of_is_looked_at_anew(ran, complaint, left):
    first = Results((ran("a"),), complaints=(complaint,))
    rows = (ran("b", device=H200, metric="params", layer="decoder.LMHead"), ran("c", metric="latency_s", rule="rule 7"))
    assert together(first, Results(rows)).complaints == left
    assert together(Results(rows), first, first).complaints == left


def test_a_requirement_of_one_part_is_one_of_the_whole(ran):
    """``all`` was wanted of a part that measured nothing; another part leaves something out."""
    first = Results((), complaints=("--dsocr-require all: nothing was measured",))
    second = Results((ran("a"),), (NotRun("b", "why"), NotRun("c", "why")))
    assert together(first, second).complaints == ("--dsocr-require all: 2 comparisons did not run",)


def test_rows_without_a_stored_one_are_told_of_the_whole(ran):
    first = Results((ran("a"),), complaints=("--dsocr-require baseline: 1 rows have no stored row: vision.Attention",))
    (said,) = together(first, Results((ran("b"),))).complaints
    assert said.startswith("--dsocr-require baseline: 2 rows have no stored row: vision.Attention, a, tensor_flops; ")


@pytest.mark.parametrize(
    ("missing", "kept"),
    [
        pytest.param("vision.Attention, b, tensor_flops", False, id="which the other part has"),
        pytest.param("vision.Attention, c, tensor_flops", True, id="which nobody has"),
        pytest.param("vision.Attention, b, tensor_flops; vision.Attention, c, tensor_flops", True, id="one of them"),
        pytest.param("vision.Attention, b, tensor_flops and 3 more", True, id="more than are named"),
    ],
)
def test_a_stored_row_that_one_part_misses_is_missing_unless_another_has_it(ran, missing, kept):
    said = f"--dsocr-require baseline: stored and not measured: {missing}"
    held = AgainstBaseline(Change.SAME, 1)
    first, second = (
        Results((ran(case, baseline=held),), complaints=told) for case, told in (("a", (said,)), ("b", ()))
    )
    assert together(first, second).complaints == ((said,) if kept else ())
