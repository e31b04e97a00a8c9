"""What ``dsocr cost`` prints for people: a line that says what was priced, then tables for 80 columns."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from dsocr_cost.report import MISSING, count_text, flops_text, quantity, seconds_text

from ..metrics import LABELS
from .breakdown import OTHER
from .tables import fitting_table, paragraph, table, terminal_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .breakdown import Item, Size

__all__ = ["breakdown_text", "heading", "stages_text"]

METRICS = (
    "tensor_flops",
    "cuda_flops",
    "io_bytes",
    "compulsory_bytes",
    "launches",
    "weight_bytes",
    "activation_bytes",
    "kv_cache_bytes",
    "allocated_bytes",
    "latency_s",
)
"""What has a line, in the order of the lines."""

LATENCY = LABELS["latency_s"]
ENDS = {"latency_low_s": f"{LATENCY}, least", "latency_high_s": f"{LATENCY}, most"}
SHORT = {count: LABELS[count].replace(" ", "\n") for count in ("tensor_flops", "cuda_flops", "io_bytes", "launches")}
OPS = ("kind", "batch x m x n x k", "FLOPs")
TIMED = (LATENCY, "bound")
NAME_ROOM = 22
"""Columns for the name of an op, below which others give way to its time."""

GIVE_WAY = ("kind", "FLOPs")
VIEWS = {"crops": "vision, all crops", "global": "vision, global view", "layout": "vision, layout of the tokens"}


def heading(document: Mapping[str, Any]) -> str:
    """Say what was priced."""
    asked = document["workload"]
    grid = "x".join(str(side) for side in asked["grid"]) if asked["grid"] else ""
    said = [
        asked["mode"],
        f"{grid} crops and a global view" if grid else "one view",
        f"context {asked['context']} ({asked['image_tokens']} image + {asked['text_tokens']} text tokens)",
        f"decode steps {asked['decode_steps']}",
        f"batch {asked['batch']}",
        asked["implementation"],
        f"{asked['attention']} attention",
        asked["dtype"],
        f"{count_text(document['params'])} parameters",
    ]
    return paragraph(said)


def stages_text(stages: Mapping[str, Mapping[str, Any]], latency: Mapping[str, Any] | None = None) -> str:
    """Write the stages side by side, a metric a line, and below where the times come from."""
    rows = [[LABELS[metric], *(quantity(metric, stage[metric]) for stage in stages.values())] for metric in METRICS]
    if latency is None:
        return _table(rows, ["", *stages])
    timed = latency["stages"].values()
    rows += [[label, *(seconds_text(stage[end]) for stage in timed)] for end, label in ENDS.items()]
    rows += [["MFU", *(MISSING if stage["mfu"] is None else f"{stage['mfu']:.2%}" for stage in timed)]]
    return f"{_table(rows, ['', *stages])}\n\n{_time(latency)}"


def _time(latency: Mapping[str, Any]) -> str:
    first, each = (latency[name] for name in ("time_to_first_token", "time_per_output_token"))
    said = [
        f"time to first token {_with_band(first)}",
        f"time per output token {_with_band(each)}",
        f"on {latency['machine']}",
        f"{latency['launch']} launch",
        f"times and bands: {latency['source']}",
        f"MFU is of {latency['peak_flops_per_s'] / 1e12:,.4g} TFLOP/s",
    ]
    return paragraph(said)


def _with_band(time: Mapping[str, float]) -> str:
    low, high = (seconds_text(time[end]) for end in ENDS)
    return f"{seconds_text(time['latency_s'])} ({low} to {high})"


def breakdown_text(items: Sequence[Item]) -> Iterator[str]:
    """Write a table for each part of the run: the crops, the global view, prefill, decode."""
    for (stage, view), part in groupby(items, key=lambda item: (item.stage, item.view)):
        title = VIEWS.get(view, stage)
        members = list(part)
        yield f"{title}\n{_ops(members) if members[0].kind else _layers(members)}"


def _layers(items: Sequence[Item]) -> str:
    """Write a line a layer; where time leaves no room, without CUDA cores and launches."""
    columns = [("layer", [item.layer for item in items])]
    columns += [(head, [quantity(count, item.counts.get(count)) for item in items]) for count, head in SHORT.items()]
    if items[0].seconds is None:
        return table(columns)
    columns += [(head, [_timed(item)[at] for item in items]) for at, head in enumerate(TIMED)]
    return fitting_table(columns, [SHORT["launches"], SHORT["cuda_flops"]])[0]


def _ops(items: Sequence[Item]) -> str:
    """Write each op under its layer, so that its own name is short; all names are whole."""
    cells = [_op(item) for item in items]
    room = _room(cells)
    for head in GIVE_WAY if items[0].seconds is not None else ():
        if room < NAME_ROOM:
            cells = [{name: cell for name, cell in row.items() if name != head} for row in cells]
            room = _room(cells)
    lines: list[tuple[str, Item | None]] = []
    for layer, ops in groupby(items, key=lambda item: item.layer):
        members = [(_own_name(op), op) for op in ops]
        if members[0][0]:
            lines.append((layer, None))
        lines += _under(members, room, indent=2)
    named = [name for name, item in lines if item]
    heading, rule, *rows = _op_table([{"op": name} | row for name, row in zip(named, cells, strict=True)])
    body = iter(rows)
    return "\n".join([heading, rule, *(next(body) if item else name for name, item in lines)])


def _under(ops: Sequence[tuple[str, Item]], room: int, indent: int) -> Iterator[tuple[str, Item | None]]:
    """Indent names; those that the room cannot hold stand under a line with what they have in common."""
    for head, run in groupby(ops, key=lambda op: op[0].partition(".")[0] if "." in op[0] else ""):
        members = list(run)
        if head and indent + max(len(name) for name, _ in members) > room:
            yield " " * indent + head, None
            yield from _under([(name.partition(".")[2], item) for name, item in members], room, indent + 2)
        else:
            yield from ((" " * indent + name if name else item.layer, item) for name, item in members)


def _own_name(item: Item) -> str:
    """Name an op inside its layer; nothing for a layer that is one op."""
    return item.path.removeprefix(item.layer.removesuffix(OTHER)).removeprefix(".")


def _op_table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    sides = ["right" if head in ("FLOPs", LATENCY) else "left" for head in rows[0]]
    return _table([[*row.values()] for row in rows], [*rows[0]], sides).splitlines()


def _room(rows: Sequence[Mapping[str, str]]) -> int:
    """Count the columns that are left for names, beside the space behind them."""
    return terminal_columns() - len(_op_table(rows)[1]) - 2


def _op(item: Item) -> dict[str, str]:
    sizes = " x ".join(_size(size) for size in item.matmul.values()) if item.matmul else ""
    flops = item.counts["tensor_flops"] + item.counts.get("cuda_flops", 0)  # the kind says which
    cells = [str(item.kind), sizes, flops_text(flops) if flops else MISSING]
    timed = {} if item.seconds is None else dict(zip(TIMED, _timed(item), strict=True))
    return dict(zip(OPS, cells, strict=True)) | timed


def _timed(item: Item) -> list[str]:
    return [seconds_text(item.seconds or None), item.bound or ""]


def _size(size: Size) -> str:
    return str(size) if isinstance(size, int) else "..".join(str(end) for end in size)


def _table(rows: list[list[str]], headers: Sequence[str], alignment: Sequence[str] | None = None) -> str:
    columns = alignment or ("left", *["right"] * (len(headers) - 1))
    return tabulate(rows, headers, colalign=columns, disable_numparse=True, preserve_whitespace=True)
