"""A run against its baseline: what it says before and after, what it did not measure, what it takes over."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .errors import MeasurementError
from .files import shown
from .row import Change

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .baseline_file import Baseline, Update
    from .results import Results
    from .row import Device, Row

__all__ = [
    "check_identity",
    "counted",
    "foreign",
    "header",
    "missing_rows",
    "named",
    "not_measured",
    "refusals",
    "stored_and_not_measured",
    "told",
]

MOST_NAMED = 5
_NOT_MEASURED = "stored and not measured: "


def check_identity(device: Device) -> None:
    """Refuse a device that could not be told from another one: its rows would be looked for under another key.

    Raises:
        MeasurementError: it is one of CUDA, and nobody knows the version of its driver.
    """
    if device.cuda and not device.driver:
        msg = (
            f"baseline: {device}: the version of its driver cannot be read (neither by NVML nor from "
            "/proc/driver/nvidia/version nor by nvidia-smi), and a baseline is of one driver: make one of them work, "
            "or leave --dsocr-baseline out"
        )
        raise MeasurementError(msg)


def header(baseline: Baseline, device: Device, *, updating: bool) -> str:
    """Say, before anything runs, what this device's rows are held against.

    Raises:
        MeasurementError: the device cannot be told from others.
        ResultsError: the baseline cannot be read.
    """
    check_identity(device)
    count, file = len(baseline.rows_of(device)), shown(baseline.file_of(device))
    if count:
        return f"baseline: {count} rows of this device in {file}{', to be updated' if updating else ''}"
    others = baseline.others_in(device)
    gone = "has no rows" if baseline.file_of(device) in baseline.files() else "is not there"
    has = f"it has rows of {'; '.join(map(str, others[:MOST_NAMED]))}" if others else f"{file} {gone}"
    if updating:
        return f"baseline: none yet for {device}, to be stored in {file}"
    return f"baseline: not run: none for {device}: {has}; --dsocr-update-baseline stores one"


def missing_rows(results: Results, stored: Iterable[Row], *, full: bool) -> list[Row]:
    """List the stored rows that this run was to measure and did not.

    In a full run those are all that it has no row of, else those of its tests, whether they ran or not.
    """
    there = {row.key for row in results.rows}
    tests = {row.test for row in results.rows} | {one.test for one in results.not_run}
    return [row for row in stored if row.key not in there and (full or row.test in tests)]


def foreign(results: Results, stored: Collection[Row]) -> list[str]:
    """Say that a baseline is of something else, where all of its rows are of other models than those of this run."""
    theirs, ours = ({f"{row.model} by {row.implementation}" for row in rows} for rows in (stored, results.rows))
    if not theirs or not ours or theirs & ours:
        return []
    what = f"they are of {', '.join(sorted(theirs))}, it of {', '.join(sorted(ours))}"
    return [f"baseline: none of its {len(stored)} rows of this device is of this run: {what}"]


def refusals(missing: Collection[Row], lost: Collection[str], commands: Iterable[str]) -> list[str]:
    """Say what keeps a run from updating the baseline; ``commands`` remove what is missing, if that is meant."""
    said = []
    if lost:
        said.append(f"did not run to their end: {named(sorted(lost))}")
    if missing:
        said.append(f"{not_measured(missing)}. If it was removed on purpose: {'; '.join(commands)}")
    return [f"--dsocr-update-baseline: nothing was stored: {reason}" for reason in said]


def not_measured(missing: Collection[Row]) -> str:
    """Name the stored rows that this run was to measure and did not."""
    return f"{_NOT_MEASURED}{named([row.title for row in missing])}"


def stored_and_not_measured(complaint: str) -> list[str]:
    """Take the titles of a sentence of :func:`not_measured`; beyond the first few the last one says how many more."""
    _, found, titles = complaint.partition(_NOT_MEASURED)
    return titles.split("; ") if found else []


def counted(rows: Iterable[Row]) -> dict[Change, int]:
    """Count rows by how they stand against the baseline, without those that have none."""
    counts = Counter(row.baseline.change for row in rows if row.baseline)
    return {change: counts[change] for change in Change if counts[change]}


def told(updates: Iterable[Update]) -> list[str]:
    """Say what an update did."""
    return [
        f"baseline: {len(update.stored)} stored in {shown(update.path)}, {update.kept} kept as they were"
        if update.stored
        else f"baseline: nothing has moved, {shown(update.path)} is as it was"
        for update in updates
    ]


def named(names: Collection[str]) -> str:
    """Name the first few."""
    first = "; ".join(list(names)[:MOST_NAMED])
    return f"{first} and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else first
