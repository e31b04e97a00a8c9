"""The points of ``dsocr sweep`` as a table for people, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from dsocr_cost.report import gigabytes, tera_flops

from ..sweep_points import COUNTS, STAGES
from .tables import fitting_table
from .targets import Targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsocr_cost.execution import Execution

    from ..sweep_points import SweepPoint

__all__ = ["csv_text", "json_text", "table_text"]

SCHEMA = 1

NO_TARGETS = Targets()

HEADS = {
    "ttft_flops_per_s": "TTFT\nTFLOP/s",
    "ttft_bytes_per_s": "TTFT\nGB/s",
    "tpot_flops_per_s": "TPOT\nTFLOP/s",
    "tpot_bytes_per_s": "TPOT\nGB/s",
}
UNITS = {"flops_per_s": 1e12, "bytes_per_s": 1e9}

SIZES = ("image_tokens", "context", "text_tokens", "decode_steps", "batch")

WHERE_THERE_IS_ROOM = (
    ("I/O\nGB", "io_bytes", gigabytes),
    ("activation\nGB", "activation_bytes", gigabytes),
    ("CUDA\nTFLOP", "cuda_flops", tera_flops),
)
"""Further columns, of the total, in the order in which they are left out last."""


def table_text(points: Sequence[SweepPoint], *, images: bool, targets: Targets = NO_TARGETS) -> tuple[str, str]:
    """Write a line a point, as wide as the terminal, and say what is left out for that.

    The label of a point without an image is its context. With targets, what those take stands before what is left out.
    """
    positions = [
        ("image\ntokens", [f"{point.image_tokens}" for point in points]),
        ("with\ntext", [f"{point.context}" for point in points]),
    ]
    columns = [
        ("grid" if images else "context", [point.label for point in points]),
        *(positions if images else ()),
        *(
            (f"{stage}\nTFLOP", [tera_flops(point.stages[stage]["tensor_flops"]) for point in points])
            for stage in STAGES
        ),
        ("KV\nGB", [gigabytes(point.stages["total"]["kv_cache_bytes"]) for point in points]),
    ]
    further = [
        (head, [write(point.stages["total"][count]) for point in points])
        for head, count, write in WHERE_THERE_IS_ROOM
        if any(point.stages["total"][count] is not None for point in points)
    ]
    required = [targets.required(point) for point in points]
    columns += [(HEADS[name], [f"{one[name] / UNITS[name[5:]]:,.3f}" for one in required]) for name in required[0]]
    return fitting_table([*columns, *further], [head for head, _ in reversed(further)])


def csv_text(points: Sequence[SweepPoint], targets: Targets = NO_TARGETS) -> str:
    """Write a row a point: its sizes, every count of every stage as ``stage_count``, what targets take.

    A field is empty for None.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    counts = [(stage, count) for stage in STAGES for count in COUNTS]
    further = targets.required(points[0])
    writer.writerow(["label", *SIZES, *(f"{stage}_{count}" for stage, count in counts), *further])
    for point in points:
        sizes = (getattr(point, size) for size in SIZES)
        priced = (point.stages[stage][count] for stage, count in counts)
        writer.writerow([point.label, *sizes, *priced, *targets.required(point).values()])
    return text.getvalue()


def json_text(
    points: Sequence[SweepPoint], mode: str | None, execution: Execution, targets: Targets = NO_TARGETS
) -> str:
    """Write what all points share, and the points; ``mode`` None for prompts without an image."""
    asked = {name: seconds for name, seconds in asdict(targets).items() if seconds is not None}
    document = {
        "schema": SCHEMA,
        "mode": mode,
        "dtype": execution.dtype,
        "implementation": execution.implementation,
        "attention": execution.attention,
        **({"targets": asked} if asked else {}),
        "points": [asdict(point) | ({"required": targets.required(point)} if asked else {}) for point in points],
    }
    return json.dumps(document, indent=2) + "\n"
