"""Gathers rows from test reports, in the one process that sees them all."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .compare import Verdict
from .results import Results
from .row import NotRun, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

__all__ = ["Collector", "attach", "attached_rows"]

_ATTRIBUTE = "dsocr"
CRASHED = "???"
"""What xdist gives as the phase of a test that took its worker along."""


def attach(
    report: pytest.TestReport,
    *,
    rows: Iterable[Row],
    not_run: Iterable[NotRun] = (),
    expected: Iterable[str] = (),
    deselected: bool = False,
    compared: bool = False,
) -> None:
    """Put on a report what travels with it between processes.

    The rows of its test, what it could not measure, and whether it ``compared`` all that it had to although it is
    skipped; and once a process, the tests that it means to run and whether it left others out.
    """
    content = {
        "rows": [row.to_dict() for row in rows],
        "not_run": [asdict(one) for one in not_run],
        "expected": list(expected),
        "deselected": deselected,
        "compared": compared,
    }
    # as plain text: a subclass of str, as torch has for its version, or half a character would kill the worker
    setattr(report, _ATTRIBUTE, json.dumps(content))


def attached_rows(report: pytest.TestReport) -> tuple[Row, ...]:
    """Take them off again."""
    return _rows_in(_attached(report))


def _attached(report: pytest.TestReport) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(getattr(report, _ATTRIBUTE, "{}"))
    return content


def _rows_in(attached: Mapping[str, Any]) -> tuple[Row, ...]:
    return tuple(Row.from_dict(row) for row in attached.get("rows", ()))


class Collector:
    """What was expected, what came, and what did not: a pytest plugin of its own, one a run.

    A process names its tests on its first report. A worker that dies sends no last word, so nothing waits for one; the
    test that took it along counts as expected, since nobody can say any more whether it was. ``places`` are the file of
    each test that brought something, relative to the rootdir, and its line, counted from 0; ``failed`` and
    ``expected_to_fail`` are how tests ended. Of a test that is run again the last run holds.
    """

    def __init__(self) -> None:
        self._expected: dict[str, None] = {}
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._not_run: dict[str, tuple[NotRun, ...]] = {}
        self._reasons: dict[str, str] = {}
        self._skipped: set[str] = set()
        self._broken: set[str] = set()
        self.failed: set[str] = set()
        self.expected_to_fail: set[str] = set()
        self.places: dict[str, tuple[str, int | None]] = {}
        self.heard = False
        self.deselected = False

    def expect(self, tests: Iterable[str]) -> None:
        """Note tests that will compare something."""
        self._expected.update(dict.fromkeys(tests))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in a report, of this process or of a worker."""
        self.heard = True
        if report.when == "setup":
            self._forget(report.nodeid)
        attached = _attached(report)
        self.expect(attached.get("expected", ()))
        self.deselected |= attached.get("deselected", False)
        rows, not_run = _rows_in(attached), tuple(NotRun(**one) for one in attached.get("not_run", ()))
        if rows or not_run:
            self._rows[report.nodeid], self._not_run[report.nodeid] = rows, not_run
            self.places[report.nodeid] = report.location[0], report.location[1]
        if report.outcome != "passed":
            self._reasons.setdefault(report.nodeid, _reason(report))
        if report.outcome == "failed":
            self.failed.add(report.nodeid)
        if hasattr(report, "wasxfail"):
            self.expected_to_fail.add(report.nodeid)
        if report.outcome == "failed" and all(row.verdict is Verdict.PASS for row in rows):
            self._broken.add(report.nodeid)
        failed_as_expected = hasattr(report, "wasxfail") and report.when != "setup"  # there nothing was called yet
        if report.outcome == "skipped" and not failed_as_expected and not attached.get("compared"):
            self._skipped.add(report.nodeid)
        if report.when == CRASHED:
            self.expect([report.nodeid])

    def _forget(self, test: str) -> None:
        """Begin a test anew, which may have been run before."""
        for by_test in (self._rows, self._not_run, self._reasons):
            by_test.pop(test, None)
        for tests in (self._skipped, self._broken, self.failed, self.expected_to_fail):
            tests.discard(test)

    def results(self, environment: Mapping[str, str], *, stopped: str) -> Results:
        """Close the books, in the order of collection; ``stopped`` is the reason of tests that were never reached."""
        order = dict.fromkeys([*self._expected, *self._rows])
        rows = tuple(row for test in order for row in self._rows.get(test, ()))
        not_run = tuple(one for test in order for one in self._not_run_of(test, stopped))
        return Results(rows, not_run, (environment,))

    def lost(self, results: Results) -> set[str]:
        """Name the tests that did not run to their end and were not skipped.

        They died, were never reached, or failed although all that they had compared passed.
        """
        ours = {*self._expected, *self._rows}
        return ({one.test for one in results.not_run} - self._skipped) | (self._broken & ours)

    def _not_run_of(self, test: str, stopped: str) -> Iterable[NotRun]:
        """List what a test itself could not measure; else the test, if it brought no rows or was skipped after some."""
        if of_its_own := self._not_run.get(test):
            return of_its_own
        missing = test not in self._rows or (test in self._skipped and test not in self.failed)
        return (NotRun(test, self._reasons.get(test, stopped)),) if missing else ()


def _reason(report: pytest.TestReport) -> str:
    longrepr: Any = report.longrepr
    if report.outcome == "skipped" and isinstance(longrepr, tuple):
        return str(longrepr[2]).removeprefix("Skipped: ")
    if report.when == "setup" and hasattr(report, "wasxfail"):  # it was not called, so its exception is not the test's
        return f"expected to fail: {str(report.wasxfail).removeprefix('reason: ')}".rstrip(": ")
    crash = getattr(longrepr, "reprcrash", None)
    lines = str(crash.message if crash else longrepr).strip().splitlines() or ["without a word"]
    return f"failed before it compared anything: {lines[0 if crash else -1]}"
