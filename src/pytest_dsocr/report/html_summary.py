"""The top of the page: what came of the run, and what moved against the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..baseline import change_text
from ..compare import Verdict
from ..row import Change
from .against import counts_text
from .html_layers import rows_link
from .text import figure_of, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..results import Results
    from ..row import Row

__all__ = ["MARKS", "Count", "Headline", "Moved", "headline", "moved_rows"]

MARKS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.ERROR: "!",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_RUN: "-",
}
"""What stands for a verdict beside its colour."""

MOST_MOVED = 200
"""Rows that are listed for each way of moving; the table has them all."""

LEAST_SHARE = 0.005
"""The part of the bar that even a single row gets."""

_LISTED = (Change.REGRESSION, Change.UNCERTAIN, Change.IMPROVEMENT)


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows came to a verdict, their part of the bar, and where they are listed."""

    verdict: Verdict
    count: int
    share: float
    mark: str
    link: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The run in a sentence, and its colour: ``pass``, ``fail`` or ``inconclusive``."""

    tone: Verdict
    sentence: str
    about: str
    counts: tuple[Count, ...]
    baseline: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """A row that moved against the baseline."""

    change: Change
    layer: str
    case: str
    metric: str
    before: str
    now: str
    said: str
    reason: str
    link: str


def headline(results: Results) -> Headline:
    """Sum the run up."""
    counts = results.by_verdict
    there = {
        verdict: max(counts[verdict] / sum(counts.values()), LEAST_SHARE) for verdict in Verdict if counts[verdict]
    }
    listed = tuple(
        Count(verdict, counts[verdict], share / sum(there.values()), MARKS[verdict], _link(verdict))
        for verdict, share in there.items()
    )
    sources = dict.fromkeys(row.baseline.source for row in results.rows if row.baseline and row.baseline.source)
    return Headline(
        _tone(results), _sentence(results), _about(results.rows), listed, counts_text(results.rows), tuple(sources)
    )


def moved_rows(rows: Sequence[Row], labels: Mapping[str, str]) -> tuple[tuple[Change, int, tuple[Moved, ...]], ...]:
    """List what moved, regressions first: how, how many in all, and the first of them."""
    found = {change: [row for row in rows if row.baseline and row.baseline.change is change] for change in _LISTED}
    return tuple(
        (change, len(those), tuple(_moved(row, labels) for row in those[:MOST_MOVED]))
        for change, those in found.items()
        if those
    )


def _link(verdict: Verdict) -> str:
    return "#not-run" if verdict is Verdict.NOT_RUN else rows_link(verdict=str(verdict))


def _tone(results: Results) -> Verdict:
    counts = results.by_verdict
    if counts[Verdict.FAIL] or counts[Verdict.ERROR] or results.complaints:
        return Verdict.FAIL
    only_passes = results.rows and not counts[Verdict.INCONCLUSIVE]
    return Verdict.PASS if only_passes else Verdict.INCONCLUSIVE


def _sentence(results: Results) -> str:
    counts, compared = results.by_verdict, len(results.rows)
    wrong = [
        words
        for count, words in (
            (counts[Verdict.FAIL], f"{counts[Verdict.FAIL]:,} failed"),
            (counts[Verdict.ERROR], f"{counts[Verdict.ERROR]:,} went wrong"),
            (counts[Verdict.INCONCLUSIVE], f"{counts[Verdict.INCONCLUSIVE]:,} inconclusive"),
        )
        if count
    ]
    if not compared:
        return "Nothing was compared"
    if wrong:
        *first, last = wrong
        return (
            f"Of {compared:,} comparison{'s' * (compared != 1)}, {' and '.join(filter(None, (', '.join(first), last)))}"
        )
    said = "The comparison passes" if compared == 1 else f"All {compared:,} comparisons pass"
    return f"{said}, and the run is red" if results.complaints else said


def _about(rows: Sequence[Row]) -> str:
    """Say what was measured: model, implementation, attention, dtype, devices; several are set apart by slashes."""
    told = [
        " / ".join(dict.fromkeys(words for row in rows if (words := say(row))))
        for say in (
            lambda row: row.model,
            lambda row: row.implementation,
            lambda row: f"{row.attention} attention" if row.attention else "",
            lambda row: row.dtype,
            lambda row: f"{row.device.type} {row.device.name}".strip(),
        )
    ]
    return printable(" · ".join(filter(None, told)))


def _moved(row: Row, labels: Mapping[str, str]) -> Moved:
    stored = row.baseline
    assert stored is not None  # it is listed by how it stands
    return Moved(
        stored.change,
        row.layer,
        row.case,
        labels.get(row.metric, row.metric),
        "" if stored.measured is None else figure_of(row.metric, stored.measured),
        figure_of(row.metric, row.measured),
        change_text(stored),
        stored.reason,
        rows_link(layer=row.layer, case=row.case, metric=row.metric),
    )
