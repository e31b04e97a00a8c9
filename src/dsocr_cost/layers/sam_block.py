"""SAM's blocks: attention in windows or over the whole grid, and an MLP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..execution import Execution
from ..kernels import (
    Tensor,
    copy,
    differ,
    either,
    layer_norm,
    layer_norm_params,
    linear,
    linear_params,
    pointwise,
    several,
)
from ..moment import Boundary, Moment, during
from ..op import under
from .layer import sized
from .sam_attention import Attention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import SamConfig
    from ..op import Count, Op

__all__ = ["Block", "MLPBlock"]


def _windows(grid: Count, window_size: int) -> Count:
    """Windows along one side: the last one is padded to the full size."""
    return -(-grid // window_size)


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

    @sized
    def boundary(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take ``batch`` grids of height x width tokens, and give as many."""
        x = batch * height * width * (self.embedding_dim * execution.item_bytes)
        return Boundary(x, x)

    @sized
    def moments(
        self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Look at the GELU, at which most is alive unless the MLP makes its tokens narrower."""
        tokens = batch * height * width
        yield Moment("act", tokens * ((self.embedding_dim + 2 * self.mlp_dim) * execution.item_bytes))

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
        yield copy("windows.crop", grid).times(either(narrow * several(height), short * several(batch)))

    @sized
    def boundary(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take ``batch`` grids of height x width tokens, and give as many."""
        return self.mlp.boundary(batch, height, width, execution=execution)

    @sized
    def moments(
        self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Look at attention, and at the MLP, which is more in a grid of few tokens."""
        x, side = self.boundary(batch, height, width, execution=execution).inputs, self.window_size
        attended = (batch, height, width)
        if side:
            attended = (batch * _windows(height, side) * _windows(width, side), side, side)
        # the residual
        yield from during("attn", x, self.attn.moments(*attended, execution=execution))
        # the block's input, and the sum with what attention made of it; eager: the weights, until the block ends
        taken, given = self.attn.boundary(*attended, execution=execution)
        yield from during("mlp", 2 * x + given - taken, self.mlp.moments(batch, height, width, execution=execution))

    @property
    def params(self) -> int:
        """Attention, MLP and two layer norms."""
        return self.attn.params + self.mlp.params + 2 * layer_norm_params(self.config.hidden_size)
