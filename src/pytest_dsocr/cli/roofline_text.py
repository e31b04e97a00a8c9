"""Layers under a machine's roofs, gathered by class, and as a table for people."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from dsocr_cost.execution import ITEM_BYTES
from dsocr_cost.report import MISSING, bytes_text, flops_text, seconds_text

from ..report.roofline import Dot, roof
from .tables import fitting_table, paragraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dsocr_cost.efficiency import Machine
    from dsocr_cost.execution import Execution
    from dsocr_cost.workload import Workload

    from .breakdown import Item
    from .speed import Speed

__all__ = ["about", "dots_of", "roofline_text"]

DISPENSABLE = ("I/O\nbytes", "FLOPs", "of roof")
"""Columns that a narrow terminal goes without, the first one first."""


def dots_of(items: Iterable[Item]) -> list[Dot]:
    """Gather the ops of a run by stage and class of layer; in a stage those that take most time come first."""
    classes: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        classes.setdefault((item.stage, item.site.split(".")[1]), []).append(item)
    dots = [_dot(stage, name, members) for (stage, name), members in classes.items()]
    order = {stage: place for place, stage in enumerate(dict.fromkeys(dot.stage for dot in dots))}
    return sorted((dot for dot in dots if dot.seconds), key=lambda dot: (order[dot.stage], -dot.seconds))


def roofline_text(dots: Sequence[Dot], workload: Workload, speed: Speed, execution: Execution) -> str:
    """Say what was priced, write a line a class of layers, and below the roofs and where all this comes from."""
    machine, size = speed.profile.machine, ITEM_BYTES[execution.dtype]
    seconds = {stage: sum(dot.seconds for dot in run) for stage, run in groupby(dots, key=lambda dot: dot.stage)}
    columns = [
        ("stage    layer", [f"{dot.stage:7}  {dot.name}" for dot in dots]),
        ("FLOPs", [flops_text(dot.flops) for dot in dots]),
        ("I/O\nbytes", [bytes_text(dot.io_bytes) for dot in dots]),
        ("FLOP\n/ B", [_figure(dot.intensity) for dot in dots]),
        ("latency", [seconds_text(dot.seconds) for dot in dots]),
        ("share", [f"{dot.seconds / seconds[dot.stage]:.1%}" for dot in dots]),
        ("TFLOP\n/ s", [_figure(dot.flops_per_s and dot.flops_per_s / 1e12) for dot in dots]),
        ("of roof", [_of_roof(dot, machine, size) for dot in dots]),
        ("bound", [dot.bound for dot in dots]),
    ]
    text, left_out = fitting_table(columns, DISPENSABLE, elsewhere="a wider terminal has them")
    said = [paragraph([about(workload, speed, execution)]), text, paragraph(_roofs(speed, size)), left_out]
    return "\n\n".join(filter(None, said))


def about(workload: Workload, speed: Speed, execution: Execution) -> str:
    """Say in a line what ran, and how."""
    mode = workload.mode.name if workload.mode else "no image"
    return ", ".join(
        [
            mode if workload.grid is None else f"{mode} {workload.grid}",
            f"{workload.text_tokens} text tokens",
            f"{workload.decode_steps} decode steps",
            f"batch {workload.batch}",
            execution.implementation,
            f"{execution.attention} attention",
            execution.dtype,
            f"{speed.launch} launch",
        ]
    )


def _roofs(speed: Speed, item_bytes: int) -> Iterator[str]:
    machine = speed.profile.machine
    peak, memory, cache = (
        machine.flops_per_s[item_bytes],
        machine.bandwidth_bytes_per_s,
        machine.cache_bandwidth_bytes_per_s,
    )
    yield f"{machine.name}: {peak / 1e12:,.4g} TFLOP/s in {8 * item_bytes} bits"
    yield f"{memory / 1e9:,.4g} GB/s from memory (the roofs meet at {peak / memory:,.4g} FLOP/byte)"
    yield f"{cache / 1e9:,.4g} GB/s from cache (at {peak / cache:,.4g})"
    yield f"times: {speed.profile.source}"


def _dot(stage: str, name: str, items: Sequence[Item]) -> Dot:
    by_bound: dict[str, float] = {}
    for item in items:
        by_bound[item.bound or ""] = by_bound.get(item.bound or "", 0.0) + (item.seconds or 0.0)
    flops = sum(item.counts["tensor_flops"] + item.counts["cuda_flops"] for item in items)
    moved = sum(item.counts["io_bytes"] for item in items)
    return Dot(stage, name, flops, moved, sum(by_bound.values()), max(by_bound, key=by_bound.__getitem__))


def _of_roof(dot: Dot, machine: Machine, item_bytes: int) -> str:
    if not dot.intensity or not dot.flops_per_s:
        return MISSING
    return f"{dot.flops_per_s / roof(machine, dot.intensity, item_bytes):.0%}"


def _figure(value: float | None) -> str:
    return MISSING if not value else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
