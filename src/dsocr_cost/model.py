"""The whole model: vision and decoder, each priced like a layer, and a whole run of both.

Implementations: transformers makes the rotary table once a forward, for one row of positions that all sequences of the
batch share; the vendor makes it in each layer, for every sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .execution import BOOL_BYTES, FP32_BYTES, INT64_BYTES, Execution
from .kernels import Tensor, cast, copy, differ, embedding_params, fill, pointwise, rms_norm_params, several
from .kv_cache import SyntheticKVCache
from .layers import (
    DeepseekV2DecoderLayer,
    DeepseekV2RMSNorm,
    ImageEncoderViT,
    LlamaRotaryEmbedding,
    LMHead,
    MlpProjector,
    VitModel,
)
from .layers.layer import sized
from .memory import decoder_moments, vision_moments
from .op import under
from .workload import Grid, Mode, feature_side, image_tokens, views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .config import DecoderConfig, DeepseekOCRConfig
    from .moment import Moment
    from .op import Count, Op

__all__ = ["STAGES", "Decoder", "DeepseekOCR", "Vision"]


@dataclass(frozen=True, slots=True)
class Vision:
    """SAM, CLIP and projector: over all crops of a batch as one, then over its global views.

    ``cropped`` says whether there is a crop grid; a mode that crops has none for an image that fits into one crop.
    """

    group: ClassVar[str] = "model"
    config: DeepseekOCRConfig
    mode: Mode
    cropped: bool

    @sized
    def ops(
        self, batch: Count, crops_high: Count = 0, crops_wide: Count = 0, *, execution: Execution = Execution()
    ) -> Iterator[Op]:
        """Price ``batch`` pages, each with a grid of crops_high x crops_wide if ``cropped``."""
        sam, clip, projector = self._tower
        item = execution.item_bytes
        batches = views(self.mode, Grid(crops_high, crops_wide) if self.cropped else None, batch)
        for view in batches:
            side = feature_side(view.size, self.config.sam)
            features = Tensor(view.images * side * side * self.config.projector.input_dim, item)
            yield from under("sam", sam.ops(view.images, view.size, view.size, execution=execution))
            yield from under("clip", clip.ops(view.images, side, side, execution=execution))
            yield copy("join", features)
            yield from under("projector", projector.ops(view.images, side * side, execution=execution))
        yield from self._lay_out(batch, crops_high, crops_wide, item)

    @sized
    def moments(
        self, batch: Count, crops_high: Count = 0, crops_wide: Count = 0, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """List the moments at which most activations may be alive."""
        grid = Grid(crops_high, crops_wide) if self.cropped else None
        return vision_moments(self.config, views(self.mode, grid, batch), execution)

    def _lay_out(self, batch: Count, crops_high: Count, crops_wide: Count, item: int) -> Iterator[Op]:
        """Put the crops of a page in order, end each row with a newline, and add the separator."""
        hidden, newline = self.config.decoder.hidden_size, embedding_params(1, self.config.decoder.hidden_size) * item
        tokens: Count = 0
        if self.cropped and self.mode.crop_size:
            side = feature_side(self.mode.crop_size, self.config.sam)
            rows, columns = crops_high * side, crops_wide * side
            page = Tensor(batch * rows * columns * hidden, item)
            tokens = batch * rows * (columns + 1)
            yield copy("crops.order", page).times(several(crops_wide))
            yield copy("crops.newlines", Tensor(tokens * hidden, item), page, weights=newline)
        side = feature_side(self.mode.base_size, self.config.sam)
        view = batch * side * (side + 1)
        yield copy(
            "view.newlines", Tensor(view * hidden, item), Tensor(batch * side * side * hidden, item), weights=newline
        )
        laid_out = Tensor((tokens + view) * hidden, item)
        yield copy("separator", Tensor(laid_out.elements + batch * hidden, item), laid_out, weights=newline)

    @property
    def _tower(self) -> tuple[ImageEncoderViT, VitModel, MlpProjector]:
        return ImageEncoderViT(self.config.sam), VitModel(self.config.clip), MlpProjector(self.config.projector)

    @property
    def params(self) -> int:
        """The tower, the projector, and the vectors for newline and separator."""
        vectors = embedding_params(2, self.config.decoder.hidden_size)
        return sum(part.params for part in self._tower) + vectors


@dataclass(frozen=True, slots=True)
class Decoder:
    """All decoder layers and the LM head: a prefill of ``q_len`` positions, or one decode step over ``kv_len`` keys.

    The LM head runs on every position that comes in, and its logits are copied to fp32. The embeddings come in; their
    look-up is not counted.
    """

    group: ClassVar[str] = "model"
    config: DecoderConfig

    @property
    def layers(self) -> tuple[DeepseekV2DecoderLayer, ...]:
        """Its layers, in order."""
        return tuple(DeepseekV2DecoderLayer(self.config, index) for index in range(self.config.num_hidden_layers))

    @property
    def lm_head(self) -> LMHead:
        """Its head."""
        return LMHead.from_config(self.config)

    @sized
    def ops(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``q_len`` new positions over ``kv_len`` keys, the new ones among them: equal in prefill."""
        item = execution.item_bytes
        yield from _positions("position_ids", q_len)
        if execution.attention == "eager":
            yield from self._mask(batch, q_len, kv_len, item)
        elif execution.attention == "sdpa":
            # several positions after cached ones need a mask; a prefill is causal by name, one position sees every key
            chunk = several(q_len) * differ(q_len, kv_len)
            for op in self._visible(batch, q_len, kv_len):
                yield op.times(chunk)
        if execution.implementation != "vendor":
            rotary = LlamaRotaryEmbedding.from_config(self.config)
            yield from under("rotary_emb", rotary.ops(1, q_len, execution=execution))
        for index, layer in enumerate(self.layers):
            yield from under(f"layers.{index}", layer.ops(batch, q_len, kv_len, execution=execution))
        norm = DeepseekV2RMSNorm.from_config(self.config)
        yield from under("norm", norm.ops(batch, q_len, execution=execution))
        yield from self.lm_head.ops(batch, q_len, execution=execution)
        yield from cast("logits.to_fp32", batch * q_len * self.config.vocab_size, item, FP32_BYTES)

    @sized
    def moments(
        self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """List the moments at which most activations may be alive."""
        return decoder_moments(self.config, batch, q_len, kv_len, execution)

    @sized
    def kv_cache_bytes(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Count:
        """Count the KV cache after it, in bytes."""
        del q_len
        return SyntheticKVCache(self.config, batch, kv_len, execution.dtype).kv_cache_bytes

    def _visible(self, batch: Count, q_len: Count, kv_len: Count) -> Iterator[Op]:
        """Say which key each query sees: [s, t]."""
        yield fill("mask.batch", Tensor(batch, INT64_BYTES))
        yield fill("mask.heads", Tensor(1, INT64_BYTES))
        yield from _positions("mask.queries", q_len)
        yield from _positions("mask.keys", kv_len)
        queries, keys = Tensor(q_len, INT64_BYTES), Tensor(kv_len, INT64_BYTES)
        yield pointwise("mask.visible", Tensor(q_len * kv_len, BOOL_BYTES), queries, keys)

    def _mask(self, batch: Count, q_len: Count, kv_len: Count, item: int) -> Iterator[Op]:
        """Make the causal mask of eager attention: [b, 1, s, t], the lowest number where a key lies ahead."""
        yield from self._visible(batch, q_len, kv_len)
        scalar = Tensor(1, item)
        yield fill("mask.zero", scalar)
        yield fill("mask.lowest", scalar)
        visible = Tensor(q_len * kv_len, BOOL_BYTES)
        yield pointwise("mask", Tensor(batch * q_len * kv_len, item), visible, scalar, scalar)

    @property
    def params(self) -> int:
        """Embedding, layers, final norm, head."""
        embedding = embedding_params(self.config.vocab_size, self.config.hidden_size)
        layers = sum(layer.params for layer in self.layers)
        return embedding + layers + rms_norm_params(self.config.hidden_size) + self.lm_head.params


def _positions(name: str, count: Count) -> Iterator[Op]:
    positions = Tensor(count, INT64_BYTES)
    yield fill(name, positions)
    yield pointwise(f"{name}.offset", positions, positions)


@dataclass(frozen=True, slots=True)
class DeepseekOCR:
    """Vision, the prefill of its image tokens and a prompt, then decode steps, in the order of a run.

    What joins them is left out: looking text up in the embedding, putting it beside the image tokens, choosing the
    next token. None of it is matrix work.
    """

    group: ClassVar[str] = "model"
    config: DeepseekOCRConfig
    mode: Mode
    cropped: bool

    @property
    def vision(self) -> Vision:
        """Its first part."""
        return Vision(self.config, self.mode, self.cropped)

    @property
    def decoder(self) -> Decoder:
        """Its second part."""
        return Decoder(self.config.decoder)

    @sized
    def ops(
        self,
        batch: Count,
        text_tokens: Count,
        decode_steps: int,
        crops_high: Count = 0,
        crops_wide: Count = 0,
        *,
        execution: Execution = Execution(),
    ) -> Iterator[Op]:
        """Price ``batch`` pages, each with a prompt of ``text_tokens``; step n of decode attends over n keys more."""
        yield from under("vision", self.vision.ops(batch, crops_high, crops_wide, execution=execution))
        grid = Grid(crops_high, crops_wide) if self.cropped else None
        context = image_tokens(self.mode, grid, self.config.sam) + text_tokens
        yield from under("prefill", self.decoder.ops(batch, context, context, execution=execution))
        for step in range(1, decode_steps + 1):
            yield from under(f"decode.{step}", self.decoder.ops(batch, 1, context + step, execution=execution))

    @property
    def params(self) -> int:
        """Both parts."""
        return self.vision.params + self.decoder.params


STAGES: tuple[type[Vision | Decoder | DeepseekOCR], ...] = (Vision, Decoder, DeepseekOCR)
"""What tolerances and rows may name beside the layers."""
