"""CLIP-L, over its own patches or over SAM's features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import CLIPVisionConfig
from transformers.models.clip import modeling_clip

from dsocr_cost import ClipConfig, layers

from .builder import subject, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...measure.measurement import Subject
    from ..workshop import Workshop
    from .builder import Builder, Sizes

__all__ = ["BUILDERS"]


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
    return subject(shop.module(lambda: kind(config)), **_clip_inputs(layer.config, layer.patches, sizes, shop))


def _clip_attention(layer: layers.NoTPAttention, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(
        shop, ClipConfig(hidden_size=layer.hidden_size, num_attention_heads=layer.num_attention_heads)
    )
    return subject(
        shop.module(lambda: modeling_clip.CLIPAttention(config)), lambda: tokens(layer.hidden_size, sizes, shop)
    )


def _clip_mlp(layer: layers.NoTPFeedForward, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(
        shop, ClipConfig(hidden_size=layer.dim, num_attention_heads=1, intermediate_size=layer.hidden_dim)
    )
    return subject(shop.module(lambda: modeling_clip.CLIPMLP(config)), lambda: tokens(layer.dim, sizes, shop))


def _clip_block(layer: layers.NoTPTransformerBlock, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(shop, layer.config)
    return subject(
        shop.module(lambda: modeling_clip.CLIPEncoderLayer(config)),
        lambda: tokens(layer.config.hidden_size, sizes, shop),
        attention_mask=lambda: None,
    )


def _clip_encoder(layer: layers.NoTPTransformer, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(shop, layer.config)
    return subject(
        shop.module(lambda: modeling_clip.CLIPEncoder(config)),
        lambda: tokens(layer.config.hidden_size, sizes, shop),
    )


def _vit_model(layer: layers.VitModel, sizes: Sizes, shop: Workshop) -> Subject:
    config = _clip_config(shop, layer.config)

    def make() -> torch.nn.Module:
        model: torch.nn.Module = modeling_clip.CLIPVisionModel(config)
        model.post_layernorm = torch.nn.Identity()  # DeepSeek-OCR has no norm there
        if layer.patches == "sam":
            model.embeddings = SamFeatureEmbeddings(config)
        return model

    return subject(shop.module(make), **_clip_inputs(layer.config, layer.patches, sizes, shop))


BUILDERS: Mapping[type, Builder] = {
    layers.CLIPVisionEmbeddings: _clip_embeddings,
    layers.NoTPAttention: _clip_attention,
    layers.NoTPFeedForward: _clip_mlp,
    layers.NoTPTransformerBlock: _clip_block,
    layers.NoTPTransformer: _clip_encoder,
    layers.VitModel: _vit_model,
}
