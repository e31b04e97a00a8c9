"""The stored rows: found by device, read with care, and written anew only where something has moved."""

from __future__ import annotations

import hashlib
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .baseline import has_moved
from .baseline_lock import alone_with
from .baseline_names import forget_command, row_named
from .baseline_text import document_text, row_text, row_texts, versions_of
from .compare import Verdict
from .errors import ResultsError
from .files import check_writable, write_texts_atomically
from .results import Results
from .rows_document import read_rows_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .row import Device, Key, Row

__all__ = ["Baseline", "Update"]

ENDING = ".json"


@dataclass(frozen=True, slots=True)
class Update:
    """What an update did to a file: the rows that it stored, and those that it kept as they were."""

    path: Path
    stored: tuple[Row, ...]
    kept: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """A baseline file: its rows, each with its text, and the rest of it."""

    rows: Mapping[Key, Row]
    texts: Mapping[Key, str]
    results: Results


class Baseline:
    """The stored rows under a path: a rows file, or a folder with one for each device.

    What ends in ``.json`` is a file, which may hold rows of several devices, unless there is a folder of that name.
    Nothing is read before it is asked for, and each file once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[Path, _Stored] = {}

    def file_of(self, device: Device) -> Path:
        """Tell which file holds a device's rows, or would."""
        return self.path if self.is_file else self.path / f"{_slug(device)}{ENDING}"

    @property
    def is_file(self) -> bool:
        """Whether all rows are in the path itself; so they are in what is no folder, and will not be read."""
        is_folder = stat.S_ISDIR(_mode(self.path))
        return not is_folder and (_exists(self.path) or self.path.suffix == ENDING)

    def files(self) -> tuple[Path, ...]:
        """List the files that are there."""
        if not self.is_file:
            return tuple(sorted(self.path.glob(f"*{ENDING}")))
        return (self.path,) if _exists(self.path) else ()

    def rows_of(self, device: Device) -> dict[Key, Row]:
        """Get the rows that are stored for a device; none where its file is missing.

        Raises:
            ResultsError: the file cannot be read, is no rows file, or two of its rows have one key.
        """
        file = self.file_of(device)
        if file not in self._read:
            self._read[file] = _read(file) if _exists(file) else _Stored({}, {}, Results())
        return {key: row for key, row in self._read[file].rows.items() if row.device == device}

    def others_in(self, device: Device) -> tuple[Device, ...]:
        """Tell which other devices the file of a device has rows of."""
        self.rows_of(device)
        stored = self._read[self.file_of(device)].rows.values()
        return tuple(dict.fromkeys(row.device for row in stored if row.device != device))

    def check_writable(self) -> None:
        """Refuse, before anything runs, a path that could not be updated after it; make the folder.

        Raises:
            ResultsError: why not.
        """
        if self.is_file:
            check_writable(self.path)
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"{self.path}: cannot be made: {error.strerror or error}"
            raise ResultsError(msg) from error
        for path in (self.path / f"any{ENDING}", *self.files()):
            check_writable(path)

    def update(self, results: Results) -> list[Update]:
        """Store the rows that pass and are new or have moved; keep all others byte for byte.

        A file in which nothing moved is not touched. All files are read, made and found writable before the first is
        written.

        Raises:
            ResultsError: a file cannot be read or written, or two rows have one key.
        """
        results.by_key("the run")
        passed = [row for row in results.rows if row.verdict is Verdict.PASS]
        files = dict.fromkeys(self.file_of(row.device) for row in passed)
        with alone_with(files):
            made = [
                _made(file, [row for row in passed if self.file_of(row.device) == file], results.environments)
                for file in files
            ]
            _write({update.path: text for update, text in made if update.stored})
        return [update for update, _ in made]

    def forget(self, names: Iterable[str]) -> dict[Path, list[Row]]:
        """Remove rows by their names, each from the file that it stands in; keep all others byte for byte.

        Raises:
            ResultsError: a name is that of no row or of several, or a file cannot be read or written; nothing is
                removed then.
        """
        files = self.files()
        with alone_with(files):
            read = {file: _read(file) for file in files}
            there = [row for stored in read.values() for row in stored.rows.values()]
            gone = {row.key: row for row in (row_named(name, there, str(self.path)) for name in names)}
            removed = {file: [row for key, row in gone.items() if key in stored.rows] for file, stored in read.items()}
            _write({file: _without(read[file], rows) for file, rows in removed.items() if rows})
        return {file: rows for file, rows in removed.items() if rows}

    def forget_commands(self, rows: Iterable[Row]) -> list[str]:
        """Write the commands that remove rows, one for each file."""
        of_file: dict[Path, list[Row]] = {}
        for row in rows:
            of_file.setdefault(self.file_of(row.device), []).append(row)
        return [forget_command(file, gone, self._read[file].rows.values()) for file, gone in of_file.items()]


def _exists(path: Path) -> bool:
    """Whether there is something, if only what cannot be looked at: reading it says why."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return True


def _mode(path: Path) -> int:
    """Tell what is there; 0 where that cannot be told."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _read(file: Path) -> _Stored:
    text = read_rows_text(file)
    results = Results.from_json(text, str(file))
    rows = results.by_key(str(file))
    return _Stored(rows, dict(zip(rows, row_texts(text), strict=True)), results)


def _made(file: Path, rows: Iterable[Row], environments: Iterable[Mapping[str, str]]) -> tuple[Update, str]:
    """Make the new text of a file."""
    old = _read(file) if _exists(file) else _Stored({}, {}, Results())
    moved = {row.key: row for row in rows if has_moved(row, old.rows.get(row.key))}
    texts = {**old.texts, **{key: row_text(row) for key, row in moved.items()}}
    kept = [row for key, row in old.rows.items() if key not in moved]
    versions = versions_of(kept, old.results.environments, environments)
    return Update(file, tuple(moved.values()), len(kept)), document_text(texts, versions)


def _without(stored: _Stored, gone: Iterable[Row]) -> str:
    """Make the text of a file without some of its rows."""
    keys = {row.key for row in gone}
    kept = [row for key, row in stored.rows.items() if key not in keys]
    texts = {row.key: stored.texts[row.key] for row in kept}
    return document_text(texts, versions_of(kept, stored.results.environments))


def _write(texts: Mapping[Path, str]) -> None:
    """Write files, all or none."""
    for path in texts:
        check_writable(path)
    write_texts_atomically(texts)


def _slug(device: Device) -> str:
    """Name a device's file: what a reader knows it by, and a hash of all of its fingerprint."""
    known = "-".join(filter(None, (device.type, device.name, f"torch-{device.torch}")))
    readable = re.sub(r"[^a-z0-9.]+", "-", known.lower()).strip("-")[:80]
    return f"{readable}-{hashlib.sha256(str(device).encode()).hexdigest()[:8]}"
