"""The JSON of ``dsocr compare``, as ``compare.schema.json`` beside this module promises it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from ..comparison import Compared, Comparison
    from ..row import Row

__all__ = ["SCHEMA", "compare_document"]

SCHEMA = 1

_ABOUT = ("model", "implementation", "attention", "dtype", "layer", "case", "metric", "test")


def compare_document(comparison: Comparison, base: Path, head: Path, *, everything: bool) -> dict[str, Any]:
    """Write down the counts, the rows that moved or fail, or ``everything``, and those that are missing."""
    return {
        "schema": SCHEMA,
        "base": str(base),
        "head": str(head),
        "counts": comparison.counts,
        "rows": [_row(one) for one in comparison.rows if everything or one.moved],
        "missing": [{**_about(row), "stored": row.measured} for row in comparison.missing],
    }


def _about(row: Row) -> dict[str, Any]:
    return {**{name: getattr(row, name) for name in _ABOUT}, "device": asdict(row.device)}


def _row(one: Compared) -> dict[str, Any]:
    row, standing = one.row, one.row.baseline
    return {
        **_about(row),
        "stored": standing.measured if standing else None,
        "measured": row.measured,
        "relative_change": standing.relative_change if standing else None,
        "p_value": standing.p_value if standing else None,
        "rtol": row.rtol,
        "change": str(one.change) if one.change else None,
        "verdict": str(one.own),
        "reason": "; ".join(filter(None, (row.reason, standing.reason if standing else ""))),
    }
