"""The JSON of ``dsocr cost``, as ``cost.schema.json`` beside this module promises it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsocr_cost.model import Decoder, Vision

from ..sweep_points import COUNTS, STAGES
from .workload_document import workload_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.execution import Execution
    from dsocr_cost.latency import Latency, RunLatency
    from dsocr_cost.stages import Stage, Stages
    from dsocr_cost.workload import Mode, Workload

    from .breakdown import Item
    from .speed import Speed

__all__ = ["SCHEMA", "breakdown_rows", "cost_document", "with_latency"]

SCHEMA = 1


def cost_document(
    workload: Workload, stages: Stages, config: DeepseekOCRConfig, execution: Execution
) -> dict[str, Any]:
    """Write down what was priced, the model's parameters, and every count of every stage."""
    mode: Any = workload.mode
    return {
        "schema": SCHEMA,
        "workload": workload_document(workload, config, execution),
        "params": _params(config, mode),
        "stages": {name: _stage(stage) for name, stage in zip(STAGES, stages, strict=True)},
    }


def breakdown_rows(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Write down layers or ops: the stage, the name, for an op its kind and sizes, the counts."""
    return [
        {"stage": item.stage, "name": item.name}
        | ({} if item.kind is None else {"kind": item.kind, "matmul": item.matmul})
        | item.counts
        | ({} if item.seconds is None else {"latency_s": item.seconds, "bound": item.bound})
        for item in items
    ]


def with_latency(document: Mapping[str, Any], run: RunLatency, speed: Speed) -> dict[str, Any]:
    """Fill in the time of each stage, and write down its band, where both come from, and the share of the peak."""
    stages = {
        name: stage | {"latency_s": float(getattr(run, name).seconds)} for name, stage in document["stages"].items()
    }
    latency = {
        "machine": speed.profile.machine.name,
        "source": speed.profile.source,
        "launch": speed.launch,
        "peak_flops_per_s": speed.peak_flops_per_s,
        "stages": {
            name: _time(getattr(run, name)) | {"mfu": _mfu(stage, speed.peak_flops_per_s)}
            for name, stage in stages.items()
        },
        "time_to_first_token": _time(run.time_to_first_token),
        "time_per_output_token": _time(run.time_per_output_token),
    }
    return {**document, "stages": stages, "latency": latency}


def _time(latency: Latency) -> dict[str, float | None]:
    return {
        "latency_s": float(latency.seconds),
        "latency_low_s": float(latency.low),
        "latency_high_s": float(latency.high),
    }


def _mfu(stage: Mapping[str, Any], peak: float) -> float | None:
    return stage["tensor_flops"] / (stage["latency_s"] * peak) if stage["latency_s"] else None


def _stage(stage: Stage) -> dict[str, Any]:
    return {name: getattr(stage, name) for name in (*COUNTS, "latency_s")}


def _params(config: DeepseekOCRConfig, mode: Mode) -> int:
    return Vision(config, mode, cropped=False).params + Decoder(config.decoder).params
