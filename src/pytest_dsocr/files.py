"""Writes files whole or not at all, and says beforehand what could not be written."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_writable", "shown", "write_text_atomically", "write_texts_atomically"]


def shown(path: Path) -> str:
    """Name a path for people: from the working directory on, where it is below that."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def check_writable(path: Path) -> None:
    """Refuse, before anything runs, a path that could not be written after it.

    Raises:
        ResultsError: the folder is missing or read-only, or the path is a folder.
    """
    path = _target(path)
    if path.exists() and not path.is_file():
        msg = f"{path}: is {'a folder' if path.is_dir() else 'no regular file'}, allowed is a file"
        raise ResultsError(msg)
    if not path.parent.is_dir():
        msg = f"{path}: cannot be written: {path.parent} is no folder"
        raise ResultsError(msg)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
        if path.exists():
            with path.open("r+b"):
                pass
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise ResultsError(msg) from error


def write_text_atomically(path: Path, text: str) -> None:
    """Write beside the file, then rename: whoever reads it sees the old file or the new one, never half of one.

    Raises:
        ResultsError: it could not be written; the old file is as it was.
    """
    write_texts_atomically({path: text})


def write_texts_atomically(texts: Mapping[Path, str]) -> None:
    """Write each beside its file, and rename when all are written: a disk that fills up leaves all as they were.

    Raises:
        ResultsError: the file that could not be written.
    """
    with contextlib.ExitStack() as leftovers:
        written = {}
        for path, text in texts.items():
            target = _target(path)
            with _errors_of(target):
                written[target] = _written_beside(target, text, leftovers)
        for target, temporary in written.items():
            with _errors_of(target):
                temporary.replace(target)


def _written_beside(path: Path, text: str, leftovers: contextlib.ExitStack) -> Path:
    """Write a file that is to take the place of another, with its mode; if it does not, it is removed in the end."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", errors="replace", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:  # a file name that is no text, in the name of a test, becomes question marks
        temporary = Path(file.name)
        leftovers.callback(temporary.unlink, missing_ok=True)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
    return temporary


@contextlib.contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise ResultsError(msg) from error


def _target(path: Path) -> Path:
    """Follow links, so that a link stays one; refuse names that no file can have."""
    try:
        target = path.resolve()
        target.exists()
    except (OSError, RuntimeError, ValueError) as error:
        msg = f"{path}: cannot be written: {error}"
        raise ResultsError(msg) from error
    return target


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
