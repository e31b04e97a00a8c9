"""The page's part on the sweep tables: each grid as published, as priced here, as measured, and what explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsocr_cost.sweep import evaluate

from ..errors import MeasurementError
from ..report.columns import github_table
from .formula import decode_flops, prefill_flops, vision_flops
from .grids import DECODE_STEPS, TEXT_TOKENS, PublishedGrid, read_grids, read_required
from .measured import ALL_STEPS_ON, read_measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .measured import MeasuredGrid

__all__ = ["GridRow", "GridTables", "as_printed", "grid_rows", "sweeps_section"]

TTFT_S, TPOT_S = 1.0, 0.05

_INTRO = """\
## Sweeps: 90 crop grids

One page in Gundam mode, a 1024 view and HIGH x WIDE crops of 640, then {text} tokens of text; batch 1.

- **published**: what the report's formula gave, in TFLOPs (1e12), with all digits that were printed.
- **ours**: `dsocr_cost`, FLOPs in full, for transformers' modules. The vendor's rotary table would add 1,536 FLOPs a
  position (12 layers x 128).
- **measured**: torch's counter on transformers' modules on meta, put together to the whole model; torch {torch},
  transformers {transformers}. `python -m pytest_dsocr.published --measure-grids` measures all {grids} grids anew.
- **measured - ours**: {exact} of the {compared} figures below are equal.
- **report**: by how much the published figure is above the measured one.

### What explains the difference

The report does not show its formula. This model with four changes gives each of its {compared} figures **to the last of
the 7 printed digits**, so these are what its formula does, whatever its code looks like. They stand in
`pytest_dsocr.published.formula`, and a test holds them against the tables.

1. *Projector, tokens.* Each crop is charged for the tokens of **all** crops, newlines among them: HW x 10H (10W + 1)
   tokens, where the model runs 100 HW. This is what grows with the square of the crops: at {most} it is
   {projector_share} of the report's {most_published} TFLOPs. The rest of vision is linear in the crops, there as here.
   The global view is charged for 272 tokens, its 256 and 16 newlines.
2. *Projector, FLOPs a token.* 8,519,680, as two linears (2048 -> 1280 -> 1280) take. The model has one: 5,242,880.
3. *Relative positions.* An eighth of SAM's is counted: of 4,907,139,072 FLOPs for the global view and 1,393,360,896
   for a crop, 7/8 are missing. At few crops this outweighs the projector: {least_vision} at {least}.
4. *Decoder.* Layer 0, which is dense (SwiGLU of 6848), is charged as one more mixture of experts (router of 64, SwiGLU
   of 6 x 896 + 1792 = 7168): 2,621,440 FLOPs a position too many. In decode, a step is not charged for its own key:
   61,440 FLOPs too few. So decode is 2,560,000 FLOPs a step too high on every grid, which is {decode_least} to
   {decode_most}.

The report's required rates hold its CUDA-core FLOPs too (`cuda_tflops` in its tables): tensor and CUDA FLOPs of
vision + prefill over {ttft:g} s, those of a decode step over {tpot_ms:g} ms. So all {rates} come out, to the last
printed digit. Ours, below, are tensor FLOPs alone: `dsocr sweep --grids published --ttft 1s --tpot 50ms` says them, and
what has to be moved a second.
"""

_VISION = """\
### Vision

SAM, CLIP and projector over all crops and the global view.
"""

_PREFILL = """\
### Vision + prefill

Vision, then decoder and LM head over image tokens + {text}. **TTFT {ttft:g} s** is the rate that ends both within that
time, in TFLOP/s.
"""

_DECODE = """\
### Decode, {steps} steps

