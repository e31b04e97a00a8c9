"""Rows as JUnit's XML, for whatever draws test results: a test case each, with its figures as properties."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite

from ..compare import Verdict
from .failure import failure_text
from .properties import figures_of
from .text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..results import Results
    from ..row import Row

__all__ = ["junit_text"]

_WIDTH = 120
_RESULTS = {
    Verdict.FAIL: Failure,
    Verdict.ERROR: Error,
    Verdict.INCONCLUSIVE: Skipped,
    Verdict.NOT_RUN: Skipped,
}


def junit_text(results: Results, labels: Mapping[str, str], families: Mapping[str, str]) -> str:
    """Write a suite: its environment, a case for each row, for what did not run, and for what made the run red.

    What is inconclusive or did not run is skipped. XML cannot hold control characters; they are escaped.
    """
    del families  # a case is told by its layer and metric
    suite = TestSuite("dsocr")
    for name, value in _environment(results):
        suite.add_property(name, value)
    suite.extend(_cases(results, labels))
    document = JUnitXml()
    document.add_testsuite(suite)
    document.update_statistics()
    file = io.BytesIO()
    document.write(file)
    return file.getvalue().decode() + "\n"


def _environment(results: Results) -> Iterator[tuple[str, str]]:
    for number, device in enumerate(dict.fromkeys(row.device for row in results.rows), 1):
        yield f"device.{number}", printable(str(device))
    for number, environment in enumerate(results.environments, 1):
        for name, value in environment.items():
            yield f"run.{number}.{printable(name)}", printable(value)


def _cases(results: Results, labels: Mapping[str, str]) -> Iterator[TestCase]:
    for complaint in results.complaints:
        yield _case("dsocr", "the run", Verdict.FAIL, complaint)
    for row in results.rows:
        name = f"{row.case}, {labels.get(row.metric, row.metric)}"
        case = _case(row.layer, name, row.verdict, row.reason, [*figures_of(row).items(), *_judged_by(row)])
        for result in case.result:
            result.text = failure_text(row, labels.get(row.metric, row.metric), (), (), _WIDTH)
        yield case
    for one in results.not_run:
        yield _case("dsocr", one.test, Verdict.NOT_RUN, one.reason)


def _judged_by(row: Row) -> Iterator[tuple[str, str]]:
    """Name what judged a row and where it was measured, without what is empty."""
    texts = {"rule": row.rule, "because": row.because, "reason": row.reason, "test": row.test}
    texts |= {"device": str(row.device), "source": row.source, "notes": row.notes}
    return ((name, text) for name, text in texts.items() if text)


def _case(
    group: str, name: str, verdict: Verdict, reason: str, properties: Iterable[tuple[str, str | int | float]] = ()
) -> TestCase:
    case = TestCase(printable(name), printable(group), 0)
    of_case = Properties()
    for key, value in properties:
        of_case.append(Property(key, printable(str(value))))
    if len(list(of_case)):
        case.append(of_case)
    if verdict in _RESULTS:
        case.append(_RESULTS[verdict](printable(reason), str(verdict)))
    return case
