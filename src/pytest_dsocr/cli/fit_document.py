"""The JSON of ``dsocr fit``, as ``fit.schema.json`` beside this module promises it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsocr_cost.workload import MAX_CROPS

from .workload_document import sizes_document, workload_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.execution import Execution
    from dsocr_cost.fit import Limits, Need
    from dsocr_cost.workload import Workload

    from .card import Card

__all__ = ["SCHEMA", "figures", "fit_document"]

SCHEMA = 1


def fit_document(
    workload: Workload, card: Card, limits: Limits, config: DeepseekOCRConfig, execution: Execution
) -> dict[str, Any]:
    """Write down what was asked, what the model has of its own, and each limit with its next larger run."""
    mode: Any = workload.mode

    def run(need: Need | None) -> dict[str, Any] | None:
        return None if need is None else sizes_document(need.workload, config) | _memory(need, card)

    return {
        "schema": SCHEMA,
        "card": card.document(),
        "workload": workload_document(workload, config, execution),
        "model": {
            "crops": MAX_CROPS if mode.crop_size else 0,
            "positions": config.decoder.max_position_embeddings,
            "context": max(0, config.decoder.max_position_embeddings - workload.decode_steps),
        },
        "limits": {
            name: limit and {"largest": run(limit.largest), "next": run(limit.following)}
            for name, limit in limits._asdict().items()
        },
    }


def figures(document: dict[str, Any]) -> Iterator[tuple[str, int | None]]:
    """Go through the counts of all runs, each with what it is."""
    for name, limit in document["limits"].items():
        for run in (limit or {}).values():
            for key, count in (run or {}).items():
                if isinstance(count, int):
                    yield f"{key} of {name}", count


def _memory(need: Need, card: Card) -> dict[str, Any]:
    context = card.room.cuda_context_bytes
    return {
        "stage": need.stage,
        "op": need.op,
        "weight_bytes": need.weight_bytes,
        "kv_cache_bytes": need.kv_cache_bytes,
        "activation_bytes": need.activation_bytes,
        "cuda_context_bytes": context,
        "vram_bytes": need.allocated_bytes + context,
        "left_bytes": card.room.bytes - need.allocated_bytes,
    }
