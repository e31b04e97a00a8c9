"""The summary table, for terminals from 80 columns up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from tabulate import tabulate

from ..baseline import REGRESSION, change_text
from ..compare import Verdict
from .accuracy import accuracy_of, accuracy_text
from .text import (
    allowed,
    figure_of,
    is_time,
    mean_and_deviation,
    printable,
    relative,
    share,
    shorten,
    signed_of,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..results import Results
    from ..row import Row

__all__ = ["Line", "summary_lines", "totals"]

WIDE, WIDE_WITH_TIMES = 132, 160
"""Columns from which on a row stands on one line with all that there is to it."""

FOLD_ABOVE = 250
"""Rows above which those that pass are folded, a line for each layer."""

_COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.ERROR: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_RUN: "yellow",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and the colour that pytest's terminal gives it; empty for none."""

    text: str
    colour: str = ""
    bold: bool = False


def summary_lines(
    results: Results, labels: Mapping[str, str], families: Mapping[str, str], *, width: int, verbosity: int = 0
) -> list[Line]:
    """Write the table: passes first, then the others, then what did not run, then totals.

    ``labels`` are the metrics' names for people, ``families`` what each belongs to. A quiet run (``verbosity`` below 0)
    prints only what is no pass; a verbose one folds nothing.
    """
    metrics = dict.fromkeys(row.metric for row in results.rows)
    labels, families = ({one: printable(names.get(one, one)) for one in metrics} for names in (labels, families))
    passes = [row for row in results.rows if row.verdict is Verdict.PASS]
    others = [row for row in results.rows if row.verdict is not Verdict.PASS]
    lines: list[Line] = []
    if passes and verbosity >= 0:
        fold = len(passes) > FOLD_ABOVE and verbosity < 1
        lines += _folded(passes, labels, families, width) if fold else _table(passes, labels, width, verbosity)
        lines += _notices(passes, labels, width)
    if others:
        table = _table(others, labels, width, verbosity)
        lines += [Line(""), *table] if lines else table
    if results.not_run:
        lines += [*([Line("")] if lines else []), *_not_run(results, width)]
    accuracy = accuracy_of(results.rows)
    said = [Line(f"dsocr: {accuracy_text(accuracy)}")] if accuracy else []
    return [*lines, *([Line("")] if lines else []), *said, totals(results)]


def totals(results: Results) -> Line:
    """Count the comparisons by verdict, in the worst one's colour."""
    counts = {verdict: count for verdict, count in results.by_verdict.items() if count}
    text = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "nothing was compared"
    worst = next((verdict for verdict in (*list(Verdict)[1:], Verdict.PASS) if counts.get(verdict)), None)
    return Line(f"dsocr: {text}", _COLOURS.get(worst, "yellow") if worst else "yellow", bold=True)


def _table(rows: Sequence[Row], labels: Mapping[str, str], width: int, verbosity: int) -> list[Line]:
    times = any(row.spread is not None for row in rows)
    if width >= (WIDE_WITH_TIMES if times else WIDE):
        return _wide(rows, labels, width, times=times)
    return _narrow(rows, labels, width, verbosity)


def _wide(rows: Sequence[Row], labels: Mapping[str, str], width: int, *, times: bool) -> list[Line]:
    """Write a row a line; where there are times, with mean and deviation of their repeats, and the spread."""
    noise = ["mean ± deviation", "spread"] if times else []
    headers = ["group", "layer", "case", "metric", "predicted", "measured", *noise, "difference", "allowed", "verdict"]
    cells = [
        [
            *_group_and_class(row),
            printable(row.case),
            labels[row.metric],
            figure_of(row.metric, row.predicted),
            figure_of(row.metric, row.measured),
            *([mean_and_deviation(row), "" if row.spread is None else share(row.spread)] if times else []),
            relative(row) if is_time(row.metric) else signed_of(row.metric, row.difference),
            allowed(row.rtol),
            _verdict(row),
        ]
        for row in rows
    ]
    _fit(headers, cells, width, column=2)
    table = tabulate(cells, headers, colalign=_align("llll" + "r" * (len(headers) - 5) + "l"), disable_numparse=True)
    return _coloured(table.splitlines(), rows)


def _narrow(rows: Sequence[Row], labels: Mapping[str, str], width: int, verbosity: int) -> list[Line]:
    """Write the figures under a line for each layer and metric; a verbose run adds one for the repeats of a time."""
    headers = ["case", "predicted", "measured", "verdict"]
    cells = [
        [
            f"  {printable(row.case)}",
            figure_of(row.metric, row.predicted),
            figure_of(row.metric, row.measured) + ("" if row.spread is None else f" ±{share(row.spread)}"),
            _verdict_and_difference(row),
        ]
        for row in rows
    ]
    _fit(headers, cells, width, column=0)
    table = tabulate(cells, headers, colalign=_align("lrrl"), disable_numparse=True, preserve_whitespace=True)
    heading, *body = _coloured(table.splitlines(), rows)
    lines, rest = [heading, body.pop(0)], iter(body)
    for (layer, metric), run in groupby(rows, key=lambda row: (row.layer, row.metric)):
        lines.append(Line(shorten(f"{printable(layer)}: {labels[metric]}", width), bold=True))
        for row in run:
            lines.append(next(rest))
            if verbosity >= 1 and (mean := mean_and_deviation(row)):
                lines.append(Line(f"    mean {mean} of {row.details.get('repeats')} repeats"))
    return lines


