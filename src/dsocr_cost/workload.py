"""What a run is asked to do: a resolution mode, a crop grid, views, image tokens, context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .errors import SizeError

if TYPE_CHECKING:
    from .config import SamConfig
    from .op import Count

__all__ = ["MODES", "Grid", "Mode", "View", "crop_grid", "feature_side", "image_tokens", "views"]

MIN_CROPS, MAX_CROPS = 2, 9


@dataclass(frozen=True, slots=True)
class Mode:
    """A resolution mode: the side of the global view in pixels and, where the mode crops, that of a crop."""

    name: str
    base_size: int
    crop_size: int | None = None


MODES: dict[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode("tiny", 512),
        Mode("small", 640),
        Mode("base", 1024),
        Mode("large", 1280),
        Mode("gundam", 1024, 640),
        Mode("gundam-m", 1280, 1024),
    )
}
"""The model's resolution modes by name."""


class Grid(NamedTuple):
    """A crop grid, or arrays of them."""

    high: Count
    wide: Count


class View(NamedTuple):
    """Square images that go through the vision tower as one batch: how many, and their side in pixels."""

    images: Count
    size: int


def crop_grid(width: int, height: int, mode: Mode) -> Grid | None:
    """Pick the crop grid for an image, as the model's preprocessing does; None for one view without crops.

    An image that fits into one crop is not cut. Of the grids of 2 to 9 crops, the one whose aspect ratio is closest to
    the image's; among equally close ones the larger, if the image has more than half of that grid's area.

    Source: the model's ``dynamic_preprocess``.

    Raises:
        SizeError: a side below 1 pixel.
    """
    for name, side in (("width", width), ("height", height)):
        if side < 1:
            msg = f"{name}: got {side}, allowed is at least 1 pixel"
            raise SizeError(msg)
    if mode.crop_size is None or max(width, height) <= mode.crop_size:
        return None
    sides = range(1, MAX_CROPS + 1)
    grids = [(high, wide) for high in sides for wide in sides if MIN_CROPS <= high * wide <= MAX_CROPS]
    best, closest = grids[0], float("inf")
    for high, wide in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        distance = abs(width / height - wide / high)
        larger_fits = width * height > 0.5 * mode.crop_size**2 * high * wide
        if distance < closest or (distance == closest and larger_fits):
            best, closest = (high, wide), distance
    return Grid(*best)


def feature_side(size: int, sam: SamConfig) -> int:
    """Count SAM's features along one side of an image of ``size`` pixels: patches, halved twice, rounded up."""
    side = size // sam.patch_size
    for _ in sam.downsample_channels:
        side = (side + 1) // 2
    return side


def views(mode: Mode, grid: Grid | None, batch: Count) -> tuple[View, ...]:
    """List the batches that the vision tower runs for ``batch`` pages: all crops as one, then the global views.

    Raises:
        SizeError: a grid in a mode that does not crop.
    """
    if grid is None:
        return (View(batch, mode.base_size),)
    if mode.crop_size is None:
        msg = f"mode {mode.name}: got a crop grid, allowed is none: it has one view of {mode.base_size} pixels"
        raise SizeError(msg)
    return (View(batch * grid.high * grid.wide, mode.crop_size), View(batch, mode.base_size))


def image_tokens(mode: Mode, grid: Grid | None, sam: SamConfig) -> Count:
    """Count the positions that one page takes in the context.

    Each row of features ends with a newline: the global view has side * (side + 1), a grid of crops (high * side) *
    (wide * side + 1) with the side of a crop; one separator stands at the end.
    """
    side = feature_side(mode.base_size, sam)
    tokens: Count = side * (side + 1) + 1
    if grid is not None and mode.crop_size is not None:
        crop = feature_side(mode.crop_size, sam)
        tokens = tokens + grid.high * crop * (grid.wide * crop + 1)
    return tokens
