"""The state of every layer and of every crop grid."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ..compare import WORST_FIRST, Verdict
from .text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ..row import Row

__all__ = ["LayerMap", "LayerState", "State", "grid_of", "grid_states", "layer_map", "rows_link"]

_GRID = re.compile(r"(\d{1,4})x(\d{1,4})(?![\w.])", re.ASCII)


@dataclass(frozen=True, slots=True)
class State:
    """How many rows a place of a map stands for, how many of them are no pass, and the worst verdict of them."""

    count: int
    others: int
    worst: Verdict
    link: str
    said: str


@dataclass(frozen=True, slots=True)
class LayerState:
    """A line of the map of layers: a state for each metric, None where none was compared.

    ``group`` is what stands before the only dot of a layer's name, with it.
    """

    group: str
    name: str
    link: str
    states: tuple[State | None, ...]


@dataclass(frozen=True, slots=True)
class LayerMap:
    """The map of layers: families with how many metrics each has, the metrics, and a line a layer."""

    families: tuple[tuple[str, int], ...]
    metrics: tuple[str, ...]
    lines: tuple[LayerState, ...]


def grid_of(case: str) -> str:
    """Find the crop grid that a case begins with, as in ``2x3 prefill``; empty where it does not."""
    found = _GRID.match(case)
    return f"{int(found[1])}x{int(found[2])}" if found else ""


def rows_link(**names: str) -> str:
    """Address the table's rows that have these names."""
    return f"#rows?{urlencode({key: printable(name) for key, name in names.items()})}"


def layer_map(rows: Sequence[Row], labels: Mapping[str, str], families: Mapping[str, str]) -> LayerMap:
    """Map all layers; metrics of one family stand side by side."""
    found: defaultdict[str, defaultdict[str, list[Verdict]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row.layer][row.metric].append(row.verdict)
    metrics = _by_family({row.metric for row in rows}, labels, families)
    lines = [
        LayerState(
            *_split(layer),
            rows_link(layer=layer),
            tuple(
                _state(verdicts, f"{layer}, {labels.get(metric, metric)}", layer=layer, metric=metric)
                if (verdicts := found[layer].get(metric))
                else None
                for metric in metrics
            ),
        )
        for layer in sorted(found)
    ]
    spans = Counter(families.get(metric, "") for metric in metrics)
    return LayerMap(tuple(spans.items()), tuple(labels.get(name, name) for name in metrics), tuple(lines))


def _by_family(there: Collection[str], labels: Mapping[str, str], families: Mapping[str, str]) -> list[str]:
    """Order metrics as ``labels`` has them, those of a family after its first."""
    known = [name for name in labels if name in there] + sorted(name for name in there if name not in labels)
    order = list(dict.fromkeys(families.get(name, "") for name in known))
    return sorted(known, key=lambda name: order.index(families.get(name, "")))


def grid_states(rows: Iterable[Row]) -> tuple[tuple[str, State], ...]:
    """List the crop grids that rows of the whole model are on, those of the fewest crops first."""
    found: defaultdict[str, list[Verdict]] = defaultdict(list)
    for row in rows:
        if row.layer.startswith("model.") and (grid := grid_of(row.case)):
            found[grid].append(row.verdict)
    return tuple((grid, _state(found[grid], f"{grid} crops", grid=grid)) for grid in sorted(found, key=_crops))


def _split(layer: str) -> tuple[str, str]:
    group, dot, name = layer.rpartition(".") if layer.count(".") == 1 else ("", "", layer)
    return group + dot, name


def _crops(grid: str) -> tuple[int, int]:
    high, wide = map(int, grid.split("x"))
    return high * wide, high


def _state(verdicts: Sequence[Verdict], about: str, **names: str) -> State:
    worst = next(verdict for verdict in WORST_FIRST if verdict in verdicts)
    others = sum(verdict is not Verdict.PASS for verdict in verdicts)
    said = f"{about}: {len(verdicts):,} compared, {f'{others:,} no pass' if others else 'all pass'}"
    return State(len(verdicts), others, worst, rows_link(**names), printable(said))
