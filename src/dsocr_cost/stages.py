"""The whole run stage by stage: vision, prefill, decode and their total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .execution import ITEM_BYTES, Execution
from .model import Decoder, Vision
from .op import Cost, total

if TYPE_CHECKING:
    from .config import DeepseekOCRConfig
    from .kv_cache import SyntheticKVCache
    from .op import Count
    from .workload import Workload

__all__ = ["Stage", "Stages", "decode_step", "prefill", "vision"]


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage costs; arrays where the sizes were arrays, None for what this version does not predict.

    ``tensor_flops``, ``cuda_flops``, ``io_bytes`` and ``launches`` are sums over its ops. ``weight_bytes`` is what is
    resident: every expert, the embedding, the LM head. ``kv_cache_bytes`` is the cache at its end, ``activation_bytes``
    the most that is alive at one time beside both. ``latency_s`` needs a device.
    """

    tensor_flops: Count
    weight_bytes: Count
    kv_cache_bytes: Count
    cuda_flops: Count | None = None
    io_bytes: Count | None = None
    launches: Count | None = None
    activation_bytes: Count | None = None
    latency_s: float | None = None


class Stages(NamedTuple):
    """A run. ``prefill`` is decoder and LM head, without vision; ``decode`` all its steps."""

    vision: Stage
    prefill: Stage
    decode: Stage
    total: Stage

    @classmethod
    def of(cls, vision: Stage, prefill: Stage, decode: Stage) -> Stages:
        """Add up the three: sums of what is additive, the weights of vision and decoder, the cache at the end."""
        whole = Stage(
            tensor_flops=vision.tensor_flops + prefill.tensor_flops + decode.tensor_flops,
            weight_bytes=vision.weight_bytes + prefill.weight_bytes,
            kv_cache_bytes=decode.kv_cache_bytes,
        )
        return cls(vision, prefill, decode, whole)


def vision(config: DeepseekOCRConfig, workload: Workload, execution: Execution) -> Stage:
    """Price the vision stage: all crops as one batch, then the global views; nothing without an image."""
    if workload.mode is None:
        return Stage(tensor_flops=0, weight_bytes=0, kv_cache_bytes=0)
    part = Vision(config, workload.mode, cropped=workload.grid is not None)
    cost = total(part.ops(workload.batch, *(workload.grid or ()), execution=execution))
    return _stage(cost, part.params, 0, execution)


def prefill(config: DeepseekOCRConfig, positions: Count, cache: SyntheticKVCache, execution: Execution) -> Stage:
    """Price ``positions`` new ones, the last of those that ``cache`` holds afterwards."""
    part = Decoder(config.decoder)
    cost = total(part.ops(cache.batch, positions, cache.length, execution=execution))
    return _stage(cost, part.params, cache.kv_cache_bytes, execution)


def decode_step(config: DeepseekOCRConfig, cache: SyntheticKVCache, execution: Execution) -> Stage:
    """Price one more position after those in ``cache``; for a cache of many lengths, one step from each."""
    return prefill(config, 1, cache.extended(), execution)


def _stage(cost: Cost, params: int, kv_cache_bytes: Count, execution: Execution) -> Stage:
    return Stage(
        tensor_flops=cost.tensor_flops,
        weight_bytes=params * ITEM_BYTES[execution.dtype],
        kv_cache_bytes=kv_cache_bytes,
    )
