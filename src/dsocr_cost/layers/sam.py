"""The SAM encoder: ViT-B with windowed and global attention, its neck, two stride-2 convolutions.

Implementations: the work is the same in both. The vendor's names are ``blocks``, ``neck.0``, ``net_2``, ``net_3``;
those here are transformers' (``DeepseekOcr2SamVisionEncoder``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..execution import FP32_BYTES, INT64_BYTES, Execution
from ..kernels import (
    Tensor,
    bmm,
    cast,
    conv2d,
    conv2d_params,
    copy,
    differ,
    either,
    embedding_params,
    fill,
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

    from ..config import SamConfig
    from ..op import Count, Op

__all__ = ["Attention", "Block", "ImageEncoderViT", "LayerNorm2d", "MLPBlock", "PatchEmbed"]


def _windows(grid: Count, window_size: int) -> Count:
    """Windows along one side: the last one is padded to the full size."""
    return -(-grid // window_size)


@dataclass(frozen=True, slots=True)
class PatchEmbed:
    """A convolution whose stride is its kernel: pixels [b, c, H, W] to patches [b, H / 16, W / 16, 768]."""

    group: ClassVar[str] = "vision"
    in_chans: int
    embed_dim: int
    patch_size: int

    @classmethod
    def from_config(cls, config: SamConfig) -> PatchEmbed:
        """Build the one of the encoder."""
        return cls(config.num_channels, config.hidden_size, config.patch_size)

    @sized
    def ops(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` images of height x width pixels."""
        rows, columns = height // self.patch_size, width // self.patch_size
        yield conv2d(
            "projection",
            execution.item_bytes,
            batch,
            (height, width),
            (rows, columns),
            (self.in_chans, self.embed_dim),
            self.patch_size,
            bias=True,
        )

    @property
    def params(self) -> int:
        """Weight and bias of the convolution."""
        return conv2d_params(self.in_chans, self.embed_dim, self.patch_size, bias=True)


