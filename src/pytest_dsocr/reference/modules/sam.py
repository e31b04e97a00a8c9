"""SAM: the encoder of ``deepseek_ocr2``, with this model's channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers.models.deepseek_ocr2 import modeling_deepseek_ocr2 as ocr
from transformers.models.deepseek_ocr2.configuration_deepseek_ocr2 import DeepseekOcr2SamVisionConfig

from dsocr_cost import SamConfig, layers

from ...errors import NotSupportedError
from .builder import grid, subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...measure.measurement import Subject
    from ..workshop import Workshop
    from .builder import Builder, Sizes

__all__ = ["BUILDERS"]


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
    return subject(
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
    return subject(shop.module(lambda: kind(config, window_size=0)), lambda: grid(layer.dim, sizes, shop))


def _mlp_block(layer: layers.MLPBlock, sizes: Sizes, shop: Workshop) -> Subject:
    config = _sam_config(shop, SamConfig(hidden_size=layer.embedding_dim, mlp_dim=layer.mlp_dim, num_attention_heads=1))
    return subject(
        shop.module(lambda: ocr.DeepseekOcr2SamMLPBlock(config)), lambda: grid(layer.embedding_dim, sizes, shop)
    )


def _block(layer: layers.Block, sizes: Sizes, shop: Workshop) -> Subject:
    config = _sam_config(shop, layer.config)
    return subject(
        shop.module(lambda: ocr.DeepseekOcr2SamVisionLayer(config, layer.window_size)),
        lambda: grid(layer.config.hidden_size, sizes, shop),
    )


def _layer_norm_2d(layer: layers.LayerNorm2d, sizes: Sizes, shop: Workshop) -> Subject:
    return subject(
        shop.module(lambda: ocr.DeepseekOcr2SamLayerNorm(layer.num_channels, data_format="channels_first")),
        lambda: shop.tensor(sizes["batch"], layer.num_channels, sizes["height"], sizes["width"]),
    )


def _image_encoder(layer: layers.ImageEncoderViT, sizes: Sizes, shop: Workshop) -> Subject:
    config = _sam_config(shop, layer.config)
    return subject(
        shop.module(lambda: ocr.DeepseekOcr2SamVisionEncoder(config)),
        lambda: shop.tensor(sizes["batch"], layer.config.num_channels, sizes["height"], sizes["width"]),
    )


BUILDERS: Mapping[type, Builder] = {
    layers.PatchEmbed: _patch_embed,
    layers.Attention: _sam_attention,
    layers.MLPBlock: _mlp_block,
    layers.Block: _block,
    layers.LayerNorm2d: _layer_norm_2d,
    layers.ImageEncoderViT: _image_encoder,
}
