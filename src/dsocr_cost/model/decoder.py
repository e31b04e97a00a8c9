"""The decoder stage: all layers and the LM head, for a prefill or a decode step.

Implementations: transformers makes the rotary table once a forward, for one row of positions that all sequences of the
batch share; the vendor makes it in each layer, for every sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..execution import BOOL_BYTES, FP32_BYTES, INT64_BYTES, Execution
from ..kernels import Tensor, cast, differ, embedding_params, fill, pointwise, rms_norm_params, several
from ..kv_cache import SyntheticKVCache
from ..layers import DeepseekV2DecoderLayer, DeepseekV2RMSNorm, LlamaRotaryEmbedding, LMHead
from ..layers.layer import sized
from ..moment import Boundary, Moment, during
from ..op import under

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import DecoderConfig
    from ..op import Count, Op

__all__ = ["Decoder"]


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
        """Go through a first and a last layer of either kind, and the logits.

        Beside a layer's inputs it holds the positions and, after the first layer, the embeddings that came in. So the
        first layer of a kind that has both holds as many activations as any other one, and is the first to do so. The
        last one has most of the KV cache beside it.
        """
        item, casted = execution.item_bytes, execution.item_bytes != FP32_BYTES
        x, positions = batch * q_len * (self.config.hidden_size * item), q_len * INT64_BYTES
        layers = self.layers
        cached = layers[0].kv_cache_bytes(batch, q_len, q_len, execution=execution)
        for index in self._layers_that_hold_most():
            moments = layers[index].moments(batch, q_len, kv_len, execution=execution)
            later = len(layers) - 1 - index  # whose new keys and values are not there yet
            yield from during(f"layers.{index}", positions + (x if index else 0), moments, -later * cached)
        # embeddings and normed output; logits, and those in fp32
        logits = batch * q_len * (self.config.vocab_size * (item + casted * FP32_BYTES))
        yield Moment("logits.to_fp32" if casted else "lm_head", 2 * x + logits)

    def _layers_that_hold_most(self) -> list[int]:
        count, dense = self.config.num_hidden_layers, self.config.first_k_dense_replace
        kinds = (range(min(dense, count)), range(dense, count))
        return sorted({index for kind in kinds if kind for index in (min(max(kind[0], 1), kind[-1]), kind[-1])})

    @sized
    def boundary(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take embeddings, give logits in fp32."""
        del kv_len
        rows = batch * q_len
        embeddings = rows * (self.config.hidden_size * execution.item_bytes)
        return Boundary(embeddings, rows * (self.config.vocab_size * FP32_BYTES))

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
