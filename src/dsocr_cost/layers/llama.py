"""What the decoder takes from LLaMA: its attention and its rotary embedding.

Implementations: the vendor's attention recomputes the rotary table itself, as an fp32 batched matmul, in each of the
decoder's layers; transformers makes it once a forward, outside of the layer, and since 5.15 elementwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ..execution import Execution
from ..kernels import attention, bmm, linear, linear_params
from ..op import under
from .layer import require_at_least, sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import DecoderConfig
    from ..op import Count, Op

__all__ = ["LlamaAttention", "LlamaFlashAttention2", "LlamaRotaryEmbedding"]


@dataclass(frozen=True, slots=True)
class LlamaRotaryEmbedding:
    """Cosine and sine of each position times each of ``head_dim / 2`` frequencies; a buffer, no parameters."""

    group: ClassVar[str] = "llama"
    head_dim: int

    @classmethod
    def from_config(cls, config: DecoderConfig) -> LlamaRotaryEmbedding:
        """Build the decoder's."""
        return cls(config.head_dim)

    @sized
    def ops(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` rows of ``q_len`` positions."""
        if execution.rotary_is_matmul:
            # frequencies [b, d / 2, 1] @ positions [b, 1, s]
            yield bmm("freqs", batch, self.head_dim // 2, q_len, 1)

    @property
    def params(self) -> int:
        """None."""
        return 0


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
        rows, queries, keys = batch * q_len, self.num_heads * self.head_dim, self.num_key_value_heads * self.head_dim
        yield linear("q_proj", rows, self.hidden_size, queries)
        yield linear("k_proj", rows, self.hidden_size, keys)
        yield linear("v_proj", rows, self.hidden_size, keys)
        if execution.implementation == "vendor":
            yield from under("rotary_emb", LlamaRotaryEmbedding(self.head_dim).ops(batch, q_len, execution=execution))
        yield from attention("sdpa", execution, batch, self.num_heads, q_len, kv_len, self.head_dim)
        yield linear("o_proj", rows, queries, self.hidden_size)

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
