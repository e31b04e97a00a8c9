"""The attention that the decoder takes from LLaMA.

Implementations: the vendor's recomputes the rotary table itself, in each of the decoder's layers; transformers makes it
once a forward, outside of the layer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..execution import BOOL_BYTES, FP32_BYTES, INT64_BYTES, Execution
from ..kernels import (
    NOTHING,
    Tensor,
    bmm,
    copy,
    differ,
    fill,
    fused_attention,
    linear,
    linear_params,
    pointwise,
    several,
    softmax,
)
from ..moment import Boundary, Moment
from ..op import Matmul, under
from ..sizes import require_at_least
from .layer import sized
from .llama_rotary import LlamaRotaryEmbedding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import DecoderConfig
    from ..op import Count, Op

__all__ = ["LlamaAttention", "LlamaFlashAttention2"]


@dataclass(frozen=True, slots=True)
class LlamaAttention:
    """Causal multi-head attention over a KV cache, without biases."""

    group: ClassVar[str] = "llama"
    hidden_size: int
    num_heads: int
    num_key_value_heads: int
    head_dim: int

    @classmethod
    def from_config(cls, config: DecoderConfig) -> LlamaAttention:
        """Build the one of every decoder layer."""
        return cls(config.hidden_size, config.num_attention_heads, config.num_key_value_heads, config.head_dim)

    @sized
    def ops(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``q_len`` new positions over ``kv_len`` keys, the new ones among them: equal in prefill."""
        require_at_least("kv_len", kv_len, "q_len", q_len)
        item, rows = execution.item_bytes, batch * q_len
        queries, keys = self.num_heads * self.head_dim, self.num_key_value_heads * self.head_dim
        yield linear("q_proj", item, rows, self.hidden_size, queries)
        yield linear("k_proj", item, rows, self.hidden_size, keys)
        yield linear("v_proj", item, rows, self.hidden_size, keys)
        table = Tensor(q_len * self.head_dim, item)
        if execution.implementation == "vendor":
            yield from under("rotary_emb", LlamaRotaryEmbedding(self.head_dim).ops(batch, q_len, execution=execution))
            table = Tensor(batch * q_len * self.head_dim, item)
        yield from self._rotate("query", rows * self.num_heads, table)
        yield from self._rotate("key", rows * self.num_key_value_heads, table)
        for name in ("key", "value"):
            # the cache is a new tensor [b, h, t, d] at every step: what was there, and what came in
            yield copy(f"cache.{name}", Tensor(batch * kv_len * keys, item))
        yield from (self._fused if execution.fused else self._eager)(batch, q_len, kv_len, execution)
        yield linear("o_proj", item, rows, queries, self.hidden_size)

    @sized
    def boundary(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take hidden states, cosine and sine (the vendor: positions), a mask; give hidden states.

        transformers' eager attention gives its scores, too.
        """
        require_at_least("kv_len", kv_len, "q_len", q_len)
        item, vendor = execution.item_bytes, execution.implementation == "vendor"
        x, pairs = batch * q_len * (self.hidden_size * item), q_len * kv_len
        table = q_len * (INT64_BYTES if vendor else 2 * self.head_dim * item)
        if not execution.fused:
            scores = batch * pairs * (self.num_heads * item)
            return Boundary(x + table + batch * pairs * item, x if vendor else x + scores)
        seen = pairs * self._masked(q_len, kv_len, execution) * BOOL_BYTES
        return Boundary(x + table + seen, x)

    @sized
    def moments(
        self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Go through rotation, the cache, attention itself, and the output, for heads much narrower than that.

        Until they are in the cache, new keys and values are activations.
        """
        item = execution.item_bytes
        inputs = self.boundary(batch, q_len, kv_len, execution=execution).inputs
        if execution.implementation == "vendor":
            inputs = inputs + 2 * batch * q_len * (self.head_dim * item)  # cosine and sine
        query, token = self.num_heads * self.head_dim * item, self.num_key_value_heads * self.head_dim * item
        queries, keys, cached = batch * q_len * query, batch * q_len * token, batch * (kv_len - q_len) * token
        projected = inputs + queries + 2 * keys
        # x * cos, rotated x, and that times sin; of the keys, beside queries that are done
        yield Moment("rotary.query.sin", projected + 3 * queries, -2 * keys)
        yield Moment("rotary.key.sin", projected + queries + 3 * keys, -2 * keys)
        yield Moment("cache.value", projected, cached)
        inside = self._fused_moments if execution.fused else self._eager_moments
        yield from inside(batch, q_len, kv_len, inputs + queries, execution)

    def _rotate(self, name: str, vectors: Count, table: Tensor) -> Iterator[Op]:
        """Turn each pair of channels by its position: x * cos + rotated(x) * sin."""
        x = Tensor(vectors * self.head_dim, table.item_bytes)
        half = Tensor(vectors * (self.head_dim - self.head_dim // 2), table.item_bytes)
        yield pointwise(f"rotary.{name}.cos", x, x, table)
        yield pointwise(f"rotary.{name}.neg", half, half)
        yield copy(f"rotary.{name}.rotate", x)
        yield pointwise(f"rotary.{name}.sin", x, x, table)
        yield pointwise(f"rotary.{name}.add", x, x, x)

    def _fused(self, batch: Count, q_len: Count, kv_len: Count, execution: Execution) -> Iterator[Op]:
        """Run all in one kernel: q [b, h, s, d], k and v [b, h, t, d]."""
        item, mask = execution.item_bytes, NOTHING
        keys = Tensor(batch * self.num_key_value_heads * kv_len * self.head_dim, item)
        if execution.attention == "sdpa":
            masked = self._masked(q_len, kv_len, execution)
            seen, mask = Tensor(q_len * kv_len, BOOL_BYTES), Tensor(masked * batch * q_len * kv_len, item)
            if self._repeats:  # under a mask they cannot share
                repeats = masked * (self.num_heads // self.num_key_value_heads - 1)
                stored, keys = keys, Tensor(keys.elements * (1 + repeats), item)
                for name in ("key", "value"):
                    yield copy(f"sdpa.{name}.repeat", keys, stored).times(masked)
            for name in ("zero", "lowest"):
                yield fill(f"sdpa.mask.{name}", Tensor(1, item)).times(masked)
            yield pointwise("sdpa.mask", mask, seen, Tensor(2, item)).times(masked)
        scores = Matmul(batch * self.num_heads, q_len, kv_len, self.head_dim)
        yield fused_attention("sdpa", item, scores, keys.elements, bias=mask)

    def _fused_moments(
        self, batch: Count, q_len: Count, kv_len: Count, held: Count, execution: Execution
    ) -> Iterator[Moment]:
        """Look at the kernel, which under a mask has keys and values for each head, and at the output."""
        item, rows, masked = execution.item_bytes, batch * q_len, self._masked(q_len, kv_len, execution)
        # the mask, and the two numbers that it is made of
        mask = (batch * q_len * kv_len + 2) * item
        query = self.num_heads * self.head_dim * item
        yield Moment(
            "sdpa",
            held + masked * (self._repeated(batch, kv_len, item) + mask) + rows * (query + self.num_heads * FP32_BYTES),
        )
        yield Moment("o_proj", held + rows * (query + self.hidden_size * item))

    def _eager(self, batch: Count, q_len: Count, kv_len: Count, execution: Execution) -> Iterator[Op]:
        """Run scores, mask, softmax and weighted sum one after the other."""
        item = execution.item_bytes
        heads = batch * self.num_heads
        query = Tensor(heads * q_len * self.head_dim, item)
        scores, mask = Tensor(heads * q_len * kv_len, item), Tensor(batch * q_len * kv_len, item)
        repeated = Tensor(heads * kv_len * self.head_dim, item)
        stored = Tensor(batch * self.num_key_value_heads * kv_len * self.head_dim, item)
        if self._repeats:
            yield copy("sdpa.key.repeat", repeated, stored)
            yield copy("sdpa.value.repeat", repeated, stored)
        yield copy("sdpa.query.contiguous", query).times(several(batch) * several(q_len) * several(self.num_heads))
        # one key head is multiplied as it is, but by several sequences
        each = 1 + several(batch) * (heads - 1) if self._views else heads
        if self._views:
            yield copy("sdpa.key.repeat", repeated, stored).times(several(batch))
        yield bmm("sdpa.scores", item, heads, q_len, kv_len, self.head_dim, stored=each)
        yield pointwise("sdpa.scale", scores, scores)
        yield pointwise("sdpa.mask", scores, scores, mask)
        yield from softmax("sdpa.softmax", item, scores.elements)
        if self._views:
            yield copy("sdpa.value.repeat", repeated, stored).times(several(batch))
        yield bmm("sdpa.values", item, heads, q_len, self.head_dim, kv_len, stored=each)
        yield copy("sdpa.contiguous", query).times(several(q_len) * several(self.num_heads))

    def _eager_moments(
        self, batch: Count, q_len: Count, kv_len: Count, held: Count, execution: Execution
    ) -> Iterator[Moment]:
        """Look at the softmax; at what follows it, for few scores beside keys and values a head; at the output."""
        item, rows, casted = execution.item_bytes, batch * q_len, execution.item_bytes != FP32_BYTES
        pairs, query = rows * kv_len * self.num_heads, rows * (self.num_heads * self.head_dim * item)
        repeated = self._repeated(batch, kv_len, item)
        # the one key head, for each head of several sequences, while it is multiplied
        view = batch * kv_len * (self._views * self.num_heads * self.head_dim * item) * several(batch)
        if self._views:
            yield Moment("sdpa.scores", held + view + query * (several(batch) * several(q_len)) + pairs * item)
        # scores with the mask, those in fp32, and their softmax; for a model in fp32 as much as scores before and after
        widest = "sdpa.softmax" if casted else "sdpa.scale"
        yield Moment(widest, held + repeated + pairs * (item + FP32_BYTES * (1 + casted)))
        yield Moment("sdpa.values", held + repeated + view + pairs * item + query)
        copied = several(q_len) * several(self.num_heads)
        yield Moment("sdpa.contiguous", (held + repeated + pairs * item + 2 * query) * copied)
        yield Moment("o_proj", held + pairs * item + query + rows * (self.hidden_size * item))

    @property
    def _repeats(self) -> bool:
        """Whether keys for each head are copies of several shared ones."""
        return self.num_heads > self.num_key_value_heads > 1

    @property
    def _views(self) -> bool:
        """Whether they are views of a single one, which a matmul of several sequences has to copy."""
        return self.num_heads > self.num_key_value_heads == 1

    def _masked(self, q_len: Count, kv_len: Count, execution: Execution) -> Any:
        """Say where sdpa is told which keys each query sees: in a chunk of a prefill, after what is cached."""
        return several(q_len) * differ(q_len, kv_len) * (execution.attention == "sdpa")

    def _repeated(self, batch: Count, kv_len: Count, item: int) -> Count:
        """Count keys and values for each head, in bytes, where they have to be made of shared ones."""
        if not self._repeats:
            return 0
        return batch * kv_len * (2 * self.num_heads * self.head_dim * item)

    @sized
    def kv_cache_bytes(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Count:
        """Count its part of the KV cache after it, in bytes: K and V [batch, num_key_value_heads, kv_len, head_dim]."""
        del q_len
        return batch * kv_len * (2 * self.num_key_value_heads * self.head_dim * execution.item_bytes)

    @property
    def params(self) -> int:
        """Four linears."""
        queries, keys = self.num_heads * self.head_dim, self.num_key_value_heads * self.head_dim
        return (
            linear_params(self.hidden_size, queries, bias=False)
            + 2 * linear_params(self.hidden_size, keys, bias=False)
            + linear_params(queries, self.hidden_size, bias=False)
        )


class LlamaFlashAttention2(LlamaAttention):
    """The same attention, always through a flash kernel."""

    __slots__ = ()

    @sized
    def ops(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price it as ``LlamaAttention`` does, with ``flash`` whatever the execution asks for."""
        yield from super().ops(batch, q_len, kv_len, execution=replace(execution, attention="flash"))

    @sized
    def boundary(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take and give what ``LlamaAttention`` does with ``flash``."""
        return super().boundary(batch, q_len, kv_len, execution=replace(execution, attention="flash"))

    @sized
    def moments(
        self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Look at it as ``LlamaAttention`` does with ``flash``."""
        yield from super().moments(batch, q_len, kv_len, execution=replace(execution, attention="flash"))
