"""Reads the small text files that people write for us: configurations, devices, tolerances."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from .errors import DsocrError

__all__ = ["MOST_BYTES", "read_text_file"]

MOST_BYTES = 2**20
"""Bytes that are read of a file; one written by hand has thousands."""


def read_text_file(path: str | os.PathLike[str], error: type[DsocrError], *, most_bytes: int = MOST_BYTES) -> str:
    """Read a file in UTF-8, with a byte order mark or without, as one of ours.

    A pipe or a device is not opened: it may wait for ever, or have no end.

    Raises:
        DsocrError: of the kind ``error``: the file cannot be read, is no regular one, is larger than ``most_bytes``, or
            is no UTF-8. The message starts with the path.
    """
    shown = str(path) if str(path).isprintable() else repr(str(path))
    try:
        about = Path(path).stat()
        is_file, is_large = stat.S_ISREG(about.st_mode), about.st_size > most_bytes
        content = _start(path, most_bytes) if is_file and not is_large else b""
    except (OSError, ValueError) as failure:  # a ValueError: a path that no file can have
        reason = failure.strerror if isinstance(failure, OSError) else None
        raise error(f"{shown}: cannot be read: {reason or failure}") from failure
    if not is_file:
        raise error(
            f"{shown}: is {'a folder' if stat.S_ISDIR(about.st_mode) else 'no regular file'}, allowed is a text file"
        )
    if is_large or len(content) > most_bytes:
        raise error(f"{shown}: is too large: allowed are at most {most_bytes:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise error(f"{shown}: is no UTF-8: {failure}") from failure


def _start(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(most_bytes + 1)
