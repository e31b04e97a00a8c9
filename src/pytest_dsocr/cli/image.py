"""The size of an image file, from its header: nothing is decoded, whatever size the header claims."""

from __future__ import annotations

import mmap
import stat
import warnings
from typing import IO, TYPE_CHECKING, NamedTuple, NoReturn

from dsocr_cost.errors import DsocrError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PIL.ImageFile import ImageFile

__all__ = ["MAX_SIDE", "ImageError", "ImageSize", "image_size"]

MAX_SIDE = 65_535
"""Pixels along one side: the most that a JPEG can have."""

MOST_BYTES = 2**32
"""Bytes of a file: one of more is no page, and looking for its end would take long."""

ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)
"""EXIF orientations in which rows stand where columns are shown."""

END = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}
"""What stands behind the pixels; cameras write whole films behind it."""


class ImageError(DsocrError, ValueError):
    """An image file whose size cannot be known, or that no page can be."""


class ImageSize(NamedTuple):
    """Pixels of an image as it is shown."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def image_size(path: Path) -> ImageSize:
    """Read the size of a PNG or JPEG, turned as its EXIF orientation says, as the model's own loader turns it.

    An orientation that a PNG has behind its pixels is not seen.

    Raises:
        ImageError: the file is missing, no regular file, unreadable, no PNG or JPEG, cut off or damaged, has 0 pixels,
            more than ``MAX_SIDE`` along a side, or more than ``MOST_BYTES``. The message starts with ``image:``
            and the path.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            _refuse(path, f"is {'a folder' if path.is_dir() else 'no regular file'}, allowed is a PNG or JPEG file")
        if status.st_size > MOST_BYTES:
            _refuse(path, f"got {status.st_size:,} bytes, allowed are at most {MOST_BYTES:,}")
        with path.open("rb") as file:
            return _read(path, file)
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        msg = f"image: {path}: cannot be read: {reason or error}"
        raise ImageError(msg) from error


def _read(path: Path, file: IO[bytes]) -> ImageSize:
    name, image = _header(path, file)
    width, height = image.size
    if max(width, height) > MAX_SIDE:
        _refuse(path, f"got {width:,} x {height:,} pixels, allowed are 1 to {MAX_SIDE:,} a side")
    if not _ends(file, END[name]):
        _refuse(path, f"is a {name} that is cut off: its end marker is missing")
    return ImageSize(height, width) if _orientation(image) in TURNED else ImageSize(width, height)


def _header(path: Path, file: IO[bytes]) -> tuple[str, ImageFile]:
    """Let Pillow's reader for the format parse the header; ``file`` then stands behind it.

    ``Image.open`` would refuse large images, which the model may well be given, by a limit that is global.
    """
    name, reader = _format(path, file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = reader(file)
    except (OSError, SyntaxError, ValueError, AttributeError, AssertionError) as error:
        msg = f"image: {path}: is a {name} whose header is cut off, damaged, or says 0 pixels: {error}"
        raise ImageError(msg) from error
    if not image.tile:
        _refuse(path, f"is a {name} that is cut off: it ends before its pixels")
    return name, image


def _format(path: Path, file: IO[bytes]) -> tuple[str, Callable[[IO[bytes]], ImageFile]]:
    """Choose by the first bytes."""
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    start = file.read(8)
    file.seek(0)
    if start == b"\x89PNG\r\n\x1a\n":
        return "PNG", PngImageFile
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG", JpegImageFile
    return _refuse(path, f"is no image in a format that is read: it starts with {start!r}, allowed are PNG and JPEG")


def _ends(file: IO[bytes], marker: bytes) -> bool:
    """Look for an end marker behind the header, where a thumbnail may have one of its own."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(marker, file.tell()) >= 0


def _orientation(image: ImageFile) -> object:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # the base class's: a PNG's own would decode the pixels, to look for EXIF behind them
            return Image.Image.getexif(image).get(ORIENTATION)
    except Exception:  # whatever damaged EXIF does to its reader: the model's loader takes such an image as it is
        return None


def _refuse(path: Path, what: str) -> NoReturn:
    msg = f"image: {path}: {what}"
    raise ImageError(msg)
