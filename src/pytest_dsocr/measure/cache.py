"""Cold or warm: what stands in the caches when a timed run begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CACHES", "CacheName", "evictor", "last_level_bytes"]

CacheName: TypeAlias = Literal["cold", "warm"]
CACHES: tuple[CacheName, ...] = get_args(CacheName)

CPU_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNKNOWN_BYTES = 64 * 2**20
"""Taken for the last-level cache of a CPU that does not tell."""

TIMES_THE_CACHE = 4
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def last_level_bytes(device: str, caches: Path = CPU_CACHES) -> int:
    """Find the size of the last-level cache: a card's L2, a CPU's largest by what Linux tells."""
    if device.startswith("cuda"):
        from .device import card_of

        return int(card_of(device).L2_cache_size)
    sizes = [_bytes(file) for file in caches.glob("index*/size")]
    return max(sizes, default=0) or UNKNOWN_BYTES


def evictor(cache: CacheName, device: str) -> Callable[[], object]:
    """Make what is called before each timed run, outside of the timed span.

    ``cold`` reads and writes a buffer of :data:`TIMES_THE_CACHE` times the last-level cache; a buffer that was only
    written could pass the caches by. ``warm`` leaves what the run before has left.
    """
    if cache == "warm":
        return lambda: None
    import torch

    buffer = torch.zeros(TIMES_THE_CACHE * last_level_bytes(device) // 8, dtype=torch.int64, device=device)
    return lambda: buffer.add_(1)


def _bytes(file: Path) -> int:
    """Read a size such as ``32768K``; 0 where there is none."""
    try:
        text = file.read_text(encoding="ascii").strip()
        return int(text[:-1]) * _UNITS[text[-1]] if text[-1:] in _UNITS else int(text)
    except (OSError, ValueError):
        return 0
