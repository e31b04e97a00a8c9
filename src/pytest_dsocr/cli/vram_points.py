"""The points of ``dsocr vram``: grids, batches and attentions, each with what it takes of a card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dsocr_cost.fit import RunMemory

from .points import priced_grids, priced_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.execution import AttentionName, Execution
    from dsocr_cost.workload import Grid, Workload

    from ..sweep_points import SweepPoint
    from .card import Card

__all__ = ["VramPoint", "vram_points"]


@dataclass(frozen=True, slots=True)
class VramPoint:
    """A run and the memory that it takes, in bytes; FLOPs and I/O are those of vision and prefill.

    ``kv_cache_bytes`` is the cache in the end, ``activation_bytes`` the most activations at one time, ``vram_bytes``
    the most of all together at one time, in ``peak_stage`` at ``peak_op``, and the CUDA context: less than the sum of
    the others where their peaks do not coincide. ``grid`` is None for one view, ``fits`` without a card.
    """

    grid: Grid | None
    image_tokens: int
    context: int
    batch: int
    attention: AttentionName
    tensor_flops: int
    cuda_flops: int
    io_bytes: int
    kv_cache_bytes: int
    activation_bytes: int
    weight_bytes: int
    cuda_context_bytes: int
    vram_bytes: int
    peak_stage: str
    peak_op: str
    fits: bool | None


def vram_points(
    grids: Sequence[Grid | None],
    workloads: Sequence[Workload],
    executions: Sequence[Execution],
    config: DeepseekOCRConfig,
    card: Card | None,
    cuda_context_bytes: int,
) -> list[VramPoint]:
    """Price each grid in turn, None for one view, with each workload and each execution.

    Raises:
        SizeError: a grid in a mode that does not crop, or a count that leaves int64.
    """
    blocks = [
        _block(grids, workload, execution, config, card, cuda_context_bytes)
        for workload in workloads
        for execution in executions
    ]
    return [point for points in zip(*blocks, strict=True) for point in points]


def _block(
    grids: Sequence[Grid | None],
    workload: Workload,
    execution: Execution,
    config: DeepseekOCRConfig,
    card: Card | None,
    cuda_context_bytes: int,
) -> list[VramPoint]:
    """Price all grids at once, and find the peak of each."""
    sizes: dict[str, Any] = {name: getattr(workload, name) for name in ("mode", "text_tokens", "decode_steps", "batch")}
    shared: dict[str, Any] = sizes | {"config": config, "execution": execution}
    crops = [grid for grid in grids if grid is not None]
    priced: dict[Grid | None, SweepPoint] = (
        dict(zip(crops, priced_grids(crops, **shared), strict=True)) if crops else {}
    )
    if None in grids:
        priced[None] = priced_view(**shared)
    memory = {
        one: RunMemory(config, sizes["mode"], execution, cropped=one) for one in {grid is not None for grid in grids}
    }
    points = []
    for grid in grids:
        point = priced[grid]
        stages: dict[str, Any] = point.stages
        need = memory[grid is not None].need(replace(workload, grid=grid))
        forward = {
            count: stages["vision"][count] + stages["prefill"][count]
            for count in ("tensor_flops", "cuda_flops", "io_bytes")
        }
        resident = {count: stages["total"][count] for count in ("kv_cache_bytes", "activation_bytes", "weight_bytes")}
        points.append(
            VramPoint(
                grid,
                point.image_tokens,
                point.context,
                point.batch,
                execution.attention,
                **forward,
                **resident,
                cuda_context_bytes=cuda_context_bytes,
                vram_bytes=need.allocated_bytes + cuda_context_bytes,
                peak_stage=need.stage,
                peak_op=need.op,
                fits=None if card is None else need.allocated_bytes <= card.room.bytes,
            )
        )
    return points
