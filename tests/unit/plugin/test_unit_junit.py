"""Rows as JUnit's XML, read back by a parser of JUnit and by one of XML."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from pytest_dsocr import NotRun, Results, Verdict
from pytest_dsocr.metrics import LABELS
from pytest_dsocr.report.junit import junit_text
from pytest_dsocr.report.properties import properties_of
from pytest_dsocr.report.text import printable
from pytest_dsocr.row import AgainstBaseline, Change


def written(*rows, not_run=(), environments=(), complaints=()):
    return junit_text(Results(rows, tuple(not_run), tuple(environments), tuple(complaints)), LABELS, {})


def suite_of(text):
    (suite,) = JUnitXml.fromstring(text.encode())
    return suite


def case_properties(text):
    """The properties of each test case, by XML alone."""
    cases = ET.fromstring(text.encode()).iter("testcase")
    return [{one.get("name"): one.get("value") for one in case.iter("property")} for case in cases]


def test_a_row_is_a_test_case_by_layer_case_and_metric(make_row):
    (case,) = suite_of(written(make_row()))
    assert (case.classname, case.name) == ("vision.Attention", "1024 view, tensor FLOPs")
    assert case.is_passed


@pytest.mark.parametrize(
    ("verdict", "sort"),
    [(Verdict.FAIL, "failure"), (Verdict.ERROR, "error"), (Verdict.INCONCLUSIVE, "skipped")],
    ids=["fail", "error", "inconclusive"],
)
def test_what_is_no_pass_says_why(make_row, verdict, sort):
    (case,) = suite_of(written(make_row(verdict=verdict, reason="too far")))
    (result,) = case.result
    assert (result._tag, result.message, result.type) == (sort, "too far", str(verdict))  # noqa: SLF001
    assert result.text.startswith(f"vision.Attention, 1024 view, tensor FLOPs: {verdict}")
    assert "predicted " in result.text


def test_a_notice_is_a_pass(make_row):
    text = written(make_row(reason="notice: faster than predicted"))
    assert [case.is_passed for case in suite_of(text)] == [True]
    assert case_properties(text)[0]["reason"] == "notice: faster than predicted"


def test_the_counts_are_those_of_the_run(make_row):
    """2 passes, 3 fails and a complaint, 1 error, 4 inconclusive and 5 that did not run: 16."""
    counts = {Verdict.PASS: 2, Verdict.FAIL: 3, Verdict.ERROR: 1, Verdict.INCONCLUSIVE: 4}
    rows = [make_row(verdict=verdict) for verdict, count in counts.items() for _ in range(count)]
    text = written(*rows, not_run=[NotRun("a", "b")] * 5, complaints=["nothing was measured"])
    for read in (suite_of(text), JUnitXml.fromstring(text.encode())):
        assert (read.tests, read.failures, read.errors, read.skipped) == (16, 4, 1, 9)
    assert len(list(suite_of(text))) == 16


def test_what_did_not_run_is_skipped_by_its_reason():
    (case,) = suite_of(written(not_run=[NotRun("tests/a.py::b", "no GPU")]))
    assert (case.classname, case.name, case.result[0].message) == ("dsocr", "tests/a.py::b", "no GPU")


def test_what_made_the_run_red_is_a_failure():
    (case,) = suite_of(written(complaints=["--dsocr-require gpu: nothing was measured"]))
    assert case.is_failure
    assert case.result[0].message == "--dsocr-require gpu: nothing was measured"


def test_the_figures_of_a_row_are_its_properties(make_row):
    stored = AgainstBaseline(Change.REGRESSION, 1000, 0.1, source="base.json")
    figures = {"predicted": 71_672_266_752, "measured": 2**80, "verdict": Verdict.PASS, "reason": ""}
    row = make_row(**figures, spread=0.25, because="clocks drift", baseline=stored)
    assert case_properties(written(row)) == [
        {
            "predicted": "71672266752",
            "measured": "1208925819614629174706176",
            "rtol": "0.0",
            "spread": "0.25",
            "verdict": "pass",
            "stored": "1000",
            "change": "regression",
            "rule": "[default] tensor_flops",
            "because": "clocks drift",
            "test": row.test,
            "device": "meta, torch 2.13.0",
        }
    ]


def test_the_environment_is_the_suites(make_row):
    text = written(make_row(), environments=[{"torch": "2.13.0"}, {"torch": "2.12.0"}])
    assert {one.name: one.value for one in suite_of(text).properties()} == {
        "device.1": "meta, torch 2.13.0",
        "run.1.torch": "2.13.0",
        "run.2.torch": "2.12.0",
    }


def test_no_name_breaks_the_document(make_row, hostile):
    @given(st.lists(hostile.filter(bool), min_size=7, max_size=7))
    def check(names):
        layer, case, reason, test, key, value, complaint = names
        row = make_row(layer=layer, case=case, reason=reason, test=test, verdict=Verdict.FAIL)
        text = written(row, not_run=[NotRun(test, reason)], environments=[{key: value}], complaints=[complaint])
        suite = suite_of(text)
        assert (suite.tests, suite.failures, suite.skipped) == (3, 2, 1)
        red, failed, missing = suite
        assert red.result[0].message == printable(complaint)
        assert failed.classname == printable(layer)
        assert failed.name == printable(f"{case}, tensor FLOPs")
        assert missing.name == printable(test)
        assert [one.value for one in suite.properties()][1] == printable(value)

    check()


# --- the properties of pytest's own ---


def test_a_test_has_the_figures_of_its_rows_by_name(make_row):
    rows = [make_row(), make_row(metric="params", predicted=7, measured=8, verdict=Verdict.FAIL)]
    assert properties_of(rows) == [
        ("dsocr.vision.Attention[1024 view].tensor_flops.predicted", 71_672_266_752),
        ("dsocr.vision.Attention[1024 view].tensor_flops.measured", 71_672_266_752),
        ("dsocr.vision.Attention[1024 view].tensor_flops.rtol", 0.0),
        ("dsocr.vision.Attention[1024 view].tensor_flops.verdict", "pass"),
        ("dsocr.vision.Attention[1024 view].params.predicted", 7),
        ("dsocr.vision.Attention[1024 view].params.measured", 8),
        ("dsocr.vision.Attention[1024 view].params.rtol", 0.0),
        ("dsocr.vision.Attention[1024 view].params.verdict", "fail"),
    ]


def test_a_row_with_a_baseline_has_the_stored_figure(make_row):
    names = dict(properties_of([make_row(baseline=AgainstBaseline(Change.SAME, 1000))]))
    prefix = "dsocr.vision.Attention[1024 view].tensor_flops"
    assert (names[f"{prefix}.stored"], names[f"{prefix}.change"]) == (1000, "same")
