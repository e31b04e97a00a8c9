"""What CLIP's blocks start from: patches, a class token before them, a position on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ..execution import INT64_BYTES, Execution
from ..kernels import Tensor, conv2d, conv2d_params, copy, differ, either, embedding_params, lookup, pointwise
from ..moment import Boundary, Moment
from .layer import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import ClipConfig
    from ..op import Count, Op

__all__ = ["CLIPVisionEmbeddings"]


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
        item, hidden = execution.item_bytes, self.config.hidden_size
        rows, columns = self._grid(height, width)
        if self.patches == "conv":
            size, channels = self.config.patch_size, (self.config.num_channels, hidden)
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
        indices = Tensor(rows * columns + 1, INT64_BYTES)
        yield lookup("position_embedding", vectors, indices, weights=vectors.bytes).times(1 - other)
        yield pointwise("position_embedding.resize", stretched, weights=table).times(other)
        yield copy("position_embedding.cat", vectors, stretched, weights=vector).times(other)

    @sized
    def boundary(self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take pixels or features, give a vector a token."""
        item, hidden = execution.item_bytes, self.config.hidden_size
        channels = self.config.num_channels if self.patches == "conv" else hidden
        inputs = batch * height * width * (channels * item)
        return Boundary(inputs, batch * self.tokens(height, width) * (hidden * item))

    @sized
    def moments(
        self, batch: Count, height: Count, width: Count, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Look at the last op, to which all that was made before is still there."""
        inputs, out = self.boundary(batch, height, width, execution=execution)
        rows, columns = self._grid(height, width)
        vector = self.config.hidden_size * execution.item_bytes
        held: Count = inputs
        if self.patches == "conv":
            held = held + batch * rows * columns * vector
        # tokens without and with positions, and those
        yield Moment("position_embedding.add", held + 2 * out + self.tokens(height, width) * vector)

    def tokens(self, height: Count, width: Count) -> Count:
        """Count the patches of an image, and the class token."""
        rows, columns = self._grid(height, width)
        return rows * columns + 1

    def _grid(self, height: Count, width: Count) -> tuple[Count, Count]:
        """Divide pixels into patches; SAM's features are theirs already."""
        if self.patches == "sam":
            return height, width
        return height // self.config.patch_size, width // self.config.patch_size

    @property
    def params(self) -> int:
        """The convolution without bias, the class token, and a position for each patch and the class token."""
        width, patches = self.config.hidden_size, (self.config.image_size // self.config.patch_size) ** 2
        convolution = conv2d_params(self.config.num_channels, width, self.config.patch_size, bias=False)
        return convolution + embedding_params(1, width) + embedding_params(patches + 1, width)
