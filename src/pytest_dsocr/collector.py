"""Gathers rows from test reports, in the one process that sees them all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .results import NotRun, Results, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

__all__ = ["Collector", "attach", "attached_rows"]

_ATTRIBUTE = "dsocr"


def attach(report: pytest.TestReport, *, rows: Iterable[Row], expected: Iterable[str]) -> None:
    """Put rows and the tests that this process means to run on a report; they travel with it between processes."""
    content = {"rows": [row.to_dict() for row in rows], "expected": list(expected)}
    # only built-in types cross between processes: a subclass of str, as torch has for its version, kills the worker
    setattr(report, _ATTRIBUTE, json.loads(json.dumps(content)))


def attached_rows(report: pytest.TestReport) -> tuple[Row, ...]:
    """Take them off again."""
    return tuple(Row.from_dict(row) for row in getattr(report, _ATTRIBUTE, {}).get("rows", ()))


class Collector:
    """What was expected, what came, and what did not: a pytest plugin of its own, one a run.

    A process names its tests on its first report. A worker that dies sends no last word, so nothing waits for one.
    """

    def __init__(self) -> None:
        self._expected: dict[str, None] = {}
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._reasons: dict[str, str] = {}

    def expect(self, tests: Iterable[str]) -> None:
        """Note tests that will compare something."""
        self._expected.update(dict.fromkeys(tests))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in a report, of this process or of a worker; a test that is run again replaces its rows."""
        self.expect(getattr(report, _ATTRIBUTE, {}).get("expected", ()))
        if rows := attached_rows(report):
            self._rows[report.nodeid] = rows
        if report.outcome != "passed" and report.nodeid not in self._rows:
            self._reasons[report.nodeid] = _reason(report)

    def results(self, environment: Mapping[str, str], *, stopped: str) -> Results:
        """Close the books, in the order of collection; ``stopped`` is the reason of tests that were never reached."""
        order = [*self._expected, *(test for test in self._rows if test not in self._expected)]
        rows = tuple(row for test in order for row in self._rows.get(test, ()))
        not_run = tuple(
            NotRun(test, self._reasons.get(test, stopped)) for test in self._expected if test not in self._rows
        )
        return Results(rows, not_run, environment)


def _reason(report: pytest.TestReport) -> str:
    longrepr: Any = report.longrepr
    if report.outcome == "skipped" and isinstance(longrepr, tuple):
        return str(longrepr[2]).removeprefix("Skipped: ")
    lines = [line.removeprefix("E").strip() for line in str(longrepr).splitlines() if line.startswith("E ")]
    return f"failed before it compared anything: {lines[0] if lines else str(longrepr).strip().splitlines()[-1]}"
