"""A row's figures by name, as JUnit's properties hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..row import Row

__all__ = ["figures_of", "properties_of"]


def figures_of(row: Row) -> dict[str, str | int | float]:
    """Name what a row came to; what it has none of is left out."""
    stored = row.baseline
    figures = {
        "predicted": row.predicted,
        "measured": row.measured,
        "rtol": row.rtol,
        "spread": row.spread,
        "verdict": str(row.verdict),
        "stored": stored.measured if stored else None,
        "change": str(stored.change) if stored else None,
    }
    return {name: value for name, value in figures.items() if value is not None}


def properties_of(rows: Iterable[Row]) -> list[tuple[str, object]]:
    """Name the figures of a test's rows: ``dsocr.vision.Attention[1024 view].tensor_flops.predicted``."""
    return [
        (printable(f"dsocr.{row.layer}[{row.case}].{row.metric}.{name}"), value)
        for row in rows
        for name, value in figures_of(row).items()
    ]
