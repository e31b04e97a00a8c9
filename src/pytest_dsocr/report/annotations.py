"""What GitHub shows beside the lines of a pull request: workflow commands, few and the worst first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ..compare import Verdict
from ..row import Change
from .against import moved_text
from .text import allowed, figure_of, is_time, printable, relative, shorten, signed_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..results import Results
    from ..row import Row

__all__ = ["MOST", "Annotation", "annotations_of", "command"]

MOST = 10
"""Annotations of one level that GitHub shows of a step."""

_LONGEST_TITLE = 200


class Annotation(NamedTuple):
    """What is told: ``level`` is error, warning or notice, ``test`` a node id, empty for the whole run."""

    level: str
    title: str
    message: str
    test: str = ""


def annotations_of(results: Results, labels: Mapping[str, str]) -> list[Annotation]:
    """List what made a run red, then its rows: failed, inconclusive, moved though they pass; no more than are shown.

    The last one of a level says how many more there are.
    """
    rows = results.rows
    errors = [Annotation("error", "dsocr", complaint) for complaint in results.complaints]
    errors += [_of_row("error", row, labels) for row in _worst_first(rows, Verdict.ERROR)]
    errors += [_of_row("error", row, labels) for row in _worst_first(rows, Verdict.FAIL)]
    warnings = [_of_row("warning", row, labels) for row in _worst_first(rows, Verdict.INCONCLUSIVE)]
    moved = [row for row in rows if row.baseline and row.baseline.change in (Change.IMPROVEMENT, Change.REGRESSION)]
    notices = [_of_move(row) for row in _worst_first(moved, Verdict.PASS)]
    return [*_shown(errors), *_shown(warnings), *_shown(notices)]


def command(one: Annotation, file: str = "", line: int | None = None) -> str:
    """Write an annotation as the line that GitHub's runner reads; ``line`` counts from 1."""
    properties = {"file": file, "line": str(line) if file and line else "", "title": one.title}
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{one.level} {told}::{_data(one.message)}"


def _worst_first(rows: Iterable[Row], verdict: Verdict) -> list[Row]:
    return sorted((row for row in rows if row.verdict is verdict), key=_distance, reverse=True)


def _distance(row: Row) -> float:
    """Tell how far a row is from where it should be: from the baseline where it moved, else from the prediction."""
    moved = row.baseline is not None and row.baseline.change in (Change.IMPROVEMENT, Change.REGRESSION)
    apart = row.baseline.relative_change if moved and row.baseline else row.relative_difference
    return math.inf if apart is None or math.isnan(apart) else abs(apart)


def _of_row(level: str, row: Row, labels: Mapping[str, str]) -> Annotation:
    predicted, measured = figure_of(row.metric, row.predicted), figure_of(row.metric, row.measured)
    apart = relative(row) if is_time(row.metric) else signed_of(row.metric, row.difference)
    because = f" ({row.because})" if row.because else ""
    said = [
        row.reason,
        f"predicted {predicted}, measured {measured}, difference {apart or 'unknown'}",
        f"allowed: {allowed(row.rtol)}, by {row.rule}{because}",
    ]
    if row.baseline and row.baseline.change is Change.REGRESSION:
        said.append(f"moved: {moved_text(row)}, stored in {row.baseline.source}")
    title = f"{row.verdict}: {row.layer}, {row.case}, {labels.get(row.metric, row.metric)}"
    return Annotation(level, title, "\n".join(map(printable, said)), row.test)


def _of_move(row: Row) -> Annotation:
    change = row.baseline.change if row.baseline else Change.SAME
    return Annotation("notice", f"{change}: {row.title}", moved_text(row), row.test)


def _shown(told: Sequence[Annotation]) -> list[Annotation]:
    shown, more = list(told[:MOST]), len(told) - MOST
    if more > 0:
        last = shown[-1]
        shown[-1] = last._replace(message=f"{last.message}\nand {more:,} more, which GitHub does not show here")
    return shown


def _data(text: str) -> str:
    """Escape as the runner's toolkit does: what is no newline of ours was made printable before."""
    shown = "\n".join(map(printable, text.split("\n")))
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(shorten(printable(text), _LONGEST_TITLE)).replace(":", "%3A").replace(",", "%2C")
