"""Numbers of numpy, torch and users turned into Python's own, which alone can be compared exactly and sent on."""

from __future__ import annotations

import math
from typing import Any

from .errors import MeasurementError

__all__ = ["plain_band", "plain_number"]


def plain_number(name: str, value: Any) -> Any:
    """Turn numpy's and torch's numbers into Python's, which alone can be compared exactly and sent on.

    An integer beyond the range of a float is infinite.
    """
    number = value.item() if hasattr(value, "item") and getattr(value, "shape", ()) == () else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        msg = f"{name}: got {value!r}, allowed is one number"
        raise MeasurementError(msg)
    try:
        float(number)
    except OverflowError:  # no file could hold it, and no reader would take it
        return math.inf if number > 0 else -math.inf
    return number


def plain_band(band: tuple[float, float] | None) -> tuple[float, float] | None:
    """Turn both ends of a band; they are finite and in order."""
    if band is None:
        return None
    low, high = (plain_number("band", end) for end in band)
    if not 0 <= low <= high < math.inf:
        msg = f"band: got {band!r}, allowed are two finite numbers of at least 0, the lower one first"
        raise MeasurementError(msg)
    return low, high
