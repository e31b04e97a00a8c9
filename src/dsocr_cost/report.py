"""Counts as people read them: the only place that says TFLOP, GB or ms.

Prefixes are decimal: 1 GB is 1e9 bytes, 1 TFLOP is 1e12 operations. What is None, because it is not predicted, reads
``-``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MISSING", "bytes_text", "count_text", "flops_text", "gigabytes", "quantity", "seconds_text", "tera_flops"]

MISSING = "-"

_LARGE = ("", "k", "M", "G", "T", "P", "E")
_SMALL = ("", "m", "µ", "n")
_DIGITS = 4


def quantity(name: str, value: float | None) -> str:
    """Write a figure with the unit that its name ends in: ``_flops``, ``_bytes``, ``_s``, or none for a count."""
    for ending, text in (("_flops", flops_text), ("_bytes", bytes_text), ("_s", seconds_text)):
        if name.endswith(ending):
            return text(value)
    return count_text(value)


def flops_text(flops: float | None) -> str:
    """Write operations with four digits: ``4.676 TFLOP``."""
    return _scaled(flops, "FLOP", _LARGE, 1000)


def bytes_text(size: float | None) -> str:
    """Write bytes with four digits: ``6.672 GB``."""
    return _scaled(size, "B", _LARGE, 1000)


def seconds_text(seconds: float | None) -> str:
    """Write a time with four digits, from ns to s: ``12.30 ms``."""
    if seconds is None or not seconds or _rounded(seconds) >= 1:
        return _scaled(seconds, "s", ("",), 1000)
    return _scaled(seconds, "s", _SMALL, 1 / 1000)


def count_text(count: float | None) -> str:
    """Write a count in full: ``3,336,106,240``."""
    return MISSING if count is None else f"{count:,}"


def tera_flops(flops: float | None) -> str:
    """Write operations in units of 1e12, for a column whose head says TFLOP: ``4.676``."""
    return MISSING if flops is None else f"{flops / 1e12:,.3f}"


def gigabytes(size: float | None) -> str:
    """Write bytes in units of 1e9, for a column whose head says GB: ``0.062``."""
    return MISSING if size is None else f"{size / 1e9:,.3f}"


def _scaled(value: float | None, unit: str, prefixes: Sequence[str], step: float) -> str:
    """Take the first prefix that leaves 1 to 999.9, or the last one."""
    if value is None:
        return MISSING
    if isinstance(value, int) and value < 1000:
        return f"{value} {unit}"
    scaled, prefix = float(value), ""
    for prefix in prefixes:
        if prefix == prefixes[-1] or 1 <= _rounded(scaled) < 1000:
            break
        scaled /= step
    digits = f"{scaled:#.{_DIGITS}g}" if scaled < 1e4 else f"{scaled:,.0f}"
    return f"{digits.rstrip('.')} {prefix}{unit}"


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
