"""A sweep as a list of points: one evaluation of the cost model on arrays, then plain ints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dsocr_cost.config import DeepseekOCRConfig
from dsocr_cost.execution import Execution
from dsocr_cost.sweep import evaluate_workload
from dsocr_cost.workload import MODES, Grid, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsocr_cost.stages import Stages
    from dsocr_cost.workload import Mode

__all__ = ["COUNTS", "STAGES", "SweepPoint", "context_points", "grid_points", "stage_counts"]

STAGES: tuple[str, ...] = ("vision", "prefill", "decode", "total")

COUNTS: tuple[str, ...] = (
    "tensor_flops",
    "cuda_flops",
    "io_bytes",
    "launches",
    "compulsory_bytes",
    "weight_bytes",
    "activation_bytes",
    "kv_cache_bytes",
    "allocated_bytes",
)
"""What a stage counts, by the names of :class:`dsocr_cost.stages.Stage`."""


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One workload of a sweep, and what each stage of it costs.

    ``label`` is the crop grid (``2x3``), or the context of a prompt without an image. ``image_tokens`` and ``context``
    (image and text) count positions of one page, and ``batch`` pages. ``stages`` goes from a name of ``STAGES`` to a
    name of ``COUNTS`` to the count; None for what the cost model does not predict.
    """

    label: str
    image_tokens: int
    context: int
    text_tokens: int
    decode_steps: int
    batch: int
    stages: dict[str, dict[str, int | None]]


def stage_counts(stages: Stages) -> Iterator[tuple[str, Any]]:
    """Go through all counts of all stages, each with what it is: ``io_bytes of prefill``."""
    for name, stage in zip(STAGES, stages, strict=True):
        for count in COUNTS:
            yield f"{count} of {name}", getattr(stage, count)


def grid_points(
    grids: Sequence[Grid],
    *,
    mode: Mode = MODES["gundam"],
    text_tokens: int = 10,
    decode_steps: int = 100,
    batch: int = 1,
    config: DeepseekOCRConfig = DeepseekOCRConfig(),
    execution: Execution = Execution(),
) -> list[SweepPoint]:
    """Price pages of these crop grids, in their order; each is followed by the same prompt.

    Raises:
        SizeError: a size that no workload has, a mode that does not crop, or a count that leaves int64.
    """
    high, wide = (np.array([grid[side] for grid in grids], dtype=np.int64) for side in (0, 1))
    workload = Workload(mode, Grid(high, wide), text_tokens, decode_steps, batch)
    stages = evaluate_workload(workload, config, execution)
    return _points([str(grid) for grid in grids], workload, config, stages)


def context_points(
    contexts: Sequence[int],
    *,
    decode_steps: int = 100,
    batch: int = 1,
    config: DeepseekOCRConfig = DeepseekOCRConfig(),
    execution: Execution = Execution(),
) -> list[SweepPoint]:
    """Price prompts of these many positions without an image, in their order.

    Raises:
        SizeError: a size that no workload has, or a count that leaves int64.
    """
    positions = np.array(contexts, dtype=np.int64)
    workload = Workload(None, None, positions, decode_steps, batch)
    stages = evaluate_workload(workload, config, execution)
    return _points([str(context) for context in contexts], workload, config, stages)


def _points(labels: Sequence[str], workload: Workload, config: DeepseekOCRConfig, stages: Stages) -> list[SweepPoint]:
    points = len(labels)
    columns = {
        "image_tokens": workload.image_tokens(config.sam),
        "context": workload.context(config.sam),
        "text_tokens": workload.text_tokens,
        "decode_steps": workload.decode_steps,
        "batch": workload.batch,
    }
    sizes = {name: _column(size, points) for name, size in columns.items()}
    counts = {
        stage: {count: _column(getattr(priced, count), points) for count in COUNTS}
        for stage, priced in zip(STAGES, stages, strict=True)
    }
    return [
        SweepPoint(
            label=label,
            **{name: column[index] for name, column in sizes.items()},
            stages={
                stage: {count: column[index] for count, column in by_count.items()}
                for stage, by_count in counts.items()
            },
        )
        for index, label in enumerate(labels)
    ]


def _column(count: Any, points: int) -> list[Any]:
    """Make one entry a point, as Python ints or None, which JSON and CSV write in full."""
    return [count] * points if count is None else np.broadcast_to(count, (points,)).tolist()
