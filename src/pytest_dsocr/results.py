"""Result rows: what was compared, what came of it; their file, a versioned schema."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .compare import Verdict
from .errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SCHEMA", "Device", "NotRun", "Results", "Row", "check_writable", "write_text_atomically"]

_FIGURES = ("predicted", "measured", "difference", "relative_difference", "spread")

SCHEMA = 1
"""Version of the results file. It grows when a reader of the version before would misread the file."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a row was measured: the fingerprint that tells one machine's figures from another's.

    ``name`` is what the driver calls the card, or the processor with the threads that torch uses; ``capability`` is the
    card's compute capability; it, ``driver`` and ``cuda`` are empty for ``meta`` and ``cpu``, ``name`` for ``meta``.
    """

    type: str
    name: str = ""
    capability: str = ""
    driver: str = ""
    torch: str = ""
    cuda: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. The first seven fields and ``device`` are its key; ``test`` only says where it came from.

    ``difference`` is predicted - measured, ``relative_difference`` that over measured (None where measured is 0).
    ``rtol``, ``rule`` and ``because`` are the tolerance that judged it, where it stands and its reason; ``reason``
    says why the verdict is no pass, or is a notice beside one. ``spread`` is the measurement's relative noise, None for
    a count. ``details`` are figures that were seen beside the measured one, by name. ``band`` is what the prediction's
    own doubt leaves open and ``source`` where it comes from, ``notes`` how it was measured.
    """

    model: str
    implementation: str
    attention: str
    dtype: str
    layer: str
    case: str
    metric: str
    device: Device
    sizes: Mapping[str, int]
    predicted: int | float
    measured: int | float
    difference: int | float
    relative_difference: float | None
    spread: float | None
    rtol: float
    rule: str
    because: str
    verdict: Verdict
    reason: str
    test: str
    details: Mapping[str, int | float] = field(default_factory=dict)
    band: tuple[float, float] | None = None
    source: str = ""
    notes: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """What the row is about, whichever test made it."""
        return (
            self.model,
            self.implementation,
            self.attention,
            self.dtype,
            self.layer,
            self.case,
            self.metric,
            self.device,
        )

    def to_dict(self) -> dict[str, Any]:
        """Turn into built-in types only, as JSON and the channel between xdist's processes need."""
        return {
            **asdict(self),
            "sizes": dict(self.sizes),
            "details": dict(self.details),
            "verdict": str(self.verdict),
            "band": list(self.band) if self.band else None,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Row:
        """Read back what :meth:`to_dict` made, and the strings that stand for figures that JSON cannot hold."""
        device, verdict = Device(**content["device"]), Verdict(content["verdict"])
        details = dict(content.get("details", {}))
        given = {**content, **_figures(content, _FIGURES), "details": {**details, **_figures(details, details)}}
        band = tuple(content["band"]) if content.get("band") else None
        return cls(**{**given, "device": device, "verdict": verdict, "band": band})


@dataclass(frozen=True, slots=True)
class NotRun:
    """A comparison that was expected and not made, and why."""

    test: str
    reason: str


@dataclass(frozen=True, slots=True)
class Results:
    """All rows of a run, in the order of its tests, and what did not run."""

    rows: tuple[Row, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_verdict(self) -> dict[Verdict, int]:
        """How many rows came to each verdict; a comparison that did not run counts as *not run*."""
        counts = dict.fromkeys(Verdict, 0)
        for row in self.rows:
            counts[row.verdict] += 1
        counts[Verdict.NOT_RUN] += len(self.not_run)
        return counts

    def to_json(self) -> str:
        """Write the whole as a document of schema :data:`SCHEMA`. Figures that JSON cannot hold become strings."""
        document = {
            "schema": SCHEMA,
            "environment": dict(self.environment),
            "totals": {str(verdict): count for verdict, count in self.by_verdict.items()},
            "rows": [_jsonable(row.to_dict()) for row in self.rows],
            "not_run": [asdict(one) for one in self.not_run],
        }
        return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = "<text>") -> Results:
        """Read such a document.

        Raises:
            ResultsError: the text is no JSON, of another schema, or a row has missing or unknown fields.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"{source}: is no JSON: {error}"
            raise ResultsError(msg) from error
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            got = document.get("schema") if isinstance(document, dict) else type(document).__name__
            msg = f"{source}: schema: got {got!r}, allowed is {SCHEMA}"
            raise ResultsError(msg)
        try:
            rows = tuple(Row.from_dict(row) for row in document["rows"])
            not_run = tuple(NotRun(**one) for one in document["not_run"])
            return cls(rows, not_run, dict(document["environment"]))
        except (KeyError, TypeError, ValueError) as error:
            names = ", ".join(item.name for item in fields(Row))
            msg = f"{source}: rows: {error!r}; the fields of a row are {names}"
            raise ResultsError(msg) from error


def _jsonable(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _jsonable(value)
        if isinstance(value, dict)
        else repr(value)
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for key, value in content.items()
    }


def _figures(content: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    """Take the strings back that stand for figures that JSON cannot hold."""
    return {name: float(content[name]) for name in names if content[name] in ("nan", "inf", "-inf")}


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
    path = _target(path)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise ResultsError(msg) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


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
