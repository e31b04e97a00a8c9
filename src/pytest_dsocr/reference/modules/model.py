"""The whole model and its two parts, assembled."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
from transformers import DynamicCache
from transformers.models.deepseek_ocr2 import modeling_deepseek_ocr2 as ocr

from dsocr_cost import layers
from dsocr_cost.model import Decoder, DeepseekOCR, Vision
from dsocr_cost.workload import Grid, views

from ..assembled import AssembledDecoder, AssembledModel, AssembledVision
from . import clip, projector, sam
from .builder import positions, subject
from .decoder import evenly_touched, require_grouped_mm, text_config
from .llama import kv_cache, rotary_execution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...measure.measurement import Subject
    from ..workshop import Workshop
    from .builder import Builder, Sizes

__all__ = ["BUILDERS"]


def _vision_module(stage: Vision, shop: Workshop) -> torch.nn.Module:
    config = stage.config
    sam_encoder = sam.BUILDERS[layers.ImageEncoderViT](layers.ImageEncoderViT(config.sam), {}, shop).module
    clip_model = clip.BUILDERS[layers.VitModel](layers.VitModel(config.clip), {}, shop).module
    linear = projector.BUILDERS[layers.MlpProjector](layers.MlpProjector(config.projector), {}, shop).module
    return shop.module(lambda: AssembledVision(sam_encoder, clip_model, linear, config.decoder.hidden_size))


def _decoder_module(stage: Decoder, shop: Workshop) -> torch.nn.Module:
    config, head = text_config(shop, stage.config), stage.lm_head

    def make() -> torch.nn.Module:
        lm_head = torch.nn.Linear(head.hidden_size, head.vocab_size, bias=False)
        return AssembledDecoder(ocr.DeepseekOcr2TextModel(config), lm_head)

    return shop.module(make)


@functools.lru_cache(maxsize=4)
def _kept(stage: Vision | Decoder, shop: Workshop) -> torch.nn.Module:
    return _vision_module(stage, shop) if isinstance(stage, Vision) else _decoder_module(stage, shop)


def _module(stage: Vision | Decoder, shop: Workshop) -> torch.nn.Module:
    """Build a part, or take it again where that is asked for or holds no memory: a sweep runs one at many sizes."""
    return _kept(stage, shop) if shop.keep or shop.device == "meta" else _kept.__wrapped__(stage, shop)


def _crops(stage: Vision, sizes: Sizes) -> Grid | None:
    return Grid(sizes["crops_high"], sizes["crops_wide"]) if stage.cropped else None


def _pixels(stage: Vision, sizes: Sizes, shop: Workshop) -> list[torch.Tensor]:
    channels = stage.config.sam.num_channels
    batches = views(stage.mode, _crops(stage, sizes), sizes["batch"])
    return [shop.tensor(int(view.images), channels, view.size, view.size) for view in batches]


def _vision(stage: Vision, sizes: Sizes, shop: Workshop) -> Subject:
    return subject(_module(stage, shop), lambda: _pixels(stage, sizes, shop), lambda: _crops(stage, sizes))


def _decoder(stage: Decoder, sizes: Sizes, shop: Workshop) -> Subject:
    require_grouped_mm(shop)
    attention, last = stage.layers[0].self_attn, stage.config.num_hidden_layers - 1
    decoder = subject(
        _module(stage, shop),
        lambda: positions(stage.config.hidden_size, sizes, shop),
        lambda: kv_cache(attention, sizes, shop, last),
    )
    return replace(decoder, execution=rotary_execution(shop), touched=evenly_touched(stage.config))


def _model(stage: DeepseekOCR, sizes: Sizes, shop: Workshop) -> Subject:
    require_grouped_mm(shop)
    vision = cast("AssembledVision", _module(stage.vision, shop))
    decoder = cast("AssembledDecoder", _module(stage.decoder, shop))

    def text() -> torch.Tensor:
        shape = (sizes["batch"], sizes["text_tokens"])
        return torch.randint(stage.config.decoder.vocab_size, shape, device=shop.device)

    model = subject(
        AssembledModel(vision, decoder).eval(),
        lambda: _pixels(stage.vision, sizes, shop),
        lambda: _crops(stage.vision, sizes),
        text,
        DynamicCache,
        lambda: sizes["decode_steps"],
    )
    return replace(model, execution=rotary_execution(shop), touched=evenly_touched(stage.config.decoder))


BUILDERS: Mapping[type, Builder] = {Vision: _vision, Decoder: _decoder, DeepseekOCR: _model}
