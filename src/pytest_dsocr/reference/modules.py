"""For each layer of the cost model: its module in transformers, and the inputs of its forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from transformers import CLIPVisionConfig, DynamicCache, LlamaConfig
from transformers.models.clip import modeling_clip
from transformers.models.deepseek_ocr2 import modeling_deepseek_ocr2 as ocr
from transformers.models.deepseek_ocr2.configuration_deepseek_ocr2 import (
    DeepseekOcr2SamVisionConfig,
    DeepseekOcr2TextConfig,
)
from transformers.models.llama import modeling_llama

from dsocr_cost import ClipConfig, DecoderConfig, SamConfig, layers

from ..errors import NotSupportedError
from ..measure.measurement import Subject
from .workshop import Workshop

__all__ = ["BUILDERS"]

Sizes: TypeAlias = Mapping[str, int]
Builder: TypeAlias = Callable[[Any, Sizes, Workshop], Subject]


def _subject(module: torch.nn.Module, *make: Callable[[], Any], **make_named: Callable[[], Any]) -> Subject:
    """Join a module with what makes each of its inputs."""
    return Subject(
        module,
        lambda: (tuple(one() for one in make), {name: one() for name, one in make_named.items()}),
    )


# --- SAM ---------------------------------------------------------------------------------------------------------


def _sam_config(shop: Workshop, sizes: SamConfig) -> Any:
    return shop.config(
        DeepseekOcr2SamVisionConfig,
        attention="eager" if shop.attention == "eager" else "sdpa",  # the bias fits no flash kernel
        image_size=sizes.image_size,
        patch_size=sizes.patch_size,
        num_channels=sizes.num_channels,
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.num_hidden_layers,
        num_attention_heads=sizes.num_attention_heads,
        mlp_dim=sizes.mlp_dim,
        window_size=sizes.window_size,
        global_attn_indexes=list(sizes.global_attn_indexes),
        output_channels=sizes.output_channels,
        downsample_channels=list(sizes.downsample_channels),
    )


def _patch_embed(layer: layers.PatchEmbed, sizes: Sizes, shop: Workshop) -> Subject:
    config = _sam_config(
        shop,
        SamConfig(
            image_size=layer.patch_size,
            patch_size=layer.patch_size,
            num_channels=layer.in_chans,
            hidden_size=layer.embed_dim,
            num_attention_heads=1,
        ),
    )
    return _subject(
        shop.module(lambda: ocr.DeepseekOcr2SamPatchEmbeddings(config)),
        lambda: shop.tensor(sizes["batch"], layer.in_chans, sizes["height"], sizes["width"]),
    )


def _sam_attention(layer: layers.Attention, sizes: Sizes, shop: Workshop) -> Subject:
    side, other = layer.trained_grid
    if side != other:
        msg = f"trained_grid: got {side} x {other}, allowed is a square: transformers has no other"
        raise NotSupportedError(msg)
    config = _sam_config(
        shop,
        SamConfig(image_size=side, patch_size=1, hidden_size=layer.dim, num_attention_heads=layer.num_heads),
    )
    kind = ocr.DEEPSEEK_OCR2_SAM_VISION_ATTENTION_CLASSES[config._attn_implementation]  # noqa: SLF001
    return _subject(shop.module(lambda: kind(config, window_size=0)), lambda: _grid(layer.dim, sizes, shop))


def _mlp_block(layer: layers.MLPBlock, sizes: Sizes, shop: Workshop) -> Subject:
    config = _sam_config(shop, SamConfig(hidden_size=layer.embedding_dim, mlp_dim=layer.mlp_dim, num_attention_heads=1))
    return _subject(
        shop.module(lambda: ocr.DeepseekOcr2SamMLPBlock(config)), lambda: _grid(layer.embedding_dim, sizes, shop)
    )


def _block(layer: layers.Block, sizes: Sizes, shop: Workshop) -> Subject:
    config = _sam_config(shop, layer.config)
    return _subject(
        shop.module(lambda: ocr.DeepseekOcr2SamVisionLayer(config, layer.window_size)),
        lambda: _grid(layer.config.hidden_size, sizes, shop),
    )


def _layer_norm_2d(layer: layers.LayerNorm2d, sizes: Sizes, shop: Workshop) -> Subject:
    return _subject(
        shop.module(lambda: ocr.DeepseekOcr2SamLayerNorm(layer.num_channels, data_format="channels_first")),
        lambda: shop.tensor(sizes["batch"], layer.num_channels, sizes["height"], sizes["width"]),
    )


def _image_encoder(layer: layers.ImageEncoderViT, sizes: Sizes, shop: Workshop) -> Subject:
    config = _sam_config(shop, layer.config)
    return _subject(
        shop.module(lambda: ocr.DeepseekOcr2SamVisionEncoder(config)),
        lambda: shop.tensor(sizes["batch"], layer.config.num_channels, sizes["height"], sizes["width"]),
    )


def _grid(channels: int, sizes: Sizes, shop: Workshop) -> torch.Tensor:
    return shop.tensor(sizes["batch"], sizes["height"], sizes["width"], channels)


# --- CLIP --------------------------------------------------------------------------------------------------------


class SamFeatureEmbeddings(modeling_clip.CLIPVisionEmbeddings):  # type: ignore[misc]
    """CLIP's embeddings over SAM's features [b, c, h, w], as this model calls them; its convolution stays idle."""

    def forward(self, pixel_values: torch.Tensor, interpolate_pos_encoding: bool = False) -> torch.Tensor:
        """Put the class token before the features, and a position, interpolated to their grid, on each."""
        del interpolate_pos_encoding
        batch, _, height, width = pixel_values.shape
        class_token = self.class_embedding.expand(batch, 1, -1)
        embeddings: torch.Tensor = torch.cat([class_token, pixel_values.flatten(2).transpose(1, 2)], dim=1)
        if height * width == self.num_patches:
            positions = self.position_embedding(self.position_ids)
        else:
            positions = self.interpolate_pos_encoding(embeddings, height * self.patch_size, width * self.patch_size)
        return embeddings.add(positions)


def _clip_config(shop: Workshop, sizes: ClipConfig) -> Any:
    return shop.config(
        CLIPVisionConfig,
        image_size=sizes.image_size,
        patch_size=sizes.patch_size,
        num_channels=sizes.num_channels,
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.num_hidden_layers,
        num_attention_heads=sizes.num_attention_heads,
        intermediate_size=sizes.intermediate_size,
        hidden_act="quick_gelu",
    )


def _clip_inputs(config: ClipConfig, patches: str, sizes: Sizes, shop: Workshop) -> dict[str, Callable[[], Any]]:
    channels = config.num_channels if patches == "conv" else config.hidden_size
    trained = (config.image_size, config.image_size)
    return {
        "pixel_values": lambda: shop.tensor(sizes["batch"], channels, sizes["height"], sizes["width"]),
        "interpolate_pos_encoding": lambda: (sizes["height"], sizes["width"]) != trained,
    }


def _clip_embeddings(layer: layers.CLIPVisionEmbeddings, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(shop, layer.config)
    kind = modeling_clip.CLIPVisionEmbeddings if layer.patches == "conv" else SamFeatureEmbeddings
    return _subject(shop.module(lambda: kind(config)), **_clip_inputs(layer.config, layer.patches, sizes, shop))


def _clip_attention(layer: layers.NoTPAttention, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(
        shop, ClipConfig(hidden_size=layer.hidden_size, num_attention_heads=layer.num_attention_heads)
    )
    return _subject(
        shop.module(lambda: modeling_clip.CLIPAttention(config)), lambda: _tokens(layer.hidden_size, sizes, shop)
    )


def _clip_mlp(layer: layers.NoTPFeedForward, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(
        shop, ClipConfig(hidden_size=layer.dim, num_attention_heads=1, intermediate_size=layer.hidden_dim)
    )
    return _subject(shop.module(lambda: modeling_clip.CLIPMLP(config)), lambda: _tokens(layer.dim, sizes, shop))


def _clip_block(layer: layers.NoTPTransformerBlock, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(shop, layer.config)
    return _subject(
        shop.module(lambda: modeling_clip.CLIPEncoderLayer(config)),
        lambda: _tokens(layer.config.hidden_size, sizes, shop),
        attention_mask=lambda: None,
    )


def _clip_encoder(layer: layers.NoTPTransformer, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(shop, layer.config)
    return _subject(
        shop.module(lambda: modeling_clip.CLIPEncoder(config)),
        lambda: _tokens(layer.config.hidden_size, sizes, shop),
    )


def _vit_model(layer: layers.VitModel, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(shop, layer.config)

    def make() -> torch.nn.Module:
        kind = getattr(modeling_clip, "CLIPVisionTransformer", modeling_clip.CLIPVisionModel)  # its name before 5.20
        model: torch.nn.Module = kind(config)
        model.post_layernorm = torch.nn.Identity()  # DeepSeek-OCR has no norm there
        if layer.patches == "sam":
            model.embeddings = SamFeatureEmbeddings(config)
        return model

    return _subject(shop.module(make), **_clip_inputs(layer.config, layer.patches, sizes, shop))


def _tokens(channels: int, sizes: Sizes, shop: Workshop) -> torch.Tensor:
    return shop.tensor(sizes["batch"], sizes["tokens"], channels)


# --- Projector ---------------------------------------------------------------------------------------------------


def _projector(layer: layers.MlpProjector, sizes: Sizes, shop: Workshop) -> Subject:
    width_in, width_out = layer.config.input_dim, layer.config.n_embed

    def make() -> torch.nn.Module:
        if layer.config.projector_type == "linear":
            return torch.nn.Linear(width_in, width_out)
        return torch.nn.Sequential(
            torch.nn.Linear(width_in, width_out), torch.nn.GELU(), torch.nn.Linear(width_out, width_out)
        )

    return _subject(shop.module(make), lambda: _tokens(width_in, sizes, shop))


# --- Decoder -----------------------------------------------------------------------------------------------------


def _require_grouped_mm(shop: Workshop) -> None:
    if shop.device == "meta" and shop.dtype != "bfloat16":
        msg = f"experts in {shop.dtype} on meta: torch's grouped matmul takes only bfloat16 there; cpu takes others"
        raise NotSupportedError(msg)


def _text_config(shop: Workshop, sizes: DecoderConfig) -> Any:
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
    config = _text_config(shop, DecoderConfig())
    return _subject(
        shop.module(lambda: ocr.DeepseekOcr2TextMLP(config, layer.hidden_size, layer.intermediate_size)),
        lambda: _positions(layer.hidden_size, sizes, shop),
    )


def _router(layer: layers.MoEGate, sizes: Sizes, shop: Workshop) -> Subject:
    config = _text_config(
        shop,
        DecoderConfig(
            hidden_size=layer.hidden_size,
            num_attention_heads=1,
            num_key_value_heads=1,
            n_routed_experts=layer.n_routed_experts,
            num_experts_per_tok=min(DecoderConfig().num_experts_per_tok, layer.n_routed_experts),
        ),
    )
    return _subject(
        shop.module(lambda: ocr.DeepseekOcr2TextTopkRouter(config)),
        lambda: _positions(layer.hidden_size, sizes, shop),
    )


def _moe(layer: layers.DeepseekV2MoE, sizes: Sizes, shop: Workshop) -> Subject:
    _require_grouped_mm(shop)
    config = _text_config(shop, layer.config)
    return _subject(
        shop.module(lambda: ocr.DeepseekOcr2TextMoe(config)),
        lambda: _positions(layer.config.hidden_size, sizes, shop),
    )


def _rms_norm(layer: layers.DeepseekV2RMSNorm, sizes: Sizes, shop: Workshop) -> Subject:
    return _subject(
        shop.module(lambda: ocr.DeepseekOcr2TextRMSNorm(layer.hidden_size)),
        lambda: _positions(layer.hidden_size, sizes, shop),
    )


def _decoder_layer(layer: layers.DeepseekV2DecoderLayer, sizes: Sizes, shop: Workshop) -> Subject:
    if isinstance(layer.mlp, layers.DeepseekV2MoE):
        _require_grouped_mm(shop)
    config, attn = _text_config(shop, layer.config), layer.self_attn
    return _subject(
        shop.module(lambda: ocr.DeepseekOcr2TextDecoderLayer(config, layer.layer_idx)),
        lambda: _positions(layer.config.hidden_size, sizes, shop),
        position_embeddings=lambda: _rotary_table(attn, sizes, shop),
        past_key_values=lambda: _cache(attn, sizes, shop, layer.layer_idx),
    )


def _lm_head(layer: layers.LMHead, sizes: Sizes, shop: Workshop) -> Subject:
    return _subject(
        shop.module(lambda: torch.nn.Linear(layer.hidden_size, layer.vocab_size, bias=False)),
        lambda: _positions(layer.hidden_size, sizes, shop),
    )


def _positions(channels: int, sizes: Sizes, shop: Workshop) -> torch.Tensor:
    return shop.tensor(sizes["batch"], sizes["q_len"], channels)


# --- LLaMA -------------------------------------------------------------------------------------------------------


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
    return _subject(
        shop.module(lambda: modeling_llama.LlamaAttention(config, layer_idx=0)),
        lambda: _positions(layer.hidden_size, sizes, shop),
        position_embeddings=lambda: _rotary_table(layer, sizes, shop),
        past_key_values=lambda: _cache(layer, sizes, shop, 0),
    )


def _rotary(layer: layers.LlamaRotaryEmbedding, sizes: Sizes, shop: Workshop) -> Subject:
    config = shop.config(LlamaConfig, hidden_size=layer.head_dim, num_attention_heads=1)
    return _subject(
        shop.module(lambda: modeling_llama.LlamaRotaryEmbedding(config)),
        lambda: _positions(layer.head_dim, sizes, shop),
        lambda: torch.arange(sizes["q_len"], device=shop.device).expand(sizes["batch"], -1),
    )


def _rotary_table(layer: layers.LlamaAttention, sizes: Sizes, shop: Workshop) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (sizes["batch"], sizes["q_len"], layer.head_dim)
    return shop.tensor(*shape), shop.tensor(*shape)


def _cache(layer: layers.LlamaAttention, sizes: Sizes, shop: Workshop, layer_idx: int) -> DynamicCache:
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
    layers.PatchEmbed: _patch_embed,
    layers.Attention: _sam_attention,
    layers.MLPBlock: _mlp_block,
    layers.Block: _block,
    layers.LayerNorm2d: _layer_norm_2d,
    layers.ImageEncoderViT: _image_encoder,
    layers.CLIPVisionEmbeddings: _clip_embeddings,
    layers.NoTPAttention: _clip_attention,
    layers.NoTPFeedForward: _clip_mlp,
    layers.NoTPTransformerBlock: _clip_block,
    layers.NoTPTransformer: _clip_encoder,
    layers.VitModel: _vit_model,
    layers.MlpProjector: _projector,
    layers.DeepseekV2MLP: _swiglu,
    layers.MoEGate: _router,
    layers.DeepseekV2MoE: _moe,
    layers.DeepseekV2RMSNorm: _rms_norm,
    layers.DeepseekV2DecoderLayer: _decoder_layer,
    layers.LMHead: _lm_head,
    layers.LlamaAttention: _llama_attention,
    layers.LlamaFlashAttention2: _llama_attention,
    layers.LlamaRotaryEmbedding: _rotary,
}
"""Layer class to the function that builds its module."""
