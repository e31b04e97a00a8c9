"""What commands print for people: paragraphs and tables as wide as the terminal, in a pipe as wide as they are."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, TypeAlias

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Column", "fitting_table", "paragraph", "table", "terminal_columns"]

Column: TypeAlias = "tuple[str, list[str]]"
"""A head, which may take several lines, and a cell a row."""

LINE = 120
"""Columns of a paragraph where nothing says how many there are."""


def terminal_columns() -> int:
    """Tell the columns of the terminal, or those that ``COLUMNS`` says; what goes elsewhere has no end of them."""
    return shutil.get_terminal_size((sys.maxsize, 24)).columns


def paragraph(said: Iterable[str]) -> str:
    """Write what was said with commas, in lines of the terminal."""
    columns = LINE if terminal_columns() == sys.maxsize else terminal_columns()
    return textwrap.fill(", ".join(said), max(40, columns - 1), break_long_words=False, break_on_hyphens=False)


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
    for gone in range(len(dispensable) + 1):
        text = table([column for column in columns if column[0] not in dispensable[:gone]])
        if max(map(len, text.splitlines())) <= terminal_columns():
            break
    names = ", ".join(head.partition("\n")[0] for head in reversed(dispensable[:gone]))
    return text, f"left out for the width: {names} ({elsewhere})" if names else ""
