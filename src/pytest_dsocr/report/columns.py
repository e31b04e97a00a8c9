"""The columns of a table of text, a letter each: l stands to the left, r to the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["github_table", "sides"]

_SIDES = {"l": "left", "r": "right"}


def sides(letters: str) -> tuple[str, ...]:
    """Name the side of each column as tabulate does."""
    return tuple(_SIDES[letter] for letter in letters)


def github_table(headers: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """Write a table in Markdown, its cells as they are."""
    return tabulate(rows, headers, tablefmt="github", colalign=sides(align), disable_numparse=True)
