"""The page's part on the VRAM table: each grid as published, as priced here, as measured, and what explains it."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsocr_cost import MODES, DeepseekOCRConfig, Execution
from dsocr_cost.execution import ITEM_BYTES
from dsocr_cost.model import DeepseekOCR
from dsocr_cost.sweep import evaluate

from ..report.columns import github_table
from .formula import prefill_cuda_flops, prefill_flops, projector_tokens, vision_cuda_flops, vision_flops
from .grids import DECODE_STEPS, TEXT_TOKENS
from .measured import read_measured
from .memory_formula import GB, GIB, activation_bytes, io_bytes, kv_cache_bytes, vram_gb
from .vram_table import PublishedVram, read_vram

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .measured import MeasuredGrid

__all__ = ["VramBytes", "VramRow", "formula_rows", "vram_rows", "vram_section"]

_INTRO = """\
## VRAM: {grids} crop grids

The page and the text of the sweeps, and {steps} decode steps after them; batch 1, bf16. Ours is with sdpa
attention; the report names none, and its sums hold no scores.

- **published**: as printed. The report calls all of it GB: I/O is in GB (1e9 bytes), KV cache and peak are in GiB
  (2**30 bytes), VRAM adds GB to GiB.
- **ours**: `dsocr_cost`, in the same units, VRAM in GiB. The cache after the last step; the most activations that are
  alive at one time; the most of them, of the cache and of all weights, {weights} bytes, at one time, without the CUDA
  context; what vision + prefill read and write, weights included.
- **measured**: a trace of transformers' modules on meta; {equal} of the {measured} figures are ours to the byte.
- **report**: how many times the measured figure the published one is.

### What explains the VRAM table

The columns are these formulas: they give {exact} of the {figures} figures **to the last printed digit**. They stand in
`pytest_dsocr.published.memory_formula` and `formula`, and a test holds them against the table.

1. *KV cache.* 61,440 bytes x (2 x (image tokens + {text}) + 99). This is the cache after prefill and, on top of it, the
   one that the last step reads: the prompt is in both. The step's own key is missing, as in its FLOPs. What is there in
   the end is 61,440 x (image tokens + {text} + {steps}). Published: {kv} times that.
2. *Peak activations.* No peak, but a sum over all layers of vision and prefill, as if nothing were ever freed.
   Published: {peak} times the most that is alive at one time. Eager attention holds SAM's scores four times over,
   twice in fp32; with it `dsocr_cost` gives more, and the published peak is {eager} times that.
3. *Projector.* Each crop is charged for the tokens of all crops here too: at {most} that is {projector_share} of the
   published peak. It makes the sum grow with the square of the crops; what is alive grows linearly.
4. *VRAM.* Weights, KV cache and this sum. The weights are 3,170,627,840 parameters in bf16, 6.341 GB, to which GiB are
   added. The model has 3,336,106,240: left out are as many, 165,478,400, as the LM head has, or the embedding.
   Published: {vram} times what is allocated.
5. *I/O.* Activations alone, once a layer. Vision + prefill read 6.340 GB of weights: at {least} the published figure,
   {least_io} GB, is less than that. Left out are also attention scores and SAM's bias, the norms and residuals of
   SAM's blocks, the padding and ordering of windows, and that an MLP's activation is a kernel of its own. Published:
   {io} times what is moved.
6. *FLOPs.* The table's FLOPs are those of vision + prefill above. CUDA-core FLOPs, here and in the sweeps, are 4 an
   element of GELU and SwiGLU, 5 of QuickGELU, of the norms in SAM's neck and of CLIP's first norm, 3 of an RMSNorm in a
   layer, 6 of the router's scores. No other norm, no softmax, no residual.

What a layer is charged for, in elements of 2 bytes:

| layer                                 | I/O                                    | "peak"      |
|---------------------------------------|----------------------------------------|-------------|
| SAM patches                           | pixels + 768 a patch                   | the same    |
| SAM attention, a position, padded     | 5 x 768                                | 6 x 768     |
| SAM MLP, a patch                      | 768 + 3072 + 768                       | the same    |
| SAM neck, a norm                      | 4 x its input                          | its input   |
| SAM neck, a convolution               | input + output                         | its output  |
| CLIP embeddings, a view               | 257 x 1024, for a crop too             | the same    |
| CLIP block, a token                   | 12 x 1024                              | the same    |
| projector, a token                    | 2048 + 1280                            | the same    |
| decoder attention, a position         | 5 x 1280                               | the same    |
| decoder norms, a position             | 2 x 2 x 1280                           | the same    |
| router, a position                    | 1280 + 64 + 6                          | the same    |
| experts, a position (layer 0 as well) | 6 x (2 x 1280 + 896) + 2 x 1280 + 1792 | the same    |
| LM head, a position                   | 1280 + 129280                          | the same    |
| **sum**, the 1024 view                | 539,321,344                            | 569,951,232 |
| **sum**, a crop                       | 206,402,560                            | 217,445,376 |
| **sum**, a token of the projector     | 3,328                                  | 3,328       |
| **sum**, a position of the decoder    | 586,056                                | 586,056     |

The figures alone fix each sum to within 0.5 %, the widths of the layers do the rest. How a sum is split over its layers
is our reading.

### I/O, KV cache, peak activations, VRAM
"""


_UNITS = (GB, GIB, GIB, GIB)
"""Of the table's last four columns, in its order; VRAM adds both."""


class VramBytes(NamedTuple):
    """The table's columns of memory and I/O, in its order."""

    io: float
    kv_cache: float
    activations: float
    allocated: float


class VramRow(NamedTuple):
    """One grid: as published, as the report's formulas give it, and in bytes as priced and as measured here."""

    published: PublishedVram
    formula: PublishedVram
    ours: VramBytes
    measured: VramBytes

    @property
    def excess(self) -> VramBytes:
        """How many times the measured figure each published one is."""
        figures = zip(astuple(self.published)[5:], _UNITS, self.measured, strict=True)
        return VramBytes(*(float(printed) * unit / size for printed, unit, size in figures))


def formula_rows(published: Sequence[PublishedVram]) -> list[PublishedVram]:
    """Give the table's rows as the report's formulas do, from nothing but grid and image tokens."""
    high, wide, tokens = _sizes(published)
    context = tokens + TEXT_TOKENS
    counts: list[Any] = [
        vision_flops(high, wide) + prefill_flops(context),
        vision_cuda_flops(high, wide) + prefill_cuda_flops(context),
        io_bytes(high, wide),
        kv_cache_bytes(context),
        activation_bytes(high, wide),
    ]
    rows: list[PublishedVram] = []
    for row, *figures in zip(published, *(count.tolist() for count in counts), strict=True):
        tensor, cuda, io, kv_cache, activations = figures
        flops = [f"{count / 1e12:.6e}" for count in (tensor, cuda)]
        memory = [io / GB, kv_cache / GIB, activations / GIB, vram_gb(kv_cache, activations)]
        rows.append(PublishedVram(*astuple(row)[:3], *flops, *(f"{size:.3f}" for size in memory)))
    return rows


def vram_rows() -> list[VramRow]:
    """Put published and priced figures together.

    Raises:
        ResultsError: the file that ships with the package is not the table.
    """
    published, measured = read_vram(), {str(grid): grid for grid in read_measured()}
    high, wide, _ = _sizes(published)
    ours = evaluate(crops_high=high, crops_wide=wide, text_tokens=TEXT_TOKENS, decode_steps=DECODE_STEPS)
    total: Any = ours.total
    io: Any = ours.vision.io_bytes + ours.prefill.io_bytes
    counts = (io, total.kv_cache_bytes, total.activation_bytes, total.allocated_bytes)
    priced = zip(*(count.tolist() for count in counts), strict=True)
    rows = zip(published, formula_rows(published), priced, strict=True)
    return [VramRow(row, formula, VramBytes(*bytes_), _seen(measured[str(row)])) for row, formula, bytes_ in rows]


