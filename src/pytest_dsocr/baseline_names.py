"""Names of stored rows: what a refusal calls them is what ``dsocr forget`` takes."""

from __future__ import annotations

import difflib
import shlex
from collections import Counter
from typing import TYPE_CHECKING

from .errors import ResultsError
from .files import shown
from .report.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from .row import Row

__all__ = ["forget_command", "full_name", "row_named", "short_names", "what_it_is"]

MOST_NAMED = 20
"""Rows that one command names: a longer line is no use to paste."""

MOST_NEAR = 3


def what_it_is(row: Row) -> str:
    """Say of what a row is, beside layer, case and metric: ``deepseek-ocr by transformers, bfloat16, on meta``."""
    attention = f"{row.attention} attention" if row.attention else ""
    return ", ".join(filter(None, (f"{row.model} by {row.implementation}", attention, row.dtype, f"on {row.device}")))


def full_name(row: Row) -> str:
    """Name a row by its whole key: by its title alone, another one may have the same."""
    return printable(f"{row.title}, {what_it_is(row)}")


def short_names(rows: Iterable[Row], there: Iterable[Row]) -> list[str]:
    """Name rows by layer, case and metric where no other row that is there has the same, else by the whole key."""
    titles = Counter(printable(row.title) for row in there)
    return [title if titles[title := printable(row.title)] == 1 else full_name(row) for row in rows]


def row_named(name: str, rows: Collection[Row], source: str) -> Row:
    """Find the one row that a name means; ``source`` is where they stand.

    Raises:
        ResultsError: there is none, with those of similar names, or several, with their whole names.
    """
    found = [row for row in rows if name in (full_name(row), printable(row.title))]
    if len(found) == 1:
        return found[0]
    if found:
        msg = f"{source}: {len(found)} rows are named {name!r}, allowed is the whole name of one: {_quoted(found)}"
        raise ResultsError(msg)
    near = difflib.get_close_matches(name, dict.fromkeys(printable(row.title) for row in rows), MOST_NEAR)
    said = f"; near are {', '.join(map(repr, near))}" if near else ""
    msg = f"{source}: no row is named {name!r}, allowed is 'LAYER, CASE, METRIC' of one of its {len(rows)} rows{said}"
    raise ResultsError(msg)


def forget_command(file: Path, rows: Sequence[Row], there: Iterable[Row]) -> str:
    """Write the command that removes rows from their file; of very many it names the first."""
    words = [shown(file), *short_names(rows[:MOST_NAMED], there)]
    ends_options = ["--"] if any(word.startswith("-") for word in words) else []
    return shlex.join(["dsocr", "forget", *ends_options, *words])


def _quoted(rows: Iterable[Row]) -> str:
    return ", ".join(repr(full_name(row)) for row in rows)
