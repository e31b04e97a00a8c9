"""One measurement at a time on a device, among all processes, runs and users of a machine.

The lock is the kernel's own (``flock``) on a file: whoever dies lets go of it, and the file that stays behind means
nothing. Containers with a ``/tmp`` of their own do not see each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["first_free", "lock_folder", "lock_key", "one_at_a_time"]

EVERYBODY = 0o777
EVERYBODY_FILE = 0o666


def lock_folder() -> Path:
    """Find the folder that all users of this machine share: in ``/tmp``, which ``TMPDIR`` does not move."""
    shared = Path("/tmp")
    return (shared if shared.is_dir() else Path(tempfile.gettempdir())) / "pytest-dsocr"


def lock_key(device: str) -> str:
    """Name a device for all processes of the machine: a card by its UUID, since indices differ between processes."""
    if not device.startswith("cuda"):
        return "cpu"
    from .device import card_of

    return f"gpu-{str(card_of(device).uuid).removeprefix('GPU-')}"


@contextlib.contextmanager
def one_at_a_time(key: str, *, timeout_s: float, folder: Path | None = None) -> Iterator[None]:
    """Hold the lock of a device.

    Raises:
        MeasurementError: another process held it for longer than ``timeout_s``, or the folder cannot be used.
    """
    from filelock import FileLock, Timeout

    file = _prepared(folder or lock_folder()) / f"{key}.lock"
    holder = file.with_suffix(".json")
    try:
        lock = FileLock(file, mode=EVERYBODY_FILE)
        lock.acquire(timeout=timeout_s)
    except Timeout as error:
        msg = (
            f"{key} is being measured by {_holder_text(holder)}: waited {timeout_s:g} s, "
            "--dsocr-lock-timeout (ini: dsocr_lock_timeout) waits longer"
        )
        raise MeasurementError(msg) from error
    except OSError as error:
        msg = f"{file}: cannot be locked: {error.strerror or error}"
        raise MeasurementError(msg) from error
    try:
        _write_holder(holder)
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def first_free(keys: Sequence[str], *, folder: Path | None = None) -> int:
    """Find the first of several devices that nobody measures on now; the first of all if there is none."""
    for index, key in enumerate(keys):
        with contextlib.suppress(MeasurementError), one_at_a_time(key, timeout_s=0, folder=folder):
            return index
    return 0


def _prepared(folder: Path) -> Path:
    """Make the folder for all users. It is not sticky: Linux refuses others' files in folders that are."""
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(EVERYBODY)
        if not stat.S_ISDIR(folder.lstat().st_mode):
            msg = f"{folder}: is no folder, allowed is one that all users can write to"
            raise MeasurementError(msg)
    except OSError as error:
        msg = f"{folder}: cannot be made: {error.strerror or error}"
        raise MeasurementError(msg) from error
    return folder


def _write_holder(holder: Path) -> None:
    """Write who holds the lock, for the one who waits; never through a link that somebody else has laid."""
    with contextlib.suppress(OSError):
        holder.unlink(missing_ok=True)  # what a killed run left
        opened = os.open(holder, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with open(opened, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is open already
            json.dump({"pid": os.getpid(), "since": int(time.time())}, file)


def _holder_text(holder: Path) -> str:
    """Say who holds the lock; whatever stands in the file, only numbers get through."""
    try:
        content = json.loads(holder.read_text(encoding="utf-8"))
        pid, since = int(content["pid"]), time.localtime(int(content["since"]))
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return "another process"
    return f"process {pid} since {time.strftime('%H:%M:%S', since)}{_paused(pid)}"


def _paused(pid: int) -> str:
    """Say of a process that is stopped, by a debugger or a signal, that it will not go on by itself."""
    import psutil

    try:
        paused = psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except (psutil.Error, ValueError):
        return ""
    return ", which is paused" if paused else ""
