"""The time of a matmul: tiles of the output in whole waves over the SMs, the sum split where that is faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .efficiency import item_bytes_of

if TYPE_CHECKING:
    from .efficiency import Machine
    from .op import Op

__all__ = ["TiledGemm", "missed"]

_TILES = ((64, 64), (64, 128), (128, 64), (128, 128), (128, 256), (256, 128))
_SPLITS = (1, 2, 3, 4, 6, 8, 16, 32)
_DEPTH = 32  # elements of the sum that a tile takes at a time
_LEAST_DEPTH = 128  # of a split
_PARTIAL_BYTES = 2 * 4  # a partial sum in fp32, written and read again


def _choices() -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """List (rows, columns, splits) of what a library chooses from: all, and those that do not split the sum."""
    every = np.array([(*tile, split) for split in _SPLITS for tile in _TILES], dtype=np.float64).T
    whole = every[:, : len(_TILES)]
    return (every[0], every[1], every[2]), (whole[0], whole[1], whole[2])


_ALL, _WHOLE = _choices()


@dataclass(frozen=True, slots=True)
class TiledGemm:
    """How long a library's matmul takes: of several tiles, and of several splits of the sum, the fastest.

    ``seconds = fixed + (compute ** 4 + load ** 4 + memory ** 4) ** (1 / 4)``, plus ``split_s`` where the sum is split.
    A wave is one tile on each SM; waves are whole, and a tile at the edge costs as much as a full one.

    - ``fixed_s`` is what the smallest kernel takes.
    - ``compute`` is the share of the peak that an SM reaches in the middle of a tile, and ``finish_s`` the time to fill
      its pipeline and to write it out, for each of its outputs.
    - ``load_bytes_per_s`` is what one SM loads from the cache.
    - ``bandwidth`` is the share of the memory's bandwidth.
    - ``kept_weights`` and ``kept_inputs`` are the shares of the cache that hold weights and other tensors from before.
      Weights are kept only where a benchmark repeats one matmul; in a run of the model they are cold.
    - ``error`` is the relative error that nine of ten stayed under, of sizes that were not fitted to.
    """

    fixed_s: float
    compute: float
    bandwidth: float
    load_bytes_per_s: float
    kept_weights: float
    kept_inputs: float
    split_s: float
    finish_s: float
    error: float

    def seconds(self, op: Op, machine: Machine, item_bytes: int) -> Any:
        """Time one launch in a run of the model: its weights come from memory."""
        return self.of_op(op, machine, item_bytes, cold_weights=True)

    def of_op(self, op: Op, machine: Machine, item_bytes: int, *, cold_weights: bool) -> Any:
        """Time one launch; with ``cold_weights`` false, of a benchmark that repeats it with the same few weights."""
        assert op.matmul is not None
        item = item_bytes_of(op, item_bytes)
        batch, m, n, k = (np.asarray(size, dtype=np.float64)[..., None] for size in op.matmul)
        choices = _ALL
        if op.kind == "grouped_linear":  # the rows are shared out over as many weights as are read
            batch = np.maximum(np.asarray(op.weight_bytes)[..., None] / np.maximum(item * n * k, 1), 1)
            m, choices = m / batch, _WHOLE
        rows, columns, splits = choices
        depth = np.ceil(k / splits / _DEPTH) * _DEPTH
        waves = np.ceil(batch * np.ceil(m / rows) * np.ceil(n / columns) * splits / machine.sms)
        per_sm = machine.flops_per_s[item] * self.compute / machine.sms
        compute = waves * rows * columns * (2 * depth / per_sm + self.finish_s)
        load = waves * item * (np.minimum(rows, m) + np.minimum(columns, n)) * depth / self.load_bytes_per_s
        partial = np.where(splits > 1, _PARTIAL_BYTES * batch * m * n * splits, 0.0)
        from_memory = self._from_memory(op, machine, cold_weights=cold_weights)[..., None]
        memory = from_memory / (machine.bandwidth_bytes_per_s * self.bandwidth)
        memory = memory + partial / (machine.sms * self.load_bytes_per_s)
        taken = np.sqrt(np.sqrt(_to_the_4th(compute) + _to_the_4th(load) + _to_the_4th(memory)))
        taken = taken + np.where(splits > 1, self.split_s, 0.0)
        allowed = (splits == 1) | (k >= splits * _LEAST_DEPTH)
        fastest: Any = np.min(np.where(allowed, taken, np.inf), axis=-1)
        return self.fixed_s + fastest

    def _from_memory(self, op: Op, machine: Machine, *, cold_weights: bool) -> Any:
        weights: Any = np.asarray(op.weight_bytes, dtype=np.float64)
        if not cold_weights:
            weights = weights * missed(weights, self.kept_weights * machine.cache_bytes)
        room = self.kept_inputs * machine.cache_bytes
        read, written = (np.asarray(moved, dtype=np.float64) for moved in (op.read_bytes, op.write_bytes))
        return weights + read * missed(read, room) + written * missed(written, room)


def missed(nbytes: Any, room: float) -> Any:
    """Say which share of a tensor does not come from a cache that has ``room`` bytes for it."""
    return 1 / (1 + _to_the_4th(room / np.maximum(nbytes, 1.0)))


def _to_the_4th(base: Any) -> Any:
    square = base * base
    return square * square
