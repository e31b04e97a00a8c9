"""What ``dsocr cost`` prints for people: a line that says what was priced, then tables for 80 columns."""

from __future__ import annotations

import shutil
import textwrap
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from dsocr_cost.report import MISSING, count_text, flops_text, quantity

from .breakdown import ADDITIVE, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .breakdown import Item, Size

__all__ = ["breakdown_text", "heading", "stages_text"]

PIPE = (120, 24)
"""Columns and lines of what is no terminal."""

LABELS = {
    "tensor_flops": "tensor-core work",
    "cuda_flops": "CUDA-core work",
    "io_bytes": "read and written",
    "compulsory_bytes": "to be moved at least",
    "launches": "kernel launches",
    "weight_bytes": "weights",
    "activation_bytes": "activations, peak",
    "kv_cache_bytes": "KV cache, at end",
    "allocated_bytes": "allocated, peak",
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
    """Write each op under its layer, so that its own name is short; all names are whole."""
    cells = [_op(item) for item in items]
    nameless = _op_table(["", *row] for row in cells)[0]
    room = shutil.get_terminal_size(PIPE).columns - len(nameless) + nameless.index("kind") - 2
    lines: list[tuple[str, Item | None]] = []
    for layer, ops in groupby(items, key=lambda item: item.layer):
        members = [(_own_name(op), op) for op in ops]
        if members[0][0]:
            lines.append((layer, None))
        lines += _under(members, room, indent=2)
    named = [name for name, item in lines if item]
    heading, rule, *rows = _op_table([name, *row] for name, row in zip(named, cells, strict=True))
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


def _op_table(rows: Iterable[list[str]]) -> list[str]:
    headers = ["op", "kind", "batch x m x n x k", "FLOPs"]
    return _table([*rows], headers, ("left", "left", "left", "right")).splitlines()


def _op(item: Item) -> list[str]:
    sizes = " x ".join(_size(size) for size in item.matmul.values()) if item.matmul else ""
    flops = item.counts["tensor_flops"] + item.counts.get("cuda_flops", 0)  # the kind says which
    return [str(item.kind), sizes, flops_text(flops) if flops else MISSING]


def _size(size: Size) -> str:
    return str(size) if isinstance(size, int) else "..".join(str(end) for end in size)


def _counts(item: Item) -> list[str]:
    return [quantity(metric, item.counts.get(metric)) for metric in ADDITIVE]


def _table(rows: list[list[str]], headers: Sequence[str], alignment: Sequence[str] | None = None) -> str:
    columns = alignment or ("left", *["right"] * (len(headers) - 1))
    return tabulate(rows, headers, colalign=columns, disable_numparse=True, preserve_whitespace=True)
