"""The whole story of each row that is no pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..baseline import REGRESSION, change_text
from ..compare import WORST_FIRST, Verdict
from .html_layers import rows_link
from .html_summary import MARKS
from .text import allowed, figure, figure_of, is_time, mean_and_deviation, share, signed, signed_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..row import Row, Term

__all__ = ["Stories", "Story", "TermLine", "percent", "stories_of"]

MOST_TOLD = 50
"""Stories that are told in full; those beyond are a line each."""

MOST_TERMS = 8


@dataclass(frozen=True, slots=True)
class TermLine:
    """Ops whose predicted and counted figures part ways."""

    op: str
    kind: str
    predicted: str
    call: str
    measured: str
    difference: str


@dataclass(frozen=True, slots=True)
class Story:
    """What a reader has to know of a row, as text; ``stored`` and ``moved`` where the baseline alone fails it."""

    row: Row
    mark: str
    label: str
    predicted: str
    measured: str
    difference: str
    relative: str
    allowed: str
    stored: str
    moved: str
    figures: tuple[tuple[str, str], ...]
    terms: tuple[TermLine, ...]
    terms_left: int
    link: str


@dataclass(frozen=True, slots=True)
class Stories:
    """Rows that are no pass, the worst first: the first ones in full, the others in a line."""

    told: tuple[Story, ...]
    listed: tuple[Story, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.told) + len(self.listed)


def stories_of(rows: Iterable[Row], labels: Mapping[str, str]) -> Stories:
    """Tell those that are no pass."""
    others = sorted(
        (row for row in rows if row.verdict is not Verdict.PASS), key=lambda row: WORST_FIRST.index(row.verdict)
    )
    stories = [_story(row, labels, told=number < MOST_TOLD) for number, row in enumerate(others)]
    return Stories(tuple(stories[:MOST_TOLD]), tuple(stories[MOST_TOLD:]))


def percent(row: Row) -> str:
    """Write the difference as a part of the measured, with its sign; empty where there is none."""
    relative = row.relative_difference
    if relative is None or math.isnan(relative):
        return ""
    if not relative:
        return "0%"
    return f"{relative:+.1%}" if is_time(row.metric) else f"{100 * relative:+.3g}%"


def _story(row: Row, labels: Mapping[str, str], *, told: bool) -> Story:
    terms = [term for term in row.terms if term.predicted != term.measured] if told else []
    stored = row.baseline.measured if row.baseline and row.reason.startswith(REGRESSION) else None
    return Story(
        row=row,
        mark=MARKS[row.verdict],
        label=labels.get(row.metric, row.metric),
        predicted=figure_of(row.metric, row.predicted),
        measured=figure_of(row.metric, row.measured),
        difference=signed_of(row.metric, row.difference),
        relative=percent(row),
        allowed=allowed(row.rtol),
        stored="" if stored is None else figure_of(row.metric, stored),
        moved="" if stored is None else signed_of(row.metric, row.measured - stored),
        figures=tuple(_figures(row)) if told else (),
        terms=tuple(map(_term_line, terms[:MOST_TERMS])),
        terms_left=max(len(terms) - MOST_TERMS, 0),
        link=rows_link(layer=row.layer, case=row.case, metric=row.metric),
    )


def _figures(row: Row) -> Iterable[tuple[str, str]]:
    """List what is known beside both figures, by name."""
    told: Sequence[tuple[str, str]] = (
        ("tolerance", f"{allowed(row.rtol)}, by {row.rule}"),
        ("because", row.because),
        ("band", " to ".join(figure_of(row.metric, end) for end in row.band or ())),
        ("predicted by", row.source),
        ("mean", mean_and_deviation(row)),
        ("spread", "" if row.spread is None else f"{share(row.spread)} of the measured"),
        ("baseline", _standing(row)),
        ("sizes", ", ".join(f"{name}={size:,}" for name, size in row.sizes.items())),
        ("measured on", str(row.device)),
        (
            "as",
            ", ".join(filter(None, (row.implementation, row.attention and f"{row.attention} attention", row.dtype))),
        ),
        ("how", row.notes),
        ("test", row.test),
    )
    return ((name, text) for name, text in told if text)


def _standing(row: Row) -> str:
    stored = row.baseline
    if stored is None:
        return ""
    if stored.measured is None:
        return f"{stored.change}: {stored.reason}"
    was = f"{stored.change}: {figure_of(row.metric, stored.measured)} stored, {change_text(stored)}, in {stored.source}"
    return f"{was}; {stored.reason}" if stored.reason else was


def _term_line(term: Term) -> TermLine:
    times = f" x {term.launches:,}" if term.launches > 1 else ""
    calls = f" x {term.calls:,}" if term.calls > 1 else ""
    return TermLine(
        f"{term.op}{times}" if term.op else "",
        term.kind,
        figure(term.predicted) if term.op else "",
        f"{term.call}{calls}" if term.call else "",
        figure(term.measured) if term.call else "",
        signed(term.predicted - term.measured),
    )
