"""The decoder's feed-forwards: one SwiGLU, or a router and a mixture of small ones.

Implementations: the vendor loops over the experts that got tokens, three linears each; transformers runs two grouped
matmuls (``grouped_mm``, its default). Every token goes through ``num_experts_per_tok`` experts in both, so the work
is the same however even the routing is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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
    softmax,
    touched,
)
from ..moment import Boundary, Moment, during
from ..op import under
from .layer import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import DecoderConfig
    from ..op import Count, Op

__all__ = ["DeepseekV2MLP", "DeepseekV2MoE", "MoEGate"]


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

    @sized
    def boundary(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take and give hidden states."""
        x = batch * q_len * (self.hidden_size * execution.item_bytes)
        return Boundary(x, x)

    @sized
    def moments(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Look at the product of both branches, and at the output, for a SwiGLU much narrower than that."""
        x = batch * q_len * (self.hidden_size * execution.item_bytes)
        inner = batch * q_len * (self.intermediate_size * execution.item_bytes)
        yield Moment("mul", x + 3 * inner)
        yield Moment("down_proj", 2 * x + inner)

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
        yield from cast("weight.to_fp32", self.params, item, FP32_BYTES, parameter=True)
        own = item == FP32_BYTES
        yield linear("logits", FP32_BYTES, tokens, self.hidden_size, self.n_routed_experts, parameter=own)
        yield from softmax("softmax", FP32_BYTES, scores)
        weights = Tensor(best, FP32_BYTES)
        yield reduction("topk", Tensor(scores, FP32_BYTES), weights, Tensor(best, INT64_BYTES))
        yield pointwise("scale", weights, weights)

    @sized
    def boundary(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take hidden states, give the logits of all experts, weights and indices of the best."""
        best = self.num_experts_per_tok * (FP32_BYTES + INT64_BYTES)
        outputs = batch * q_len * (self.n_routed_experts * FP32_BYTES + best)
        return Boundary(batch * q_len * (self.hidden_size * execution.item_bytes), outputs)

    @sized
    def moments(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Look at the logits, beside input and weight in fp32, and at the end, for more experts than channels."""
        x, scores = self.hidden_size * execution.item_bytes, self.n_routed_experts * FP32_BYTES
        copied = FP32_BYTES if execution.item_bytes != FP32_BYTES else 0
        tokens, weight = batch * q_len, self.params * copied
        yield Moment("logits", tokens * (x + self.hidden_size * copied + scores) + weight)
        # logits and scores; of the best, weights before and after, and indices
        best = self.num_experts_per_tok * (2 * FP32_BYTES + INT64_BYTES)
        yield Moment("scale", tokens * (x + 2 * scores + best))

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

    @sized
    def boundary(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take and give hidden states."""
        x = batch * q_len * (self.config.hidden_size * execution.item_bytes)
        return Boundary(x, x)

    @sized
    def moments(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Go through router, experts and shared experts; what the router gave stays to the end."""
        x, routing = self.gate.boundary(batch, q_len, execution=execution)
        yield from during("gate", 0, self.gate.moments(batch, q_len, execution=execution))
        yield from during("experts", x + routing, self._experts_moments(batch * q_len, execution))
        shared = self.shared_experts.moments(batch, q_len, execution=execution)
        yield from during("shared_experts", x + routing, shared)

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

    def _experts_moments(self, tokens: Count, execution: Execution) -> Iterator[Moment]:
        """Look at the product of both branches, at the rows on their way back to their tokens, and at their sums.

        The sums, and their copies in the model's dtype, are as many as the rows where a token goes to one expert only.
        """
        item, rows = execution.item_bytes, tokens * self.config.num_experts_per_tok
        hidden, inner = rows * self.config.hidden_size, rows * (self.config.moe_intermediate_size * item)
        # the sorted experts, their order, as int32, and their weights; counts and ends; the gathered rows
        held = rows * (2 * INT64_BYTES + INT32_BYTES + FP32_BYTES) + 2 * self.config.n_routed_experts * INT32_BYTES
        held = held + hidden * item
        # both branches as one, the activated one, the product
        yield Moment("mul", held + 4 * inner)
        # out of the experts, and put back; the inverse of the order. Before that: weighed
        held = held + hidden * (item + FP32_BYTES) + rows * INT64_BYTES
        yield Moment("scatter", held + hidden * FP32_BYTES)
        if item != FP32_BYTES:
            yield Moment("from_fp32", held + tokens * (self.config.hidden_size * (FP32_BYTES + item)))

    @property
    def params(self) -> int:
        """All experts, not only those that a token takes."""
        expert = DeepseekV2MLP(self.config.hidden_size, self.config.moe_intermediate_size)
        return self.gate.params + self.config.n_routed_experts * expert.params + self.shared_experts.params
