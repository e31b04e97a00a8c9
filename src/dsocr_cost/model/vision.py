"""The vision stage: SAM, CLIP and projector over every view of a page, and what lays their features out as tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..execution import Execution
from ..kernels import Tensor, copy, embedding_params, several
from ..layers import ImageEncoderViT, MlpProjector, VitModel
from ..layers.layer import sized
from ..moment import Boundary, Moment, during
from ..op import under
from ..workload import Grid, Mode, feature_side, image_tokens, views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import DeepseekOCRConfig
    from ..op import Count, Op
    from ..workload import View

__all__ = ["Vision"]


@dataclass(frozen=True, slots=True)
class Vision:
    """SAM, CLIP and projector: over all crops of a batch as one, then over its global views.

    ``cropped`` says whether there is a crop grid; a mode that crops has none for an image that fits into one crop.
    """

    group: ClassVar[str] = "model"
    config: DeepseekOCRConfig
    mode: Mode
    cropped: bool

    @sized
    def ops(
        self, batch: Count, crops_high: Count = 0, crops_wide: Count = 0, *, execution: Execution = Execution()
    ) -> Iterator[Op]:
        """Price ``batch`` pages, each with a grid of crops_high x crops_wide if ``cropped``."""
        sam, clip, projector = self._tower
        item = execution.item_bytes
        for view in self._views(batch, crops_high, crops_wide):
            side = feature_side(view.size, self.config.sam)
            features = Tensor(view.images * side * side * self.config.projector.input_dim, item)
            yield from under("sam", sam.ops(view.images, view.size, view.size, execution=execution))
            yield from under("clip", clip.ops(view.images, side, side, execution=execution))
            yield copy("join", features)
            yield from under("projector", projector.ops(view.images, side * side, execution=execution))
        yield from self._lay_out(batch, crops_high, crops_wide, item)

    @sized
    def moments(
        self, batch: Count, crops_high: Count = 0, crops_wide: Count = 0, *, execution: Execution = Execution()
    ) -> Iterator[Moment]:
        """Go through SAM on each batch of views: its maps are 16 times those of CLIP, and its bias outweighs all else.

        All pixels are there from the beginning, and the features of a batch stay until the last one is done.
        """
        sam, item = self._tower[0], execution.item_bytes
        held = self._pixels(batch, crops_high, crops_wide, item)
        for view in self._views(batch, crops_high, crops_wide):
            own = sam.boundary(view.images, view.size, view.size, execution=execution).inputs
            moments = sam.moments(view.images, view.size, view.size, execution=execution)
            yield from during("sam", held - own, moments)
            side = feature_side(view.size, self.config.sam)
            held = held + view.images * (side * side * self.config.projector.n_embed * item)

    @sized
    def boundary(
        self, batch: Count, crops_high: Count = 0, crops_wide: Count = 0, *, execution: Execution = Execution()
    ) -> Boundary:
        """Take the pixels of all views, give the image tokens."""
        item, grid = execution.item_bytes, Grid(crops_high, crops_wide) if self.cropped else None
        tokens = batch * image_tokens(self.mode, grid, self.config.sam) * (self.config.decoder.hidden_size * item)
        return Boundary(self._pixels(batch, crops_high, crops_wide, item), tokens)

    def _views(self, batch: Count, crops_high: Count, crops_wide: Count) -> tuple[View, ...]:
        return views(self.mode, Grid(crops_high, crops_wide) if self.cropped else None, batch)

    def _pixels(self, batch: Count, crops_high: Count, crops_wide: Count, item: int) -> Count:
        pixels: Count = 0
        for view in self._views(batch, crops_high, crops_wide):
            pixels = pixels + view.images * (self.config.sam.num_channels * view.size * view.size * item)
        return pixels

    def _lay_out(self, batch: Count, crops_high: Count, crops_wide: Count, item: int) -> Iterator[Op]:
        """Put the crops of a page in order, end each row with a newline, and add the separator."""
        hidden, newline = self.config.decoder.hidden_size, embedding_params(1, self.config.decoder.hidden_size) * item
        tokens: Count = 0
        if self.cropped and self.mode.crop_size:
            side = feature_side(self.mode.crop_size, self.config.sam)
            rows, columns = crops_high * side, crops_wide * side
            page = Tensor(batch * rows * columns * hidden, item)
            tokens = batch * rows * (columns + 1)
            yield copy("crops.order", page).times(several(crops_wide))
            # the newline is a weight, too: it is touched again with the global view, and counted there
            yield copy("crops.newlines", Tensor(tokens * hidden, item), page, Tensor(hidden, item))
        side = feature_side(self.mode.base_size, self.config.sam)
        view = batch * side * (side + 1)
        yield copy(
            "view.newlines", Tensor(view * hidden, item), Tensor(batch * side * side * hidden, item), weights=newline
        )
        laid_out = Tensor((tokens + view) * hidden, item)
        yield copy("separator", Tensor(laid_out.elements + batch * hidden, item), laid_out, weights=newline)

    @property
    def _tower(self) -> tuple[ImageEncoderViT, VitModel, MlpProjector]:
        return ImageEncoderViT(self.config.sam), VitModel(self.config.clip), MlpProjector(self.config.projector)

    @property
    def params(self) -> int:
        """The tower, the projector, and the vectors for newline and separator."""
        vectors = embedding_params(2, self.config.decoder.hidden_size)
        return sum(part.params for part in self._tower) + vectors
