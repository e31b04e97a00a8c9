"""The stored rows: found by device, read with care, and written anew only where something has moved."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .baseline import has_moved
from .compare import Verdict
from .errors import ResultsError
from .files import check_writable, write_text_atomically
from .results import Results, json_text
from .rows_document import SCHEMA, read_rows_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .row import Device, Key, Row

__all__ = ["Baseline", "Update"]

ENDING = ".json"
OPTIONAL = frozenset(("details", "band", "source", "notes", "samples", "terms", "baseline"))
"""Fields that a stored row may lack."""

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")
LOCK_TIMEOUT_S = 60


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
        with _alone(self.path):
            made = [
                _made(file, [row for row in passed if self.file_of(row.device) == file], results.environments)
                for file in dict.fromkeys(self.file_of(row.device) for row in passed)
            ]
            written = [(update.path, text) for update, text in made if update.stored]
            for path, _ in written:
                check_writable(path)
            for path, text in written:
                write_text_atomically(path, text)
        return [update for update, _ in made]


def row_texts(text: str) -> list[str]:
    """Cut the rows out of a document that was checked, each as it stands there."""
    texts: list[str] = []
    for name, at in _members(text):
        if name == "rows":
            texts += [text[start:end] for start, end in _items(text, at)]
    return texts


def _members(text: str) -> Iterator[tuple[str, int]]:
    """Walk the members of the outer object: each name, and where its value starts."""
    at = _after(text, _after(text, 0, "{"))
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _after(text, at, ":")
        yield name, at
        at = _after(text, _DECODER.raw_decode(text, at)[1])
        at = _after(text, at + 1) if text[at] == "," else at


def _items(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Walk the items of an array that starts here."""
    at = _after(text, at + 1)
    while text[at] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        yield at, end
        at = _after(text, end)
        at = _after(text, at + 1) if text[at] == "," else at


def _after(text: str, at: int, sign: str = "") -> int:
    """Skip blanks, and a sign with the blanks after it."""
    at = _blanks(text, at)
    return _blanks(text, at + len(sign)) if sign else at


def _blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


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
    texts = {**old.texts, **{key: _text(row) for key, row in moved.items()}}
    lines = [f"  {texts[key]}" for key in sorted(texts, key=_order)]
    kept = old.results.environments if len(texts) > len(moved) else ()
    known = {tuple(sorted(one.items())): dict(one) for one in (*kept, *environments)}
    head = {"schema": SCHEMA, "environments": list(known.values())}
    start = "".join(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n" for key, value in head.items())
    body = ",\n".join(lines)
    text = f'{{\n{start} "rows": [\n{body}\n ],\n "not_run": []\n}}\n'
    return Update(file, tuple(moved.values()), len(texts) - len(moved)), text


def _text(row: Row) -> str:
    """Write a row on a line, without what a comparison has no use for, and what may be left out because it is empty."""
    content = replace(row, terms=(), baseline=None).to_dict()
    return json_text({name: value for name, value in content.items() if value or name not in OPTIONAL})


def _order(key: Key) -> tuple[Any, ...]:
    """Sort rows by layer, case, metric, so that a change shows where it belongs."""
    model, implementation, attention, dtype, layer, case, metric, device = key
    return layer, case, metric, model, implementation, attention, dtype, device


def _slug(device: Device) -> str:
    """Name a device's file: what a reader knows it by, and a hash of all of its fingerprint."""
    known = "-".join(filter(None, (device.type, device.name, f"torch-{device.torch}")))
    readable = re.sub(r"[^a-z0-9.]+", "-", known.lower()).strip("-")[:80]
    return f"{readable}-{hashlib.sha256(str(device).encode()).hexdigest()[:8]}"


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other runs of this user on this machine from updating the same baseline at the same time."""
    from filelock import FileLock, Timeout

    user = os.getuid() if hasattr(os, "getuid") else ""  # a lock file of somebody else's cannot be opened
    name = hashlib.sha256(f"{user}{os.path.realpath(path)}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir()) / f"pytest-dsocr-{name}.lock", timeout=LOCK_TIMEOUT_S)
    try:
        lock.acquire()
    except Timeout as error:
        msg = f"{path}: another run has been updating it for {LOCK_TIMEOUT_S} s"
        raise ResultsError(msg) from error
    except OSError as error:
        msg = f"{lock.lock_file}: cannot be locked: {error.strerror or error}"
        raise ResultsError(msg) from error
    try:
        yield
    finally:
        lock.release()