def _notices(rows: Sequence[Row], labels: Mapping[str, str], width: int) -> list[Line]:
    """List the passes that have something to say; the reason stands below the row."""
    lines = []
    for row in rows:
        if row.reason:
            name = f"{printable(row.layer)}, {printable(row.case)}, {labels[row.metric]}"
            lines += [Line(shorten(f"{name}: pass {relative(row)}", width), "yellow")]
            lines += [Line(text, "yellow") for text in wrapped(row.reason, width, "  ", "  ")]
    return [Line(""), *lines] if lines else []


def _fit(headers: Sequence[str], cells: list[list[str]], width: int, *, column: int) -> None:
    """Shorten one column to the room that the others leave it: two blanks between any two, and after a header."""
    others = [index for index in range(len(headers)) if index != column]
    taken = sum(2 + max(len(headers[index]) + 2, *(len(row[index]) for row in cells)) for index in others)
    for row in cells:
        row[column] = shorten(row[column], max(width - taken, 12))


def _coloured(table: Sequence[str], rows: Sequence[Row]) -> list[Line]:
    body = [
        Line(text.rstrip(), _COLOURS[row.verdict] if row.verdict is not Verdict.PASS else "")
        for text, row in zip(table[2:], rows, strict=True)
    ]
    return [*(Line(text, bold=True) for text in table[:2]), *body]


def _folded(rows: Sequence[Row], labels: Mapping[str, str], families: Mapping[str, str], width: int) -> list[Line]:
    """Count the passes by layer, and by metric where that fits, else by family where that fits."""
    for head, column in (("cases that pass", labels), ("comparisons that pass", families)):
        table = _counted(rows, head, [column[row.metric] for row in rows])
        if max(len(line.text) for line in table) <= width:
            return table
    return _counted(rows, "comparisons that pass", ["all metrics"] * len(rows))


def _counted(rows: Sequence[Row], head: str, columns: Sequence[str]) -> list[Line]:
    """Count rows by layer and by what each belongs to."""
    counts = Counter(zip((row.layer for row in rows), columns, strict=True))
    heads = list(dict.fromkeys(columns))
    body = [
        [printable(layer), *(str(counts[layer, head] or "-") for head in heads)]
        for layer in dict.fromkeys(row.layer for row in rows)
    ]
    heading = _stacked([head, *heads])
    alignment = _align("l" + "r" * len(heads))
    table = tabulate([*heading, *body], tablefmt="plain", colalign=alignment, disable_numparse=True)
    return [Line(text.rstrip(), bold=index < len(heading)) for index, text in enumerate(table.splitlines())]


def _stacked(headers: Sequence[str]) -> list[list[str]]:
    """Break headers into a word a line, the last words beside each other; the first one stays whole."""
    words = [[headers[0]], *([printable(word) for word in header.split(" ")] for header in headers[1:])]
    height = max(map(len, words))
    return [
        [column[line - height] if line >= height - len(column) else "" for column in words] for line in range(height)
    ]


def _not_run(results: Results, width: int) -> list[Line]:
    """List tests, and after those that follow each other for one reason, the reason."""
    lines = [Line("not run:", "yellow", bold=True)]
    for reason, tests in groupby(results.not_run, key=lambda one: one.reason):
        names = (line for one in tests for line in wrapped(one.test, width, "  ", " " * 6))
        lines += [Line(text, "yellow") for text in (*names, *wrapped(reason, width, " " * 4, " " * 4))]
    return lines


def _verdict(row: Row) -> str:
    """Write the verdict and, of a row that only the baseline fails, how far it has moved."""
    if row.baseline is not None and row.reason.startswith(REGRESSION):
        return f"{row.verdict}: {change_text(row.baseline)}"
    return str(row.verdict)


def _verdict_and_difference(row: Row) -> str:
    verdict = _verdict(row)
    return f"{verdict} {relative(row)}".rstrip() if row.relative_difference and verdict == row.verdict else verdict


def _group_and_class(row: Row) -> tuple[str, str]:
    group, _, name = row.layer.rpartition(".")
    return printable(group), printable(name)


def _align(letters: str) -> tuple[str, ...]:
    return tuple({"l": "left", "r": "right"}[letter] for letter in letters)
