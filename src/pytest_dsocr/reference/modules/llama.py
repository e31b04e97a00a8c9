"""LLaMA's attention and rotary embedding, and the inputs that a decoder layer shares with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import transformers
from packaging.version import Version
from transformers import DynamicCache, LlamaConfig
from transformers.models.llama import modeling_llama

from dsocr_cost import Execution, layers

from ...errors import NotSupportedError
from ..workshop import Workshop
from .builder import positions, subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsocr_cost.execution import RotaryName

    from ...measure.measurement import Subject
    from .builder import Builder, Sizes

__all__ = ["BUILDERS", "kv_cache", "rotary_execution", "rotary_table"]

ROTARY_ELEMENTWISE_SINCE = Version("5.15")


def _llama_attention(layer: layers.LlamaAttention, sizes: Sizes, shop: Workshop) -> Subject:
    if isinstance(layer, layers.LlamaFlashAttention2):
        shop = Workshop(shop.device, shop.dtype, "flash")
    config = shop.config(
        LlamaConfig,
        hidden_size=layer.hidden_size,
        num_attention_heads=layer.num_heads,
        num_key_value_heads=layer.num_key_value_heads,
        head_dim=layer.head_dim,
    )
    return subject(
        shop.module(lambda: modeling_llama.LlamaAttention(config, layer_idx=0)),
        lambda: positions(layer.hidden_size, sizes, shop),
        position_embeddings=lambda: rotary_table(layer, sizes, shop),
        past_key_values=lambda: kv_cache(layer, sizes, shop, 0),
    )


def _rotary(layer: layers.LlamaRotaryEmbedding, sizes: Sizes, shop: Workshop) -> Subject:
    config = shop.config(LlamaConfig, hidden_size=layer.head_dim, num_attention_heads=1)
    rotary = subject(
        shop.module(lambda: modeling_llama.LlamaRotaryEmbedding(config)),
        lambda: positions(layer.head_dim, sizes, shop),
        lambda: torch.arange(sizes["q_len"], device=shop.device).expand(sizes["batch"], -1),
    )
    return replace(rotary, execution=rotary_execution(shop))


def rotary_execution(shop: Workshop) -> Execution:
    """Say how this version of transformers makes the rotary table."""
    elementwise = Version(transformers.__version__) >= ROTARY_ELEMENTWISE_SINCE
    how: RotaryName = "elementwise" if elementwise else "matmul"
    return Execution("transformers", shop.attention, how)


def rotary_table(layer: layers.LlamaAttention, sizes: Sizes, shop: Workshop) -> tuple[torch.Tensor, torch.Tensor]:
    """Make cosine and sine for the new positions: transformers takes them from outside of the layer."""
    shape = (sizes["batch"], sizes["q_len"], layer.head_dim)
    return shop.tensor(*shape), shop.tensor(*shape)


def kv_cache(layer: layers.LlamaAttention, sizes: Sizes, shop: Workshop, layer_idx: int) -> DynamicCache:
    """Fill a KV cache with the keys before the new positions."""
    q_len, cached = sizes["q_len"], sizes["kv_len"] - sizes["q_len"]
    if cached and q_len > 1:
        msg = f"q_len {q_len} over kv_len {sizes['kv_len']}: allowed is a prefill of equal lengths, or q_len 1"
        raise NotSupportedError(msg)
    cache = DynamicCache()
    if cached:
        shape = (sizes["batch"], layer.num_key_value_heads, cached, layer.head_dim)
        for index in range(layer_idx + 1):
            cache.update(shop.tensor(*shape), shop.tensor(*shape), index)
    return cache


BUILDERS: Mapping[type, Builder] = {
    layers.LlamaAttention: _llama_attention,
    layers.LlamaFlashAttention2: _llama_attention,
    layers.LlamaRotaryEmbedding: _rotary,
}
