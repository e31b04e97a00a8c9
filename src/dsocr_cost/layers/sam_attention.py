"""SAM's attention: its scores get a bias that is built, for rows and for columns, from the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..execution import FP32_BYTES, INT64_BYTES, Execution
from ..kernels import (
    Tensor,
    bmm,
    copy,
    either,
    embedding_params,
    fill,
    fused_attention,
    linear,
    linear_params,
    lookup,
    pointwise,
    several,
    softmax,
)
from ..moment import Boundary, Moment
from ..op import Matmul
from .layer import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import SamConfig
    from ..op import Count, Op

__all__ = ["Attention"]


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
        hidden, scores = self._hidden_and_scores(batch, tokens, item)
        yield linear("qkv", item, batch * tokens, self.dim, 3 * self.dim, bias=True)
        yield copy("qkv.contiguous", Tensor(3 * hidden.elements, item)).times(several(batch) * several(self.num_heads))
        if not execution.fused:
            yield pointwise("sdpa.scale", hidden, hidden)
            yield bmm("sdpa.scores", item, heads, tokens, tokens, self.head_dim)
        yield from self._relative_positions(batch, height, width, item)
        if execution.fused:
            # q, k, v [b, h, h * w, d], bias [b, h, h * w, h * w]
            sizes = Matmul(heads, tokens, tokens, self.head_dim)
            yield fused_attention("sdpa", item, sizes, hidden.elements, bias=scores)
        else:
            yield pointwise("sdpa.bias", scores, scores, scores)
            yield from softmax("sdpa.softmax", item, scores.elements)
            yield bmm("sdpa.values", item, heads, tokens, self.head_dim, tokens)
        yield copy("sdpa.contiguous", hidden).times(self._reordered(batch, tokens, execution))
        yield linear("proj", item, batch * tokens, self.dim, self.dim, bias=True)

    def _hidden_and_scores(self, batch: Count, tokens: Count, item: int) -> tuple[Tensor, Tensor]:
        # [b, h * w, c] and [b, heads, h * w, h * w]
        return Tensor(batch * tokens * self.dim, item), Tensor(batch * self.num_heads * tokens * tokens, item)

    def _relative_positions(self, batch: Count, height: Count, width: Count, item: int) -> Iterator[Op]:
        grids, tokens = batch * self.num_heads, height * width
        queries = Tensor(grids * tokens * self.head_dim, item)
        for name, side, trained in (
            ("rel_pos_h", height, self.trained_grid[0]),
            ("rel_pos_w", width, self.trained_grid[1]),
        ):
            yield from self._table(name, side, trained, item)
        by_row, by_column = self._regrouped(batch, height, width)
        # rows:    q [h, b * w, d] @ table.T [h, d, h], one product a query row
        yield copy("rel_pos_h.contiguous", queries).times(by_row)
        yield bmm("rel_pos_h", item, height, grids * width, height, self.head_dim)
        # columns: q [w, b * h, d] @ table.T [w, d, w], one product a query column
        yield copy("rel_pos_w.contiguous", queries).times(by_column)
        yield bmm("rel_pos_w", item, width, grids * height, width, self.head_dim)
        # bias [b, h, w, h, w]: the sum of both, over every pair
        rows: Count = grids * tokens
        bias = Tensor(rows * tokens, item)
        yield pointwise("rel_pos.sum", bias, Tensor(rows * height, item), Tensor(rows * width, item))
        yield copy("rel_pos.contiguous", bias).times(self._is_scattered(batch, height, width))

    def _regrouped(self, batch: Count, height: Count, width: Count) -> tuple[Any, Any]:
        """Say whether queries have to be copied to stand row by row, and column by column.

        Those of several heads of one image lie a token beside the other; all others a grid after the other.
        """
        mixed = (1 - several(batch)) * several(self.num_heads)
        return either(mixed, self._is_scattered(batch, height, width)) * several(width), mixed * several(height)

    def _is_scattered(self, batch: Count, height: Count, width: Count) -> Any:
        """Say whether what stands row by row is not in order: there are several grids, of several rows and columns."""
        return either(several(batch), several(self.num_heads)) * several(height) * several(width)

    def _reordered(self, batch: Count, tokens: Count, execution: Execution) -> Any:
        """Say where [b, h, h * w, d] becomes [b, h * w, h * d]: the fused kernel writes one image like that already."""
        reordered: Any = several(self.num_heads) * several(tokens)
        return reordered * several(batch) if execution.fused else reordered

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

    @sized
    def boundary(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take ``batch`` grids of height x width tokens, give as many; eager attention gives its weights too."""
        hidden, scores = self._hidden_and_scores(batch, height * width, execution.item_bytes)
        return Boundary(hidden.bytes, hidden.bytes + (0 if execution.fused else scores.bytes))

    @sized
    def moments(
        self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Look at the tables and the bias that is made of them, the softmax and the projection.

        In a strip of few rows or columns the tables are more than the bias (2 x 40; with few heads, 2 x 6).
        """
        item, fused, tokens = execution.item_bytes, execution.fused, height * width
        hidden, scores = self._hidden_and_scores(batch, tokens, item)
        x, pairs = hidden.bytes, scores.bytes
        # the input; q, k and v, and their copy
        held = x + 3 * x * (1 + several(batch) * several(self.num_heads))
        yield from self._bias_moments(batch, height, width, held + (0 if fused else pairs), item)
        if not fused:
            # scores, the bias, and their sum
            yield Moment("sdpa.bias", held + 3 * pairs)
            # the bias; scores with it, those in fp32, and their softmax
            yield Moment("sdpa.softmax", held + scores.elements * (2 * item + FP32_BYTES * (1 + (item != FP32_BYTES))))
        # the bias; eager: weights; values, and their copy or what the projection makes of them
        projected = held + pairs * (1 if fused else 2) + 2 * x
        yield Moment("sdpa.contiguous", projected * self._reordered(batch, tokens, execution))
        yield Moment("proj", projected)

    def _bias_moments(self, batch: Count, height: Count, width: Count, held: Count, item: int) -> Iterator[Moment]:
        """Look at the tables, their products with the queries, and the sum of those, which is all that stays."""
        rows: Count = batch * self.num_heads * height * width
        queries, bias = rows * (self.head_dim * item), rows * height * width * item
        by_row, by_column = self._regrouped(batch, height, width)
        first: Count = height * height * (self.head_dim * item)
        second: Count = width * width * (self.head_dim * item)
        yield Moment("rel_pos_h.take", held + self._taken(height, item))
        yield Moment("rel_pos_w.take", held + first + self._taken(width, item))
        tables, products = held + first + second, rows * (height + width) * item
        yield Moment("rel_pos_h", tables + queries * by_row + rows * height * item)
        yield Moment("rel_pos_w", tables + queries * by_column + products)
        yield Moment("rel_pos.sum", tables + products + bias)
        yield Moment("rel_pos.contiguous", (held + 2 * bias) * self._is_scattered(batch, height, width))

    def _taken(self, side: Count, item: int) -> Count:
        """Count what is there once a table is taken along one side: it, the distances, queries and keys, all pairs."""
        table = (side * side + 2 * side - 1) * (self.head_dim * item)
        return table + 2 * side * FP32_BYTES + side * side * (FP32_BYTES + INT64_BYTES)

    @property
    def params(self) -> int:
        """Both linears, and a table of 2 x side - 1 distances for rows and for columns."""
        tables = sum(embedding_params(2 * side - 1, self.head_dim) for side in self.trained_grid)
        return linear_params(self.dim, 3 * self.dim, bias=True) + linear_params(self.dim, self.dim, bias=True) + tables
