"""Rows as CSV, for spreadsheets and data frames: a line each, every figure in full."""

from __future__ import annotations

import csv
import io
from dataclasses import fields
from typing import TYPE_CHECKING, TypeAlias

from ..compare import Verdict
from ..row import AgainstBaseline, Device
from .text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..results import Results
    from ..row import NotRun, Row

__all__ = ["COLUMNS", "csv_text"]

Cell: TypeAlias = "str | int | float | None"

_OF_ROW = ("verdict", "layer", "case", "metric", "family", "model", "implementation", "attention", "dtype")
_FIGURES = ("predicted", "measured", "difference", "relative_difference", "spread", "rtol", "band_low", "band_high")
_TEXTS = ("rule", "because", "reason", "test", "sizes", "details", "source", "notes")
_DEVICE = tuple(f"device_{one.name}" for one in fields(Device))
_BASELINE = tuple(f"baseline_{one.name}" for one in fields(AgainstBaseline))

COLUMNS = (*_OF_ROW, *_FIGURES, *_TEXTS, *_DEVICE, *_BASELINE)
"""The columns, in order."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - the wide ones count, too
"""What a cell starts with that a spreadsheet runs as a formula."""


def csv_text(results: Results, labels: Mapping[str, str], families: Mapping[str, str]) -> str:
    """Write a header, a line for each row and one for each comparison that did not run, as RFC 4180 has it."""
    del labels  # columns are for programs, which know a metric by its name
    lines = [*(_of_row(row, families) for row in results.rows), *map(_of_not_run, results.not_run)]
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in line.items()} for line in lines)
    return file.getvalue()


def _of_row(row: Row, families: Mapping[str, str]) -> dict[str, Cell]:
    low, high = row.band or (None, None)
    made: dict[str, Cell] = {
        "family": families.get(row.metric, ""),
        "verdict": str(row.verdict),
        "band_low": low,
        "band_high": high,
        "sizes": _pairs(row.sizes),
        "details": _pairs(row.details),
    }
    device = {f"device_{one.name}": getattr(row.device, one.name) for one in fields(Device)}
    stored = {f"baseline_{name}": value for name, value in row.baseline.to_dict().items()} if row.baseline else {}
    own = {name: getattr(row, name) for name in (*_OF_ROW, *_FIGURES, *_TEXTS) if name not in made}
    return {**own, **made, **device, **stored}


def _of_not_run(one: NotRun) -> dict[str, Cell]:
    return {"verdict": str(Verdict.NOT_RUN), "test": one.test, "reason": one.reason}


def _pairs(figures: Mapping[str, int | float]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in figures.items())


def _cell(value: Cell) -> Cell:
    """Keep a number as it is; let a text stand on a line, and start with nothing that a spreadsheet would run."""
    if not isinstance(value, str):
        return value
    shown = printable(value)
    return f"'{shown}" if value.startswith(_FORMULA) else shown
