"""Draws layers under a machine's roofs: FLOPs a byte against FLOPs a second, larger where more time goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .drawing import titled
from .figure_files import write_figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dsocr_cost.efficiency import Machine

__all__ = ["Dot", "draw_roofline", "roof", "roofline_plot"]

LEAST_INTENSITY = 0.01
"""FLOPs a byte below which a layer is listed, not drawn: it only moves bytes."""

LEAST_SHARE = 0.01
"""Of the time of a stage, below which a layer is drawn without a number."""

_BOUNDS: dict[str, dict[str, Any]] = {
    "compute": {"color": "#0072b2", "marker": "o"},
    "memory": {"color": "#d55e00", "marker": "s"},
    "fixed": {"color": "#2a7d4f", "marker": "^"},
    "host": {"color": "#777777", "marker": "D"},
}
_SAID = {"compute": "compute", "memory": "memory", "fixed": "least time of a kernel", "host": "launches of the host"}
_ROOFS: tuple[dict[str, Any], ...] = (
    {"color": "#000000", "linestyle": "-"},
    {"color": "#000000", "linestyle": "--"},
    {"color": "#000000", "linestyle": ":"},
    {"color": "#000000", "linestyle": "-."},
)
_AREA, _MOST_AREA = 24.0, 700.0  # of a marker, in square points
_LABEL = 5.0  # half a number's height and width, in points
_AROUND = ((0, 0), (1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1.4), (0, -1.4), (1.4, 0), (-1.4, 0))


@dataclass(frozen=True, slots=True)
class Dot:
    """Layers of one class in one stage: FLOPs of all cores, bytes and seconds in all, and what takes most of those."""

    stage: str
    name: str
    flops: int
    io_bytes: int
    seconds: float
    bound: str

    @property
    def intensity(self) -> float | None:
        """FLOPs a byte; None where no byte moves."""
        return self.flops / self.io_bytes if self.io_bytes else None

    @property
    def drawn(self) -> bool:
        """Whether it has a place under the roofs."""
        return bool(self.seconds and self.intensity and self.intensity >= LEAST_INTENSITY)

    @property
    def flops_per_s(self) -> float | None:
        """What it attains; None where it takes no time."""
        return self.flops / self.seconds if self.seconds else None


class _Roof(NamedTuple):
    label: str
    peak: float
    slope: float


def roof(machine: Machine, intensity: float, item_bytes: int) -> float:
    """Tell the FLOP/s that no layer of this intensity exceeds that reads from memory."""
    return float(min(machine.flops_per_s[item_bytes], intensity * machine.bandwidth_bytes_per_s))


def roofline_plot(dots: Sequence[Dot], machine: Machine, about: str, path: Path) -> None:
    """Draw layers under the roofs of a machine into one SVG or PNG.

    Raises:
        PlotError: matplotlib is missing.
        ResultsError: the file cannot be written.
    """
    write_figure(path, lambda: draw_roofline(dots, machine, about))


def draw_roofline(dots: Sequence[Dot], machine: Machine, about: str) -> Figure:
    """Draw a panel a stage, and below it the names of its numbers."""
    stages = _by_stage(dots)
    figure, body = titled(f"Roofline: {machine.name}", about, 1.2 + 3.6 * len(stages), 6.6)
    grid = body.subplots(2, len(stages), squeeze=False, height_ratios=[2, 1])
    spans = _spans([dot for dot in dots if dot.drawn], machine)
    for (axes, names), (stage, members) in zip(grid.T, stages.items(), strict=True):
        _panel(axes, members, machine, spans)
        axes.set_title(stage, fontsize=10)
        axes.set_xlabel("FLOP / byte")
        names.set_axis_off()
        names.text(0, 1, _names(members), va="top", fontsize=7.5, family="monospace", transform=names.transAxes)
    grid[0, 0].set_ylabel("FLOP / s")
    _legend(figure, machine)
    figure.draw_without_rendering()  # from here on places in points are known
    for axes, members in zip(grid[0], stages.values(), strict=True):
        _number(axes, members)
    return figure


def _by_stage(dots: Sequence[Dot]) -> dict[str, list[Dot]]:
    """Gather the layers of each stage, those that take most time first."""
    stages: dict[str, list[Dot]] = {}
    for dot in sorted(dots, key=lambda dot: -dot.seconds):
        stages.setdefault(dot.stage, []).append(dot)
    return {stage: stages[stage] for stage in dict.fromkeys(dot.stage for dot in dots)}


def _seconds(dots: Sequence[Dot]) -> float:
    return sum(dot.seconds for dot in dots)


def _roofs(machine: Machine) -> Iterator[_Roof]:
    for size, peak in sorted(machine.flops_per_s.items()):
        yield _Roof(f"{peak / 1e12:,.4g} TFLOP/s in {8 * size} bits", peak, float("inf"))
    highest = max(machine.flops_per_s.values())
    memory, cache = machine.bandwidth_bytes_per_s, machine.cache_bandwidth_bytes_per_s
    yield _Roof(f"{memory / 1e9:,.4g} GB/s from memory", highest, memory)
    if cache > memory:
        yield _Roof(f"{cache / 1e9:,.4g} GB/s from cache", highest, cache)


def _spans(dots: Sequence[Dot], machine: Machine) -> tuple[tuple[float, float], tuple[float, float]]:
    """Find limits of both axes that hold all layers, the highest roof and the ridge."""
    highest = max(machine.flops_per_s.values())
    across = [dot.flops / dot.io_bytes for dot in dots] + [highest / machine.bandwidth_bytes_per_s]
    up = [dot.flops / dot.seconds for dot in dots] + [highest]
    return (min(across) / 3, max(across) * 3), (min(up) / 3, highest * 3)


def _panel(axes: Axes, dots: Sequence[Dot], machine: Machine, spans: Any) -> None:
    (left, right), (low, high) = spans
    everything = _seconds(dots)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    for one, style in zip(_roofs(machine), _ROOFS, strict=False):
        if one.slope == float("inf"):
            axes.plot([left, right], [one.peak, one.peak], linewidth=1, **style)
        else:
            ends = [left, one.peak / one.slope]
            axes.plot(ends, [end * one.slope for end in ends], linewidth=1, **style)
    for dot in dots:
        if dot.drawn:
            look: dict[str, Any] = {
                "s": _area(dot, everything),
                "alpha": 0.75,
                "linewidths": 0.5,
                "edgecolors": "white",
            }
            axes.scatter(dot.intensity or 0.0, dot.flops_per_s or 0.0, **look, **_BOUNDS[dot.bound])


def _area(dot: Dot, everything: float) -> float:
    return _AREA + _MOST_AREA * dot.seconds / everything


def _numbered(dots: Sequence[Dot]) -> list[Dot]:
    everything = _seconds(dots)
    return [dot for dot in dots if dot.seconds >= LEAST_SHARE * everything]


def _names(dots: Sequence[Dot]) -> str:
    """List the layers by number, and sum up the rest."""
    numbered, everything = _numbered(dots), _seconds(dots)
    lines = [
        f"{number:2} {dot.name[:23]:23} {dot.seconds / everything:4.0%} {dot.bound}{'' if dot.drawn else ', not drawn'}"
        for number, dot in enumerate(numbered, start=1)
    ]
    rest = everything - _seconds(numbered)
    if len(dots) > len(numbered):
        lines.append(f"   {f'{len(dots) - len(numbered)} more':23} {rest / everything:4.1%}")
    return "\n".join(lines)


def _number(axes: Axes, dots: Sequence[Dot]) -> None:
    """Write each number where it covers neither another one nor the middle of another marker."""
    scale, everything = 72 / axes.figure.dpi, _seconds(dots)
    places = {dot.name: _place(axes, dot, scale) for dot in dots if dot.drawn}
    taken: list[tuple[float, float]] = []
    for number, dot in enumerate(_numbered(dots), start=1):
        if dot.name not in places:
            continue
        x, y = places[dot.name]
        reach = (_area(dot, everything) ** 0.5) / 2 + _LABEL
        others = [place for name, place in places.items() if name != dot.name] + taken
        inside = reach > 3 * _LABEL
        offsets = [
            (right * far * reach, up * far * reach) for far in (1.0, 1.8, 2.6, 3.4, 4.2, 5.0) for right, up in _AROUND
        ]
        free = [
            (right, up)
            for right, up in offsets
            if ((right, up) != (0, 0) or inside) and all(_apart((x + right, y + up), other) for other in others)
        ]
        right, up = free[0] if free else offsets[1]
        taken.append((x + right, y + up))
        far = (right, up) != (0, 0)
        axes.annotate(
            str(number),
            (dot.intensity or 1, dot.flops_per_s or 1),
            (right, up),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8,
            fontweight="bold",
            color="black" if far else "white",
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "#888888"} if far else None,
        ).set_in_layout(False)


def _place(axes: Axes, dot: Dot, scale: float) -> tuple[float, float]:
    x, y = axes.transData.transform((dot.intensity or 1, dot.flops_per_s or 1))
    return float(x) * scale, float(y) * scale


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) > 2 * _LABEL or abs(one[1] - other[1]) > 2 * _LABEL


def _legend(figure: Figure, machine: Machine) -> None:
    from matplotlib.lines import Line2D

    roofs = [
        Line2D([], [], label=one.label, linewidth=1, **style)
        for one, style in zip(_roofs(machine), _ROOFS, strict=False)
    ]
    bounds = [Line2D([], [], linestyle="", label=_SAID[name], **style) for name, style in _BOUNDS.items()]
    figure.legend(handles=[*roofs, *bounds], loc="outside lower center", ncols=4, frameon=False, fontsize=8)
