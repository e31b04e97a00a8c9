"""What options take: text in, a value out, or an error with the option's name."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

import click

from dsocr_cost import execution
from dsocr_cost.errors import SizeError
from dsocr_cost.workload import parse_grid

from ..grids import parse_grids
from ..peak import peak_of
from .image import MAX_SIDE, ImageSize

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsocr_cost.workload import Grid

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic to the type checker only: older releases of click have it plain

__all__ = [
    "ATTENTIONS",
    "BATCHES",
    "BYTES",
    "CONTEXTS",
    "GRID",
    "GRIDS",
    "INT64_MAX",
    "MARGIN",
    "MEMORY",
    "SECONDS",
    "SIZE",
    "TERAFLOPS",
    "VIEWS",
    "Whole",
]

INT64_MAX = 2**63 - 1
"""The largest count that is written: what JSON and CSV readers hold in an integer."""

MAX_POINTS = 100_000
"""Points of one range of contexts."""

UNITS = {prefix: 1000**power for power, prefix in enumerate(("", "k", "m", "g", "t"))}
UNITS |= {f"{prefix}i": 1024**power for power, prefix in enumerate("kmgt", start=1)}


class Whole(ParamType):
    """A whole number from ``least`` on, in plain digits."""

    name = "integer"

    def __init__(self, least: int) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number."""
        if isinstance(value, int):
            return value
        number = int(value) if re.fullmatch(r"\d{1,30}", value, re.ASCII) else -1
        if not self.least <= number <= INT64_MAX:
            allowed = f"allowed are whole numbers from {self.least} to {INT64_MAX}"
            self.fail(f"got {value!r}, {allowed}", param, ctx)
        return number


class _Parsed(ParamType):
    """A type whose text a function reads; that function's error loses the name that the option has of its own."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the text."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except SizeError as error:
            return self.fail(str(error).partition(": ")[2], param, ctx)


def _size(text: str) -> ImageSize:
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text.strip().lower(), re.ASCII)
    sides = tuple(int(side) for side in match.groups()) if match else ()
    if not sides or not all(1 <= side <= MAX_SIDE for side in sides):
        msg = f"size: got {text!r}, allowed is WIDTHxHEIGHT in pixels, such as 1700x2200, with 1 to {MAX_SIDE} a side"
        raise SizeError(msg)
    return ImageSize(*sides)


def _contexts(text: str) -> tuple[int, ...]:
    match = re.fullmatch(r"(\d{1,18})(?::(\d{1,18}):(\d{1,18}))?", text.strip(), re.ASCII)
    if match is None:
        _refuse_contexts(text)
    first = int(match[1])
    last, step = (int(match[2]), int(match[3])) if match[2] else (first, 1)
    if not 1 <= first <= last or step < 1:
        _refuse_contexts(text)
    contexts = range(first, last + 1, step)
    if len(contexts) > MAX_POINTS:
        msg = f"context: got {text!r}, which are {len(contexts):,} points, allowed are at most {MAX_POINTS:,}"
        raise SizeError(msg)
    return tuple(contexts)


def _refuse_contexts(text: str) -> NoReturn:
    msg = f"context: got {text!r}, allowed is FIRST:LAST:STEP or one number, such as 256:8192:256, all from 1 on"
    raise SizeError(msg)


def _batches(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    batches = tuple(int(word) for word in words if re.fullmatch(r"\d{1,18}", word, re.ASCII))
    if len(batches) < len(words) or 0 in batches:
        msg = f"batch: got {text!r}, allowed are whole numbers from 1 on, with commas between them"
        raise SizeError(msg)
    return batches


def _attentions(text: str) -> tuple[str, ...]:
    attentions = tuple(word.strip().lower() for word in text.split(","))
    if not set(attentions) <= {*execution.ATTENTIONS}:
        msg = f"attention: got {text!r}, allowed are {', '.join(execution.ATTENTIONS)}, with commas between them"
        raise SizeError(msg)
    return attentions


def _views(text: str) -> tuple[Grid | None, ...]:
    views: list[Grid | None] = []
    for word in text.split(","):
        try:
            views += [None] if word.strip().lower() == "none" else parse_grids(word)
        except SizeError as error:
            msg = f"{error}; or none, for one view"
            raise SizeError(msg) from None
    return tuple(views)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"0|(\d{1,15}(?:\.\d{1,9})?) ?((?:[kmgt]i?)?)b", text.strip().lower(), re.ASCII)
    if match is None:
        msg = f"size: got {text!r}, allowed is a number of at least 0 with its unit, such as 24GiB, 32GB or 500MiB"
        raise SizeError(msg)
    return int(Fraction(match[1]) * UNITS[match[2]]) if match[1] else 0


def _memory(text: str) -> int:
    memory = _bytes(text)
    if memory < 1:
        msg = f"memory: got {text!r}, allowed is more than 0 bytes"
        raise SizeError(msg)
    return memory


def _margin(text: str) -> int | Fraction:
    percent = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?%", text.strip(), re.ASCII)
    if percent is not None and Fraction(percent[1]) < 100:
        return Fraction(percent[1]) / 100
    try:
        return _bytes(text)
    except SizeError:
        msg = f"margin: got {text!r}, allowed is a size with its unit or a percentage below 100, such as 2GiB or 5%"
        raise SizeError(msg) from None


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s)", text.strip().lower(), re.ASCII)
    if match is None or float(match[1]) == 0:
        msg = f"time: got {text!r}, allowed is a time above 0 with its unit, s or ms, such as 1s or 50ms"
        raise SizeError(msg)
    return float(match[1]) / {"s": 1, "ms": 1000}[match[2]]


def _teraflops(text: str) -> float:
    peak = peak_of(text)
    if peak is None:
        msg = f"peak: got {text!r}, allowed is a number above 0, in TFLOP/s, such as 209.5"
        raise SizeError(msg)
    return peak


GRID = _Parsed("HIGHxWIDE", parse_grid)
"""A crop grid."""

SIZE = _Parsed("WIDTHxHEIGHT", _size)
"""Pixels of an image."""

GRIDS = _Parsed("grids", parse_grids)
"""A list of crop grids, each one once: ``published``, ``model``, ``2x3,15x26``."""

VIEWS = _Parsed("grids", _views)
"""The same, and ``none``, a page of one view."""

CONTEXTS = _Parsed("A:B:STEP", _contexts)
"""Positions from A to B, B among them where a step reaches it; or one number."""

BATCHES = _Parsed("N", _batches)
"""Batch sizes, with commas between them."""

ATTENTIONS = _Parsed("attention", _attentions)
"""Attentions, with commas between them."""

BYTES = _Parsed("SIZE", _bytes)
"""Bytes with a unit, decimal or binary; 0 needs none."""

MEMORY = _Parsed("SIZE", _memory)
"""The same, and something."""

MARGIN = _Parsed("SIZE|PERCENT", _margin)
"""Bytes, or a fraction of the memory."""

TERAFLOPS = _Parsed("X", _teraflops)
"""TFLOP/s in, FLOP/s out."""

SECONDS = _Parsed("TIME", _seconds)
"""A time with its unit."""
