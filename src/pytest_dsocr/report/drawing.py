"""Draws panels of series with matplotlib, an extra that is imported when the first figure is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = [
    "Pair",
    "Panel",
    "Picture",
    "Series",
    "draw_lines",
    "draw_pairs",
    "titled",
]

MOST_MARKERS = 14
LOG_FROM = 10
"""An axis is logarithmic where its largest figure is this many times its smallest."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line: one figure a point, and how it looks in matplotlib's words."""

    label: str
    figures: Sequence[float]
    style: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes: its unit, its series, what stands above it. ``log`` None takes what suits the figures."""

    unit: str
    series: Sequence[Series]
    title: str = ""
    log: bool | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """One file: panels side by side, on one scale of figures if ``share_y``."""

    name: str
    title: str
    panels: Sequence[Panel]
    share_y: bool = False


class Pair(NamedTuple):
    """What was predicted and measured at one point, and where it stands."""

    position: int
    label: str
    predicted: int
    measured: int


def draw_lines(picture: Picture, positions: Sequence[int], axis: str, about: str) -> Figure:
    """Draw a figure's panels side by side, and below its title what they are about."""
    panels = picture.panels
    figure, body = titled(picture.title, about, 7.2 if len(panels) == 1 else 1.2 + 4.2 * len(panels), 4.6)
    all_axes = body.subplots(1, len(panels), squeeze=False, sharey=picture.share_y)[0]
    wide = _spans(positions)
    marked = _spread(positions, wide)
    for axes, panel in zip(all_axes, panels, strict=True):
        for series in panel.series:
            axes.plot(positions, series.figures, label=series.label, markevery=marked, **series.style)
        axes.set_title(panel.title, fontsize=10)
        axes.set_xlabel(axis)
        if axes is all_axes[0] or not picture.share_y:
            axes.set_ylabel(panel.unit)
        figures = [figure for series in panel.series for figure in series.figures]
        _scale(axes, "x", wide, positions)
        _scale(axes, "y", panel.log or _spans(figures), figures)
        if len(panel.series) > 1 or not panel.title:
            axes.legend(frameon=False)
    return figure


def draw_pairs(panels: Mapping[str, Sequence[Pair]], axis: str, about: str) -> Figure:
    """Draw each stage's predicted and measured FLOPs, and their difference below."""
    from matplotlib.ticker import NullLocator

    figure, body = titled("Tensor FLOPs, predicted and measured", about, 1.2 + 4.4 * len(panels), 6.0)
    grid = body.subplots(2, len(panels), squeeze=False, sharex="col", height_ratios=[3, 1])
    for (above, below), (stage, pairs) in zip(grid.T, panels.items(), strict=True):
        positions = [pair.position for pair in pairs]
        wide = _spans(positions)
        marked = _spread(positions, wide)
        _draw_both(above, pairs, marked)
        _scale(above, "x", wide, positions)
        above.set_title(stage, fontsize=10)
        _draw_difference(below, pairs)
        places, labels = [positions[mark] for mark in marked], [pairs[mark].label for mark in marked]
        below.set_xticks(places, labels, rotation=90, fontsize=8)
        below.xaxis.set_minor_locator(NullLocator())
        below.set_xlabel(axis)
    grid[0, 0].set_ylabel("TFLOP")
    grid[1, 0].set_ylabel("difference (%)")
    return figure


def _draw_both(axes: Axes, pairs: Sequence[Pair], marked: Sequence[int]) -> None:
    """Draw what was predicted as a line and what was measured as rings; those apart from the line are all marked."""
    positions = [pair.position for pair in pairs]
    predicted, measured = [pair.predicted / 1e12 for pair in pairs], [pair.measured / 1e12 for pair in pairs]
    axes.plot(positions, predicted, color="#0072b2", marker=".", markevery=marked, label="predicted")
    rings: dict[str, Any] = {"linestyle": "", "marker": "o", "markerfacecolor": "none", "markersize": 8}
    axes.plot(
        positions, measured, color="#d55e00", markevery=sorted({*marked, *_off(pairs)}), label="measured", **rings
    )
    _scale(axes, "y", _spans([*predicted, *measured]), [*predicted, *measured])
    axes.legend(frameon=False)


def _draw_difference(axes: Axes, pairs: Sequence[Pair]) -> None:
    """Draw by how many percent each prediction is off, and say how many are exact."""
    from matplotlib.ticker import FuncFormatter

    positions, off = [pair.position for pair in pairs], _off(pairs)
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.plot(positions, list(map(_percent_off, pairs)), color="#000000", linestyle="", marker="x", markersize=5)
    axes.set_title(f"exact at {len(pairs) - len(off)} of {len(pairs)} points", fontsize=9)
    if off:
        axes.margins(y=0.25)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.3g}" if value else "0"))
    else:
        axes.set_ylim(-1, 1)
        axes.set_yticks([0])


def _off(pairs: Sequence[Pair]) -> list[int]:
    return [index for index, pair in enumerate(pairs) if pair.predicted != pair.measured]


def titled(title: str, about: str, width: float, height: float) -> tuple[Figure, SubFigure]:
    """Make a figure with a title and, small, a second line; axes go into what is below both."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontweight="bold")
    body: Any = figure.subfigures()
    body.suptitle(about, fontsize=8.5, color="#444444")
    return figure, body


def _percent_off(pair: Pair) -> float:
    """Give predicted - measured as a share of the measured; where that is 0, 0 or nothing to draw."""
    if not pair.measured:
        return float("nan") if pair.predicted else 0.0
    return 100 * (pair.predicted - pair.measured) / pair.measured


def _spans(figures: Sequence[float]) -> bool:
    """Tell whether figures lie so far apart that a linear axis would hide the small ones."""
    return min(figures) > 0 and max(figures) >= LOG_FROM * min(figures)


def _scale(axes: Axes, side: str, log: bool, figures: Sequence[float]) -> None:
    """Make an axis logarithmic, with plain numbers on it, or linear from 0."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = axes.xaxis if side == "x" else axes.yaxis
    if not log:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        if side == "y":
            axes.set_ylim(0, 1.08 * max(figures))
        return
    axes.set_xscale("log") if side == "x" else axes.set_yscale("log")
    decades = max(figures) / min(one for one in figures if one > 0)
    steps = (1.0, 2.0, 5.0) if decades < 3000 else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def _spread(positions: Sequence[int], log: bool) -> list[int]:
    """Pick the points that get a marker: all of a few; of many, some that lie apart, the first and the last too."""
    if len(positions) <= MOST_MARKERS:
        return list(range(len(positions)))
    places = [math.log(position) if log else float(position) for position in positions]
    least = (places[-1] - places[0]) / MOST_MARKERS
    chosen = [0]
    for index, place in enumerate(places):
        if place - places[chosen[-1]] >= least > 0:
            chosen.append(index)
    last = len(places) - 1
    if len(chosen) > 1 and places[last] - places[chosen[-1]] < least:
        chosen.pop()
    return [*chosen, last] if chosen[-1] != last else chosen
