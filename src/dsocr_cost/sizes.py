"""What a size may be: a whole number, an integer array, or a symbol."""

from __future__ import annotations

from typing import Any

from .errors import SizeError
from .int64 import INT64_END
from .polynomial import Polynomial

__all__ = ["as_count", "require_at_least"]


def as_count(name: str, size: Any, least: int = 0) -> Any:
    """Check a size, and widen an array of integers, since a narrow type wraps in silence; symbols pass.

    Raises:
        SizeError: the size, what it got and what is allowed.
    """
    if isinstance(size, Polynomial):
        return size
    array = hasattr(size, "dtype")
    whole = size.dtype.kind in "iu" if array else isinstance(size, int) and not isinstance(size, bool)
    if not whole or ((size < least).any() if array else size < least):
        msg = f"{name}: got {size!r}, allowed are whole numbers of at least {least}, or an array of them"
        raise SizeError(msg)
    if not array:
        return size
    if size.dtype == "uint64" and (size >= INT64_END).any():
        msg = f"{name}: got {size}, allowed in an array is less than 2**63"
        raise SizeError(msg)
    return int(size) if size.ndim == 0 else size.astype("int64", copy=False)


def require_at_least(name: str, size: Any, least_name: str, least: Any) -> None:
    """Refuse a size that is smaller than another one anywhere.

    Raises:
        SizeError: both sizes.
    """
    if isinstance(size, Polynomial) or isinstance(least, Polynomial):
        return  # symbols have no size yet
    smaller = size < least
    if smaller if isinstance(smaller, bool) else smaller.any():
        msg = f"{name}: got {size}, allowed is at least {least_name} ({least})"
        raise SizeError(msg)
