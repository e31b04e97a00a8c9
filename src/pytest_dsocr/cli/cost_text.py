"""What ``dsocr cost`` prints for people: a line that says what was priced, then tables for 80 columns."""

from __future__ import annotations

import shutil
import textwrap
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from dsocr_cost.report import MISSING, count_text, flops_text, quantity

from ..report.text import shorten
from .breakdown import ADDITIVE, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .breakdown import Item, Size

__all__ = ["breakdown_text", "heading", "stages_text"]

PIPE = (120, 24)
"""Columns and lines of what is no terminal."""

SHORTEST = 20
"""Columns that the name of an op keeps on a narrow terminal."""

LABELS = {
    "tensor_flops": "tensor-core work",
    "cuda_flops": "CUDA-core work",
    "io_bytes": "read and written",
    "launches": "kernel launches",
    "weight_bytes": "weights",
    "activation_bytes": "activations, peak",
    "kv_cache_bytes": "KV cache, at end",
    "latency_s": "time",
}
SHORT = {"tensor_flops": "tensor", "cuda_flops": "CUDA", "io_bytes": "I/O", "launches": "launches"}
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
        f"{count_text(document['parameters'])} parameters",
    ]
    return textwrap.fill(", ".join(said), width=max(40, shutil.get_terminal_size(PIPE).columns - 1))


def stages_text(stages: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the stages side by side, a metric a line."""
    rows = [
        [label, *(quantity(metric, stage[metric]) for stage in stages.values())] for metric, label in LABELS.items()
    ]
    return _table(rows, ["", *stages])


def breakdown_text(items: Sequence[Item]) -> Iterator[str]:
    """Write a table for each part of the run: the crops, the global view, prefill, decode."""
    for (stage, view), part in groupby(items, key=lambda item: (item.stage, item.view)):
        title = VIEWS.get(view, stage)
        members = list(part)
        yield f"{title}\n{_ops(members) if members[0].kind else _layers(members)}"


def _layers(items: Sequence[Item]) -> str:
    rows = [[item.layer, *_counts(item)] for item in items]
    return _table(rows, ["layer", *SHORT.values()])


def _ops(items: Sequence[Item]) -> str:
    """Write each op under its layer, so that its own name is short."""
    rows: list[list[str]] = []
    for layer, ops in groupby(items, key=lambda item: item.layer):
        members = list(ops)
        if [op.path for op in members] != [layer]:
            rows.append([layer, "", "", ""])
        rows += [_op(op, layer) for op in members]
    too_wide = len(_op_table(rows).partition("\n")[0]) - shutil.get_terminal_size(PIPE).columns
    if too_wide > 0:
        longest = max(len(name) for name, *_ in rows)
        rows = [[shorten(name, max(longest - too_wide, SHORTEST)), *cells] for name, *cells in rows]
    return _op_table(rows)


def _op_table(rows: list[list[str]]) -> str:
    return _table(rows, ["op", "kind", "batch x m x n x k", "FLOPs"], ("left", "left", "left", "right"))


def _op(item: Item, layer: str) -> list[str]:
    own = item.path.removeprefix(layer.removesuffix(OTHER)).removeprefix(".")
    name = f"  {own}" if own else layer
    sizes = " x ".join(_size(size) for size in item.matmul.values()) if item.matmul else ""
    flops = item.counts["tensor_flops"] + item.counts.get("cuda_flops", 0)  # the kind says which
    return [name, str(item.kind), sizes, flops_text(flops) if flops else MISSING]


def _size(size: Size) -> str:
    return str(size) if isinstance(size, int) else "..".join(str(end) for end in size)


def _counts(item: Item) -> list[str]:
    return [quantity(metric, item.counts.get(metric)) for metric in ADDITIVE]


def _table(rows: list[list[str]], headers: Sequence[str], alignment: Sequence[str] | None = None) -> str:
    columns = alignment or ("left", *["right"] * (len(headers) - 1))
    return tabulate(rows, headers, colalign=columns, disable_numparse=True, preserve_whitespace=True)
