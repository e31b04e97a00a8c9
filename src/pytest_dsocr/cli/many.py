"""Options that take several values behind one flag."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["many_values"]


def many_values(*flags: str) -> type[click.Command]:
    """Make a command class whose ``flags`` take all the values behind them, up to the next option."""

    class ManyValues(click.Command):
        def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
            """Repeat the flag before each value, as click reads it."""
            return super().parse_args(ctx, list(_flag_each(args, flags)))

    return ManyValues


def _flag_each(args: list[str], flags: tuple[str, ...]) -> Iterator[str]:
    """Turn ``--flag a b`` into ``--flag a --flag b``; a negative number is a value, not an option."""
    flag: str | None = None
    first = False
    for arg in args:
        name, equals, _ = arg.partition("=")
        if name in flags:
            flag, first = name, not equals
        elif flag and (not arg.startswith("-") or re.match(r"-\d", arg)):
            if not first:
                yield flag
            first = False
        else:
            flag = None
        yield arg