def _seen(grid: MeasuredGrid) -> VramBytes:
    moved = grid.vision_io_bytes + grid.prefill_io_bytes
    return VramBytes(moved, grid.kv_cache_bytes, grid.activation_bytes, grid.allocated_bytes)


def vram_section() -> str:
    """Write the part of the page."""
    rows = vram_rows()
    least, most = rows[0], rows[-1]
    projector = 2 * 3328 * projector_tokens(most.published.crops_high, most.published.crops_wide)
    figures = [pair for row in rows for pair in zip(*(astuple(one)[3:] for one in row[:2]), strict=True)]
    weights = DeepseekOCR(DeepseekOCRConfig(), MODES["gundam"], cropped=True).params * ITEM_BYTES["bfloat16"]
    words = {
        "grids": len(rows),
        "text": TEXT_TOKENS,
        "steps": DECODE_STEPS,
        "weights": f"{weights:,}",
        "equal": sum(ours == seen for row in rows for ours, seen in zip(row.ours, row.measured, strict=True)),
        "measured": sum(len(row.measured) for row in rows),
        "exact": sum(published == given for published, given in figures),
        "figures": len(figures),
        "kv": _range(rows, "kv_cache"),
        "peak": _range(rows, "activations"),
        "eager": _eager(rows),
        "vram": _range(rows, "allocated"),
        "io": _range(rows, "io"),
        "most": most.published,
        "projector_share": f"{100 * projector / GIB / float(most.published.peak_activation_gb):.0f} %",
        "least": least.published,
        "least_io": least.published.forward_io_gb,
    }
    return "\n".join([_INTRO.format(**words), _table(rows), ""])


def _table(rows: Sequence[VramRow]) -> str:
    headers = ["grid", "image tokens"]
    for column in ("I/O (GB)", "KV cache (GiB)", "peak (GiB)", "VRAM (GiB)"):
        headers += [f"{column}, published", "ours", "measured", "report"]
    cells = [[str(row.published), f"{row.published.image_tokens:,}", *_cells(row)] for row in rows]
    return github_table(headers, cells, "l" + "r" * (len(headers) - 1))


def _cells(row: VramRow) -> Iterator[str]:
    printed = astuple(row.published)[5:]
    columns = zip(printed, _UNITS, row.ours, row.measured, row.excess, strict=True)
    for published, unit, ours, measured, excess in columns:
        yield from (published, f"{ours / unit:.3f}", f"{measured / unit:.3f}", f"{excess:.2f} x")


def _range(rows: Sequence[VramRow], column: str) -> str:
    times = [getattr(row.excess, column) for row in rows]
    return f"{min(times):.2f} to {max(times):.2f}"


def _eager(rows: Sequence[VramRow]) -> str:
    high, wide, _ = _sizes([row.published for row in rows])
    eager = Execution(attention="eager")
    priced: Any = evaluate(
        crops_high=high, crops_wide=wide, text_tokens=TEXT_TOKENS, decode_steps=DECODE_STEPS, execution=eager
    )
    printed = np.array([float(row.published.peak_activation_gb) for row in rows])
    times = printed * GIB / priced.total.activation_bytes
    return f"{times.min():.2f} to {times.max():.2f}"


def _sizes(published: Sequence[PublishedVram]) -> tuple[Any, Any, Any]:
    """Make arrays of the grids' sides and image tokens."""
    sides_and_tokens = (
        [getattr(row, name) for row in published] for name in ("crops_high", "crops_wide", "image_tokens")
    )
    high, wide, tokens = (np.array(column) for column in sides_and_tokens)
    return high, wide, tokens
