"""CLIP-L as the second half of the vision tower: SAM's features come in as its patch embeddings.

Implementations: the vendor multiplies once for q, k and v (``qkv_proj``), transformers three times; the work is the
same. transformers' ``post_layernorm`` is not part of this model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ..execution import FP32_BYTES, Execution
from ..kernels import (
    Tensor,
    bmm,
    copy,
    fused_attention,
    layer_norm,
    layer_norm_params,
    linear,
    linear_params,
    pointwise,
    several,
    softmax,
)
from ..moment import Boundary, Moment, during
from ..op import Matmul, under
from .clip_embeddings import CLIPVisionEmbeddings
from .layer import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import ClipConfig
    from ..op import Count, Op

__all__ = ["NoTPAttention", "NoTPFeedForward", "NoTPTransformer", "NoTPTransformerBlock", "VitModel"]


@dataclass(frozen=True, slots=True)
class NoTPAttention:
    """Multi-head self-attention, not causal."""

    group: ClassVar[str] = "vision"
    hidden_size: int
    num_attention_heads: int

    @classmethod
    def from_config(cls, config: ClipConfig) -> NoTPAttention:
        """Build the one of every block."""
        return cls(config.hidden_size, config.num_attention_heads)

    @sized
    def ops(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` sequences of ``tokens``, the class token among them."""
        item, width, rows = execution.item_bytes, self.hidden_size, batch * tokens
        heads, head_dim = batch * self.num_attention_heads, width // self.num_attention_heads
        hidden, scores = Tensor(rows * width, item), Tensor(heads * tokens * tokens, item)
        if execution.implementation == "vendor":
            yield linear("qkv_proj", item, rows, width, 3 * width, bias=True)
        else:
            for name in ("q_proj", "k_proj", "v_proj"):
                yield linear(name, item, rows, width, width, bias=True)
        if execution.fused:
            # q, k, v [b, h, s, d]
            yield fused_attention("sdpa", item, Matmul(heads, tokens, tokens, head_dim), hidden.elements)
        else:
            for name in ("query", "key"):
                yield copy(f"sdpa.{name}.contiguous", hidden).times(several(batch))
            yield bmm("sdpa.scores", item, heads, tokens, tokens, head_dim)
            yield pointwise("sdpa.scale", scores, scores)
            yield from softmax("sdpa.softmax", item, scores.elements)
            yield copy("sdpa.value.contiguous", hidden).times(several(batch))
            yield bmm("sdpa.values", item, heads, tokens, head_dim, tokens)
            yield copy("sdpa.contiguous", hidden)
        yield linear("out_proj", item, rows, width, width, bias=True)

    @sized
    def boundary(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take and give a vector a token, and what ``returned_scores`` counts."""
        x = batch * tokens * (self.hidden_size * execution.item_bytes)
        return Boundary(x, x + self.returned_scores(batch, tokens, execution))

    @sized
    def moments(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Look at the last linear; of eager attention at its softmax, and around it, where tokens are few."""
        item = execution.item_bytes
        x, pairs = batch * tokens * (self.hidden_size * item), batch * tokens * tokens * self.num_attention_heads
        held = 4 * x  # the input, q, k and v
        if execution.fused:
            yield Moment("out_proj", held + 2 * x)
            return
        casted = item != FP32_BYTES
        yield Moment("sdpa.scores", held + 2 * x * several(batch) + pairs * item)
        # scores, those in fp32, and their softmax; of a model in fp32 scores, and those scaled, are as much before
        yield Moment("sdpa.softmax" if casted else "sdpa.scale", held + pairs * (item + (1 + casted) * FP32_BYTES))
        yield Moment("sdpa.contiguous", held + 2 * x + pairs * item)

    def returned_scores(self, batch: Count, tokens: Count, execution: Execution) -> Count:
        """Count the bytes of the softmax, which transformers' eager attention returns."""
        if execution.fused or execution.implementation == "vendor":
            return 0
        return batch * tokens * tokens * (self.num_attention_heads * execution.item_bytes)

    @property
    def params(self) -> int:
        """Four square linears with biases, however they are stored."""
        return 4 * linear_params(self.hidden_size, self.hidden_size, bias=True)


@dataclass(frozen=True, slots=True)
class NoTPFeedForward:
    """Two linears around a QuickGELU."""

    group: ClassVar[str] = "vision"
    dim: int
    hidden_dim: int

    @classmethod
    def from_config(cls, config: ClipConfig) -> NoTPFeedForward:
        """Build the one of every block."""
        return cls(config.hidden_size, config.intermediate_size)

    @sized
    def ops(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` sequences of ``tokens``."""
        item, rows = execution.item_bytes, batch * tokens
        hidden = Tensor(rows * self.hidden_dim, item)
        yield linear("fc1", item, rows, self.dim, self.hidden_dim, bias=True)
        yield pointwise("activation_fn.scale", hidden, hidden)
        yield pointwise("activation_fn.sigmoid", hidden, hidden)
        yield pointwise("activation_fn.mul", hidden, hidden, hidden)
        yield linear("fc2", item, rows, self.hidden_dim, self.dim, bias=True)

    @sized
    def boundary(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take and give a vector a token."""
        x = batch * tokens * (self.dim * execution.item_bytes)
        return Boundary(x, x)

    @sized
    def moments(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Look inside QuickGELU: the hidden activations, those scaled, and the sigmoid of these."""
        held, rows = (self.dim + 3 * self.hidden_dim) * execution.item_bytes, batch * tokens
        yield Moment("activation_fn.sigmoid", rows * held)

    @property
    def params(self) -> int:
        """Both linears."""
        return linear_params(self.dim, self.hidden_dim, bias=True) + linear_params(self.hidden_dim, self.dim, bias=True)


@dataclass(frozen=True, slots=True)
class NoTPTransformerBlock:
    """Norm, attention, norm, feed-forward."""

    group: ClassVar[str] = "vision"
    config: ClipConfig

    @property
    def self_attn(self) -> NoTPAttention:
        """Its attention."""
        return NoTPAttention.from_config(self.config)

    @property
    def mlp(self) -> NoTPFeedForward:
        """Its feed-forward."""
        return NoTPFeedForward.from_config(self.config)

    @sized
    def ops(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` sequences of ``tokens``."""
        item, rows, width = execution.item_bytes, batch * tokens, self.config.hidden_size
        x = Tensor(rows * width, item)
        yield layer_norm("layer_norm1", item, rows, width)
        yield from under("self_attn", self.self_attn.ops(batch, tokens, execution=execution))
        yield pointwise("residual1", x, x, x)
        yield layer_norm("layer_norm2", item, rows, width)
        yield from under("mlp", self.mlp.ops(batch, tokens, execution=execution))
        yield pointwise("residual2", x, x, x)

    @sized
    def boundary(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take and give a vector a token."""
        return self.mlp.boundary(batch, tokens, execution=execution)

    @sized
    def moments(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Go through attention, while the block's input waits, and the feed-forward, while its residual does, too."""
        x = self.boundary(batch, tokens, execution=execution).inputs
        scores = self.self_attn.returned_scores(batch, tokens, execution)  # nobody drops them until the block is done
        yield from during("self_attn", x, self.self_attn.moments(batch, tokens, execution=execution))
        yield from during("mlp", 2 * x + scores, self.mlp.moments(batch, tokens, execution=execution))

    @property
    def params(self) -> int:
        """Attention, feed-forward and two layer norms."""
        return self.self_attn.params + self.mlp.params + 2 * layer_norm_params(self.config.hidden_size)


@dataclass(frozen=True, slots=True)
class NoTPTransformer:
    """``config.num_hidden_layers`` equal blocks."""

    group: ClassVar[str] = "vision"
    config: ClipConfig

    @property
    def block(self) -> NoTPTransformerBlock:
        """The block that it repeats."""
        return NoTPTransformerBlock(self.config)

    @sized
    def ops(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` sequences of ``tokens``."""
        for index in range(self.config.num_hidden_layers):
            yield from under(f"layers.{index}", self.block.ops(batch, tokens, execution=execution))

    @sized
    def boundary(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take and give a vector a token."""
        return self.block.boundary(batch, tokens, execution=execution)

    @sized
    def moments(self, batch: Count, tokens: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Go through the second block, if there is one: from there on, its own input waits beside the first one's."""
        index = min(1, self.config.num_hidden_layers - 1)
        held = index * self.boundary(batch, tokens, execution=execution).inputs
        yield from during(f"layers.{index}", held, self.block.moments(batch, tokens, execution=execution))

    @property
    def params(self) -> int:
        """Those of its blocks."""
        return self.config.num_hidden_layers * self.block.params


@dataclass(frozen=True, slots=True)
class VitModel:
    """Embeddings, a norm, the transformer. Out come the patches and the class token, [b, patches + 1, 1024]."""

    group: ClassVar[str] = "vision"
    config: ClipConfig
    patches: Literal["conv", "sam"] = "sam"

    @property
    def embeddings(self) -> CLIPVisionEmbeddings:
        """Its embeddings."""
        return CLIPVisionEmbeddings(self.config, self.patches)

    @property
    def encoder(self) -> NoTPTransformer:
        """Its blocks."""
        return NoTPTransformer(self.config)

    @sized
    def ops(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` images: height x width pixels for ``conv``, height x width of SAM's features for ``sam``."""
        yield from under("embeddings", self.embeddings.ops(batch, height, width, execution=execution))
        tokens = self.embeddings.tokens(height, width)
        yield layer_norm("pre_layrnorm", execution.item_bytes, batch * tokens, self.config.hidden_size)
        yield from under("encoder", self.encoder.ops(batch, tokens, execution=execution))

    @sized
    def boundary(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take pixels or features, give a vector a token."""
        return self.embeddings.boundary(batch, height, width, execution=execution)

    @sized
    def moments(
        self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Go through the blocks, while what came in waits; each of them holds more than the embeddings do."""
        held = self.boundary(batch, height, width, execution=execution).inputs
        tokens = self.embeddings.tokens(height, width)
        yield from during("encoder", held, self.encoder.moments(batch, tokens, execution=execution))

    @property
    def params(self) -> int:
        """Embeddings, the norm before the blocks, the blocks."""
        return self.embeddings.params + layer_norm_params(self.config.hidden_size) + self.encoder.params
