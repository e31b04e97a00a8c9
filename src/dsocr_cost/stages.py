"""The whole run stage by stage: vision, prefill, decode and their total."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from .model import Decoder, Vision, run_moments
from .moment import activation_bytes, compulsory_bytes, live_bytes
from .op import Cost, total

if TYPE_CHECKING:
    from .config import DeepseekOCRConfig
    from .execution import Execution
    from .kv_cache import SyntheticKVCache
    from .op import Count
    from .workload import Workload

__all__ = ["ADDITIVE", "Stage", "Stages", "decode_step", "prefill", "run", "vision"]

ADDITIVE = (*(field.name for field in fields(Cost)), "compulsory_bytes")
"""Figures of a stage that add up over forward passes."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage costs; arrays where the sizes were arrays.

    ``tensor_flops``, ``cuda_flops``, ``io_bytes`` and ``launches`` are sums over its ops. ``compulsory_bytes`` is the
    least that any implementation moves: inputs, touched weights and outputs once, the KV cache. ``weight_bytes`` is
    what is resident: every expert, the embedding, the LM head. ``kv_cache_bytes`` is the cache at its end,
    ``activation_bytes`` the most that is alive at one time beside both, ``allocated_bytes`` the most of all together.
    ``latency_s`` needs a device.
    """

    tensor_flops: Count
    cuda_flops: Count
    io_bytes: Count
    launches: Count
    compulsory_bytes: Count
    weight_bytes: Count
    activation_bytes: Count
    kv_cache_bytes: Count
    allocated_bytes: Count
    latency_s: float | None = None


class Stages(NamedTuple):
    """A run. ``prefill`` is decoder and LM head, without vision; ``decode`` all its steps.

    The memory of ``total`` is that of a caller who holds the pixels, the prompt and the tokens until the run is over,
    and all weights.
    """

    vision: Stage
    prefill: Stage
    decode: Stage
    total: Stage


def run(
    config: DeepseekOCRConfig,
    workload: Workload,
    execution: Execution,
    parts: tuple[Stage, Stage, Stage],
    context: Count | None = None,
) -> Stages:
    """Add up the stages of a workload.

    Sums of what is additive; the weights of vision and decoder; the cache at the end; of memory, what is alive at one
    time in the whole run. ``context`` stands for the positions of the prefill where those are a size of their own.
    """
    first, second, third = parts
    sums = {name: sum(getattr(part, name) for part in parts) for name in ADDITIVE}
    weights, cache = first.weight_bytes + second.weight_bytes, third.kv_cache_bytes
    moments = tuple(run_moments(config, workload, execution, context))
    whole = Stage(
        **sums,
        weight_bytes=weights,
        activation_bytes=activation_bytes(moments),
        kv_cache_bytes=cache,
        allocated_bytes=weights + live_bytes(moments, cache),
    )
    return Stages(*parts, whole)


def vision(config: DeepseekOCRConfig, workload: Workload, execution: Execution) -> Stage:
    """Price the vision stage: all crops as one batch, then the global views; nothing without an image."""
    if workload.mode is None:
        return Stage(*(0 for field in fields(Stage) if field.name != "latency_s"))
    part = Vision(config, workload.mode, cropped=workload.grid is not None)
    return _stage(part, (workload.batch, *(workload.grid or ())), 0, execution)


def prefill(config: DeepseekOCRConfig, positions: Count, cache: SyntheticKVCache, execution: Execution) -> Stage:
    """Price ``positions`` new ones, the last of those that ``cache`` holds afterwards."""
    sizes = (cache.batch, positions, cache.length)
    return _stage(Decoder(config.decoder), sizes, cache.kv_cache_bytes, execution)


def decode_step(config: DeepseekOCRConfig, cache: SyntheticKVCache, execution: Execution) -> Stage:
    """Price one more position after those in ``cache``; for a cache of many lengths, one step from each."""
    return prefill(config, 1, cache.extended(), execution)


def _stage(part: Vision | Decoder, sizes: tuple[Count, ...], kv_cache_bytes: Count, execution: Execution) -> Stage:
    ops, moments = tuple(part.ops(*sizes, execution=execution)), tuple(part.moments(*sizes, execution=execution))
    boundary, cost = part.boundary(*sizes, execution=execution), total(ops)
    weights: Any = part.params * execution.item_bytes
    return Stage(
        **{field.name: getattr(cost, field.name) for field in fields(Cost)},
        compulsory_bytes=compulsory_bytes(boundary, ops, kv_cache_bytes),
        weight_bytes=weights,
        activation_bytes=activation_bytes(moments),
        kv_cache_bytes=kv_cache_bytes,
        allocated_bytes=weights + live_bytes(moments, kv_cache_bytes),
    )
