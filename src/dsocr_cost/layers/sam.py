"""The SAM encoder: ViT-B with windowed and global attention, its neck, two stride-2 convolutions.

Implementations: the work is the same in both. The vendor's names are ``blocks``, ``neck.0``, ``net_2``, ``net_3``;
those here are transformers' (``DeepseekOcr2SamVisionEncoder``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..execution import Execution
from ..kernels import attention, bmm, conv2d, conv2d_params, embedding_params, layer_norm_params, linear, linear_params
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
        yield conv2d("projection", batch, rows, columns, self.in_chans, self.embed_dim, self.patch_size)

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
        tokens = height * width
        core = list(attention("sdpa", execution, batch, self.num_heads, tokens, tokens, self.head_dim))
        yield linear("qkv", batch * tokens, self.dim, 3 * self.dim)
        if not execution.fused:
            yield core.pop(0)
        yield from self._relative_positions(batch, height, width)
        yield from core
        yield linear("proj", batch * tokens, self.dim, self.dim)

    def _relative_positions(self, batch: Count, height: Count, width: Count) -> Iterator[Op]:
        grids = batch * self.num_heads
        # rows:    q [h, b * w, d] @ table.T [h, d, h], one product a query row
        yield bmm("rel_pos_h", height, grids * width, height, self.head_dim)
        # columns: q [w, b * h, d] @ table.T [w, d, w], one product a query column
        yield bmm("rel_pos_w", width, grids * height, width, self.head_dim)

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
        tokens = batch * height * width
        yield linear("lin1", tokens, self.embedding_dim, self.mlp_dim)
        yield linear("lin2", tokens, self.mlp_dim, self.embedding_dim)

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
        if self.window_size:
            side = self.window_size
            windows = batch * _windows(height, side) * _windows(width, side)
            yield from under("attn", self.attn.ops(windows, side, side, execution=execution))
        else:
            yield from under("attn", self.attn.ops(batch, height, width, execution=execution))
        yield from under("mlp", self.mlp.ops(batch, height, width, execution=execution))

    @property
    def params(self) -> int:
        """Attention, MLP and two layer norms."""
        return self.attn.params + self.mlp.params + 2 * layer_norm_params(self.config.hidden_size)


@dataclass(frozen=True, slots=True)
class LayerNorm2d:
    """Layer norm over the channels of [b, c, h, w]: no matrix work."""

    group: ClassVar[str] = "vision"
    num_channels: int

    @classmethod
    def from_config(cls, config: SamConfig) -> LayerNorm2d:
        """Build the one of the neck."""
        return cls(config.output_channels)

    @sized
    def ops(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` maps of height x width: nothing."""
        yield from ()

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
        for index, layer in enumerate(self.layers):
            yield from under(f"layers.{index}", layer.ops(batch, rows, columns, execution=execution))
        channels = self.config.output_channels
        yield conv2d("neck.conv1", batch, rows, columns, self.config.hidden_size, channels, 1)
        yield conv2d("neck.conv2", batch, rows, columns, channels, channels, 3)
        for index, out_channels in enumerate(self.config.downsample_channels, start=1):
            rows, columns = -(-rows // 2), -(-columns // 2)  # stride 2, padding 1
            yield conv2d(f"proj.conv{index}", batch, rows, columns, channels, out_channels, 3)
            channels = out_channels

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
