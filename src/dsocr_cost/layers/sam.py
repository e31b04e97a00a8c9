"""The SAM encoder: ViT-B with windowed and global attention, its neck, two stride-2 convolutions.

Implementations: the work is the same in both. The vendor's names are ``blocks``, ``neck.0``, ``net_2``, ``net_3``;
those here are transformers' (``DeepseekOcr2SamVisionEncoder``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..execution import FP32_BYTES, Execution
from ..kernels import (
    NOTHING,
    Tensor,
    cast,
    conv2d,
    conv2d_params,
    differ,
    either,
    embedding_params,
    layer_norm,
    layer_norm_params,
    pointwise,
)
from ..moment import Boundary, Moment, during
from ..op import under
from .layer import sized
from .sam_block import Block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import SamConfig
    from ..op import Count, Op

__all__ = ["ImageEncoderViT", "LayerNorm2d", "PatchEmbed"]


def _halved(grid: tuple[Count, Count]) -> tuple[Count, Count]:
    """Say what a convolution of stride 2 and padding 1 makes of it."""
    rows, columns = grid
    return -(-rows // 2), -(-columns // 2)


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

    @sized
    def boundary(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take ``batch`` images of height x width pixels, give a vector a patch."""
        patches = batch * (height // self.patch_size) * (width // self.patch_size)
        pixels = batch * height * width * (self.in_chans * execution.item_bytes)
        return Boundary(pixels, patches * (self.embed_dim * execution.item_bytes))

    @sized
    def moments(
        self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Look at the one kernel."""
        pixels, patches = self.boundary(batch, height, width, execution=execution)
        yield Moment("projection", pixels + patches)

    @property
    def params(self) -> int:
        """Weight and bias of the convolution."""
        return conv2d_params(self.in_chans, self.embed_dim, self.patch_size, bias=True)


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

    @sized
    def boundary(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take ``batch`` maps of height x width, and give as many."""
        x = batch * height * width * (self.num_channels * execution.item_bytes)
        return Boundary(x, x)

    @sized
    def moments(
        self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Look at the one kernel, with its mean and deviation in fp32."""
        x = self.boundary(batch, height, width, execution=execution).inputs
        yield Moment("layer_norm", 2 * x + batch * height * width * (2 * FP32_BYTES))

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
        hidden = self.config.hidden_size
        table, stretched = self.config.trained_grid**2 * hidden, rows * columns * hidden
        other, in_fp32 = self._is_other_grid(rows, columns), Tensor(table, FP32_BYTES)
        read, weights = (NOTHING, in_fp32.bytes) if item == FP32_BYTES else (in_fp32, 0)
        for op in (
            *cast("pos_embed.to_fp32", table, item, FP32_BYTES, parameter=True),
            pointwise("pos_embed.resize", Tensor(stretched, FP32_BYTES), read, weights=weights),
            *cast("pos_embed.from_fp32", stretched, FP32_BYTES, item),
        ):
            yield op.times(other)
        patches = Tensor(batch * stretched, item)
        added = Tensor(other * stretched, item)
        yield pointwise("pos_embed.add", patches, patches, added, weights=(1 - other) * stretched * item)

    def _is_other_grid(self, rows: Count, columns: Count) -> Count:
        """Say where the position table has to be stretched: 1 there and 0 elsewhere."""
        trained = self.config.trained_grid
        other: Count = either(differ(rows, trained), differ(columns, trained))
        return other

    def _neck(self, batch: Count, rows: Count, columns: Count, item: int) -> Iterator[Op]:
        """Halve the channels, then twice the sides: 1x1, 3x3, and two 3x3 of stride 2."""
        grid, channels = (rows, columns), self.config.output_channels
        yield conv2d("neck.conv1", item, batch, grid, grid, (self.config.hidden_size, channels), 1)
        yield layer_norm("neck.layer_norm1", item, batch * rows * columns, channels)
        yield conv2d("neck.conv2", item, batch, grid, grid, (channels, channels), 3)
        yield layer_norm("neck.layer_norm2", item, batch * rows * columns, channels)
        for index, out_channels in enumerate(self.config.downsample_channels, start=1):
            halved = _halved(grid)
            yield conv2d(f"proj.conv{index}", item, batch, grid, halved, (channels, out_channels), 3)
            grid, channels = halved, out_channels

    @sized
    def boundary(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take ``batch`` images of height x width pixels, give features of a sixteenth of their patches."""
        pixels = self.patch_embed.boundary(batch, height, width, execution=execution).inputs
        rows, columns = _halved(_halved((height // self.config.patch_size, width // self.config.patch_size)))
        _, channels = self.config.downsample_channels
        return Boundary(pixels, batch * rows * columns * (channels * execution.item_bytes))

    @sized
    def moments(
        self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Look at the first block of either kind, and at the position table, which is more than a small image.

        A neck more than five times as wide as the blocks would hold more than those: it is left out.
        """
        item, config = execution.item_bytes, self.config
        pixels, patches = self.patch_embed.boundary(batch, height, width, execution=execution)
        rows, columns = height // config.patch_size, width // config.patch_size
        # the table in fp32, unless it is so already, and what is made of it
        table = 0 if item == FP32_BYTES else config.trained_grid**2
        positions: Count = (table + rows * columns) * (config.hidden_size * FP32_BYTES)
        yield Moment("pos_embed.resize", (pixels + patches + positions) * self._is_other_grid(rows, columns))
        layers = self.layers
        for layer in dict.fromkeys(layers):
            moments = layer.moments(batch, rows, columns, execution=execution)
            yield from during(f"layers.{layers.index(layer)}", pixels, moments)

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
