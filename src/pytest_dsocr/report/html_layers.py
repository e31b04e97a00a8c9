"""The state of every layer and of every crop grid, for the page's two maps."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ..compare import Verdict
from .text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..row import Row

__all__ = ["WORST_FIRST", "GridMap", "LayerState", "State", "grid_map", "grid_of", "layer_states", "rows_link"]

WORST_FIRST = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_RUN, Verdict.PASS)

MOST_SIDES = 64
"""Heights or widths of grids beyond which no map is drawn."""

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
    """A line of the map of layers: a state for each metric, None where none was compared."""

    layer: str
    link: str
    states: tuple[State | None, ...]


@dataclass(frozen=True, slots=True)
class GridMap:
    """The map of crop grids: heights downwards, widths across, and a state where a grid has rows."""

    widths: tuple[int, ...]
    lines: tuple[tuple[int, tuple[State | None, ...]], ...]
    count: int


def grid_of(case: str) -> str:
    """Find the crop grid that a case begins with, as in ``2x3 prefill``; empty where it does not."""
    found = _GRID.match(case)
    return f"{int(found[1])}x{int(found[2])}" if found else ""


def rows_link(**names: str) -> str:
    """Address the table's rows that have these names."""
    return f"#rows?{urlencode({key: printable(name) for key, name in names.items()})}"


def layer_states(rows: Sequence[Row], labels: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[LayerState, ...]]:
    """Map all layers: the heads of the columns, which are the metrics, and a line a layer."""
    found: defaultdict[str, defaultdict[str, list[Verdict]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row.layer][row.metric].append(row.verdict)
    there = {row.metric for row in rows}
    metrics = [name for name in labels if name in there] + sorted(there - labels.keys())
    lines = [
        LayerState(
            layer,
            rows_link(layer=layer),
            tuple(
                _state(found[layer][metric], f"{layer}, {labels.get(metric, metric)}", layer=layer, metric=metric)
                for metric in metrics
            ),
        )
        for layer in sorted(found)
    ]
    return tuple(labels.get(name, name) for name in metrics), tuple(lines)


def grid_map(rows: Iterable[Row]) -> GridMap | None:
    """Map all crop grids; None where cases name fewer than two, or too many for a map."""
    found: defaultdict[tuple[int, int], list[Verdict]] = defaultdict(list)
    for row in rows:
        if row.layer.startswith("model.") and (grid := grid_of(row.case)):
            high, wide = map(int, grid.split("x"))
            found[high, wide].append(row.verdict)
    heights, widths = (tuple(sorted({grid[axis] for grid in found})) for axis in (0, 1))
    if len(found) < 2 or max(len(heights), len(widths)) > MOST_SIDES:
        return None
    lines = tuple(
        (
            high,
            tuple(_state(found.get((high, wide), []), f"{high}x{wide} crops", grid=f"{high}x{wide}") for wide in widths),
        )
        for high in heights
    )
    return GridMap(widths, lines, len(found))


def _state(verdicts: Sequence[Verdict], about: str, **names: str) -> State | None:
    if not verdicts:
        return None
    worst = next(verdict for verdict in WORST_FIRST if verdict in verdicts)
    others = sum(verdict is not Verdict.PASS for verdict in verdicts)
    said = f"{about}: {len(verdicts):,} compared, {f'{others:,} no pass' if others else 'all pass'}"
    return State(len(verdicts), others, worst, rows_link(**names), printable(said))
