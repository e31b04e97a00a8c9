"""The report's sweep formula, found again: this model, with the report's slips made on purpose.

The report prints only its figures. These functions give each of them, on all 90 grids, to the last printed digit; that
is what says where the figures come from. They price nothing that runs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dsocr_cost import MODES, DeepseekOCRConfig, Execution, ProjectorConfig, total
from dsocr_cost.layers import MlpProjector
from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import feature_side

from .grids import DECODE_STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from dsocr_cost import Count, Op

__all__ = [
    "decode_flops",
    "prefill_cuda_flops",
    "prefill_flops",
    "projector_tokens",
    "vision_cuda_flops",
    "vision_flops",
]

_CONFIG = DeepseekOCRConfig()
_GUNDAM = MODES["gundam"]
_EXECUTION = Execution("transformers", "eager")  # the report's decoder has no rotary matmul
_VISION = Vision(_CONFIG, _GUNDAM, cropped=True)
_ALL_MOE = Decoder(replace(_CONFIG.decoder, first_k_dense_replace=0))
_TWO_LINEARS = MlpProjector(ProjectorConfig("mlp_gelu"))

_GELU, _QUICK_GELU, _LAYER_NORM, _RMS_NORM, _ROUTER, _SWIGLU = 4, 5, 5, 3, 6, 4  # CUDA-core FLOPs an element


def vision_flops(crops_high: Count, crops_wide: Count) -> Count:
    """Price a page's vision as the report does; sizes may be arrays.

    An eighth of SAM's relative positions; the projector as two linears over :func:`projector_tokens`.
    """
    ops = list(_VISION.ops(1, crops_high, crops_wide, execution=_EXECUTION))
    tower = _flops(op for op in ops if not op.name.startswith("projector."))
    relative = _flops(op for op in ops if op.name.rpartition(".")[2].startswith("rel_pos"))
    projector = _flops(_TWO_LINEARS.ops(1, projector_tokens(crops_high, crops_wide)))
    return tower - relative + relative // 8 + projector


def projector_tokens(crops_high: Count, crops_wide: Count) -> Count:
    """Count what the report sends through the projector: the tokens of all crops, once for each crop.

    Newlines are among them, as they are among those of the global view.
    """
    side, crop = (feature_side(size, _CONFIG.sam) for size in (_GUNDAM.base_size, _GUNDAM.crop_size or 0))
    return side * (side + 1) + crops_high * crops_wide * (crops_high * crop) * (crops_wide * crop + 1)


def prefill_flops(context: Count) -> Count:
    """Price image tokens and text as the report does: layer 0, which is dense, as one more mixture of experts."""
    return _flops(_ALL_MOE.ops(1, context, context, execution=_EXECUTION))


def decode_flops(context: NDArray[np.int64]) -> NDArray[np.int64]:
    """Price the decode steps after each context as the report does: layer 0 as a mixture, no key of the step's own."""
    kv_len = context[:, np.newaxis] + np.arange(DECODE_STEPS)
    steps: Any = _flops(_ALL_MOE.ops(1, 1, kv_len, execution=_EXECUTION))
    return np.asarray(steps.sum(axis=1))


def vision_cuda_flops(crops_high: Count, crops_wide: Count) -> Count:
    """Price a page's vision on CUDA cores as the report does: activations, and the norms outside blocks."""
    views = _view_cuda_flops(_GUNDAM.base_size) + crops_high * crops_wide * _view_cuda_flops(_GUNDAM.crop_size or 0)
    two_gelus = 2 * _GELU * _CONFIG.projector.n_embed
    return views + two_gelus * projector_tokens(crops_high, crops_wide)


def prefill_cuda_flops(positions: Count) -> Count:
    """Price image tokens and text, or one decode step, on CUDA cores as the report does: nothing of attention."""
    config = _CONFIG.decoder
    experts = config.moe_intermediate_size * (config.num_experts_per_tok + config.n_shared_experts)
    layer = 2 * _RMS_NORM * config.hidden_size + _ROUTER * config.n_routed_experts + _SWIGLU * experts
    return positions * (config.num_hidden_layers * layer)


def _view_cuda_flops(size: int) -> int:
    sam, clip = _CONFIG.sam, _CONFIG.clip
    patches, tokens = (size // sam.patch_size) ** 2, feature_side(size, sam) ** 2 + 1
    in_sam = sam.num_hidden_layers * _GELU * sam.mlp_dim + 2 * _LAYER_NORM * sam.output_channels
    in_clip = clip.num_hidden_layers * _QUICK_GELU * clip.intermediate_size + _LAYER_NORM * clip.hidden_size
    return patches * in_sam + tokens * in_clip


def _flops(ops: Iterable[Op]) -> Count:
    return total(ops).tensor_flops
