"""LLaMA's attention and rotary embedding, and the inputs that a decoder layer shares with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

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

    from dsocr_cost.execution import DtypeName, RotaryName

    from ...measure.measurement import Subject
    from .builder import Builder, Sizes

__all__ = ["BUILDERS", "causal_mask", "kv_cache", "rotary_execution", "rotary_table"]

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
        attention_mask=lambda: causal_mask(sizes, shop),
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
    return Execution("transformers", shop.attention, how, cast("DtypeName", shop.dtype))


def rotary_table(layer: layers.LlamaAttention, sizes: Sizes, shop: Workshop) -> tuple[torch.Tensor, torch.Tensor]:
    """Make cosine and sine for the new positions: one row for all sequences, from outside of the layer."""
    shape = (1, sizes["q_len"], layer.head_dim)
    return shop.tensor(*shape), shop.tensor(*shape)


def causal_mask(sizes: Sizes, shop: Workshop) -> torch.Tensor | None:
    """Make the mask that a whole model hands to its layers.

    [batch, 1, q_len, kv_len]: for ``eager`` what is added to the scores; for ``sdpa`` what a query may see, and only
    where several new positions follow cached ones: without a mask, its first query stands at the first key, which is so
    in a prefill; and one query sees every key.
    """
    q_len, kv_len = sizes["q_len"], sizes["kv_len"]
    if shop.attention == "flash" or (shop.attention == "sdpa" and q_len in (1, kv_len)):
        return None
    visible = torch.ones(q_len, kv_len, device=shop.device, dtype=torch.bool).tril(diagonal=kv_len - q_len)
    if shop.attention == "sdpa":
        return visible.expand(sizes["batch"], 1, -1, -1)
    scores = torch.zeros(sizes["batch"], 1, q_len, kv_len, device=shop.device, dtype=shop.torch_dtype)
    return scores.masked_fill(visible.logical_not(), torch.finfo(shop.torch_dtype).min)


def kv_cache(layer: layers.LlamaAttention, sizes: Sizes, shop: Workshop, last: int, first: int = 0) -> DynamicCache:
    """Fill a KV cache with the keys before the new positions, for the layers from ``first`` to ``last``.

    Raises:
        NotSupportedError: several new positions after cached ones, for torch's flash kernel on a real device.
    """
    q_len, cached = sizes["q_len"], sizes["kv_len"] - sizes["q_len"]
    if cached and q_len > 1 and shop.attention == "flash" and shop.device != "meta":
        msg = f"q_len {q_len} after {cached} cached: torch's flash kernel masks from the first key on; meta counts it"
        raise NotSupportedError(msg)
    cache = DynamicCache()
    if cached:
        shape = (sizes["batch"], layer.num_key_value_heads, cached, layer.head_dim)
        for index in range(first, last + 1):
            cache.update(shop.tensor(*shape), shop.tensor(*shape), index)
    return cache


BUILDERS: Mapping[type, Builder] = {
    layers.LlamaAttention: _llama_attention,
    layers.LlamaFlashAttention2: _llama_attention,
    layers.LlamaRotaryEmbedding: _rotary,
}
