"""All layers of the model, by the names that tolerances and result rows use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import clip, clip_embeddings, decoder, llama, llama_rotary, moe, projector, sam, sam_attention, sam_block
from .layer import layer_name

if TYPE_CHECKING:
    from .layer import Layer

__all__ = ["LAYERS"]

LAYERS: dict[str, type[Layer]] = {
    layer_name(kind): kind
    for module in (sam_attention, sam_block, sam, clip_embeddings, clip, projector, decoder, moe, llama, llama_rotary)
    for kind in (getattr(module, name) for name in module.__all__)
}
"""``vision.Attention`` and its like, to the class that prices it."""
