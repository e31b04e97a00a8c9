"""The limit of integer arrays: beyond int64, whole numbers wrap in silence."""

from __future__ import annotations

from typing import Any

from .errors import SizeError

__all__ = ["INT64_END", "refuse_beyond_int64"]

INT64_END = 2**63
_CERTAIN = 1 - 2.0**-40  # an estimate in floats is off by less


def refuse_beyond_int64(what: str, counts: Any) -> None:
    """Refuse what int64 cannot hold: a Python int exactly, an estimate in floats, or an array of them, with its error.

    Raises:
        SizeError: what it is, and how large.
    """
    largest = float(counts.max(initial=0)) if hasattr(counts, "max") else counts
    if largest >= (INT64_END if isinstance(largest, int) else INT64_END * _CERTAIN):
        msg = f"{what}: {largest:.3g} does not fit into int64; price such sizes one by one, as Python ints"
        raise SizeError(msg)
