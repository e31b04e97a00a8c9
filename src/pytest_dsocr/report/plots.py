"""What the figures of a sweep show. Each becomes an SVG and a PNG; :mod:`.drawing` draws them.

A series has a marker, a line style and a colour of its own, so that none needs its colour to be told apart.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from .drawing import Pair, Panel, Picture, Series, draw_lines, draw_pairs
from .figure_files import PlotError, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dsocr_cost.execution import Execution

    from ..sweep_points import SweepPoint

__all__ = ["PlotError", "predicted_and_measured", "sweep_plots"]

TERA, GIGA = 1e12, 1e9

_VISION, _FIRST, _DECODE = "vision", "vision + prefill", "decode"
_STYLES: dict[str, dict[str, Any]] = {
    _VISION: {"color": "#0072b2", "marker": "o", "linestyle": "-", "markersize": 9, "markerfacecolor": "white"},
    _FIRST: {"color": "#d55e00", "marker": "s", "linestyle": "--", "markersize": 5},
    _DECODE: {"color": "#2a7d4f", "marker": "^", "linestyle": ":"},
}
_TENSOR: dict[str, Any] = {"color": "#0072b2", "marker": "o", "linestyle": "-"}
_CUDA: dict[str, Any] = {"color": "#d55e00", "marker": "s", "linestyle": "--", "markerfacecolor": "white"}

_log = logging.getLogger(__name__)


def sweep_plots(
    points: Sequence[SweepPoint],
    directory: Path,
    *,
    execution: Execution | None = None,
    ttft_s: float = 1.0,
    tpot_s: float = 0.05,
) -> list[Path]:
    """Draw a sweep's figures against image tokens, or against the context where no point has an image.

    FLOPs, the Tensor : CUDA split, I/O, arithmetic intensity, activations, KV cache, and the TFLOP/s that a first
    token within ``ttft_s`` seconds and one more every ``tpot_s`` seconds take, for the whole batch of a point. A
    figure whose counts are not predicted is left out, and the log says so.

    Args:
        points: the sweep, in any order.
        directory: where the files go; it is made if it is missing.
        execution: what the points were priced for; each figure names it below its title. None names nothing.
        ttft_s: target for the time to first token, in seconds.
        tpot_s: target for the time per output token, in seconds.

    Returns:
        The files: an SVG and a PNG for each figure.

    Raises:
        PlotError: matplotlib is missing, there is no point, or a target is not above 0.
        ResultsError: a file cannot be written.
    """
    for name, target in (("ttft_s", ttft_s), ("tpot_s", tpot_s)):
        if not target > 0:
            msg = f"{name}: got {target}, allowed is a time above 0 s"
            raise PlotError(msg)
    if not points:
        msg = "points: got none, allowed is at least one"
        raise PlotError(msg)
    images = any(point.image_tokens for point in points)
    ordered = sorted(points, key=lambda point: (point.image_tokens if images else point.context, point.label))
    places = [point.image_tokens if images else point.context for point in ordered]
    axis, about = "image tokens" if images else "context (tokens)", _about(ordered, execution)
    pictures = _pictures(ordered, ttft_s, tpot_s)
    left_out = [picture.title for picture in pictures if not picture.panels]
    if left_out:
        _log.warning("plots: left out, as this version does not predict it: %s", "; ".join(left_out))
    drawn = [picture for picture in pictures if picture.panels]
    return write_all(directory, [(one.name, partial(draw_lines, one, places, axis, about)) for one in drawn])


def predicted_and_measured(
    points: Sequence[SweepPoint],
    measured: Mapping[str, Mapping[str, int]],
    directory: Path,
    *,
    execution: Execution | None = None,
) -> list[Path]:
    """Draw predicted and measured tensor FLOPs of each stage, and the difference below, with the points' labels.

    Args:
        points: the prediction.
        measured: FLOPs by a point's label, then by stage (``vision``, ``prefill``, ``decode``: all its steps). What is
            not there was not measured, and is not drawn.
        directory: where the files go; it is made if it is missing.
        execution: what the points were priced for; the figure names it below its title. None names nothing.

    Returns:
        The files: an SVG and a PNG.

    Raises:
        PlotError: matplotlib is missing, or nothing was measured at any of the points.
        ResultsError: a file cannot be written.
    """
    ordered = sorted(points, key=lambda point: (point.context, point.label))
    panels: dict[str, list[Pair]] = {}
    for stage in ("vision", "prefill", "decode"):
        pairs = [
            Pair(point.context, point.label, predicted, measured[point.label][stage])
            for point in ordered
            if stage in measured.get(point.label, {}) and (predicted := point.stages[stage]["tensor_flops"]) is not None
        ]
        if any(pair.predicted or pair.measured for pair in pairs):
            panels[stage] = pairs
    if not panels:
        msg = f"measured: got {sorted(measured)}, allowed are labels of the points, with at least one stage"
        raise PlotError(msg)
    images = any(point.image_tokens for point in points)
    axis = "crop grid, placed by its context" if images else "context (tokens)"
    about = _about(ordered, execution)
    return write_all(directory, [("predicted_and_measured", partial(draw_pairs, panels, axis, about))])


def _pictures(points: Sequence[SweepPoint], ttft_s: float, tpot_s: float) -> list[Picture]:
    """List all figures; one without panels has nothing to show."""
    tensor, cuda, io_bytes = (_by_stage(points, count, _plus) for count in ("tensor_flops", "cuda_flops", "io_bytes"))
    activations = _by_stage(points, "activation_bytes", max)
    kv_cache = _by_stage(points, "kv_cache_bytes", lambda before, after: after)
    name = {_VISION: _VISION, _FIRST: _FIRST if tensor.get(_VISION) else "prefill", _DECODE: _DECODE}

    def panel(unit: str, by_stage: Mapping[str, Sequence[float]]) -> list[Panel]:
        series = [Series(name[stage], figures, _STYLES[stage]) for stage, figures in by_stage.items()]
        return [Panel(unit, series)] if series else []

    both = {stage: [sum(pair) for pair in zip(tensor[stage], cuda[stage], strict=True)] for stage in cuda}
    split = [_split(name[stage], tensor[stage], cuda[stage]) for stage in cuda]
    intensity = {
        stage: [flops / moved for flops, moved in zip(both[stage], io_bytes[stage], strict=True)]
        for stage in both
        if stage in io_bytes and all(io_bytes[stage])
    }
    flops, whose = (both, "tensor and CUDA cores") if both else (tensor, "tensor cores alone")
    steps = [point.decode_steps for point in points]
    each = [total / step for total, step in zip(flops[_DECODE], steps, strict=True)]
    required = [
        Panel("TFLOP/s", [Series(name[stage], _over(figures, seconds * TERA), _STYLES[stage])], title)
        for stage, figures, seconds, title in (
            (_FIRST, flops[_FIRST], ttft_s, f"{name[_FIRST]} within {ttft_s:g} s"),
            (_DECODE, each, tpot_s, f"decode, one token every {1000 * tpot_s:g} ms"),
        )
    ]
    return [
        Picture("flops", "Tensor FLOPs", panel("TFLOP", _scaled(tensor, TERA))),
        Picture("tensor_cuda_split", "FLOPs of tensor and CUDA cores", split, share_y=True),
        Picture("io", "I/O bytes: what all kernels read and write", panel("GB", _scaled(io_bytes, GIGA))),
        Picture("intensity", "Arithmetic intensity: FLOPs per byte read and written", panel("FLOP / byte", intensity)),
        Picture("activations", "Activation bytes, at the peak", panel("GB", _scaled(activations, GIGA))),
        Picture("kv_cache", "KV cache bytes, at the end of a stage", panel("GB", _scaled(kv_cache, GIGA))),
        Picture("required_flops", f"Required throughput ({whose})", required),
    ]


def _split(title: str, tensor: Sequence[int], cuda: Sequence[int]) -> Panel:
    """Set the FLOPs of tensor cores beside those of CUDA cores, which are few: the axis is logarithmic."""
    series = [
        Series("Tensor cores", _over(tensor, TERA), _TENSOR),
        Series("CUDA cores", _over(cuda, TERA), _CUDA),
    ]
    return Panel("TFLOP", series, title, log=True)


def _by_stage(points: Sequence[SweepPoint], count: str, join: Callable[[int, int], int]) -> dict[str, list[int]]:
    """Take a count of the three stages that are drawn, without those that lack it or are 0 everywhere.

    ``join`` makes the figure of vision and prefill together.
    """
    found: dict[str, list[int]] = {}
    columns = {stage: [point.stages[stage][count] for point in points] for stage in ("vision", "prefill", "decode")}
    known = {stage: [one for one in column if one is not None] for stage, column in columns.items()}
    complete = {stage for stage, column in known.items() if len(column) == len(points)}
    if "vision" in complete:
        found[_VISION] = known["vision"]
    if {"vision", "prefill"} <= complete:
        found[_FIRST] = [join(*pair) for pair in zip(known["vision"], known["prefill"], strict=True)]
    if "decode" in complete:
        found[_DECODE] = known["decode"]
    return {stage: figures for stage, figures in found.items() if any(figures)}


def _plus(first: int, second: int) -> int:
    return first + second


def _over(figures: Sequence[float], unit: float) -> list[float]:
    return [figure / unit for figure in figures]


def _scaled(by_stage: Mapping[str, Sequence[int]], unit: float) -> dict[str, list[float]]:
    return {stage: _over(figures, unit) for stage, figures in by_stage.items()}


def _about(points: Sequence[SweepPoint], execution: Execution | None) -> str:
    """Say what the points have in common."""
    told = (
        ({point.batch for point in points}, "batch {}"),
        ({point.text_tokens for point in points if point.image_tokens}, "{} text tokens"),
        ({point.decode_steps for point in points}, "decode: {} steps"),
    )
    common = [words.format(*values) for values, words in told if len(values) == 1]
    if execution is not None:
        common = [execution.implementation, f"{execution.attention} attention", execution.dtype, *common]
    return ", ".join(common)
