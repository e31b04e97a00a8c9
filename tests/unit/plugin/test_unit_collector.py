"""Rows on their way from test reports to results."""

import json
from types import SimpleNamespace

import pytest

from pytest_dsocr import NotRun, Results
from pytest_dsocr.collector import Collector, attach, attached_rows

STOPPED = "the run ended before it"


def report(nodeid, *, outcome="passed", longrepr=None, when="call", rows=(), not_run=(), expected=()):
    """Make a report as pytest hands it on, with what the plugin puts on it."""
    made = pytest.TestReport(nodeid, (nodeid, 1, nodeid), {}, outcome, longrepr, when)
    if rows or not_run or expected:
        attach(made, rows=rows, not_run=not_run, expected=expected)
    return made


def collected(*reports):
    collector = Collector()
    for one in reports:
        collector.pytest_runtest_logreport(one)
    return collector.results({}, stopped=STOPPED)


def test_rows_come_off_a_report_as_they_went_on(make_row):
    rows = (make_row(), make_row(case="640 crop"))
    assert attached_rows(report("a", rows=rows)) == rows


def test_a_report_of_another_test_has_no_rows():
    assert attached_rows(report("a")) == ()


def test_a_report_crosses_to_another_process_with_its_rows(make_row):
    """As xdist sends it: through a dictionary of built-in types."""
    row = make_row()
    sent = json.dumps(report("a", rows=[row], expected=["a"])._to_json())  # noqa: SLF001 - what xdist calls
    received = pytest.TestReport._from_json(json.loads(sent))  # noqa: SLF001
    assert attached_rows(received) == (row,)
    assert collected(received) == Results((row,), (), ({},))


def test_a_subclass_of_text_does_not_cross_as_such(make_row):
    """torch gives its version as one, and such a value kills an xdist worker."""

    class Version(str):
        __slots__ = ()

    made = report("a", rows=[make_row(dtype=Version("bfloat16"))])
    assert type(made.dsocr) is str
    assert attached_rows(made) == (make_row(dtype="bfloat16"),)


def test_half_a_character_crosses(make_row):
    """A name of a file that is no text has such; what crosses between processes has to be UTF-8."""
    made = report("a", rows=[make_row(case="\ud800")])
    assert made.dsocr.encode()
    assert attached_rows(made)[0].case == "\ud800"


def test_rows_stand_in_the_order_of_collection_however_they_came(make_row):
    first, second, third = (make_row(case=case) for case in ("first", "second", "third"))
    results = collected(
        report("b", rows=[second, third], expected=["a", "b"]),
        report("a", rows=[first]),
    )
    assert results == Results((first, second, third), (), ({},))


def test_a_row_of_a_test_that_nobody_expected_comes_last(make_row):
    stray, row = make_row(case="stray"), make_row()
    assert collected(report("x", rows=[stray]), report("a", rows=[row], expected=["a"])).rows == (row, stray)


def test_a_test_that_runs_again_replaces_its_rows(make_row):
    old, new = make_row(measured=1), make_row(measured=2)
    assert collected(report("a", rows=[old], expected=["a"]), report("a", rows=[new])).rows == (new,)


def test_two_processes_that_expect_the_same_tests_count_them_once(make_row):
    row = make_row()
    results = collected(report("a", rows=[row], expected=["a", "b"]), report("b", rows=[row], expected=["a", "b"]))
    assert results == Results((row, row), (), ({},))


def test_a_test_that_was_never_reached_did_not_run():
    collector = Collector()
    collector.expect(["a", "b"])
    assert collector.results({}, stopped=STOPPED).not_run == (NotRun("a", STOPPED), NotRun("b", STOPPED))


@pytest.mark.parametrize(
    ("outcome", "longrepr", "reason"),
    [
        pytest.param("skipped", ("test_a.py", 3, "Skipped: no GPU"), "no GPU", id="skipped"),
        pytest.param(
            "failed",
            SimpleNamespace(reprcrash=SimpleNamespace(message="ZeroDivisionError: division by zero\nmore")),
            "failed before it compared anything: ZeroDivisionError: division by zero",
            id="traceback",
        ),
        pytest.param("failed", "first line\nlast line\n", "failed before it compared anything: last line", id="text"),
        pytest.param("failed", "", "failed before it compared anything", id="failed without a word"),
    ],
)
def test_a_test_without_rows_did_not_run_for_the_reason_on_its_report(outcome, longrepr, reason):
    (not_run,) = collected(report("a", outcome=outcome, longrepr=longrepr, expected=["a"])).not_run
    assert not_run.test == "a"
    assert not_run.reason.startswith(reason)


def test_a_failed_comparison_did_run(make_row):
    row = make_row()
    results = collected(report("a", outcome="failed", longrepr="E  too far", rows=[row], expected=["a"]))
    assert results == Results((row,), (), ({},))


def test_a_failure_of_a_test_that_compares_nothing_is_none_of_ours():
    assert collected(report("other", outcome="failed", longrepr="E  boom")) == Results(environments=({},))


def test_what_a_test_could_not_measure_is_listed_instead_of_the_test(make_row):
    """However it ended, and whether or not it measured something else."""
    listed = [NotRun("a", "launches: no scales"), NotRun("a", "io_bytes: no scales")]
    for rows in ([], [make_row()]):
        for outcome in ("failed", "skipped", "passed"):
            one = report("a", outcome=outcome, longrepr="told", rows=rows, not_run=listed, expected=["a"])
            assert collected(one) == Results(tuple(rows), tuple(listed), ({},))


def test_a_test_that_is_run_again_replaces_what_it_could_not_measure(make_row):
    first = report("a", outcome="failed", not_run=[NotRun("a", "launches: no scales")], expected=["a"])
    assert collected(first, report("a", rows=[make_row()])).not_run == ()


def test_the_environment_goes_into_the_results():
    assert Collector().results({"torch": "2.13.0"}, stopped=STOPPED).environments == ({"torch": "2.13.0"},)
