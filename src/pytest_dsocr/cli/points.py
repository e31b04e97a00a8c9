"""Points of many workloads at once, or the options to lower where a count leaves int64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsocr_cost.errors import SizeError
from dsocr_cost.sweep import evaluate
from dsocr_cost.workload import Workload, image_tokens

from ..sweep_points import COUNTS, STAGES, SweepPoint, context_points, grid_points, stage_counts
from .options import require_int64, warn_of_long_contexts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.workload import Grid

__all__ = ["priced_contexts", "priced_grids", "priced_view", "warn_of_long_points"]

LARGE = ("grids", "context", "text_tokens", "decode_steps", "batch", "config")
"""Options that can make a count leave int64."""


def priced_grids(grids: Sequence[Grid], **shared: Any) -> list[SweepPoint]:
    """Price pages of these grids, as ``grid_points`` does.

    Raises:
        SizeError: a mode that does not crop, by a grid that was asked for; a count that leaves int64, and the options.
    """
    Workload(shared["mode"], grids[0])
    try:
        return grid_points(grids, **shared)
    except SizeError:
        high, wide = (max(grid[side] for grid in grids) for side in (0, 1))
        _require_int64(crops_high=high, crops_wide=wide, **shared)
        raise


def priced_view(**shared: Any) -> SweepPoint:
    """Price a page of one view, as ``grid_points`` does with crops.

    Raises:
        SizeError: a count that leaves int64, and the options.
    """
    _require_int64(**shared)
    sizes = {name: shared[name] for name in ("text_tokens", "decode_steps", "batch")}
    tokens: Any = image_tokens(shared["mode"], None, shared["config"].sam)
    stages = {
        name: {count: getattr(stage, count) for count in COUNTS}
        for name, stage in zip(STAGES, evaluate(**shared), strict=True)
    }
    return SweepPoint("one view", tokens, tokens + sizes["text_tokens"], **sizes, stages=stages)


def priced_contexts(contexts: Sequence[int], **shared: Any) -> list[SweepPoint]:
    """Price prompts of these lengths, as ``context_points`` does.

    Raises:
        SizeError: a count that leaves int64, and the options.
    """
    try:
        return context_points(contexts, **shared)
    except SizeError:
        _require_int64(text_tokens=max(contexts), mode=None, **shared)
        raise


def warn_of_long_points(positions: Sequence[int], config: DeepseekOCRConfig) -> None:
    """Say on stderr how many points have more positions, decoded ones among them, than the model was made for."""
    beyond = sum(one > config.decoder.max_position_embeddings for one in positions)
    warn_of_long_contexts(max(positions), config, points=f"in {beyond} of {len(positions)} points, at most: ")


def _require_int64(**sizes: Any) -> None:
    """Price, in Python ints, a point that none of them exceeds."""
    require_int64(stage_counts(evaluate(**sizes)), *LARGE)
