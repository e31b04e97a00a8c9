"""What the real modules count on the published grids: their file, and how it is made."""

from __future__ import annotations

import csv
import functools
import io
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dsocr_cost import MODES, DeepseekOCRConfig
from dsocr_cost.model import Decoder, DeepseekOCR, Vision

from ..case import Case
from ..errors import MeasurementError
from .grids import DECODE_STEPS, TEXT_TOKENS, read_grids, table_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..measure.measurement import Measurer
    from ..reference.transformers import TransformersReference
    from .grids import PublishedGrid

__all__ = ["ALL_STEPS_ON", "MeasuredGrid", "measure_grids", "read_measured", "to_csv"]

ALL_STEPS_ON = "2x3"
"""The grid on which every one of the 100 decode steps is measured."""

_CONFIG = DeepseekOCRConfig()


@dataclass(frozen=True, slots=True)
class MeasuredGrid:
    """What transformers' modules were seen to do for one page of a grid, on meta.

    FLOPs of torch's counter: ``decode_step_n`` is that step alone, over ``context`` + n keys. ``decode_all_steps`` is
    the sum of steps 1 to 100, each measured; None where only the three were. Bytes of a trace: what ``vision`` and
    ``prefill`` read and write, the KV cache after step 100, and of a whole run with one decode step the most
    activations at one time, and the most of weights, cache and activations together.
    """

    crops_high: int
    crops_wide: int
    context: int
    vision: int
    prefill: int
    decode_step_1: int
    decode_step_50: int
    decode_step_100: int
    decode_all_steps: int | None
    vision_io_bytes: int
    prefill_io_bytes: int
    kv_cache_bytes: int
    activation_bytes: int
    allocated_bytes: int
    torch: str
    transformers: str

    def __str__(self) -> str:
        return f"{self.crops_high}x{self.crops_wide}"

    @property
    def decode(self) -> int:
        """Sum steps 1 to 100 along the line through the three that were measured.

        Raises:
            MeasurementError: the three lie on no line, or the steps that were all measured add up to something else.
        """
        first, middle, last = self.decode_step_1, self.decode_step_50, self.decode_step_100
        if (middle - first) * (DECODE_STEPS - 1) != (last - first) * (50 - 1):
            msg = f"decode of {self}: steps 1, 50 and 100 lie on no line: got {first:,}, {middle:,}, {last:,}"
            raise MeasurementError(msg)
        along_the_line = (first + last) * DECODE_STEPS // 2
        if self.decode_all_steps not in (None, along_the_line):
            msg = f"decode of {self}: got {self.decode_all_steps:,} for all steps, the line gives {along_the_line:,}"
            raise MeasurementError(msg)
        return along_the_line


def read_measured() -> list[MeasuredGrid]:
    """Read the measurements that ship with the package."""
    return [_from_row(row) for row in table_rows("measured_grids")]


def measure_grids(
    grids: Iterable[str] | None = None, progress: Callable[[str], None] = lambda grid: None
) -> list[MeasuredGrid]:
    """Measure all published grids, or those that are named, and call ``progress`` after each; some seconds for a grid.

    Raises:
        MeasurementError: a count that cannot be trusted.
    """
    reference, measurers = _reference(), _measurers()
    measured: list[MeasuredGrid] = []
    for grid in read_grids("vision"):
        if grids is None or str(grid) in grids:
            measured.append(_measure(grid, functools.partial(_count, reference, measurers)))
            progress(str(grid))
    return measured


def _measure(grid: PublishedGrid, count: Callable[..., dict[str, int]]) -> MeasuredGrid:
    crops = {"crops_high": grid.crops_high, "crops_wide": grid.crops_wide}
    config, mode, context = _CONFIG, MODES["gundam"], grid.context
    vision, decoder = Vision(config, mode, cropped=True), Decoder(config.decoder)
    steps = range(1, DECODE_STEPS + 1) if str(grid) == ALL_STEPS_ON else (1, 50, DECODE_STEPS)
    decode = {step: count(decoder, ["tensor_flops"], q_len=1, kv_len=context + step)["tensor_flops"] for step in steps}
    last = count(decoder, ["kv_cache_bytes"], q_len=1, kv_len=context + DECODE_STEPS)
    seen = count(vision, ["tensor_flops", "io_bytes"], **crops)
    filled = count(decoder, ["tensor_flops", "io_bytes"], q_len=context, kv_len=context)
    run = count(
        DeepseekOCR(config, mode, cropped=True),
        ["activation_bytes", "allocated_bytes"],
        text_tokens=TEXT_TOKENS,
        decode_steps=1,
        **crops,
    )
    return MeasuredGrid(
        **crops,
        context=context,
        vision=seen["tensor_flops"],
        prefill=filled["tensor_flops"],
        decode_step_1=decode[1],
        decode_step_50=decode[50],
        decode_step_100=decode[DECODE_STEPS],
        decode_all_steps=sum(decode.values()) if len(decode) == DECODE_STEPS else None,
        vision_io_bytes=seen["io_bytes"],
        prefill_io_bytes=filled["io_bytes"],
        kv_cache_bytes=last["kv_cache_bytes"],
        **run,
        torch=version("torch").partition("+")[0],
        transformers=version("transformers"),
    )


def to_csv(measured: Iterable[MeasuredGrid]) -> str:
    """Write the measurements as :func:`read_measured` takes them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(MeasuredGrid)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(grid) for grid in measured)
    return text.getvalue()


def _reference() -> TransformersReference:
    from ..reference.transformers import TransformersReference

    return TransformersReference()


def _measurers() -> dict[str, Measurer]:
    from ..measure.flops import FlopMeasurer
    from ..measure.formulas import FORMULAS
    from ..measure.traced import TRACED, TraceMeasurer, Tracer

    tracer = Tracer()
    return {"tensor_flops": FlopMeasurer(FORMULAS), **{name: TraceMeasurer(name, tracer) for name in TRACED}}


def _count(
    reference: TransformersReference,
    measurers: Mapping[str, Measurer],
    layer: Any,
    metrics: Iterable[str],
    **sizes: int,
) -> dict[str, int]:
    case = Case("published grid", batch=1, **sizes)
    subject = reference.subject(layer, case, device="meta", dtype="bfloat16", attention="sdpa")
    counted = {metric: measurers[metric].measure(subject, device="meta") for metric in metrics}
    for metric, measurement in counted.items():
        if measurement.problem:
            msg = f"{metric} of {type(layer).__name__} at {sizes}: {measurement.problem}"
            raise MeasurementError(msg)
    return {metric: int(measurement.value) for metric, measurement in counted.items()}


def _from_row(row: Mapping[str, str]) -> MeasuredGrid:
    cells: dict[str, Any] = {
        name: cell if name in ("torch", "transformers") else int(cell) if cell else None for name, cell in row.items()
    }
    return MeasuredGrid(**cells)
