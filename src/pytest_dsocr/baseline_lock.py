"""One run at a time that changes a baseline: what it read is what stands there when it writes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["alone_with"]

LOCK_TIMEOUT_S = 60


@contextlib.contextmanager
def alone_with(files: Iterable[Path]) -> Iterator[None]:
    """Keep other runs of this user on this machine from changing the same files, by whatever path they name them.

    Raises:
        ResultsError: another run has been changing one for too long, or there can be no lock.
    """
    with contextlib.ExitStack() as held:
        for real, file in sorted({os.path.realpath(file): file for file in files}.items()):
            held.enter_context(_locked(real, file))
        yield


@contextlib.contextmanager
def _locked(real: str, file: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    user = os.getuid() if hasattr(os, "getuid") else ""  # a lock file of somebody else's cannot be opened
    name = hashlib.sha256(f"{user}{real}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir()) / f"pytest-dsocr-{name}.lock", timeout=LOCK_TIMEOUT_S)
    try:
        lock.acquire()
    except Timeout as error:
        msg = f"{file}: another run has been updating it for {LOCK_TIMEOUT_S} s"
        raise ResultsError(msg) from error
    except OSError as error:
        msg = f"{lock.lock_file}: cannot be locked: {error.strerror or error}"
        raise ResultsError(msg) from error
    try:
        yield
    finally:
        lock.release()
