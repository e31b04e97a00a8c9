"""The rows file as text: what it may hold is its JSON Schema; files of schemas before are brought up to date."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn

from dsocr_cost.text_file import read_text_file

from .errors import ResultsError
from .report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import jsonschema_rs

__all__ = ["SCHEMA", "checked_document", "load_json", "read_rows_text", "rows_schema"]

SCHEMA = 2
"""Version of the rows file. It grows when a reader of the version before would misread the file."""

MOST_BYTES = 64 * 2**20
"""Bytes that are read of a rows file; the 90 grids and all layers take about ten million."""

_LONGEST = 200
"""Characters of what is quoted of a file."""

_MOST_DIGITS = 309
"""Digits of the largest float."""

_HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""The escape of a surrogate, which is text beside its other half alone."""


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
    """Parse strict JSON: no key twice in an object, no NaN, no number beyond a float's range, no half a character.

    Raises:
        ResultsError: it is none; the message says where.
    """
    try:
        document = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_whole, object_pairs_hook=_once
        )
        if _HALF_A_CHARACTER.search(text):
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        msg = f"{source}: is no JSON: {error}"
        raise ResultsError(msg) from error
    return document


def checked_document(text: str, source: str) -> dict[str, Any]:
    """Parse a document, bring it to the newest schema and check it.

    Raises:
        ResultsError: where in it, what it got, what is allowed.
    """
    document: Any = load_json(text, source)
    if not isinstance(document, dict):
        msg = f"{source}: got a JSON {_JSON_NAMES[type(document)]}, allowed is a rows file, which is an object"
        raise ResultsError(msg)
    version = document.get("schema")
    if type(version) is not int or not 1 <= version <= SCHEMA:
        _refuse_version(version, source)
    if version == 1:
        document = _from_schema_1(document)
    import jsonschema_rs

    try:
        _validator().validate(document)
    except jsonschema_rs.ValidationError as error:
        where = _place(error.instance_path) or "the document"
        msg = f"{source}: {where}: {printable(_cut(error.message))}"
        raise ResultsError(msg) from error
    except ValueError as error:  # it takes no more than some hundred levels
        msg = f"{source}: is nested too deep: {error}"
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
    environments = [document["environment"]] if "environment" in document else []
    return {**later, "schema": SCHEMA, "environments": environments}


def _refuse_version(version: object, source: str) -> NoReturn:
    is_later = type(version) is int and version > SCHEMA
    got = f"schema {_cut(json.dumps(version))}" if version is not None else "no schema"
    newer = "; it was written by a later version: update pytest-dsocr" if is_later else ""
    msg = f"{source}: got {got}, allowed are rows files of schemas 1 to {SCHEMA}{newer}"
    raise ResultsError(msg)


_JSON_NAMES = {list: "array", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def _place(path: Iterable[str | int]) -> str:
    """Write where in a document something stands: ``rows[3].device.name``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{printable(step)}" for step in path)
    return _cut("".join(steps).removeprefix("."))


def _cut(said: str) -> str:
    """Leave the middle out of what is too long: what is refused is quoted first, and why comes last."""
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST // 2]}…{said[-_LONGEST // 2 :]}"


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object, of which a key that stands twice would hide what stands first."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        msg = f"the key {_cut(ascii(twice))} stands twice in an object"
        raise ValueError(msg)
    return made


def _refuse_constant(name: str) -> float:
    msg = f"{name} is no number"
    raise ValueError(msg)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _refuse_size(digits)
    return value


def _whole(digits: str) -> int:
    """Read an integer that a float could hold too, if not to its last digit."""
    if len(digits.lstrip("-")) > _MOST_DIGITS:
        _refuse_size(digits)
    value = int(digits)
    try:
        float(value)
    except OverflowError:
        _refuse_size(digits)
    return value


def _refuse_size(digits: str) -> NoReturn:
    shown = digits if len(digits) <= 20 else f"{digits[:10]}… of {len(digits)} characters"
    msg = f"{shown} is beyond the range of a float"
    raise ValueError(msg)
