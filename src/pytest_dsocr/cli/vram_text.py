"""The points of ``dsocr vram`` as a table for people, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from dsocr_cost.report import bytes_text, gigabytes, tera_flops

from .tables import fitting_table, paragraph
from .vram_points import VramPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsocr_cost.execution import Execution
    from dsocr_cost.workload import Workload

    from .card import Card

__all__ = ["csv_text", "json_text", "vram_text"]

SCHEMA = 1

COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("grid", "grid", lambda grid: "one view" if grid is None else str(grid)),
    ("image\ntokens", "image_tokens", str),
    ("batch", "batch", str),
    ("attention", "attention", str),
    ("tensor\nTFLOP", "tensor_flops", tera_flops),
    ("CUDA\nTFLOP", "cuda_flops", tera_flops),
    ("I/O\nGB", "io_bytes", gigabytes),
    ("KV\nGB", "kv_cache_bytes", gigabytes),
    ("activation\nGB", "activation_bytes", gigabytes),
    ("VRAM\nGB", "vram_bytes", gigabytes),
    ("peak\nin", "peak_stage", str),
    ("fits", "fits", lambda fits: "yes" if fits else "no"),
)

IN_THE_HEADING: dict[str, Callable[[Any], str]] = {
    "batch": "batch {}".format,
    "attention": "{} attention".format,
    "peak_stage": "peak in {}".format,
}
"""Columns that need not be there where they have one value, and how it reads."""

DISPENSABLE = ("CUDA\nTFLOP", "I/O\nGB", "tensor\nTFLOP", "KV\nGB")


def vram_text(
    points: Sequence[VramPoint], workload: Workload, execution: Execution, card: Card | None
) -> tuple[str, str]:
    """Write what all points share and a line a point, as wide as the terminal; say what is left out for that."""
    cells = {name: [getattr(point, name) for point in points] for _, name, _ in COLUMNS}
    same = {name for name in IN_THE_HEADING if len(set(cells[name])) == 1}
    gone = same if card else same | {"fits"}
    columns = [(head, [write(cell) for cell in cells[name]]) for head, name, write in COLUMNS if name not in gone]
    text, left_out = fitting_table(columns, DISPENSABLE)
    context = points[0].cuda_context_bytes
    said = [
        workload.mode.name if workload.mode else "",
        f"{workload.text_tokens} text tokens",
        f"decode steps {workload.decode_steps}",
        execution.implementation,
        execution.dtype,
        *(write(cells[name][0]) for name, write in IN_THE_HEADING.items() if name in same),
        f"weights {bytes_text(points[0].weight_bytes)}",
        "FLOP and I/O of vision and prefill",
    ]
    if card is None:
        said.append(f"CUDA context {bytes_text(context)}" if context else "without a CUDA context")
    lines = [*([] if card is None else [paragraph([str(card)])]), paragraph(said), "", text]
    return "\n".join(lines), left_out


def csv_text(points: Sequence[VramPoint]) -> str:
    """Write a row a point, every count in full; ``grid`` is empty for one view, ``fits`` without a card."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(VramPoint)]
    writer.writerow(names)
    writer.writerows([getattr(point, name) for name in names] for point in points)
    return text.getvalue()


def json_text(points: Sequence[VramPoint], workload: Workload, execution: Execution, card: Card | None) -> str:
    """Write what all points share, and the points, as ``vram.schema.json`` beside this module promises it."""
    mode: Any = workload.mode
    document = {
        "schema": SCHEMA,
        "card": card and card.document(),
        "mode": mode.name,
        "text_tokens": workload.text_tokens,
        "decode_steps": workload.decode_steps,
        "dtype": execution.dtype,
        "implementation": execution.implementation,
        "points": [asdict(point) | {"grid": point.grid and list(point.grid)} for point in points],
    }
    return json.dumps(document, indent=2) + "\n"
