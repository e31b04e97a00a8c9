"""What commands print for people: paragraphs and tables as wide as the terminal."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING, TypeAlias

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["PIPE", "Column", "fitting_table", "paragraph", "table"]

Column: TypeAlias = "tuple[str, list[str]]"
"""A head, which may take several lines, and a cell a row."""

PIPE = (120, 24)
"""Columns and lines of what is no terminal."""


def paragraph(said: Iterable[str]) -> str:
    """Write what was said with commas, in lines of the terminal."""
    width = max(40, shutil.get_terminal_size(PIPE).columns - 1)
    return textwrap.fill(", ".join(said), width, break_long_words=False, break_on_hyphens=False)


def table(columns: Sequence[Column]) -> str:
    """Write a line a row; the first column to the left, figures to the right."""
    rows = list(zip(*(cells for _, cells in columns), strict=True))
    alignment = ("left", *["right"] * (len(columns) - 1))
    heads = [head for head, _ in columns]
    return tabulate(rows, heads, colalign=alignment, disable_numparse=True, preserve_whitespace=True)


def fitting_table(
    columns: Sequence[Column],
    dispensable: Sequence[str],
    elsewhere: str = "a wider terminal, --csv and --json have them",
) -> tuple[str, str]:
    """Write as many columns as the terminal is wide for, and say what is left out for that, and where it is.

    ``dispensable`` are heads, the first to go first; without those a table may still be too wide.
    """
    width = shutil.get_terminal_size(PIPE).columns
    for gone in range(len(dispensable) + 1):
        text = table([column for column in columns if column[0] not in dispensable[:gone]])
        if max(map(len, text.splitlines())) <= width:
            break
    names = ", ".join(head.partition("\n")[0] for head in reversed(dispensable[:gone]))
    return text, f"left out for the width: {names} ({elsewhere})" if names else ""
