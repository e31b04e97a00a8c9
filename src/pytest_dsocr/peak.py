"""A dense peak of one's own, in place of a datasheet's: as an option says it, or the environment."""

from __future__ import annotations

import os
import re

from .errors import OptionError

__all__ = ["PEAK_VARIABLE", "peak_of", "peak_of_environment"]

PEAK_VARIABLE = "MFU_PEAK_TFLOPS"
"""As training codes name it."""


def peak_of(text: str) -> float | None:
    """Read TFLOP/s as FLOP/s; None for what is no number above 0, in plain digits."""
    number = re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", text.strip(), re.ASCII)
    return float(number[0]) * 1e12 or None if number else None


def peak_of_environment() -> float | None:
    """Read the environment's peak; None where it has none.

    Raises:
        OptionError: it is no number above 0.
    """
    text = os.environ.get(PEAK_VARIABLE, "")
    peak = peak_of(text)
    if text and peak is None:
        msg = f"{PEAK_VARIABLE}: got {text!r}, allowed is a number above 0, in TFLOP/s, such as 209.5"
        raise OptionError(msg)
    return peak
