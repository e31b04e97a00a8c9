"""What a card can take at most: the largest page, the longest context, the largest batch, and what is in the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import isqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .config import DeepseekOCRConfig
from .errors import SizeError
from .execution import ITEM_BYTES, Execution
from .model import DeepseekOCR
from .moment import live_bytes
from .polynomial import Largest, Polynomial, symbol
from .sizes import as_count
from .workload import MAX_SIDE, Grid, Mode, Workload

if TYPE_CHECKING:
    from collections.abc import Callable

    from .op import Count

__all__ = ["Limit", "Limits", "Need", "Room", "RunMemory", "find_limits", "largest_that_fits"]

MOST_MEMORY = 2**50
"""Bytes of memory that are searched: four times as many, where a search may look, are far from leaving int64."""

_MOST = 2**50
"""More positions or pages than such a memory holds: each takes bytes."""


@dataclass(frozen=True, slots=True)
class Room:
    """The memory of a card and what of it no tensor gets, in bytes.

    ``reserved_bytes`` are the driver's, ``cuda_context_bytes`` the process's own beside its tensors, ``margin_bytes``
    are to stay free.

    Raises:
        SizeError: a size below its least, or nothing left for tensors.
    """

    memory_bytes: int
    reserved_bytes: int = 0
    cuda_context_bytes: int = 0
    margin_bytes: int = 0

    def __post_init__(self) -> None:
        """Refuse what leaves no room."""
        for name, size, least in (
            ("memory", self.memory_bytes, 1),
            ("reserved", self.reserved_bytes, 0),
            ("cuda_context", self.cuda_context_bytes, 0),
            ("margin", self.margin_bytes, 0),
        ):
            as_count(name, size, least)
        if self.memory_bytes > MOST_MEMORY:
            msg = f"memory: got {self.memory_bytes} bytes, allowed are at most {MOST_MEMORY}"
            raise SizeError(msg)
        left = self.memory_bytes
        for name, size in (
            ("reserved", self.reserved_bytes),
            ("cuda_context", self.cuda_context_bytes),
            ("margin", self.margin_bytes),
        ):
            if size >= left:
                msg = f"{name}: got {size} bytes, allowed is less than the {left} that are left of the memory"
                raise SizeError(msg)
            left -= size

    @property
    def bytes(self) -> int:
        """What is there for tensors."""
        return self.memory_bytes - self.reserved_bytes - self.cuda_context_bytes - self.margin_bytes


@dataclass(frozen=True, slots=True)
class Need:
    """A run of Python ints, and what it allocates when that is most: in ``stage``, once ``op`` has written its output.

    The bytes are those of that moment, and add up: ``kv_cache_bytes`` is what of the cache is there by then.
    """

    workload: Workload
    stage: str
    op: str
    weight_bytes: int
    kv_cache_bytes: int
    activation_bytes: int

    @property
    def allocated_bytes(self) -> int:
        """All of it, without the CUDA context."""
        return self.weight_bytes + self.kv_cache_bytes + self.activation_bytes


class Limit(NamedTuple):
    """The largest run that fits, and the next larger one, the smallest where none fits; None where there is none."""

    largest: Need | None
    following: Need | None


class Limits(NamedTuple):
    """What fits. ``page`` and ``square`` are None in a mode without crops.

    ``page`` is the grid of the most crops, of equal ones the squarest, ``square`` the largest with as many rows as
    columns; ``context`` has the most text, ``batch`` the most pages. What follows a page has the fewest crops beyond
    it, and is the squarest of those.
    """

    page: Limit | None
    square: Limit | None
    context: Limit
    batch: Limit


class RunMemory:
    """What runs in ``mode``, with crops or without, allocate: priced once, in symbols of the sizes."""

    def __init__(self, config: DeepseekOCRConfig, mode: Mode, execution: Execution, *, cropped: bool) -> None:
        model = DeepseekOCR(config, mode, cropped)
        names = ("batch", "text_tokens", "decode_steps", *(("crops_high", "crops_wide") if cropped else ()))
        symbols: dict[str, Any] = {name: symbol(name, at_least_one=name != "text_tokens") for name in names}
        self._mode, self._cropped = mode, cropped
        self._weights = model.params * ITEM_BYTES[execution.dtype]
        self._cache = model.kv_cache_bytes(**symbols, execution=execution)
        self._moments = tuple(model.moments(**symbols, execution=execution))
        self._live = live_bytes(self._moments, self._cache)

    def allocated_bytes(self, workload: Workload) -> Count:
        """Take the most that is allocated at one time, without the CUDA context; sizes may be arrays.

        Raises:
            SizeError: a run of another kind, or an array of bytes that leave int64.
        """
        allocated: Count = self._weights + _insert(self._live, self._sizes(workload))
        return allocated

    def need(self, workload: Workload) -> Need:
        """Tell what a run of Python ints allocates at its peak, and where that is; of equal moments, the first.

        Raises:
            SizeError: a run of another kind, or a size that is an array.
        """
        sizes = self._sizes(workload)
        if not all(isinstance(size, int) for size in sizes.values()):
            msg = f"workload: got {workload}, allowed are ints"
            raise SizeError(msg)
        cache = _insert(self._cache, sizes)
        moments = (
            (moment.op, _insert(moment.bytes, sizes), cache + _insert(moment.cache_bytes, sizes))
            for moment in self._moments
        )
        path, activations, cached = max(moments, key=lambda moment: moment[1] + moment[2])
        stage, _, op = path.partition(".")
        return Need(workload, stage, op, self._weights, cached, activations)

    def _sizes(self, workload: Workload) -> dict[str, Any]:
        if workload.mode != self._mode or (workload.grid is not None) != self._cropped:
            crops = "with crops" if self._cropped else "without crops"
            msg = f"workload: got {workload}, allowed is mode {self._mode.name} {crops}"
            raise SizeError(msg)
        sizes = {name: getattr(workload, name) for name in ("batch", "text_tokens", "decode_steps")}
        if workload.grid is not None:
            sizes |= {"crops_high": workload.grid.high, "crops_wide": workload.grid.wide}
        return sizes


def find_limits(
    workload: Workload,
    room: Room,
    config: DeepseekOCRConfig = DeepseekOCRConfig(),
    execution: Execution = Execution(),
) -> Limits:
    """Find what fits into ``room``: the sizes of ``workload``, which are Python ints, one at a time made larger.

    Memory grows with each size. Page: other grids of up to 999 crops a side. Context: other texts, from none on.
    Batch: other numbers of pages, from one on.

    Raises:
        SizeError: a workload without an image, or a size that is an array.
    """
    mode = workload.mode
    if mode is None:
        msg = "mode: got None, allowed is one of an image"
        raise SizeError(msg)
    cropped = workload.grid is not None
    own = RunMemory(config, mode, execution, cropped=cropped)
    context = _along(own, room, workload, "text_tokens", 0)
    batch = _along(own, room, workload, "batch", 1)
    if mode.crop_size is None:
        return Limits(None, None, context, batch)
    pages = own if cropped else RunMemory(config, mode, execution, cropped=True)
    return Limits(*_pages(pages, room, workload), context, batch)


def largest_that_fits(fits: Callable[[Any], Any], least: int, most: Any) -> Any:
    """Find the largest size from ``least`` to ``most`` that fits, entry by entry; ``least - 1`` where none does.

    ``most`` is an array, and ``fits`` goes from an array of sizes like it to booleans; where a size fits, so do the
    smaller ones. Steps double until a size does not fit, and halve after that: no size is tried beyond twice the answer
    and two, so that what it costs stays near to what fits.
    """
    found = np.full_like(most, least - 1)
    step, growing = np.ones_like(found), np.ones_like(found, dtype=bool)
    while step.any():
        tried = np.minimum(found + step, most)
        larger = (tried > found) & fits(np.maximum(tried, least))
        found = np.where(larger, tried, found)
        growing &= larger
        step = np.where(growing, 2 * step, step // 2)
    return found


def _along(memory: RunMemory, room: Room, workload: Workload, name: str, least: int) -> Limit:
    """Search one size; the least run is priced in Python ints first, since it may leave int64."""

    def sized(size: Any) -> Workload:
        return replace(workload, **{name: size})

    def fits(size: Any) -> Any:
        return memory.allocated_bytes(sized(size)) <= room.bytes

    smallest = memory.need(sized(least))
    if smallest.allocated_bytes > room.bytes:
        return Limit(None, smallest)
    (largest,) = largest_that_fits(fits, least, np.array([_MOST])).tolist()
    return Limit(memory.need(sized(largest)), memory.need(sized(largest + 1)))


def _pages(memory: RunMemory, room: Room, workload: Workload) -> tuple[Limit, Limit]:
    def page(grid: Grid | None) -> Need | None:
        return None if grid is None else memory.need(replace(workload, grid=grid))

    def fits(high: Any, wide: Any) -> Any:
        return memory.allocated_bytes(replace(workload, grid=Grid(high, wide))) <= room.bytes

    smallest = memory.need(replace(workload, grid=Grid(1, 1)))
    if smallest.allocated_bytes > room.bytes:
        return Limit(None, smallest), Limit(None, smallest)
    (highest,) = largest_that_fits(lambda high: fits(high, 1), 1, np.array([MAX_SIDE])).tolist()
    high = np.arange(1, highest + 1)  # a higher one does not even fit with one column
    wide = largest_that_fits(partial(fits, high), 1, np.full_like(high, MAX_SIDE))
    crops = high * wide
    apart = np.where(crops == crops.max(), abs(high - wide), MAX_SIDE)
    largest = Grid(high[apart.argmin()].item(), wide[apart.argmin()].item())
    side = high[wide >= high].max().item()
    larger = Grid(side + 1, side + 1) if side < MAX_SIDE else None
    return (
        Limit(page(largest), page(_next_grid(crops.max().item()))),
        Limit(page(Grid(side, side)), page(larger)),
    )


def _next_grid(crops: int) -> Grid | None:
    """Pick the grid of the fewest crops beyond ``crops``, of equal ones the squarest; None where sides get too long."""
    for more in range(crops + 1, MAX_SIDE**2 + 1):
        high = next(side for side in range(isqrt(more), 0, -1) if more % side == 0)
        if more // high <= MAX_SIDE:
            return Grid(high, more // high)
    return None


def _insert(count: Any, sizes: dict[str, Any]) -> Any:
    return count.evaluate("allocated_bytes", sizes) if isinstance(count, Polynomial | Largest) else count
