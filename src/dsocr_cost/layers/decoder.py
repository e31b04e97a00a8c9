"""The DeepSeek-V2-style decoder: multi-head attention, then one SwiGLU or a mixture of small ones; the LM head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import ConfigError
from ..execution import FP32_BYTES, Execution
from ..kernels import Tensor, cast, linear, linear_params, pointwise, reduction, rms_norm_params
from ..moment import Boundary, Moment, during
from ..op import under
from .layer import sized
from .llama import LlamaAttention
from .moe import DeepseekV2MLP, DeepseekV2MoE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import DecoderConfig
    from ..op import Count, Op

__all__ = ["DeepseekV2DecoderLayer", "DeepseekV2RMSNorm", "LMHead"]


@dataclass(frozen=True, slots=True)
class DeepseekV2RMSNorm:
    """Root-mean-square norm in fp32."""

    group: ClassVar[str] = "decoder"
    hidden_size: int

    @classmethod
    def from_config(cls, config: DecoderConfig) -> DeepseekV2RMSNorm:
        """Build the one that stands before every attention and every MLP."""
        return cls(config.hidden_size)

    @sized
    def ops(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` sequences of ``q_len`` positions."""
        item, rows = execution.item_bytes, Tensor(batch * q_len, FP32_BYTES)
        x, out = Tensor(rows.elements * self.hidden_size, FP32_BYTES), Tensor(rows.elements * self.hidden_size, item)
        yield from cast("to_fp32", x.elements, item, FP32_BYTES)
        yield pointwise("square", x, x)
        yield reduction("mean", x, rows)
        yield pointwise("epsilon", rows, rows)
        yield pointwise("rsqrt", rows, rows)
        yield pointwise("normalise", x, x, rows)
        yield from cast("from_fp32", x.elements, FP32_BYTES, item)
        yield pointwise("weight", out, out, weights=rms_norm_params(self.hidden_size) * item)

    @sized
    def boundary(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take and give hidden states."""
        x = batch * q_len * (self.hidden_size * execution.item_bytes)
        return Boundary(x, x)

    @sized
    def moments(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Look at the normalised states or, of a model in fp32, which makes no copies, at their scaling."""
        rows, x = batch * q_len, batch * q_len * (self.hidden_size * execution.item_bytes)
        if execution.item_bytes == FP32_BYTES:
            # the input, normalised, scaled; one of the two figures a row
            yield Moment("weight", 3 * x + rows * FP32_BYTES)
        else:
            # the input; it in fp32, before and after; both figures a row
            yield Moment("normalise", x + rows * (2 * self.hidden_size + 2) * FP32_BYTES)

    @property
    def params(self) -> int:
        """A scale a channel."""
        return rms_norm_params(self.hidden_size)


@dataclass(frozen=True, slots=True)
class DeepseekV2DecoderLayer:
    """Norm, attention, norm, then a SwiGLU in the first ``first_k_dense_replace`` layers and MoE in the others."""

    group: ClassVar[str] = "decoder"
    config: DecoderConfig
    layer_idx: int

    def __post_init__(self) -> None:
        """Refuse a layer that the decoder does not have."""
        if not 0 <= self.layer_idx < self.config.num_hidden_layers:
            msg = f"layer_idx: got {self.layer_idx}, allowed is 0 to {self.config.num_hidden_layers - 1}"
            raise ConfigError(msg)

    @property
    def self_attn(self) -> LlamaAttention:
        """Its attention."""
        return LlamaAttention.from_config(self.config)

    @property
    def mlp(self) -> DeepseekV2MLP | DeepseekV2MoE:
        """Its feed-forward, dense or a mixture."""
        if self.layer_idx < self.config.first_k_dense_replace:
            return DeepseekV2MLP.from_config(self.config)
        return DeepseekV2MoE(self.config)

    @sized
    def ops(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``q_len`` new positions over ``kv_len`` keys, the new ones among them: equal in prefill."""
        norm = DeepseekV2RMSNorm.from_config(self.config)
        x = Tensor(batch * q_len * self.config.hidden_size, execution.item_bytes)
        yield from under("input_layernorm", norm.ops(batch, q_len, execution=execution))
        yield from under("self_attn", self.self_attn.ops(batch, q_len, kv_len, execution=execution))
        yield pointwise("residual1", x, x, x)
        yield from under("post_attention_layernorm", norm.ops(batch, q_len, execution=execution))
        yield from under("mlp", self.mlp.ops(batch, q_len, execution=execution))
        yield pointwise("residual2", x, x, x)

    @sized
    def boundary(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take what its attention takes, give hidden states."""
        inputs = self.self_attn.boundary(batch, q_len, kv_len, execution=execution).inputs
        return Boundary(inputs, batch * q_len * (self.config.hidden_size * execution.item_bytes))

    @sized
    def moments(
        self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Go through attention, the norm after it and the feed-forward; that norm has the whole KV cache beside it.

        What attention gave stays to the end: its output in the residual, its scores, if it gave any, on their own.
        """
        x = batch * q_len * (self.config.hidden_size * execution.item_bytes)
        inputs, outputs = self.self_attn.boundary(batch, q_len, kv_len, execution=execution)
        norm = DeepseekV2RMSNorm.from_config(self.config).moments(batch, q_len, execution=execution)
        yield from during("self_attn", x, self.self_attn.moments(batch, q_len, kv_len, execution=execution))
        yield from during("post_attention_layernorm", inputs + outputs - x, norm)
        yield from during("mlp", inputs + outputs, self.mlp.moments(batch, q_len, execution=execution))

    @sized
    def kv_cache_bytes(self, batch: Count, q_len: Count, kv_len: Count, *, execution: Execution = Execution()) -> Count:
        """Count its part of the KV cache after it, in bytes."""
        return self.self_attn.kv_cache_bytes(batch, q_len, kv_len, execution=execution)

    @property
    def params(self) -> int:
        """Attention, feed-forward and two norms."""
        return self.self_attn.params + self.mlp.params + 2 * rms_norm_params(self.config.hidden_size)


@dataclass(frozen=True, slots=True)
class LMHead:
    """Logits over the vocabulary, untied and without bias, for every position that comes in."""

    group: ClassVar[str] = "decoder"
    hidden_size: int
    vocab_size: int

    @classmethod
    def from_config(cls, config: DecoderConfig) -> LMHead:
        """Build the decoder's."""
        return cls(config.hidden_size, config.vocab_size)

    @sized
    def ops(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` sequences of ``q_len`` positions; the published model runs it on all of a prefill."""
        yield linear("lm_head", execution.item_bytes, batch * q_len, self.hidden_size, self.vocab_size)

    @sized
    def boundary(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take hidden states, give logits."""
        rows = batch * q_len * execution.item_bytes
        return Boundary(rows * self.hidden_size, rows * self.vocab_size)

    @sized
    def moments(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Look at its one kernel."""
        inputs, outputs = self.boundary(batch, q_len, execution=execution)
        yield Moment("lm_head", inputs + outputs)

    @property
    def params(self) -> int:
        """One linear."""
        return linear_params(self.hidden_size, self.vocab_size, bias=False)