@dataclass(frozen=True, slots=True)
class Attention:
    """Self-attention over a height x width grid with decomposed relative positions.

    ``batch`` counts images in a global block, images x windows in a windowed one. The bias is built from the query:
    one product with the table of the rows, one with that of the columns.
    """

    group: ClassVar[str] = "vision"
    dim: int
    num_heads: int
    trained_grid: tuple[int, int]  # sizes the position tables, not the work: they are interpolated to the grid

    @classmethod
    def from_config(cls, config: SamConfig, *, windowed: bool) -> Attention:
        """Build the one of a windowed or of a global block."""
        side = config.window_size if windowed else config.trained_grid
        return cls(config.hidden_size, config.num_attention_heads, (side, side))

    @property
    def head_dim(self) -> int:
        """Channels of one head."""
        return self.dim // self.num_heads

    @sized
    def ops(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` grids of height x width tokens; SAM's bias keeps it off the flash kernels."""
        item, tokens, heads = execution.item_bytes, height * width, batch * self.num_heads
        hidden = Tensor(batch * tokens * self.dim, item)
        scores = Tensor(heads * tokens * tokens, item)
        yield linear("qkv", item, batch * tokens, self.dim, 3 * self.dim, bias=True)
        yield copy("qkv.contiguous", Tensor(3 * hidden.elements, item)).times(several(batch))
        if not execution.fused:
            yield pointwise("sdpa.scale", hidden, hidden)
            yield bmm("sdpa.scores", item, heads, tokens, tokens, self.head_dim)
        yield from self._relative_positions(batch, height, width, item)
        if execution.fused:
            # q, k, v [b, h, h * w, d], bias [b, h, h * w, h * w]
            yield fused_attention("sdpa", hidden, hidden.elements, tokens, heads * tokens, bias=scores)
        else:
            yield pointwise("sdpa.bias", scores, scores, scores)
            yield from softmax("sdpa.softmax", item, scores.elements)
            yield bmm("sdpa.values", item, heads, tokens, self.head_dim, tokens)
        # [b, h, h * w, d] to [b, h * w, h * d]: the fused kernel writes one image in that order already
        yield copy("sdpa.contiguous", hidden).times(several(batch) if execution.fused else 1)
        yield linear("proj", item, batch * tokens, self.dim, self.dim, bias=True)

    def _relative_positions(self, batch: Count, height: Count, width: Count, item: int) -> Iterator[Op]:
        grids, tokens = batch * self.num_heads, height * width
        queries = Tensor(grids * tokens * self.head_dim, item)
        for name, side, trained in (
            ("rel_pos_h", height, self.trained_grid[0]),
            ("rel_pos_w", width, self.trained_grid[1]),
        ):
            yield from self._table(name, side, trained, item)
        # rows:    q [h, b * w, d] @ table.T [h, d, h], one product a query row
        yield copy("rel_pos_h.contiguous", queries)
        yield bmm("rel_pos_h", item, height, grids * width, height, self.head_dim)
        # columns: q [w, b * h, d] @ table.T [w, d, w], one product a query column
        yield copy("rel_pos_w.contiguous", queries).times(1 - several(batch))
        yield bmm("rel_pos_w", item, width, grids * height, width, self.head_dim)
        # bias [b, h, w, h, w]: the sum of both, over every pair
        rows: Count = grids * tokens
        bias = Tensor(rows * tokens, item)
        yield pointwise("rel_pos.sum", bias, Tensor(rows * height, item), Tensor(rows * width, item))
        yield copy("rel_pos.contiguous", bias)

    def _table(self, name: str, side: Count, trained: int, item: int) -> Iterator[Op]:
        """Stretch a table of distances to the grid, and look up the distance of every pair along one side."""
        distances = Tensor((2 * side - 1) * self.head_dim, item)
        yield pointwise(f"{name}.resize", distances, weights=embedding_params(2 * trained - 1, self.head_dim) * item)
        line, pairs = Tensor(side, FP32_BYTES), Tensor(side * side, FP32_BYTES)
        indices = Tensor(side * side, INT64_BYTES)
        for axis in ("queries", "keys"):
            yield fill(f"{name}.{axis}", Tensor(side, INT64_BYTES))
            yield pointwise(f"{name}.{axis}.scale", line, Tensor(side, INT64_BYTES))
        yield pointwise(f"{name}.distance", pairs, line, line)
        yield pointwise(f"{name}.shift", pairs, pairs)
        yield copy(f"{name}.to_int64", indices, pairs)
        yield lookup(f"{name}.take", Tensor(side * side * self.head_dim, item), indices)

    @property
    def params(self) -> int:
        """Both linears, and a table of 2 x side - 1 distances for rows and for columns."""
        tables = sum(embedding_params(2 * side - 1, self.head_dim) for side in self.trained_grid)
        return linear_params(self.dim, 3 * self.dim, bias=True) + linear_params(self.dim, self.dim, bias=True) + tables


@dataclass(frozen=True, slots=True)
class MLPBlock:
    """Two linears around a GELU."""

    group: ClassVar[str] = "vision"
    embedding_dim: int
    mlp_dim: int

    @classmethod
    def from_config(cls, config: SamConfig) -> MLPBlock:
        """Build the one of every block."""
        return cls(config.hidden_size, config.mlp_dim)

    @sized
    def ops(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` grids of height x width tokens."""
        item, tokens = execution.item_bytes, batch * height * width
        hidden = Tensor(tokens * self.mlp_dim, item)
        yield linear("lin1", item, tokens, self.embedding_dim, self.mlp_dim, bias=True)
        yield pointwise("act", hidden, hidden)
        yield linear("lin2", item, tokens, self.mlp_dim, self.embedding_dim, bias=True)

    @property
    def params(self) -> int:
        """Both linears."""
        return linear_params(self.embedding_dim, self.mlp_dim, bias=True) + linear_params(
            self.mlp_dim, self.embedding_dim, bias=True
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Norm, attention, norm, MLP. ``window_size`` 0 attends over the whole grid, else inside padded windows."""

    group: ClassVar[str] = "vision"
    config: SamConfig
    window_size: int

    @classmethod
    def from_config(cls, config: SamConfig, *, windowed: bool) -> Block:
        """Build a windowed or a global block."""
        return cls(config, config.window_size if windowed else 0)

    @property
    def attn(self) -> Attention:
        """Its attention."""
        side = self.window_size or self.config.trained_grid
        return Attention(self.config.hidden_size, self.config.num_attention_heads, (side, side))

    @property
    def mlp(self) -> MLPBlock:
        """Its MLP."""
        return MLPBlock.from_config(self.config)

    @sized
    def ops(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` grids of height x width tokens; padded positions are worked on, then dropped."""
        item, hidden = execution.item_bytes, self.config.hidden_size
        x = Tensor(batch * height * width * hidden, item)
        yield layer_norm("layer_norm1", item, batch * height * width, hidden)
        if self.window_size:
            yield from self._windowed_attention(batch, height, width, execution)
        else:
            yield from under("attn", self.attn.ops(batch, height, width, execution=execution))
        yield pointwise("residual1", x, x, x)
        yield layer_norm("layer_norm2", item, batch * height * width, hidden)
        yield from under("mlp", self.mlp.ops(batch, height, width, execution=execution))
        yield pointwise("residual2", x, x, x)

    def _windowed_attention(self, batch: Count, height: Count, width: Count, execution: Execution) -> Iterator[Op]:
        """Pad to whole windows, put them in order, attend in each, and take the grid apart again."""
        item, side = execution.item_bytes, self.window_size
        down, across = _windows(height, side), _windows(width, side)
        windows = batch * down * across
        grid = Tensor(batch * height * width * self.config.hidden_size, item)
        padded = Tensor(windows * side * side * self.config.hidden_size, item)
        yield copy("windows.pad", padded, grid)
        yield copy("windows.partition", padded).times(several(across))
        yield from under("attn", self.attn.ops(windows, side, side, execution=execution))
        yield copy("windows.join", padded).times(several(across))
        # rows that end early leave gaps, rows that are left out do so between images
        narrow, short = differ(width, across * side), differ(height, down * side)
        yield copy("windows.crop", grid).times(either(narrow, short * several(batch)))

    @property
    def params(self) -> int:
        """Attention, MLP and two layer norms."""
        return self.attn.params + self.mlp.params + 2 * layer_norm_params(self.config.hidden_size)


@dataclass(frozen=True, slots=True)
class LayerNorm2d:
    """Layer norm over the channels of [b, c, h, w]."""

    group: ClassVar[str] = "vision"
    num_channels: int

    @classmethod
    def from_config(cls, config: SamConfig) -> LayerNorm2d:
        """Build the one of the neck."""
        return cls(config.output_channels)

    @sized
    def ops(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` maps of height x width."""
        yield layer_norm("layer_norm", execution.item_bytes, batch * height * width, self.num_channels)

    @property
    def params(self) -> int:
        """A scale and a shift a channel."""
        return layer_norm_params(self.num_channels)


@dataclass(frozen=True, slots=True)
class ImageEncoderViT:
    """The whole encoder: pixels [b, 3, H, W] to features [b, 1024, H / 64, W / 64]."""

    group: ClassVar[str] = "vision"
    config: SamConfig

    @classmethod
    def from_config(cls, config: SamConfig) -> ImageEncoderViT:
        """Build the encoder."""
        return cls(config)

    @property
    def patch_embed(self) -> PatchEmbed:
        """Its first convolution."""
        return PatchEmbed.from_config(self.config)

    @property
    def layers(self) -> tuple[Block, ...]:
        """Its blocks, in order."""
        return tuple(
            Block.from_config(self.config, windowed=index not in self.config.global_attn_indexes)
            for index in range(self.config.num_hidden_layers)
        )

    @sized
    def ops(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` images of height x width pixels."""
        yield from under("patch_embed", self.patch_embed.ops(batch, height, width, execution=execution))
        rows, columns = height // self.config.patch_size, width // self.config.patch_size
        yield from self._position_embedding(batch, rows, columns, execution.item_bytes)
        for index, layer in enumerate(self.layers):
            yield from under(f"layers.{index}", layer.ops(batch, rows, columns, execution=execution))
        yield from self._neck(batch, rows, columns, execution.item_bytes)

    def _position_embedding(self, batch: Count, rows: Count, columns: Count, item: int) -> Iterator[Op]:
        """Add a vector to each patch, of a table that is stretched, in fp32, where the grid is not the trained one."""
        hidden, trained = self.config.hidden_size, self.config.trained_grid
        table, stretched = trained * trained * hidden, rows * columns * hidden
        other = either(differ(rows, trained), differ(columns, trained))
        for op in (
            *cast("pos_embed.to_fp32", table, item, FP32_BYTES),
            pointwise("pos_embed.resize", Tensor(stretched, FP32_BYTES), Tensor(table, FP32_BYTES)),
            *cast("pos_embed.from_fp32", stretched, FP32_BYTES, item),
        ):
            yield op.times(other)
        patches = Tensor(batch * stretched, item)
        yield pointwise("pos_embed.add", patches, patches, Tensor(stretched, item))

    def _neck(self, batch: Count, rows: Count, columns: Count, item: int) -> Iterator[Op]:
        """Halve the channels, then twice the sides: 1x1, 3x3, and two 3x3 of stride 2."""
        grid, channels = (rows, columns), self.config.output_channels
        yield conv2d("neck.conv1", item, batch, grid, grid, (self.config.hidden_size, channels), 1)
        yield layer_norm("neck.layer_norm1", item, batch * rows * columns, channels)
        yield conv2d("neck.conv2", item, batch, grid, grid, (channels, channels), 3)
        yield layer_norm("neck.layer_norm2", item, batch * rows * columns, channels)
        for index, out_channels in enumerate(self.config.downsample_channels, start=1):
            halved = (-(-grid[0] // 2), -(-grid[1] // 2))  # stride 2, padding 1
            yield conv2d(f"proj.conv{index}", item, batch, grid, halved, (channels, out_channels), 3)
            grid, channels = halved, out_channels

    @property
    def params(self) -> int:
        """All of the above, and one position vector for each patch of the trained grid."""
        hidden, neck = self.config.hidden_size, self.config.output_channels
        first, second = self.config.downsample_channels
        return (
            self.patch_embed.params
            + embedding_params(self.config.trained_grid**2, hidden)
            + sum(layer.params for layer in self.layers)
            + conv2d_params(hidden, neck, 1, bias=False)
            + conv2d_params(neck, neck, 3, bias=False)
            + 2 * LayerNorm2d(neck).params
            + conv2d_params(neck, first, 3, bias=False)
            + conv2d_params(first, second, 3, bias=False)
        )
