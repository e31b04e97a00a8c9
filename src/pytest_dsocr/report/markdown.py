"""A run as Markdown, as GitHub shows it: short where all is well, complete where it is not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..baseline import change_text
from ..baseline_run import named
from ..compare import WORST_FIRST, Verdict
from ..row import USER, Change
from .accuracy import accuracy_of, accuracy_text
from .against import counts_text
from .blocks import Block, code, joined, table
from .text import allowed, figure_of, is_time, relative, share, signed_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..results import Results
    from ..row import AgainstBaseline, Row

__all__ = ["markdown_text"]

_RED, _YELLOW, _GREEN = "❌", "⚠️", "✅"
_MARKS = {Verdict.ERROR: _RED, Verdict.FAIL: _RED, Verdict.PASS: _GREEN}
_END = "</details>"
_TAKE_OVER = "`--dsocr-update-baseline` takes them over into the baseline."


def markdown_text(
    results: Results, labels: Mapping[str, str], families: Mapping[str, str], *, most_bytes: int | None = None
) -> str:
    """Write a run: its verdict, what made it red, what moved, what is no pass and why; passes are counted.

    ``labels`` are the metrics' names for people, ``families`` what each belongs to. Of a text that is larger than
    ``most_bytes``, rows are left out, the least telling ones first; it is empty where that does not help.
    """
    return joined(_blocks(results, labels, families), most_bytes)


def _blocks(results: Results, labels: Mapping[str, str], families: Mapping[str, str]) -> Iterator[Block]:
    yield _head(results)
    if results.complaints:
        yield Block("### What made the run red\n", [f"- {code(complaint)}" for complaint in results.complaints])
    yield from _moved(results.rows, "### Moved against the baseline", (Change.REGRESSION, Change.UNCERTAIN), labels)
    yield from _judged(results.rows, "### Failed", (Verdict.ERROR, Verdict.FAIL), labels)
    yield from _judged(results.rows, "### Inconclusive", (Verdict.INCONCLUSIVE,), labels)
    yield from _moved(results.rows, "### Improvements", (Change.IMPROVEMENT,), labels, tail=_TAKE_OVER)
    yield from _notices(results.rows, labels)
    yield from _not_run(results)
    yield from _passes(results.rows, families)
    yield from _environment(results)


def _head(results: Results) -> Block:
    counts = {verdict: results.by_verdict[verdict] for verdict in WORST_FIRST if results.by_verdict[verdict]}
    mark = _RED if results.complaints else _MARKS.get(next(iter(counts), Verdict.NOT_RUN), _YELLOW)
    text = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items()) or "nothing was compared"
    said = [f"## {mark} dsocr: {text}"]
    places = _places(results.rows)
    if len(places) == 1:
        said.append(f"Measured on {code(places[0])}.")
    if standing := counts_text(results.rows):
        said.append(f"Against the baseline: {standing}.")
    if accuracy := accuracy_of(results.rows):
        said.append(f"Predicted against measured, {accuracy_text(accuracy)}.")
    return Block("\n\n".join(said))


def _places(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(map(_place, rows)))


def _place(row: Row) -> str:
    """Say where and of what a row was measured: the part of its key that is mostly the same for a whole run."""
    attention = f"{row.attention} attention" if row.attention else ""
    return ", ".join(filter(None, (str(row.device), row.dtype, attention, _whose(row))))


def _whose(row: Row) -> str:
    """Name whose modules were measured."""
    return "modules of the tests" if row.model == row.implementation == USER else f"{row.model} by {row.implementation}"


def _what(row: Row, labels: Mapping[str, str]) -> str:
    """Name a row in one cell, which wraps: three columns of names would push the reason out of sight."""
    return ", ".join(filter(None, map(code, (row.layer, row.case, labels.get(row.metric, row.metric)))))


def _moved(
    rows: Sequence[Row], title: str, changes: tuple[Change, ...], labels: Mapping[str, str], *, tail: str = ""
) -> Iterator[Block]:
    """List what moved: from which stored figure, to what, by how much, and in which baseline that stands."""
    moved = [
        (row, row.baseline) for change in changes for row in rows if row.baseline and row.baseline.change is change
    ]
    if moved:
        headers = ["change", "what", "stored", "measured", "moved by", "baseline"]
        yield table(title, headers, [_moved_cells(row, stored, labels) for row, stored in moved], "llrrll", tail=tail)


def _moved_cells(row: Row, stored: AgainstBaseline, labels: Mapping[str, str]) -> list[str]:
    before = "" if stored.measured is None else figure_of(row.metric, stored.measured)
    source = "; ".join(filter(None, (code(stored.reason), code(stored.source))))
    now = figure_of(row.metric, row.measured)
    return [str(stored.change), _what(row, labels), before, now, change_text(stored), source]


def _judged(
    rows: Sequence[Row], title: str, verdicts: tuple[Verdict, ...], labels: Mapping[str, str]
) -> Iterator[Block]:
    """List rows in full: both figures, what was allowed and by which rule, the reason and the test."""
    several = len(_places(rows)) > 1
    headers = ["verdict", "what", "predicted", "measured", "difference", "allowed", "why"]
    cells = [
        [
            str(row.verdict),
            _what(row, labels),
            figure_of(row.metric, row.predicted),
            figure_of(row.metric, row.measured) + ("" if row.spread is None else f" ±{share(row.spread)}"),
            relative(row) if is_time(row.metric) else signed_of(row.metric, row.difference),
            allowed(row.rtol),
            _why(row, place=_place(row) if several else ""),
        ]
        for verdict in verdicts
        for row in rows
        if row.verdict is verdict
    ]
    if cells:
        yield table(title, headers, cells, "llrrrrl")


def _why(row: Row, *, place: str) -> str:
    because = f" because {code(row.because)}" if row.because else ""
    parts = [code(row.reason), f"by {code(row.rule)}{because}" if row.rule else ""]
    parts += [f"in {code(row.test)}" if row.test else "", f"on {code(place)}" if place else ""]
    return "; ".join(filter(None, parts))


def _notices(rows: Sequence[Row], labels: Mapping[str, str]) -> Iterator[Block]:
    noticed = [row for row in rows if row.verdict is Verdict.PASS and row.reason]
    if noticed:
        headers = ["what", "predicted", "measured", "difference", "notice"]
        figures = ((figure_of(row.metric, row.predicted), figure_of(row.metric, row.measured)) for row in noticed)
        cells = [
            [_what(row, labels), *both, relative(row), code(row.reason)]
            for row, both in zip(noticed, figures, strict=True)
        ]
        yield table("### Notices", headers, cells, "lrrrl")


def _not_run(results: Results) -> Iterator[Block]:
    """List what did not run by its reason, with the first few tests of each."""
    tests: dict[str, list[str]] = {}
    for one in results.not_run:
        tests.setdefault(one.reason, []).append(one.test)
    if tests:
        cells = [[f"{len(names):,}", code(reason), code(named(names))] for reason, names in tests.items()]
        yield table("### Not run", ["comparisons", "reason", "tests"], cells, "rll")


def _passes(rows: Sequence[Row], families: Mapping[str, str]) -> Iterator[Block]:
    """Count what passes, by layer and metric family."""
    counts = Counter((row.layer, families.get(row.metric, row.metric)) for row in rows if row.verdict is Verdict.PASS)
    if not counts:
        return
    layers, heads = (list(dict.fromkeys(names)) for names in zip(*counts, strict=True))
    cells = [
        [code(layer), *(f"{counts[layer, head]:,}" if counts[layer, head] else "" for head in heads)]
        for layer in layers
    ]
    title = f"<details><summary>{counts.total():,} pass, by layer and metric family</summary>"
    yield table(title, ["layer", *map(code, heads)], cells, "l" + "r" * len(heads), tail=_END)


def _environment(results: Results) -> Iterator[Block]:
    cells = [["measured on", code(place)] for place in _places(results.rows)]
    for number, environment in enumerate(results.environments, 1):
        run = f"run {number}, " if len(results.environments) > 1 else ""
        cells += [[run + code(name), code(value)] for name, value in environment.items()]
    if cells:
        yield table("<details><summary>Environment</summary>", ["what", "which"], cells, "ll", tail=_END)
