"""The whole run stage by stage: vision, prefill, decode and their total."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from .execution import ITEM_BYTES, Execution
from .model import Decoder, Vision
from .moment import activation_bytes
from .op import Cost, total
from .polynomial import largest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .config import DeepseekOCRConfig
    from .kv_cache import SyntheticKVCache
    from .moment import Moment
    from .op import Count
    from .workload import Workload

__all__ = ["Stage", "Stages", "decode_step", "prefill", "vision"]


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage costs; arrays where the sizes were arrays.

    ``tensor_flops``, ``cuda_flops``, ``io_bytes`` and ``launches`` are sums over its ops. ``weight_bytes`` is what is
    resident: every expert, the embedding, the LM head. ``kv_cache_bytes`` is the cache at its end, ``activation_bytes``
    the most that is alive at one time beside both. ``latency_s`` needs a device.
    """

    tensor_flops: Count
    cuda_flops: Count
    io_bytes: Count
    launches: Count
    weight_bytes: Count
    activation_bytes: Count
    kv_cache_bytes: Count
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
        parts = (vision, prefill, decode)
        weight_bytes = vision.weight_bytes + prefill.weight_bytes
        sums = {field.name: sum(getattr(part, field.name) for part in parts) for field in fields(Cost)}
        peak = largest(*(part.activation_bytes for part in parts))
        whole = Stage(**sums, weight_bytes=weight_bytes, activation_bytes=peak, kv_cache_bytes=decode.kv_cache_bytes)
        return cls(*parts, whole)


def vision(config: DeepseekOCRConfig, workload: Workload, execution: Execution) -> Stage:
    """Price the vision stage: all crops as one batch, then the global views; nothing without an image."""
    if workload.mode is None:
        return _stage(Cost(), 0, (), 0, execution)
    part = Vision(config, workload.mode, cropped=workload.grid is not None)
    sizes = (workload.batch, *(workload.grid or ()))
    cost, moments = total(part.ops(*sizes, execution=execution)), part.moments(*sizes, execution=execution)
    return _stage(cost, part.params, moments, 0, execution)


def prefill(config: DeepseekOCRConfig, positions: Count, cache: SyntheticKVCache, execution: Execution) -> Stage:
    """Price ``positions`` new ones, the last of those that ``cache`` holds afterwards."""
    part = Decoder(config.decoder)
    sizes = (cache.batch, positions, cache.length)
    cost, moments = total(part.ops(*sizes, execution=execution)), part.moments(*sizes, execution=execution)
    return _stage(cost, part.params, moments, cache.kv_cache_bytes, execution)


def decode_step(config: DeepseekOCRConfig, cache: SyntheticKVCache, execution: Execution) -> Stage:
    """Price one more position after those in ``cache``; for a cache of many lengths, one step from each."""
    return prefill(config, 1, cache.extended(), execution)


def _stage(cost: Cost, params: int, moments: Iterable[Moment], kv_cache_bytes: Count, execution: Execution) -> Stage:
    return Stage(
        **{field.name: getattr(cost, field.name) for field in fields(Cost)},
        weight_bytes=params * ITEM_BYTES[execution.dtype],
        activation_bytes=activation_bytes(moments),
        kv_cache_bytes=kv_cache_bytes,
    )
