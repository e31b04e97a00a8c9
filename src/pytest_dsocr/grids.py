"""Crop grids as options name them: tables of grids, and single ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsocr_cost import Grid, SizeError
from dsocr_cost.workload import MAX_SIDE, MODEL_GRIDS, parse_grid

from .published.grids import read_grids

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["parse_grids", "published_grids"]


def published_grids() -> tuple[Grid, ...]:
    """List the 90 grids of the published sweep tables, 1x2 to 15x26."""
    return tuple(Grid(row.crops_high, row.crops_wide) for row in read_grids("vision"))


_TABLES: Mapping[str, Callable[[], tuple[Grid, ...]]] = {"published": published_grids, "model": lambda: MODEL_GRIDS}


def parse_grids(text: str) -> tuple[Grid, ...]:
    """Read a list with commas of ``published``, ``model`` and grids high before wide: ``model,2x3,15x26``.

    ``published`` is :func:`published_grids`, ``model`` :data:`~dsocr_cost.workload.MODEL_GRIDS`. Each grid comes once,
    where it was named first.

    Raises:
        SizeError: a word that is none of these, or no word at all.
    """
    words = (word.strip().lower() for word in text.split(","))
    return tuple(dict.fromkeys(grid for word in words for grid in _grids(word)))


def _grids(word: str) -> tuple[Grid, ...]:
    if word in _TABLES:
        return _TABLES[word]()
    try:
        return (parse_grid(word),)
    except SizeError:
        allowed = f"published, model and HIGHxWIDE, such as 2x3, with 1 to {MAX_SIDE} crops a side"
        msg = f"grids: got {word!r}, allowed are {allowed}, with commas between them"
        raise SizeError(msg) from None
