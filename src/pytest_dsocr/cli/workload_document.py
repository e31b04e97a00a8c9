"""What was priced, as the documents of several commands write it down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.execution import Execution
    from dsocr_cost.workload import Workload

__all__ = ["sizes_document", "workload_document"]


def workload_document(workload: Workload, config: DeepseekOCRConfig, execution: Execution) -> dict[str, Any]:
    """Write down the mode of a page, its sizes, and what runs."""
    mode: Any = workload.mode
    ran = {name: getattr(execution, name) for name in ("dtype", "implementation", "attention")}
    return {"mode": mode.name} | sizes_document(workload, config) | ran


def sizes_document(workload: Workload, config: DeepseekOCRConfig) -> dict[str, Any]:
    """Write down the sizes of a page, and the tokens and positions that follow from them."""
    return {
        "grid": None if workload.grid is None else list(workload.grid),
        "image_tokens": workload.image_tokens(config.sam),
        "text_tokens": workload.text_tokens,
        "context": workload.context(config.sam),
        "decode_steps": workload.decode_steps,
        "batch": workload.batch,
    }
