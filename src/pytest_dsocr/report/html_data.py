"""What the page's script works on: all rows as columns of numbers that point into tables, each text once."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from dsocr_cost import DsocrError
from dsocr_cost.device import find_device, known_devices

from .html_layers import grid_of
from .text import printable

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from dsocr_cost.device import Device as Card

    from ..results import Results
    from ..row import Device, Row, Term

__all__ = ["embedded", "report_data"]

MOST_EXACT = 2**53
"""Up to here a number of the page's script holds every whole number."""

MOST_WRITTEN = 1e21
"""From here on a float is written with an exponent, as it is in a terminal."""

USUAL_CARD = "RTX 5090"
"""Whose roofs are drawn where the rows were measured on no card that is known."""

_TEXTS = ("model", "implementation", "attention", "dtype", "layer", "case", "metric", "rule", "because", "reason")
_MORE_TEXTS = ("test", "source", "notes")
_FIGURES = ("predicted", "measured", "relative_difference", "spread", "rtol")


class _Table:
    """Keeps each value once, and tells where it stands."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[Hashable, int] = {}

    def place(self, key: Hashable, value: Any) -> int:
        """Tell where the value of this key stands; it is put at the end where it is new."""
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = len(self.values)
            self.values.append(value)
        return found


class _Texts(_Table):
    """Keeps each text once, and in a form that moves no cursor and turns no line around."""

    def at(self, text: str) -> int:
        found = self._places.get(text)
        return self.place(text, printable(text)) if found is None else found


def report_data(results: Results, labels: Mapping[str, str]) -> dict[str, Any]:
    """Gather what the page's script needs.

    A column is a list with a value a row, or ``{"all": value}`` where all rows have the same. Texts are places in
    ``texts``, sizes and devices in tables of their own; whole numbers that a script cannot hold are strings.
    """
    rows = results.rows
    metrics = dict.fromkeys(row.metric for row in rows)
    texts, sizes, devices, shapes = _Texts(), _Table(), _Table(), _Table()
    columns: dict[str, Any] = {
        name: _column([texts.at(getattr(row, name)) for row in rows]) for name in (*_TEXTS, *_MORE_TEXTS)
    }
    columns |= {name: _column([_number(getattr(row, name)) for row in rows]) for name in _FIGURES}
    columns |= {
        "verdict": _column([texts.at(str(row.verdict)) for row in rows]),
        "grid": _column([texts.at(grid_of(row.case)) for row in rows]),
        "device": _column([devices.place(row.device, _device(row.device, texts)) for row in rows]),
        "sizes": _column(
            [
                sizes.place(tuple(row.sizes.items()), {printable(k): _number(v) for k, v in row.sizes.items()})
                for row in rows
            ]
        ),
        "details": _column([{printable(k): _number(v) for k, v in row.details.items()} or None for row in rows]),
        "band": _column([[_number(end) for end in row.band] if row.band else None for row in rows]),
        "samples": _column([[_number(one) for one in row.samples] or None for row in rows]),
        "baseline": _column([_standing(row, texts) for row in rows]),
        "terms": _column([_terms(row.terms, texts, shapes) for row in rows]),
    }
    return {
        "count": len(rows),
        "columns": columns,
        "texts": texts.values,
        "sizes": sizes.values,
        "devices": devices.values,
        "shapes": shapes.values,
        "labels": {printable(name): printable(labels.get(name, name)) for name in metrics},
        "cards": [_card(card) for card in known_devices()],
        "card": _measured_card(rows) or USUAL_CARD,
    }


def embedded(data: Mapping[str, Any]) -> str:
    """Write JSON that can stand within a script element: no character of it ends the element or a line."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _column(values: list[Any]) -> Any:
    first = values[0] if values else None
    return {"all": first} if all(value == first for value in values) else values


def _number(value: float | None) -> Any:
    """Write a figure: a string for what the script cannot hold, and of a float no more digits than count."""
    if value is None:
        return None
    if not isinstance(value, int):
        if not math.isfinite(value):
            return str(value)
        if not value.is_integer() or abs(value) >= MOST_WRITTEN:
            return float(f"{value:.12g}")
        value = int(value)
    return value if abs(value) < MOST_EXACT else str(value)


def _device(device: Device, texts: _Texts) -> dict[str, Any]:
    return {"type": printable(device.type), "said": texts.at(str(device))}


def _standing(row: Row, texts: _Texts) -> list[Any] | None:
    """Write change, stored figure, relative change, p-value, file and reason."""
    stored = row.baseline
    if stored is None:
        return None
    return [
        texts.at(str(stored.change)),
        *(_number(one) for one in (stored.measured, stored.relative_change, stored.p_value)),
        texts.at(stored.source),
        texts.at(stored.reason),
    ]


def _terms(terms: Sequence[Term], texts: _Texts, shapes: _Table) -> list[Any] | None:
    """Write which list of ops it is, then their figures; those counted only where they are not those predicted.

    The same ops run at each size of a layer, so a list of ops stands once: op, kind, launches, call, calls.
    """
    if not terms:
        return None
    shape = [[texts.at(one.op), texts.at(one.kind), one.launches, texts.at(one.call), one.calls] for one in terms]
    predicted, measured = ([_number(getattr(one, side)) for one in terms] for side in ("predicted", "measured"))
    place = shapes.place(tuple(map(tuple, shape)), shape)
    return [place, predicted] if predicted == measured else [place, predicted, measured]


def _card(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "peaks": {
            "bfloat16": card.bf16_flops_per_s,
            "float16": card.fp16_flops_per_s,
            "float32": card.fp32_flops_per_s,
        },
        "bandwidth": card.bandwidth_bytes_per_s,
        "source": "; ".join(dict.fromkeys(filter(None, (card.peaks_source, card.bandwidth_source)))),
    }


def _measured_card(rows: Sequence[Row]) -> str:
    """Name the first card that rows were measured on and whose figures are known."""
    for name in dict.fromkeys(row.device.name for row in rows if row.device.type == "cuda"):
        try:
            return find_device(name).name
        except DsocrError:
            continue
    return ""
