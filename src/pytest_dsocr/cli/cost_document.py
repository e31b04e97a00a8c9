"""The JSON of ``dsocr cost``, as ``cost.schema.json`` beside this module promises it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsocr_cost.model import Decoder, Vision

from ..sweep_points import COUNTS, STAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.execution import Execution
    from dsocr_cost.stages import Stage, Stages
    from dsocr_cost.workload import Mode, Workload

    from .breakdown import Item

__all__ = ["SCHEMA", "breakdown_rows", "cost_document"]

SCHEMA = 1


def cost_document(
    workload: Workload, stages: Stages, config: DeepseekOCRConfig, execution: Execution
) -> dict[str, Any]:
    """Write down what was priced, the model's parameters, and every count of every stage."""
    mode: Any = workload.mode
    return {
        "schema": SCHEMA,
        "workload": {
            "mode": mode.name,
            "grid": None if workload.grid is None else list(workload.grid),
            "image_tokens": workload.image_tokens(config.sam),
            "text_tokens": workload.text_tokens,
            "context": workload.context(config.sam),
            "decode_steps": workload.decode_steps,
            "batch": workload.batch,
            "dtype": execution.dtype,
            "implementation": execution.implementation,
            "attention": execution.attention,
        },
        "parameters": _parameters(config, mode),
        "stages": {name: _stage(stage) for name, stage in zip(STAGES, stages, strict=True)},
    }


def breakdown_rows(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Write down layers or ops: the stage, the name, for an op its kind and sizes, the counts."""
    return [
        {"stage": item.stage, "name": item.name}
        | ({} if item.kind is None else {"kind": item.kind, "matmul": item.matmul})
        | item.counts
        for item in items
    ]


def _stage(stage: Stage) -> dict[str, Any]:
    return {name: getattr(stage, name) for name in (*COUNTS, "latency_s")}


def _parameters(config: DeepseekOCRConfig, mode: Mode) -> int:
    return Vision(config, mode, cropped=False).params + Decoder(config.decoder).params
