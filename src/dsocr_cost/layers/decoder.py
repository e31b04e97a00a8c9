"""The DeepSeek-V2-style decoder: multi-head attention, then one SwiGLU or a mixture of small ones.

Implementations: the vendor loops over the experts that got tokens, three linears each; transformers runs two grouped
matmuls (``grouped_mm``, its default). Every token goes through ``num_experts_per_tok`` experts in both, so the work
is the same however even the routing is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import ConfigError
from ..execution import FP32_BYTES, INT32_BYTES, INT64_BYTES, Execution
from ..kernels import (
    Tensor,
    cast,
    copy,
    fill,
    grouped_linear,
    linear,
    linear_params,
    lookup,
    pointwise,
    reduction,
    rms_norm_params,
    softmax,
    touched,
)
from ..op import under
from .layer import sized
from .llama import LlamaAttention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import DecoderConfig
    from ..op import Count, Op

__all__ = ["DeepseekV2DecoderLayer", "DeepseekV2MLP", "DeepseekV2MoE", "DeepseekV2RMSNorm", "LMHead", "MoEGate"]


@dataclass(frozen=True, slots=True)
class DeepseekV2MLP:
    """A SwiGLU: ``down(silu(gate(x)) * up(x))``, without biases."""

    group: ClassVar[str] = "decoder"
    hidden_size: int
    intermediate_size: int

    @classmethod
    def from_config(cls, config: DecoderConfig) -> DeepseekV2MLP:
        """Build the one of a dense layer."""
        return cls(config.hidden_size, config.intermediate_size)

    @sized
    def ops(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` sequences of ``q_len`` positions."""
        item, rows = execution.item_bytes, batch * q_len
        inner = Tensor(rows * self.intermediate_size, item)
        yield linear("gate_proj", item, rows, self.hidden_size, self.intermediate_size)
        yield pointwise("act_fn", inner, inner)
        yield linear("up_proj", item, rows, self.hidden_size, self.intermediate_size)
        yield pointwise("mul", inner, inner, inner)
        yield linear("down_proj", item, rows, self.intermediate_size, self.hidden_size)

    @property
    def params(self) -> int:
        """Three linears."""
        return 2 * linear_params(self.hidden_size, self.intermediate_size, bias=False) + linear_params(
            self.intermediate_size, self.hidden_size, bias=False
        )


@dataclass(frozen=True, slots=True)
class MoEGate:
    """The router: one fp32 linear, a softmax, the best few experts."""

    group: ClassVar[str] = "decoder"
    hidden_size: int
    n_routed_experts: int
    num_experts_per_tok: int = 6

    @classmethod
    def from_config(cls, config: DecoderConfig) -> MoEGate:
        """Build the one of every MoE layer."""
        return cls(config.hidden_size, config.n_routed_experts, config.num_experts_per_tok)

    @sized
    def ops(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` sequences of ``q_len`` positions."""
        item, tokens = execution.item_bytes, batch * q_len
        scores, best = tokens * self.n_routed_experts, tokens * self.num_experts_per_tok
        yield from cast("hidden.to_fp32", tokens * self.hidden_size, item, FP32_BYTES)
        yield from cast("weight.to_fp32", self.params, item, FP32_BYTES)
        yield linear("logits", FP32_BYTES, tokens, self.hidden_size, self.n_routed_experts)
        yield from softmax("softmax", FP32_BYTES, scores)
        weights = Tensor(best, FP32_BYTES)
        yield reduction("topk", Tensor(scores, FP32_BYTES), weights, Tensor(best, INT64_BYTES))
        yield pointwise("scale", weights, weights)

    @property
    def params(self) -> int:
        """One linear without bias."""
        return linear_params(self.hidden_size, self.n_routed_experts, bias=False)


@dataclass(frozen=True, slots=True)
class DeepseekV2MoE:
    """The router, ``n_routed_experts`` SwiGLUs of which each token takes a few, and the shared experts as one more."""

    group: ClassVar[str] = "decoder"
    config: DecoderConfig

    @property
    def gate(self) -> MoEGate:
        """Its router."""
        return MoEGate.from_config(self.config)

    @property
    def shared_experts(self) -> DeepseekV2MLP:
        """The experts that every token takes, as the one SwiGLU that they run as."""
        return DeepseekV2MLP(self.config.hidden_size, self.config.n_shared_experts * self.config.moe_intermediate_size)

    @sized
    def ops(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` sequences of ``q_len`` positions."""
        tokens = batch * q_len
        x = Tensor(tokens * self.config.hidden_size, execution.item_bytes)
        yield from under("gate", self.gate.ops(batch, q_len, execution=execution))
        yield from under("experts", self._experts(tokens, execution))
        yield from under("shared_experts", self.shared_experts.ops(batch, q_len, execution=execution))
        yield pointwise("add", x, x, x)

    def _experts(self, tokens: Count, execution: Execution) -> Iterator[Op]:
        """Sort the tokens by expert, run each expert on its own, put the tokens back and add up their experts."""
        item, picks, n_experts = execution.item_bytes, self.config.num_experts_per_tok, self.config.n_routed_experts
        hidden, intermediate = self.config.hidden_size, self.config.moe_intermediate_size
        rows, experts = tokens * picks, touched(n_experts, picks, tokens)
        indices, weights = Tensor(rows, INT64_BYTES), Tensor(rows, FP32_BYTES)
        ends, inner = Tensor(n_experts, INT32_BYTES), Tensor(rows * intermediate, item)
        routed = Tensor(rows * hidden, FP32_BYTES)
        yield reduction("sort", indices, indices, indices)
        yield pointwise("token_of_row", indices, indices)
        yield lookup("gather", Tensor(rows * hidden, item), indices)
        yield lookup("weights", weights, indices)
        yield copy("expert_of_row.to_int32", Tensor(rows, INT32_BYTES), indices)
        yield reduction("tokens_per_expert", Tensor(rows, INT32_BYTES), ends)
        yield reduction("ends", ends, ends)
        if execution.implementation == "vendor":
            yield grouped_linear("gate_proj", item, rows, hidden, intermediate, experts, ends)
            yield grouped_linear("up_proj", item, rows, hidden, intermediate, experts, ends)
        else:
            yield grouped_linear("gate_up_proj", item, rows, hidden, 2 * intermediate, experts, ends)
        yield pointwise("act_fn", inner, inner)
        yield pointwise("mul", inner, inner, inner)
        yield grouped_linear("down_proj", item, rows, intermediate, hidden, experts, ends)
        yield pointwise("weigh", routed, Tensor(rows * hidden, item), weights)
        yield fill("order", indices)
        yield copy("inverse", indices, indices, indices)
        yield lookup("scatter", routed, indices)
        yield reduction("sum", routed, Tensor(tokens * hidden, FP32_BYTES))
        yield from cast("from_fp32", tokens * hidden, FP32_BYTES, item)

    @property
    def params(self) -> int:
        """All experts, not only those that a token takes."""
        expert = DeepseekV2MLP(self.config.hidden_size, self.config.moe_intermediate_size)
        return self.gate.params + self.config.n_routed_experts * expert.params + self.shared_experts.params


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

    @property
    def params(self) -> int:
        """One linear."""
        return linear_params(self.hidden_size, self.vocab_size, bias=False)
