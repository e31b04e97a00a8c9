"""What ``dsocr compare`` prints for people: a table of what moved, what is missing, and counts."""

from __future__ import annotations

import textwrap
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from tabulate import tabulate

from ..compare import Verdict
from ..report.text import allowed, figure_of, printable, shorten
from ..row import Change
from .tables import terminal_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..comparison import Compared, Comparison
    from ..results import Results
    from ..row import Row

    Columns: TypeAlias = dict[str, list[str]]

__all__ = ["compare_text"]

MOST_LINES = 20
"""Reasons, and rows that are missing, of which each has a line."""

LONGEST_FIGURE = 24
INDENT = "  "
DISPENSABLE = ("rank test", "allowed")
"""Heads of columns, the first to go first where there is no room."""

_ORDER = (Change.REGRESSION, None, Change.UNCERTAIN, Change.IMPROVEMENT, Change.NEW, Change.SAME)


def compare_text(
    comparison: Comparison, head: Results, labels: Mapping[str, str], *, everything: bool, require_all: bool
) -> str:
    """Write it all, as wide as the terminal; in a pipe no name is cut."""
    width = terminal_columns()
    shown = sorted((one for one in comparison.rows if everything or one.moved), key=_rank)
    blocks = [
        _table(shown, labels, width),
        _reasons(shown, width),
        _missing(comparison.missing, head, width),
        _outcome(comparison, head, require_all=require_all),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _rank(one: Compared) -> tuple[bool, int]:
    """Put first what is red, and what has not moved last."""
    return not (one.fails or one.change is Change.REGRESSION), _ORDER.index(one.change)


def _table(shown: Sequence[Compared], labels: Mapping[str, str], width: int) -> list[str]:
    """Write a row a line, and where that is too wide, its name on a line of its own above its figures."""
    if not shown:
        return []
    figures = _figures(shown)
    names = {
        "layer": [printable(one.row.layer) for one in shown],
        "case": [printable(one.row.case) for one in shown],
        "metric": [printable(labels.get(one.row.metric, one.row.metric)) for one in shown],
    }
    lines = _lines({**names, **figures}, left=len(names))
    if _fits(lines, width):
        return lines
    for gone in range(len(DISPENSABLE) + 1):
        lines = _lines({head: cells for head, cells in figures.items() if head not in DISPENSABLE[:gone]})
        if _fits(lines, width - len(INDENT)):
            break
    heading, rule, *body = (f"{INDENT}{line}" for line in lines)
    stacked = [
        (shorten(", ".join(name), width), line)
        for name, line in zip(zip(*names.values(), strict=True), body, strict=True)
    ]
    return [heading, rule, *chain.from_iterable(stacked)]


def _figures(shown: Sequence[Compared]) -> Columns:
    rows = [one.row for one in shown]
    tests = [_p_value(row) for row in rows]
    return {
        "stored": [_figure(row.metric, row.baseline.measured if row.baseline else None) for row in rows],
        "measured": [_figure(row.metric, row.measured) for row in rows],
        "change": [_change(row) for row in rows],
        **({"rank test": tests} if any(tests) else {}),
        "allowed": [allowed(row.rtol) for row in rows],
        "came to": [_came_to(one) for one in shown],
    }


def _lines(columns: Columns, *, left: int = 0) -> list[str]:
    """Write columns, so many to the left, figures to the right, what it came to to the left."""
    alignment = ["left"] * left + ["right"] * (len(columns) - left - 1) + ["left"]
    rows = list(zip(*columns.values(), strict=True))
    text = tabulate(rows, list(columns), colalign=alignment, disable_numparse=True, preserve_whitespace=True)
    return [line.rstrip() for line in text.splitlines()]


def _fits(lines: Iterable[str], width: int) -> bool:
    return max(map(len, lines)) <= width


def _figure(metric: str, value: float | None) -> str:
    if value is None:
        return "-"
    text = figure_of(metric, value)
    return text if len(text) <= LONGEST_FIGURE else f"{value:.6g}"


def _change(row: Row) -> str:
    standing = row.baseline
    if standing is None or standing.measured in (None, row.measured):
        return "-"
    return f"{100 * standing.relative_change:+.3g}%" if standing.relative_change is not None else "from 0"


def _p_value(row: Row) -> str:
    return f"p = {row.baseline.p_value:.2g}" if row.baseline and row.baseline.p_value is not None else ""


def _came_to(one: Compared) -> str:
    """Say how it stands, and the verdict that it has without a baseline where that is no pass."""
    if one.own not in (Verdict.PASS, Verdict.FAIL):
        return str(one.own)
    change = str(one.change or "no baseline")
    return f"{change}, {one.own}" if one.own is Verdict.FAIL else change


def _reasons(shown: Sequence[Compared], width: int) -> list[str]:
    """Say why of what the table alone does not explain."""
    said = []
    for one in shown:
        reason = one.row.reason if one.fails else one.row.baseline.reason if one.row.baseline else ""
        if reason and one.change is not Change.NEW:
            said.append((one.row.title, reason))
    return _listed(said, width)


def _missing(missing: Sequence[Row], head: Results, width: int) -> list[str]:
    reasons = {one.test: f"not run: {one.reason}" for one in head.not_run}
    lines = _listed([(row.title, reasons.get(row.test, "")) for row in missing], width, indent=INDENT)
    return ["missing from HEAD:", *lines] if lines else []


def _listed(said: Sequence[tuple[str, str]], width: int, indent: str = "") -> list[str]:
    """List names, each with what there is to say of it below."""
    lines = []
    for name, reason in said[:MOST_LINES]:
        lines.append(shorten(f"{indent}{printable(name)}", width))
        lines += textwrap.wrap(
            printable(reason),
            width,
            initial_indent=indent + INDENT,
            subsequent_indent=indent + INDENT,
            break_on_hyphens=False,
            max_lines=4,
            placeholder=" …",
        )
    return [*lines, f"{indent}and {len(said) - MOST_LINES:,} more"] if len(said) > MOST_LINES else lines


def _outcome(comparison: Comparison, head: Results, *, require_all: bool) -> list[str]:
    """Count rows, repeat what HEAD complains of, and say whether that is red and why."""
    counts = comparison.counts
    fails, missing = counts.pop("fail"), counts.pop("missing")
    told = [_count(count, name) for name, count in counts.items() if count]
    told += [f"{missing:,} missing from HEAD"] if missing else []
    told += [f"{len(head.not_run):,} not run in HEAD"] if head.not_run else []
    complaints = [printable(f"HEAD complains: {complaint}") for complaint in head.complaints[:MOST_LINES]]
    red = [
        *([_count(counts["regression"], "regression")] if counts["regression"] else []),
        *([f"{fails:,} {'row fails' if fails == 1 else 'rows fail'} without a baseline"] if fails else []),
        *([f"{missing:,} missing from HEAD"] if missing and require_all else []),
    ]
    return [", ".join(told), *complaints, f"red: {', '.join(red)}" if red else "green: nothing regressed, no row fails"]


def _count(count: int, name: str) -> str:
    plural = name in (Change.REGRESSION, Change.IMPROVEMENT) and count != 1
    return f"{count:,} {name}{'s' if plural else ''}"
