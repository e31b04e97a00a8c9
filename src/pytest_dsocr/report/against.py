"""How a run stands against its baseline, for the terminal: counts, improvements, and what was not measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..baseline import change_text
from ..baseline_run import MOST_NAMED, counted, not_measured
from ..row import Change
from .text import figure_of, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..row import Row

__all__ = ["baseline_lines", "counts_text", "moved_text"]


def counts_text(rows: Sequence[Row]) -> str:
    """Count rows by how they moved: ``1,870 same, 2 regressions, 1 improvement``; empty where none has a standing."""
    plural = {Change.REGRESSION: "regressions", Change.IMPROVEMENT: "improvements"}
    return ", ".join(
        f"{count:,} {plural.get(change, change) if count != 1 else change}" for change, count in counted(rows).items()
    )


def moved_text(row: Row) -> str:
    """Say by how much a figure moved, what it is of, and from what to what."""
    if row.baseline is None or row.baseline.measured is None:
        return printable(row.title)
    before, now = (figure_of(row.metric, figure) for figure in (row.baseline.measured, row.measured))
    return printable(f"{change_text(row.baseline)}: {row.title}: {before} to {now}")


def baseline_lines(rows: Sequence[Row], missing: Collection[Row], command: str) -> list[str]:
    """Write the lines below the table; ``command`` is what takes improvements over, empty where this run does it."""
    counts = counts_text(rows)
    lines = [f"dsocr: against the baseline: {counts}"] if counts else []
    improved = [row for row in rows if row.baseline and row.baseline.change is Change.IMPROVEMENT]
    lines += [f"  improvement: {moved_text(row)}" for row in improved[:MOST_NAMED]]
    if len(improved) > MOST_NAMED:
        lines.append(f"  and {len(improved) - MOST_NAMED} more improvements")
    if improved and command:
        lines.append(f"  take over: {printable(command)}")
    if missing:
        lines.append(f"dsocr: {printable(not_measured(missing))}")
    return lines
