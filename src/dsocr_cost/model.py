"""The whole model: vision and decoder, each priced like a layer, and a whole run of both.

Implementations: transformers makes the rotary table once a forward, for one row of positions that all sequences of the
batch share; the vendor makes it in each layer, for every sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .execution import Execution
from .kernels import embedding_params, rms_norm_params
from .layers import DeepseekV2DecoderLayer, ImageEncoderViT, LlamaRotaryEmbedding, LMHead, MlpProjector, VitModel
from .layers.layer import sized
from .op import under
from .workload import Grid, Mode, feature_side, image_tokens, views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .config import DecoderConfig, DeepseekOCRConfig
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
        for view in views(self.mode, Grid(crops_high, crops_wide) if self.cropped else None, batch):
            side = feature_side(view.size, self.config.sam)
            yield from under("sam", sam.ops(view.images, view.size, view.size, execution=execution))
            yield from under("clip", clip.ops(view.images, side, side, execution=execution))
            yield from under("projector", projector.ops(view.images, side * side, execution=execution))

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

    The LM head runs on every position that comes in. The embedding is a look-up, which is no matrix work.
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
        if execution.implementation != "vendor":
            rotary = LlamaRotaryEmbedding.from_config(self.config)
            yield from under("rotary_emb", rotary.ops(1, q_len, execution=execution))
        for index, layer in enumerate(self.layers):
            yield from under(f"layers.{index}", layer.ops(batch, q_len, kv_len, execution=execution))
        yield from self.lm_head.ops(batch, q_len, execution=execution)

    @property
    def params(self) -> int:
        """Embedding, layers, final norm, head."""
        embedding = embedding_params(self.config.vocab_size, self.config.hidden_size)
        layers = sum(layer.params for layer in self.layers)
        return embedding + layers + rms_norm_params(self.config.hidden_size) + self.lm_head.params


@dataclass(frozen=True, slots=True)
class DeepseekOCR:
    """Vision, the prefill of its image tokens and a prompt, then decode steps: all that a run launches, in order."""

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
