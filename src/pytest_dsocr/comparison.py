"""The rows of one run against those of another, as a run's gate holds them against its baseline."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .baseline import gated, ungated
from .baseline_names import what_it_is
from .baseline_run import missing_rows, named
from .compare import Verdict
from .errors import ResultsError
from .results import Results
from .row import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .baseline_file import Baseline
    from .row import Key, Row

__all__ = ["Compared", "Comparison", "compared"]

_RED = (Verdict.FAIL, Verdict.ERROR)
_MOVED = (Change.REGRESSION, Change.IMPROVEMENT, Change.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Compared:
    """A row as the gate leaves it, and the verdict that it had before."""

    row: Row
    own: Verdict

    @property
    def change(self) -> Change | None:
        """How it stands against the stored row; None where nothing is stored for its device."""
        return self.row.baseline.change if self.row.baseline else None

    @property
    def fails(self) -> bool:
        """Whether it failed without any baseline."""
        return self.own in _RED

    @property
    def moved(self) -> bool:
        """Whether there is something to tell of it."""
        return self.fails or self.change in _MOVED


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows of a run, in their order, and the stored rows of its devices that it did not measure."""

    rows: tuple[Compared, ...]
    missing: tuple[Row, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Count rows by how they stand; ``no baseline`` is on devices without stored rows, ``fail`` by themselves."""
        changes = Counter(one.change for one in self.rows)
        counts = {str(change): changes[change] for change in Change}
        fails = sum(one.fails for one in self.rows)
        return {**counts, "no baseline": changes[None], "fail": fails, "missing": len(self.missing)}

    def is_red(self, *, require_all: bool) -> bool:
        """Whether a row regressed or fails, or, where that is asked for, is missing."""
        red = any(one.fails or one.change is Change.REGRESSION for one in self.rows)
        return red or (require_all and bool(self.missing))


def compared(head: Results, source: str, baseline: Baseline) -> Comparison:
    """Hold rows against the stored ones; ``source`` names their file.

    Raises:
        ResultsError: no row has the key and the device of a stored one, a file cannot be read, or two rows of a file
            have one key.
    """
    head.by_key(source)
    devices = dict.fromkeys(row.device for row in head.rows)
    stored = {device: baseline.rows_of(device) for device in devices}
    if not any(row.key in stored[row.device] for row in head.rows):
        base = [row for file in baseline.files() for row in _readable(file)]
        msg = (
            f"{baseline.path}, {source}: nothing can be compared: no row of the one has the key and the device of one "
            f"of the other; {baseline.path} has {_what(base)}; {source} has {_what(head.rows)}"
        )
        raise ResultsError(msg)
    rows = tuple(_compared(ungated(row), stored[row.device], baseline) for row in head.rows)
    of_devices = [row for device in devices for row in stored[device].values()]
    return Comparison(rows, tuple(missing_rows(head, of_devices, full=True)))


def _compared(own: Row, stored: Mapping[Key, Row], baseline: Baseline) -> Compared:
    if not stored:
        return Compared(own, own.verdict)
    return Compared(gated(own, stored.get(own.key), str(baseline.file_of(own.device))), own.verdict)


def _readable(file: Path) -> tuple[Row, ...]:
    """Get the rows of a file, none of one that is none: it only says what else there is."""
    try:
        return Results.read(file).rows
    except ResultsError:
        return ()


def _what(rows: Iterable[Row]) -> str:
    """Say of what rows are: ``12 rows of deepseek-ocr by transformers, bfloat16, on meta, torch 2.13``."""
    counts = Counter(what_it_is(row) for row in rows)
    return (
        named([f"{count:,} {'row' if count == 1 else 'rows'} of {what}" for what, count in counts.most_common()])
        or "no rows"
    )
