"""The report's memory formulas, found again: what it charges each layer for, added up over all layers.

The report prints only its figures. These functions give each of them, on all 47 grids, to the last printed digit. That
holds for what they add up to over a view, a crop, a position and a token of the projector; how such a sum is split over
its layers is a reading of ours. They price nothing that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsocr_cost import MODES, DeepseekOCRConfig
from dsocr_cost.execution import ITEM_BYTES
from dsocr_cost.kv_cache import SyntheticKVCache
from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import Grid, Workload, feature_side

from .formula import projector_tokens
from .grids import DECODE_STEPS, TEXT_TOKENS

if TYPE_CHECKING:
    from dsocr_cost import Count

__all__ = ["GB", "GIB", "WEIGHT_BYTES", "activation_bytes", "io_bytes", "kv_cache_bytes", "vram_gb"]

GB, GIB = 10**9, 2**30

_CONFIG = DeepseekOCRConfig()
_GUNDAM = MODES["gundam"]
_BF16 = ITEM_BYTES["bfloat16"]
_DECODER = Decoder(_CONFIG.decoder)

WEIGHT_BYTES = _BF16 * (
    Vision(_CONFIG, _GUNDAM, cropped=True).params + _DECODER.params - _DECODER.lm_head.params  # or the embedding's
)
"""Weights in the report's VRAM: 165,478,400 parameters short, the LM head's or the embedding's, which has as many."""


class _Counted(NamedTuple):
    """How many maps of a layer a column counts, where its I/O and its activations differ."""

    sam_attention: int
    norm2d: int
    conv_input: int


_IO = _Counted(sam_attention=5, norm2d=4, conv_input=1)  # five: input, q, k, v and output
_ACTIVATIONS = _Counted(sam_attention=6, norm2d=1, conv_input=0)


def io_bytes(crops_high: Count, crops_wide: Count) -> Count:
    """Count what vision + prefill read and write by the report, in bytes; no weights. Sizes may be arrays."""
    return _page_bytes(crops_high, crops_wide, _IO)


def activation_bytes(crops_high: Count, crops_wide: Count) -> Count:
    """Count the report's "peak": in bytes, what all layers of vision + prefill hold, as if none were ever freed."""
    return _page_bytes(crops_high, crops_wide, _ACTIVATIONS)


def kv_cache_bytes(context: Count) -> Count:
    """Count the cache after prefill and, on top of it, the one that the last decode step reads without its own key."""
    return SyntheticKVCache(_CONFIG.decoder, 1, 2 * context + DECODE_STEPS - 1).kv_cache_bytes


def vram_gb(kv_cache_bytes: int, activation_bytes: int) -> float:
    """Add up as the report does: weights in GB, the rest in GiB."""
    return WEIGHT_BYTES / GB + (kv_cache_bytes + activation_bytes) / GIB


def _page_bytes(crops_high: Count, crops_wide: Count, counted: _Counted) -> Count:
    context = Workload(_GUNDAM, Grid(crops_high, crops_wide), TEXT_TOKENS).context(_CONFIG.sam)
    views = _view(_GUNDAM.base_size, counted) + crops_high * crops_wide * _view(_GUNDAM.crop_size or 0, counted)
    projector = (_CONFIG.projector.input_dim + _CONFIG.projector.n_embed) * projector_tokens(crops_high, crops_wide)
    return _BF16 * (views + projector + _position() * context)


def _view(size: int, counted: _Counted) -> int:
    """Count the elements of SAM and CLIP for one view of ``size`` pixels a side."""
    return _sam(size, counted) + _clip(feature_side(size, _CONFIG.sam) ** 2 + 1)


def _sam(size: int, counted: _Counted) -> int:
    sam = _CONFIG.sam
    side = size // sam.patch_size
    patches, padded = side**2, (-(-side // sam.window_size) * sam.window_size) ** 2
    global_blocks = len(sam.global_attn_indexes)
    windowed_blocks = sam.num_hidden_layers - global_blocks
    attended = windowed_blocks * padded + global_blocks * patches
    embedding = sam.num_channels * size**2 + sam.hidden_size * patches
    blocks = counted.sam_attention * sam.hidden_size * attended
    blocks += (2 * sam.hidden_size + sam.mlp_dim) * patches * sam.num_hidden_layers
    return embedding + blocks + _neck(patches, counted)


def _neck(patches: int, counted: _Counted) -> int:
    """Count a 1x1 and a 3x3 convolution, a norm after each, and the two that halve the sides."""
    sam = _CONFIG.sam
    neck = sam.output_channels * patches
    halved, quartered = sam.downsample_channels[0] * patches // 4, sam.downsample_channels[1] * patches // 16
    inputs, outputs = sam.hidden_size * patches + 2 * neck + halved, 2 * neck + halved + quartered
    return outputs + counted.conv_input * inputs + 2 * counted.norm2d * neck


def _clip(tokens: int) -> int:
    """Count a view's CLIP; its embeddings are those of the trained grid, 257 of them, whatever the view."""
    clip = _CONFIG.clip
    embeddings = ((clip.image_size // clip.patch_size) ** 2 + 1) * clip.hidden_size
    block = 8 * clip.hidden_size + clip.intermediate_size
    return embeddings + tokens * block * clip.num_hidden_layers


def _position() -> int:
    """Count the elements of decoder and LM head for one position; layer 0 as one more mixture of experts."""
    config = _CONFIG.decoder
    hidden, routed, shared = config.hidden_size, config.num_experts_per_tok, config.n_shared_experts
    attention_and_norms = 5 * hidden + 2 * (2 * hidden)
    router = hidden + config.n_routed_experts + routed
    experts = routed * (2 * hidden + config.moe_intermediate_size) + 2 * hidden + shared * config.moe_intermediate_size
    return config.num_hidden_layers * (attention_and_norms + router + experts) + hidden + config.vocab_size
