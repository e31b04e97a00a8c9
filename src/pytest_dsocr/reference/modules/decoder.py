"""The decoder: the text model of ``deepseek_ocr2``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from transformers.models.deepseek_ocr2 import modeling_deepseek_ocr2 as ocr
from transformers.models.deepseek_ocr2.configuration_deepseek_ocr2 import DeepseekOcr2TextConfig

from dsocr_cost import DecoderConfig, layers
from dsocr_cost.kernels import touched

from ...errors import NotSupportedError
from .builder import positions, subject
from .llama import causal_mask, kv_cache, rotary_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...measure.measurement import Subject
    from ..workshop import Workshop
    from .builder import Builder, Sizes

__all__ = ["BUILDERS", "evenly_touched", "require_grouped_mm", "text_config"]


def require_grouped_mm(shop: Workshop) -> None:
    """Refuse experts that torch cannot run here.

    Raises:
        NotSupportedError: experts in another dtype than bfloat16 on meta.
    """
    if shop.device == "meta" and shop.dtype != "bfloat16":
        msg = f"experts in {shop.dtype} on meta: torch's grouped matmul takes only bfloat16 there; cpu takes others"
        raise NotSupportedError(msg)


def evenly_touched(config: DecoderConfig) -> Callable[[int, int], int]:
    """Say how many experts get rows where no data can tell: as many as with even routing."""
    picks = config.num_experts_per_tok
    return lambda experts, rows: int(touched(experts, picks, rows // picks))


def text_config(shop: Workshop, sizes: DecoderConfig) -> Any:
    """Make the configuration of the text model."""
    dense = sizes.first_k_dense_replace
    config = shop.config(
        DeepseekOcr2TextConfig,
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.hidden_size,
        intermediate_size=sizes.intermediate_size,
        moe_intermediate_size=sizes.moe_intermediate_size,
        num_hidden_layers=sizes.num_hidden_layers,
        num_attention_heads=sizes.num_attention_heads,
        num_key_value_heads=sizes.num_key_value_heads,
        n_routed_experts=sizes.n_routed_experts,
        n_shared_experts=sizes.n_shared_experts,
        num_experts_per_tok=sizes.num_experts_per_tok,
        max_position_embeddings=sizes.max_position_embeddings,
        mlp_layer_types=["dense" if index < dense else "sparse" for index in range(sizes.num_hidden_layers)],
    )
    config._experts_implementation = "grouped_mm"  # noqa: SLF001 - the default, which only a whole model sets
    return config


def _swiglu(layer: layers.DeepseekV2MLP, sizes: Sizes, shop: Workshop) -> Subject:
    config = text_config(shop, DecoderConfig())
    return subject(
        shop.module(lambda: ocr.DeepseekOcr2TextMLP(config, layer.hidden_size, layer.intermediate_size)),
        lambda: positions(layer.hidden_size, sizes, shop),
    )


def _router(layer: layers.MoEGate, sizes: Sizes, shop: Workshop) -> Subject:
    config = text_config(
        shop,
        DecoderConfig(
            hidden_size=layer.hidden_size,
            num_attention_heads=1,
            num_key_value_heads=1,
            n_routed_experts=layer.n_routed_experts,
            num_experts_per_tok=layer.num_experts_per_tok,
        ),
    )

    def make() -> torch.nn.Module:
        if hasattr(ocr, "DeepseekOcr2TextTopkRouter"):
            router: torch.nn.Module = ocr.DeepseekOcr2TextTopkRouter(config)
            return router
        return torch.nn.Linear(layer.hidden_size, layer.n_routed_experts, bias=False)  # what it was before 5.13

    return subject(
        shop.module(make),
        lambda: positions(layer.hidden_size, sizes, shop),
    )


def _moe(layer: layers.DeepseekV2MoE, sizes: Sizes, shop: Workshop) -> Subject:
    require_grouped_mm(shop)
    config = text_config(shop, layer.config)
    moe = subject(
        shop.module(lambda: ocr.DeepseekOcr2TextMoe(config)),
        lambda: positions(layer.config.hidden_size, sizes, shop),
    )
    return replace(moe, touched=evenly_touched(layer.config))


def _rms_norm(layer: layers.DeepseekV2RMSNorm, sizes: Sizes, shop: Workshop) -> Subject:
    return subject(
        shop.module(lambda: ocr.DeepseekOcr2TextRMSNorm(layer.hidden_size)),
        lambda: positions(layer.hidden_size, sizes, shop),
    )


def _decoder_layer(layer: layers.DeepseekV2DecoderLayer, sizes: Sizes, shop: Workshop) -> Subject:
    if isinstance(layer.mlp, layers.DeepseekV2MoE):
        require_grouped_mm(shop)
    config, attn = text_config(shop, layer.config), layer.self_attn
    decoder_layer = subject(
        shop.module(lambda: ocr.DeepseekOcr2TextDecoderLayer(config, layer.layer_idx)),
        lambda: positions(layer.config.hidden_size, sizes, shop),
        position_embeddings=lambda: rotary_table(attn, sizes, shop),
        attention_mask=lambda: causal_mask(sizes, shop),
        past_key_values=lambda: kv_cache(attn, sizes, shop, layer.layer_idx, first=layer.layer_idx),
    )
    return replace(decoder_layer, touched=evenly_touched(layer.config))


def _lm_head(layer: layers.LMHead, sizes: Sizes, shop: Workshop) -> Subject:
    return subject(
        shop.module(lambda: torch.nn.Linear(layer.hidden_size, layer.vocab_size, bias=False)),
        lambda: positions(layer.hidden_size, sizes, shop),
    )


BUILDERS: Mapping[type, Builder] = {
    layers.DeepseekV2MLP: _swiglu,
    layers.MoEGate: _router,
    layers.DeepseekV2MoE: _moe,
    layers.DeepseekV2RMSNorm: _rms_norm,
    layers.DeepseekV2DecoderLayer: _decoder_layer,
    layers.LMHead: _lm_head,
}