Step n attends over image tokens + {text} + n keys. Measured are steps 1, 50 and {steps} on each grid, and each of the
{steps} steps on {all_steps}. The three lie on one line on all {grids} grids, in whole numbers, and the {steps} steps of
{all_steps} add up to the sum of that line: **measured** is the sum of the line over steps 1 to {steps}.
**TPOT {tpot_ms:g} ms** is the rate that makes one step in that time, in TFLOP/s.
"""


class GridRow(NamedTuple):
    """One grid in one table; FLOPs, but ``published`` in TFLOPs as printed and the required rates in TFLOP/s."""

    grid: PublishedGrid
    published: str
    ours: int
    measured: int
    formula: int
    published_rate: str = ""
    our_rate: str = ""

    @property
    def excess(self) -> float:
        """By how much the published figure is above the measured one, as a share of that."""
        return float(self.published) * 1e12 / self.measured - 1


class GridTables(NamedTuple):
    """The three tables, a row a grid."""

    vision: list[GridRow]
    prefill: list[GridRow]
    decode: list[GridRow]


def grid_rows() -> GridTables:
    """Put published, priced and measured figures together, a table a stage."""
    grids, prefill_grids, decode_grids = (read_grids(name) for name in ("vision", "vision_prefill", "decode_100_steps"))
    measured = _measured(grids)
    high, wide, context = (
        np.array([getattr(grid, size) for grid in grids]) for size in ("crops_high", "crops_wide", "context")
    )
    ours = evaluate(crops_high=high, crops_wide=wide, text_tokens=TEXT_TOKENS, decode_steps=DECODE_STEPS)
    vision, prefill, decode = (np.asarray(stage.tensor_flops) for stage in ours[:3])
    report_vision = vision_flops(high, wide)
    return GridTables(
        _rows(grids, vision, [one.vision for one in measured], report_vision),
        _rows(
            prefill_grids,
            vision + prefill,
            [one.vision + one.prefill for one in measured],
            report_vision + prefill_flops(context),
            _rates(read_required("ttft_1s"), prefill_grids, (vision + prefill) / TTFT_S),
        ),
        _rows(
            decode_grids,
            decode,
            [one.decode for one in measured],
            decode_flops(context),
            _rates(read_required("tpot_50ms"), decode_grids, decode / DECODE_STEPS / TPOT_S),
        ),
    )


def _rows(
    grids: Sequence[PublishedGrid],
    ours: Any,
    measured: Sequence[int],
    formula: Any,
    rates: Sequence[tuple[str, str]] = (),
) -> list[GridRow]:
    columns = zip(grids, _ints(ours), measured, _ints(formula), rates or [("", "")] * len(grids), strict=True)
    return [GridRow(grid, grid.tensor_tflops, own, real, given, *both) for grid, own, real, given, both in columns]


def _rates(
    required: Mapping[tuple[int, int], str], grids: Sequence[PublishedGrid], ours: Iterable[float]
) -> list[tuple[str, str]]:
    """Set the published rates beside ours, in TFLOP/s."""
    return [
        (required[grid.crops_high, grid.crops_wide], f"{flops_per_s / 1e12:.3f}")
        for grid, flops_per_s in zip(grids, ours, strict=True)
    ]


def sweeps_section() -> str:
    """Write the part of the page, from the measurements that ship with the package."""
    tables, measured = grid_rows(), read_measured()
    everything = [row for table in tables for row in table]
    least, most = tables.vision[0], tables.vision[-1]
    excess = [row.excess for row in tables.decode]
    charged = 8_519_680 * most.grid.crops_high * most.grid.crops_wide * _crop_tokens(most.grid)
    words = {
        "text": TEXT_TOKENS,
        "steps": DECODE_STEPS,
        "grids": len(measured),
        "all_steps": ALL_STEPS_ON,
        "ttft": TTFT_S,
        "tpot_ms": 1000 * TPOT_S,
        "torch": _versions(measured, "torch"),
        "transformers": _versions(measured, "transformers"),
        "exact": sum(row.ours == row.measured for row in everything),
        "compared": len(everything),
        "rates": 2 * len(measured),
        "most": most.grid,
        "most_published": f"{float(most.published):.1f}",
        "projector_share": f"{charged / float(most.published) / 1e10:.0f} %",
        "least": least.grid,
        "least_vision": _percent(least.excess),
        "decode_least": _percent(min(excess)),
        "decode_most": _percent(max(excess)),
    }
    return "\n".join(
        [
            _INTRO.format(**words),
            _VISION.format(**words),
            _table(tables.vision),
            "",
            _PREFILL.format(**words),
            _table(tables.prefill, f"TTFT {TTFT_S:g} s"),
            "",
            _DECODE.format(**words),
            _table(tables.decode, f"TPOT {1000 * TPOT_S:g} ms"),
            "",
        ]
    )


def as_printed(flops: float, published: str) -> str:
    """Write FLOPs in TFLOPs with the digits that a published figure has."""
    digits = len(published.partition("e")[0].replace(".", "")) - 1
    return f"{flops / 1e12:.{digits}e}"


def _table(rows: Sequence[GridRow], rate: str = "") -> str:
    headers = ["grid", "image tokens", "published", "ours", "measured", "measured - ours", "report"]
    headers += [f"{rate}, published", f"{rate}, ours"] if rate else []
    cells = [
        [
            str(row.grid),
            f"{row.grid.image_tokens:,}",
            row.published,
            f"{row.ours:,}",
            f"{row.measured:,}",
            f"{row.measured - row.ours:,}",
            _percent(row.excess),
            *([row.published_rate, row.our_rate] if rate else []),
        ]
        for row in rows
    ]
    return github_table(headers, cells, "l" + "r" * (len(headers) - 1))


def _measured(grids: Sequence[PublishedGrid]) -> list[MeasuredGrid]:
    """Read the measurements in the order of the grids.

    Raises:
        MeasurementError: a grid is missing, or was measured over another context.
    """
    by_name = {str(grid): grid for grid in read_measured()}
    for grid in grids:
        if str(grid) not in by_name or by_name[str(grid)].context != grid.context:
            msg = f"measured_grids.csv: {grid} over {grid.context} positions is missing; --measure-grids measures it"
            raise MeasurementError(msg)
    return [by_name[str(grid)] for grid in grids]


def _crop_tokens(grid: PublishedGrid) -> int:
    return 10 * grid.crops_high * (10 * grid.crops_wide + 1)


def _versions(measured: Sequence[MeasuredGrid], package: str) -> str:
    return ", ".join(sorted({getattr(grid, package) for grid in measured}))


def _ints(flops: Any) -> list[int]:
    return [int(one) for one in flops]


def _percent(share: float) -> str:
    return f"{100 * share:+.2f} %"
