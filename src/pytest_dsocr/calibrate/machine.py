"""Measures a machine's own figures: its matrix peak, its bandwidth in and out of the cache, the size of the cache."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from dsocr_cost.efficiency import Machine

from ..errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .stopwatch import Stopwatch

__all__ = ["Ramp", "bandwidths", "measure_machine", "ramp"]

_ROUNDS = 7
_SIDES = {"cpu": (1024, 2048), "cuda": (4096, 8192)}  # of square matmuls
_SMALLEST, _STEP = 2**18, 2  # bytes of the ramp, in all


@dataclass(frozen=True, slots=True)
class Ramp:
    """Bytes that one addition moves, and how many it moves a second, from small to large; at least one of each.

    Raises:
        MeasurementError: none, or not as many of both.
    """

    moved_bytes: tuple[int, ...]
    bytes_per_s: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse a ramp off which nothing can be read."""
        sizes, rates = len(self.moved_bytes), len(self.bytes_per_s)
        if sizes != rates or not sizes:
            msg = f"ramp: got {sizes} sizes and {rates} rates, allowed are as many of both, at least one"
            raise MeasurementError(msg)


def measure_machine(name: str, device: str, cache_bytes: int, stopwatch: Stopwatch) -> tuple[Machine, Ramp]:
    """Measure what no datasheet says of a CPU: the fastest of some square matmuls, and a ramp of additions."""
    kind = device.partition(":")[0]
    peaks = {
        bytes_: max(_matmul_flops_per_s(side, dtype, device, stopwatch) for side in _SIDES[kind])
        for bytes_, dtype in ((2, torch.bfloat16), (4, torch.float32))
    }
    climbed = ramp(device, cache_bytes, stopwatch)
    memory, cache = bandwidths(climbed, cache_bytes)
    return Machine(name, peaks, memory, cache_bytes, cache), climbed


def ramp(device: str, cache_bytes: int, stopwatch: Stopwatch) -> Ramp:
    """Add vectors from much smaller than the cache to several times as large, two read and one written."""
    moved, rates = [], []
    size = _SMALLEST
    while size <= 8 * cache_bytes:
        elements = size // (3 * 4)
        left, right, out = (torch.ones(elements, device=device) for _ in range(3))
        taken = _seconds(stopwatch, _adding(left, right, out), _ROUNDS)
        moved.append(size)
        rates.append(size / taken)
        size *= _STEP
    return Ramp(tuple(moved), tuple(rates))


def bandwidths(climbed: Ramp, cache_bytes: int) -> tuple[float, float]:
    """Read bandwidth of memory and of the cache off a ramp: the median far outside of it, and the best inside."""
    pairs = [*zip(climbed.moved_bytes, climbed.bytes_per_s, strict=True)]
    outside = [rate for size, rate in pairs if size >= 4 * cache_bytes] or [pairs[-1][1]]
    inside = [rate for size, rate in pairs if size <= cache_bytes / 2] or [pairs[0][1]]
    memory = statistics.median(outside)
    return memory, max(*inside, memory)


def _adding(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> Callable[[], Any]:
    return lambda: torch.add(left, right, out=out)


def _matmul_flops_per_s(side: int, dtype: torch.dtype, device: str, stopwatch: Stopwatch) -> float:
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / _seconds(stopwatch, lambda: left @ right, _ROUNDS)


def _seconds(stopwatch: Stopwatch, run: Callable[[], Any], rounds: int) -> float:
    """Take the median of some runs, after two that warm up."""
    for _ in range(2):
        run()
    stopwatch.ready()
    marks: list[tuple[Any, Any]] = []
    for _ in range(rounds):
        start = stopwatch.mark()
        run()
        marks.append((start, stopwatch.mark()))
    stopwatch.done()
    return statistics.median(_between(stopwatch, marks))


def _between(stopwatch: Stopwatch, marks: Iterable[tuple[Any, Any]]) -> list[float]:
    return [stopwatch.between(start, end) for start, end in marks]
