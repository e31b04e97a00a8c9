"""What makes a run red although no test failed."""

import pytest

from pytest_dsocr import Device, NotRun, Results, Verdict
from pytest_dsocr.gates import unmet_requirements, unused_rules
from pytest_dsocr.tolerances import Rule, Tolerances

FAMILIES = {"tensor_flops": "flops", "params": "params"}


def unmet(required, rows=(), not_run=()):
    return unmet_requirements(Results(tuple(rows), tuple(not_run)), required, FAMILIES)


@pytest.mark.parametrize("what", ["all", "gpu", "flops", "tensor_flops", "vision.Attention"])
def test_a_requirement_is_unmet_if_nothing_was_measured(what):
    assert unmet([what]) == [f"--dsocr-require {what}: nothing was measured"]


@pytest.mark.parametrize("what", ["all", "flops", "tensor_flops", "vision.Attention"])
@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE])
def test_a_requirement_is_met_by_a_row_whatever_its_verdict(make_row, what, verdict):
    assert unmet([what], [make_row(verdict=verdict)]) == []


@pytest.mark.parametrize("what", ["all", "flops", "vision.Attention"])
def test_a_row_that_did_not_run_meets_nothing(make_row, what):
    assert unmet([what], [make_row(verdict=Verdict.NOT_RUN)]) == [f"--dsocr-require {what}: nothing was measured"]


@pytest.mark.parametrize("what", ["params", "decoder.LMHead", "memory"])
def test_a_requirement_is_not_met_by_a_row_about_something_else(make_row, what):
    assert unmet([what], [make_row()]) == [f"--dsocr-require {what}: nothing was measured"]


@pytest.mark.parametrize(("device", "met"), [("meta", False), ("cpu", False), ("cuda", True)])
def test_only_a_row_of_a_card_meets_gpu(make_row, device, met):
    assert (unmet(["gpu"], [make_row(device=Device(device))]) == []) is met


def test_all_also_wants_that_nothing_is_left_out(make_row):
    not_run = [NotRun("a", "b"), NotRun("c", "d")]
    assert unmet(["all"], [make_row()], not_run) == ["--dsocr-require all: 2 comparisons did not run"]


def test_other_requirements_allow_that_something_is_left_out(make_row):
    assert unmet(["flops"], [make_row()], [NotRun("a", "b")]) == []


def test_each_requirement_that_is_unmet_is_said(make_row):
    assert unmet(["params", "flops", "gpu"], [make_row()]) == [
        "--dsocr-require params: nothing was measured",
        "--dsocr-require gpu: nothing was measured",
    ]


def test_a_rule_that_judged_no_row_is_named_with_what_it_names(make_row):
    rules = (
        Rule(0.1, "rule 1", "why", {"layer": "vision.Attention", "metric": "params"}),
        Rule(0.1, "rule 2", "why", {"case": "640 crop"}),
        Rule(0.1, "rule 3", "why", {"device": "H200"}),
    )
    tolerances = Tolerances("tolerances.toml", rules, {})
    (complaint,) = unused_rules(Results((make_row(rule="rule 2"),)), tolerances, ("meta",))
    assert complaint == (
        "tolerances.toml: rule 1 (layer = vision.Attention, metric = params) judged no row: remove it, or correct its "
        "names"
    )
