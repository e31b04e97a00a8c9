"""CLIP-L as the second half of the vision tower: SAM's features come in as its patch embeddings.

Implementations: the vendor multiplies once for q, k and v (``qkv_proj``), transformers three times; the work is the
same. transformers' ``post_layernorm`` is not part of this model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ..execution import INT64_BYTES, Execution
from ..kernels import (
    Tensor,
    bmm,
    conv2d,
    conv2d_params,
    copy,
    differ,
    either,
    embedding_params,
    fused_attention,
    layer_norm,
    layer_norm_params,
    linear,
    linear_params,
    lookup,
    pointwise,
    several,
    softmax,
)
from ..op import under
from .layer import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import ClipConfig
    from ..op import Count, Op

__all__ = [
    "CLIPVisionEmbeddings",
    "NoTPAttention",
    "NoTPFeedForward",
    "NoTPTransformer",
    "NoTPTransformerBlock",
    "VitModel",
]


@dataclass(frozen=True, slots=True)
class CLIPVisionEmbeddings:
    """Patches, a class token before them, and a position vector on each.

    ``patches`` says where they come from: ``conv`` is its own convolution over pixels, ``sam`` takes SAM's features
    and leaves the convolution idle; its parameters are there in both.
    """

    group: ClassVar[str] = "vision"
    config: ClipConfig
    patches: Literal["conv", "sam"] = "sam"

    @sized
    def ops(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` images: height x width pixels for ``conv``, height x width features for ``sam``."""
        item, hidden, rows, columns = execution.item_bytes, self.config.hidden_size, height, width
        if self.patches == "conv":
            size, channels = self.config.patch_size, (self.config.num_channels, self.config.hidden_size)
            rows, columns = height // size, width // size
            yield conv2d("patch_embedding", item, batch, (height, width), (rows, columns), channels, size)
        patches, vector = Tensor(batch * rows * columns * hidden, item), embedding_params(1, hidden) * item
        tokens = Tensor(patches.elements + batch * hidden, item)
        yield copy("class_embedding.cat", tokens, patches, weights=vector)
        side = self.config.image_size // self.config.patch_size
        other = differ(rows * columns, side * side)
        if self.patches == "conv":  # it asks for a square, too
            other = either(other, differ(height, width))
        yield from self._position_embedding(rows, columns, item, other)
        yield pointwise("position_embedding.add", tokens, tokens, Tensor((rows * columns + 1) * hidden, item))

    def _position_embedding(self, rows: Count, columns: Count, item: int, other: Count) -> Iterator[Op]:
        """Look the trained grid's vectors up, or stretch them where it is an ``other`` one."""
        hidden, side = self.config.hidden_size, self.config.image_size // self.config.patch_size
        table, vector = embedding_params(side * side, hidden) * item, embedding_params(1, hidden) * item
        stretched = Tensor(rows * columns * hidden, item)
        vectors = Tensor(stretched.elements + hidden, item)
        yield lookup("position_embedding", vectors, Tensor(rows * columns + 1, INT64_BYTES)).times(1 - other)
        yield pointwise("position_embedding.resize", stretched, weights=table).times(other)
        yield copy("position_embedding.cat", vectors, stretched, weights=vector).times(other)

    @property
    def params(self) -> int:
        """The convolution without bias, the class token, and a position for each patch and the class token."""
        width, patches = self.config.hidden_size, (self.config.image_size // self.config.patch_size) ** 2
        convolution = conv2d_params(self.config.num_channels, width, self.config.patch_size, bias=False)
        return convolution + embedding_params(1, width) + embedding_params(patches + 1, width)


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
            yield fused_attention("sdpa", hidden, hidden.elements, tokens, heads * tokens)
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
        size = self.config.patch_size if self.patches == "conv" else 1
        tokens = (height // size) * (width // size) + 1
        yield layer_norm("pre_layrnorm", execution.item_bytes, batch * tokens, self.config.hidden_size)
        yield from under("encoder", self.encoder.ops(batch, tokens, execution=execution))

    @property
    def params(self) -> int:
        """Embeddings, the norm before the blocks, the blocks."""
        return self.embeddings.params + layer_norm_params(self.config.hidden_size) + self.encoder.params
