"""Markdown in blocks that may be cut between rows; names in it that GitHub cannot take for markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tabulate import tabulate

from .columns import sides
from .text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Block", "code", "joined", "table"]

_LEFT_OUT = "\n{count:,} more rows are left out: GitHub shows no more than {most:,} bytes."
_BLANKS_AT_THE_END = re.compile(r" +\|$")


class Block(NamedTuple):
    """A heading, rows of a line each, which may be cut off after any of them, and an end that stays."""

    head: str
    rows: Sequence[str] = ()
    tail: str = ""


def code(text: str) -> str:
    """Write a text as a code span, in which nothing is a tag, a link, a mention, an issue, a formula or an emoji.

    Its fence is longer than any run of backticks in it; a blank on either side, which Markdown takes away again, keeps
    the two apart.
    """
    shown = printable(text)
    if not shown:
        return ""
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    apart = " " if "`" in (shown[0], shown[-1]) or (shown[0] == shown[-1] == " " and shown.strip()) else ""
    return f"{fence}{apart}{shown}{apart}{fence}"


def table(title: str, headers: Sequence[str], rows: Iterable[Sequence[str]], align: str, *, tail: str = "") -> Block:
    """Write a table under a title, ``align`` a letter a column: l or r.

    A pipe in a cell gets a backslash, which GitHub takes away in code, too. The last column, which may be long, is not
    padded.
    """
    cells = [[cell.replace("|", r"\|") for cell in row] for row in (headers, *rows)]
    text = tabulate(cells[1:], cells[0], tablefmt="pipe", colalign=sides(align), disable_numparse=True)
    heading, rule, *body = (_BLANKS_AT_THE_END.sub(" |", line) for line in text.splitlines())
    return Block(f"{title}\n\n{heading}\n{rule}", body, tail)


def joined(blocks: Iterable[Block], most_bytes: int | None = None) -> str:
    """Put blocks below each other; of their rows, as many as fit into ``most_bytes`` with all heads and ends.

    A block that loses rows says how many. Empty where not even heads and ends fit.
    """
    blocks = list(blocks)
    if most_bytes is None:
        return "\n".join(_text(block, block.rows) for block in blocks)
    note = _LEFT_OUT.format(count=max((len(block.rows) for block in blocks), default=0), most=most_bytes)
    left = most_bytes - sum(_size(_text(block, ["", note])) + 1 for block in blocks)
    if left < 0:
        return ""
    texts = []
    for block in blocks:
        rows = _fitting(block.rows, left)
        left -= sum(_size(row) + 1 for row in rows)
        missing = len(block.rows) - len(rows)
        texts.append(_text(block, [*rows, *([_LEFT_OUT.format(count=missing, most=most_bytes)] if missing else [])]))
    return "\n".join(texts)


def _fitting(rows: Sequence[str], left: int) -> list[str]:
    fitting = []
    for row in rows:
        left -= _size(row) + 1
        if left < 0:
            break
        fitting.append(row)
    return fitting


def _text(block: Block, rows: Iterable[str]) -> str:
    return "\n".join([block.head, *rows, *([f"\n{block.tail}"] if block.tail else [])]) + "\n"


def _size(text: str) -> int:
    return len(text.encode())
