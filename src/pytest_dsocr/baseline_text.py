"""A baseline's text: rows as they stand there, a line each, so that a change of one is a change of a line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .results import json_text
from .rows_document import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .row import Key, Row

__all__ = ["document_text", "row_text", "row_texts", "versions_of"]

OPTIONAL = frozenset(("details", "band", "source", "notes", "samples", "terms", "baseline"))
"""Fields that a stored row may lack."""

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")


def row_texts(text: str) -> list[str]:
    """Cut the rows out of a document that was checked, each as it stands there."""
    texts: list[str] = []
    for name, at in _members(text):
        if name == "rows":
            texts += [text[start:end] for start, end in _items(text, at)]
    return texts


def row_text(row: Row) -> str:
    """Write a row on a line, without what a comparison has no use for, and what may be left out because it is empty."""
    content = replace(row, terms=(), baseline=None).to_dict()
    return json_text({name: value for name, value in content.items() if value or name not in OPTIONAL})


def document_text(texts: Mapping[Key, str], environments: Iterable[Mapping[str, str]]) -> str:
    """Put the rows' texts together, in an order in which a change shows where it belongs."""
    head = {"schema": SCHEMA, "environments": [dict(one) for one in environments]}
    start = "".join(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n" for key, value in head.items())
    body = ",".join(f"\n  {texts[key]}" for key in sorted(texts, key=_order))
    return f'{{\n{start} "rows": [{body}\n ],\n "not_run": []\n}}\n'


def versions_of(
    kept: Iterable[Row], before: Iterable[Mapping[str, str]], now: Iterable[Mapping[str, str]] = ()
) -> list[Mapping[str, str]]:
    """List the versions that rows were measured with, once each: this run's, and of those ``before`` what is in use.

    That is what has the torch of a row that is kept. Of several that differ in the build of their system alone, such as
    its kernel's, the last one stays.
    """
    torches = {row.device.torch for row in kept}
    in_use = [one for one in before if torches & {one.get("torch", ""), one.get("torch", "").partition("+")[0]}]
    return list({_apart_from_the_build(one): one for one in (*in_use, *now)}.values())


def _apart_from_the_build(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    system = environment.get("platform", "").partition("-")[0]
    return tuple(sorted({**environment, "platform": system}.items()))


def _order(key: Key) -> tuple[Any, ...]:
    """Sort rows by layer, case, metric."""
    model, implementation, attention, dtype, layer, case, metric, device = key
    return layer, case, metric, model, implementation, attention, dtype, device


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
