"""What a run is asked to do: a resolution mode, a crop grid, views, image tokens, context."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .errors import SizeError
from .sizes import as_count

if TYPE_CHECKING:
    from .config import SamConfig
    from .op import Count

__all__ = [
    "MODEL_GRIDS",
    "MODES",
    "Grid",
    "Mode",
    "View",
    "Workload",
    "crop_grid",
    "feature_side",
    "image_tokens",
    "parse_grid",
    "views",
]

MIN_CROPS, MAX_CROPS = 2, 9
UNCUT = 640
"""Pixels a side up to which an image is one view."""

MAX_SIDE = 999
"""Crops along one side of a grid given by hand: the published grids go to 1x331."""


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

    def __str__(self) -> str:
        return f"{self.high}x{self.wide}"


_MODEL_SIDES: tuple[tuple[int, int], ...] = tuple(
    (high, crops // high)
    for crops in range(MIN_CROPS, MAX_CROPS + 1)
    for high in range(1, crops + 1)
    if crops % high == 0
)
MODEL_GRIDS: tuple[Grid, ...] = tuple(Grid(high, wide) for high, wide in _MODEL_SIDES)
"""The grids that the model's preprocessing picks from, the smaller ones first."""


def parse_grid(text: str) -> Grid:
    """Read a grid as people write it, high before wide: ``2x3``.

    Raises:
        SizeError: another form, or a side that no image fills.
    """
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text.strip().lower(), re.ASCII)
    sides = tuple(int(side) for side in match.groups()) if match else ()
    if not sides or not all(1 <= side <= MAX_SIDE for side in sides):
        msg = f"grid: got {text!r}, allowed is HIGHxWIDE, such as 2x3, with 1 to {MAX_SIDE} crops a side"
        raise SizeError(msg)
    return Grid(*sides)


class View(NamedTuple):
    """Square images that go through the vision tower as one batch: how many, and their side in pixels."""

    images: Count
    size: int


def crop_grid(width: int, height: int, mode: Mode) -> Grid | None:
    """Pick the crop grid for an image, as the model's preprocessing does; None for one view without crops.

    An image of up to 640 x 640 pixels is not cut, whatever the mode's crops. Of the grids of 2 to 9 crops, the one
    whose aspect ratio is closest to the image's; among equally close ones the larger, if the image has more than half
    of that grid's area, in crops of the mode.

    Source: the model's ``dynamic_preprocess``.

    Raises:
        SizeError: a side below 1 pixel.
    """
    for name, side in (("width", width), ("height", height)):
        if side < 1:
            msg = f"{name}: got {side}, allowed is at least 1 pixel"
            raise SizeError(msg)
    if mode.crop_size is None or max(width, height) <= UNCUT:
        return None
    best, closest = _MODEL_SIDES[0], float("inf")
    for high, wide in _MODEL_SIDES:
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


@dataclass(frozen=True, slots=True)
class Workload:
    """What one run is asked for: ``batch`` pages of one size, a prompt, and how many tokens it decodes.

    ``mode`` None is a prompt without an image; ``grid`` None a page of one view. Sizes may be arrays that broadcast:
    the sides of the grid, ``text_tokens`` (before or after the image, the same for each page), ``decode_steps`` and
    ``batch``.

    Raises:
        SizeError: a size below its least, or a grid where the mode has none; it starts with the field's name.
    """

    mode: Mode | None
    grid: Grid | None = None
    text_tokens: Count = 0
    decode_steps: Count = 1
    batch: Count = 1

    def __post_init__(self) -> None:
        """Refuse what no run can be, and widen arrays: a narrow type wraps in silence."""
        for name, least in (("text_tokens", 0), ("decode_steps", 1), ("batch", 1)):
            object.__setattr__(self, name, as_count(name, getattr(self, name), least))
        if self.grid is None:
            return
        if self.mode is None or self.mode.crop_size is None:
            croppers = ", ".join(mode.name for mode in MODES.values() if mode.crop_size)
            got = "no image" if self.mode is None else f"mode {self.mode.name}"
            msg = f"grid: got {self.grid} with {got}, which takes none; allowed are the modes {croppers}"
            raise SizeError(msg)
        object.__setattr__(self, "grid", Grid(*(as_count("grid", side, 1) for side in self.grid)))

    def image_tokens(self, sam: SamConfig) -> Count:
        """Count the positions that a page takes in the context; none without an image."""
        return 0 if self.mode is None else image_tokens(self.mode, self.grid, sam)

    def context(self, sam: SamConfig) -> Count:
        """Count the positions of a prefill, for one page: image and text."""
        return self.image_tokens(sam) + self.text_tokens
