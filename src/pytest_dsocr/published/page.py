"""The page that holds the published tables against this model and against fresh measurements."""

from __future__ import annotations

from ..errors import MeasurementError
from ..measure.flops import FlopMeasurer
from ..measure.formulas import FORMULAS
from ..reference.transformers import TransformersReference
from ..report.columns import github_table
from .layers import SETUPS, PublishedLayer, Setup, read_layers
from .rtx5090 import kernels_section
from .sweeps import sweeps_section
from .vram import vram_section

__all__ = ["gflops", "published_page"]

_INTRO = """\
# The published tables, row by row

Written by `make pages`; a test fails when it is out of date.

The public DeepSeek-OCR analytic performance report (2025-11-28) is what most people know of this model's cost. Each row
of its layer table is here beside ours: reproduced (equal in all five digits that were printed), or the true figure and
why it differs. After them, each row of its sweep and VRAM tables, with what explains it, and its kernel times.

## Layers

FLOPs of one call, multiply-adds as 2, batch 1.

- **published**: what the report measured, with torch's counter on the model's own code, and what its formula gave.
- **predicted**: `dsocr_cost` for that code (`vendor`, eager attention), on what the report measured.
- **measured here**: torch's counter on transformers' module of the same sizes, on the meta device. It differs from the
  prediction only by the rotary table, 128 FLOPs a position, which the vendor computes as a matmul in each layer.
- **in the model**: what the model runs where the report measured something else.
"""


def published_page() -> str:
    """Hold every row of the published tables against the prediction and against a measurement.

    Layers are measured now, the crop grids when ``--measure-grids`` last was given.
    """
    reference, measurer = TransformersReference(), FlopMeasurer(FORMULAS)
    rows: list[list[str]] = []
    notes: list[str] = []
    for published in read_layers():
        setup = SETUPS[published.name]
        subject = reference.subject(setup.layer, setup.case, device="meta", dtype="bfloat16", attention="eager")
        measurement = measurer.measure(subject, device="meta")
        if measurement.problem:
            raise MeasurementError(measurement.problem)
        mark = f"[{len(notes) + 1}]" if setup.why else ""
        if setup.why:
            notes.append(f"{len(notes) + 1}. `{published.name}`: {setup.why}.")
        rows.append(_row(published, setup, int(measurement.value), mark))
    headers = [
        "layer",
        "at",
        "published, measured (GFLOPs)",
        "published, formula (GFLOPs)",
        "predicted",
        "measured here",
        "in the model",
        "",
    ]
    table = github_table(headers, rows, "llrrrrrl")
    return "\n".join([_INTRO, table, "", *notes, "", sweeps_section(), vram_section(), kernels_section()])


def gflops(flops: int) -> str:
    """Write FLOPs as the report does: GFLOPs with five digits."""
    return f"{flops / 1e9:.4e}"


def _row(published: PublishedLayer, setup: Setup, measured: int, mark: str) -> list[str]:
    in_model = setup.predicted_in_model
    reproduced = gflops(setup.predicted) == published.measured_gflops
    return [
        f"`{published.name}`",
        setup.case.name,
        published.measured_gflops,
        published.analytic_gflops,
        f"{setup.predicted:,}",
        f"{measured:,}",
        "" if in_model is None else f"{in_model:,}",
        f"{'reproduced' if reproduced else 'differs'} {mark}".strip(),
    ]
