"""The time of a fused attention: tiles of scores on the SMs, or, for a single query, its keys shared out over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .efficiency import joined
from .tiled_gemm import missed

if TYPE_CHECKING:
    from .efficiency import Machine
    from .op import Op

__all__ = ["FlashAttention", "ScoreTiles", "SharedKeys"]

_CAUSAL = "llama."  # vision sees everything
_SPLITS = (1, 2, 4, 8, 16, 32, 64, 128)
_KEYS = 64  # that a block takes at a time


class _Sizes(NamedTuple):
    """What counts of an op: sizes as floats, and bytes in and out, without those of a bias."""

    heads: Any
    queries: Any
    keys: Any
    head_dim: Any
    tensor_bytes: Any
    bias_bytes: Any


@dataclass(frozen=True, slots=True)
class ScoreTiles:
    """Many queries: a block of ``tile`` queries goes through the keys, ``tile`` at a time, on one SM.

    - ``fixed_s`` is what the smallest kernel takes.
    - A tile takes its two products at ``compute`` of the peak of an SM, and ``rest_s`` beside them for the softmax and
      the loads; a block takes ``start_s`` on top of its tiles.
    - ``bandwidth`` is the share of the memory's, ``kept`` the share of the cache that holds tensors from before.
    - ``sharpness`` says how well compute and memory overlap, ``uneven`` (0 to 1) how badly blocks of unequal length,
      or in a last wave that is not full, are spread over the SMs.
    """

    fixed_s: float
    compute: float
    rest_s: float
    start_s: float
    bandwidth: float
    sharpness: float
    kept: float
    uneven: float
    tile: int

    def seconds(self, op: Op, machine: Machine, item_bytes: int, *, causal: Any) -> Any:
        """Time one launch; ``causal`` says where a query sees no later key."""
        sizes = _sizes(op, item_bytes)
        room, rate = self.kept * machine.cache_bytes, machine.bandwidth_bytes_per_s * self.bandwidth
        memory = sizes.tensor_bytes * missed(sizes.tensor_bytes, room) / rate
        per_sm = machine.flops_per_s[item_bytes] * self.compute / machine.sms
        tile_s = 4 * self.tile * self.tile * sizes.head_dim / per_sm + self.rest_s
        blocks = sizes.heads * np.ceil(sizes.queries / self.tile)
        tiles = np.ceil(sizes.keys / self.tile)
        longest = tiles * tile_s + self.start_s
        mean = blocks / machine.sms * (np.where(causal, (tiles + 1) / 2, tiles) * tile_s + self.start_s)
        waves = np.where(causal, mean + longest, np.ceil(blocks / machine.sms) * longest)
        spread = (1 - self.uneven) * np.maximum(mean, longest) + self.uneven * waves
        # a bias is read inside of the softmax, which waits for it
        compute = np.where(blocks <= machine.sms, longest, spread) + sizes.bias_bytes / rate
        return self.fixed_s + joined(self.sharpness, compute, memory)


@dataclass(frozen=True, slots=True)
class SharedKeys:
    """A single query: the keys of each head are shared out over as many blocks as is fastest, up to ``most_splits``.

    - ``fixed_s`` is what the smallest kernel takes, ``block_s`` what a block takes beside its keys, and ``split_s``
      what it takes to put the parts together.
    - ``load_bytes_per_s`` is what one SM loads, ``bandwidth`` the share of the memory's bandwidth.
    - ``kept`` is the share of the cache that holds keys and values where a benchmark repeats one call; in a run of the
      model they are cold: all weights passed since.
    """

    fixed_s: float
    bandwidth: float
    load_bytes_per_s: float
    block_s: float
    sharpness: float
    kept: float
    split_s: float
    most_splits: int

    def seconds(self, op: Op, machine: Machine, item_bytes: int, *, cold: bool = True) -> Any:
        """Time one launch; with ``cold`` false, of a benchmark that repeats it."""
        heads, _, keys, head_dim, _, bias_bytes = _sizes(op, item_bytes)
        cached = 2 * item_bytes * heads * keys * head_dim
        share = 1.0 if cold else missed(cached, self.kept * machine.cache_bytes)
        memory = (cached * share + bias_bytes) / (machine.bandwidth_bytes_per_s * self.bandwidth)
        splits = np.array([count for count in _SPLITS if count <= self.most_splits])
        heads, keys, head_dim, memory = (np.asarray(one)[..., None] for one in (heads, keys, head_dim, memory))
        waves = np.ceil(heads * splits / machine.sms)
        block_keys = np.ceil(keys / splits / _KEYS) * _KEYS
        load = waves * (self.block_s + 2 * item_bytes * block_keys * head_dim / self.load_bytes_per_s)
        taken = joined(self.sharpness, load, memory) + np.where(splits > 1, self.split_s, 0.0)
        allowed = (splits == 1) | (keys >= splits * _KEYS)
        fastest: Any = np.min(np.where(allowed, taken, np.inf), axis=-1)
        return self.fixed_s + fastest


@dataclass(frozen=True, slots=True)
class FlashAttention:
    """A fused attention: ``causal`` in the decoder's prefill, ``full`` in vision, ``decode`` for a single query.

    ``error`` is the relative error that nine of ten stayed under, of sizes that were not fitted to.
    """

    causal: ScoreTiles
    full: ScoreTiles
    decode: SharedKeys
    error: float

    @property
    def fixed_s(self) -> float:
        """What the smallest takes."""
        return min(self.causal.fixed_s, self.full.fixed_s, self.decode.fixed_s)

    def seconds(self, op: Op, machine: Machine, item_bytes: int) -> Any:
        """Time one launch."""
        assert op.scores is not None
        single = np.asarray(op.scores.m) == 1
        if single.all():
            return self.decode.seconds(op, machine, item_bytes)
        if op.site.startswith(_CAUSAL):
            # after a chunk of a prompt the mask is a bias, and every key is looked at
            many = self.causal.seconds(op, machine, item_bytes, causal=np.equal(op.scores.m, op.scores.n))
        else:
            many = self.full.seconds(op, machine, item_bytes, causal=False)
        return np.where(single, self.decode.seconds(op, machine, item_bytes), many)[()]


def _sizes(op: Op, item_bytes: int) -> _Sizes:
    assert op.scores is not None
    heads, queries, keys, head_dim = (np.asarray(size, dtype=np.float64) for size in op.scores)
    tensors = heads * head_dim * (queries + 2 * keys) * item_bytes
    bias = np.maximum(np.asarray(op.read_bytes, dtype=np.float64) - tensors, 0.0)
    return _Sizes(heads, queries, keys, head_dim, op.read_bytes + op.write_bytes - bias, bias)
