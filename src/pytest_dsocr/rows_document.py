"""The rows file as text: what it may hold is its JSON Schema; files of schemas before are brought up to date."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from dsocr_cost.text_file import read_text_file

from .errors import ResultsError

if TYPE_CHECKING:
    from pathlib import Path

    import jsonschema_rs

__all__ = ["SCHEMA", "checked_document", "load_json", "read_rows_text", "rows_schema"]

SCHEMA = 2
"""Version of the rows file. It grows when a reader of the version before would misread the file."""

MOST_BYTES = 64 * 2**20
"""Bytes that are read of a rows file; the 90 grids and all layers take about ten million."""

_LONGEST = 200
"""Characters of what a validator says: it quotes what it refuses."""


def read_rows_text(path: Path) -> str:
    """Read a rows file's text.

    Raises:
        ResultsError: it cannot be read, is larger than :data:`MOST_BYTES`, or is no UTF-8.
    """
    return read_text_file(path, ResultsError, most_bytes=MOST_BYTES)


def rows_schema() -> dict[str, Any]:
    """Get the JSON Schema that ships with the package."""
    document: dict[str, Any] = json.loads(files(__package__).joinpath("rows.schema.json").read_text(encoding="utf-8"))
    return document


def load_json(text: str, source: str) -> Any:
    """Parse strict JSON: no NaN, no number beyond a float's range.

    Raises:
        ResultsError: it is none; the message says where.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        msg = f"{source}: is no JSON: {error}"
        raise ResultsError(msg) from error


def checked_document(text: str, source: str) -> dict[str, Any]:
    """Parse a document, bring it to the newest schema and check it.

    Raises:
        ResultsError: where in it, what it got, what is allowed.
    """
    document: Any = load_json(text, source)
    version = document.get("schema") if isinstance(document, dict) else None
    if version not in range(1, SCHEMA + 1) or isinstance(version, bool):
        got = f"schema {version!r}" if isinstance(document, dict) else type(document).__name__
        newer = "; it was written by a later version: update pytest-dsocr" if _is_later(version) else ""
        msg = f"{source}: got {got}, allowed are rows files of schemas 1 to {SCHEMA}{newer}"
        raise ResultsError(msg)
    if version == 1:
        document = _from_schema_1(document)
    import jsonschema_rs

    try:
        _validator().validate(document)
    except jsonschema_rs.ValidationError as error:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        said = error.message if len(error.message) <= _LONGEST else f"{error.message[:_LONGEST]}…"
        msg = f"{source}: {where.removeprefix('.') or 'the document'}: {said}"
        raise ResultsError(msg) from error
    checked: dict[str, Any] = document
    return checked


@cache
def _validator() -> jsonschema_rs.Validator:
    import jsonschema_rs

    return jsonschema_rs.validator_for(rows_schema())


def _from_schema_1(document: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 had one environment, and no complaints, samples, terms or baselines."""
    later = {key: value for key, value in document.items() if key != "environment"}
    return {**later, "schema": SCHEMA, "environments": [document.get("environment")]}


def _is_later(version: object) -> bool:
    return isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA


def _refuse_constant(name: str) -> float:
    msg = f"{name} is no number"
    raise ValueError(msg)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        msg = f"{digits} is beyond the range of a float"
        raise ValueError(msg)
    return value
