"""Holds a predicted scaling document against a measured one, and writes that as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from dsocr_cost.execution import ITEM_BYTES

from .columns import github_table
from .text import figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Comparison", "Difference", "compare_documents", "scaling_markdown"]

METRICS: dict[tuple[str, str], str] = {
    ("prefill", "tensor_flops"): "prefill, tensor FLOPs",
    ("prefill", "cuda_flops"): "prefill, CUDA FLOPs",
    ("prefill", "io_bytes"): "prefill, I/O bytes",
    ("prefill", "launches"): "prefill, launches",
    ("prefill", "activation_bytes"): "prefill, activation bytes",
    ("prefill", "kv_cache_bytes"): "prefill, KV cache bytes",
    ("prefill", "weight_bytes"): "prefill, weight bytes",
    ("decode", "tensor_flops_per_token"): "decode, tensor FLOPs per token",
    ("decode", "cuda_flops_per_token"): "decode, CUDA FLOPs per token",
    ("decode", "io_bytes_per_token"): "decode, I/O bytes per token",
    ("decode", "launches_per_token"): "decode, launches per token",
    ("decode", "activation_bytes"): "decode, activation bytes",
    ("decode", "kv_cache_bytes_final"): "decode, KV cache bytes at the end",
    ("decode", "weight_bytes"): "decode, weight bytes",
}
"""What is compared: a stage's figure, and its name for people."""

LABELS = {
    "tensor_flops": "tensor FLOPs",
    "cuda_flops": "CUDA FLOPs",
    "io_bytes": "I/O bytes",
    "launches": "launches",
    "weight_bytes": "weight bytes",
    "activation_bytes": "activation bytes",
    "kv_cache_bytes": "KV cache bytes",
}
"""What is judged, in prefill and decode together, and its name for people."""

_INTRO = """\
# Scaling of the decoder with the context

{implementation}, {attention} attention, {dtype}; batch {batch}, {steps} decode steps after each prompt. Measured on
transformers' modules on {device}, with torch {torch} and transformers {transformers}. Per token is the mean over the
decode steps; a step decodes one token of each sequence of the batch. The difference is predicted - measured, as a share
of the measured.
"""
_ROUTED = """\
The predicted I/O bytes read the weights of as many experts as even routing touches. On a device with data the router
picks them: where the difference is a whole number of experts, {expert:,} bytes each, it says nothing of the prediction.
"""

_ON_CUDA = """\
Bytes, launches and CUDA FLOPs are predicted for the kernels that meta runs. CUDA runs a few others (decision 5): they
may differ there, and FLOPs, weights and KV cache may not.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of one point, predicted and measured.

    ``routed``: they differ by the weights of whole experts, on a device whose data picks the experts.
    """

    context: int
    stage: str
    metric: str
    predicted: float
    measured: float
    routed: bool = False

    @property
    def relative(self) -> float:
        """Predicted - measured, as a share of the measured; infinite where that is 0 and the other is not."""
        if self.predicted == self.measured:
            return 0.0
        return (self.predicted - self.measured) / self.measured if self.measured else float("inf")

    @property
    def count(self) -> str:
        """What both count, by a name of :data:`LABELS`."""
        return self.metric.removesuffix("_per_token").removesuffix("_final")

    def __str__(self) -> str:
        of = f"{self.stage} of {self.context}" if self.stage == "prefill" else f"{self.stage} after {self.context}"
        return f"{of}: predicted {figure(self.predicted)}, measured {figure(self.measured)}, {_percent(self.relative)}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All figures that both documents hold, and the names of those that one of them lacks."""

    differences: tuple[Difference, ...]
    not_measured: tuple[str, ...]
    not_predicted: tuple[str, ...]

    @property
    def wrong(self) -> list[Difference]:
        """Those that are not the same to the last digit, but for experts that the data picked."""
        return [one for one in self.differences if one.predicted != one.measured and not one.routed]

    @property
    def verdicts(self) -> list[str]:
        """Say of each count, in a line, whether prediction and measurement agree."""
        return [f"{label}: {self._verdict(count)}" for count, label in LABELS.items()]

    def _verdict(self, count: str) -> str:
        of = [one for one in self.differences if one.count == count]
        points = len({one.context for one in of})
        off = [one for one in self.wrong if one.count == count]
        if off:
            worst = max(off, key=lambda one: abs(one.relative))
            return f"differ at {len({one.context for one in off})} of {points} points; the largest, {worst}"
        routed = ", but for the experts that the data picked" if any(one.routed for one in of) else ""
        return f"exact at {'the one point' if points == 1 else f'all {points} points'}{routed}"


def compare_documents(analytic: Mapping[str, Any], measured: Mapping[str, Any]) -> Comparison:
    """Pair the points of two documents, in their order.

    Raises:
        ValueError: they hold other points.
    """
    differences: list[Difference] = []
    missing: dict[str, set[str]] = {"measured": set(), "predicted": set()}
    expert, steps = _routed_expert_bytes(measured), {"prefill": 1, "decode": measured["decode_steps"]}
    for ours, real in zip(analytic["points"], measured["points"], strict=True):
        context = ours["seq_len_prefill"]
        if context != real["seq_len_prefill"]:
            msg = f"points: got {context} and {real['seq_len_prefill']}, allowed are the same contexts in one order"
            raise ValueError(msg)
        for stage in ("prefill", "decode"):
            for metric, predicted in ours[stage].items():
                found, name = real[stage][metric], metric.removesuffix("_per_token")
                missing["predicted"] |= {name} if predicted is None else set()
                missing["measured"] |= {name} if found is None else set()
                if predicted is not None and found is not None and (stage, metric) in METRICS:
                    apart = round((predicted - found) * steps[stage])
                    routed = name == "io_bytes" and expert > 0 and apart != 0 and apart % expert == 0
                    differences.append(Difference(context, stage, metric, predicted, found, routed))
    return Comparison(tuple(differences), tuple(sorted(missing["measured"])), tuple(sorted(missing["predicted"])))


def _routed_expert_bytes(measured: Mapping[str, Any]) -> int:
    """Weigh one expert's three matrices, where data picks the experts; 0 where none does."""
    model = measured["model"]
    if measured["environment"]["device"]["type"] == "meta" or model["first_k_dense_replace"] >= model["num_layers"]:
        return 0
    return 3 * int(model["hidden_size"]) * int(model["moe_intermediate_size"]) * ITEM_BYTES[measured["dtype"]]


def scaling_markdown(analytic: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    """Write the comparison: point by point, then mean, median and largest difference, then what is missing."""
    comparison = compare_documents(analytic, measured)
    environment = measured["environment"]
    device = environment["device"]
    intro = _INTRO.format(
        implementation=f"Predicted for {analytic['implementation']}",
        attention=analytic["attention"],
        dtype=analytic["dtype"],
        batch=analytic["batch_size"],
        steps=analytic["decode_steps"],
        device=device["name"] or device["type"],
        torch=environment["torch"],
        transformers=environment["transformers"],
    )
    parts = [intro, *(f"- {verdict}" for verdict in comparison.verdicts), ""]
    if device["type"] == "cuda":
        parts += [_ON_CUDA]
    if any(one.routed for one in comparison.differences):
        parts += [_ROUTED.format(expert=_routed_expert_bytes(measured))]
    if analytic["implementation"] != measured["implementation"]:
        different = (
            "Predicted and measured are not the same code: {} makes a rotary table in each layer, {} one for all."
        )
        parts += [different.format(analytic["implementation"], measured["implementation"]), ""]
    parts += ["## Points", "", _points(comparison), "", "## Differences", "", _summary(comparison), ""]
    times = _times(measured)
    if times:
        parts += ["## Times", "", f"In milliseconds: {measured['measured_by']['time_ms']}.", "", times, ""]
    parts += ["## What was not compared", ""]
    parts += [
        f"- not measured: {_names(comparison.not_measured)}",
        f"- not predicted: {_names(comparison.not_predicted)}",
        "",
    ]
    return "\n".join(parts)


def _points(comparison: Comparison) -> str:
    rows = [
        [
            f"{one.context:,}",
            METRICS[one.stage, one.metric],
            figure(one.predicted),
            figure(one.measured),
            _percent(one.relative),
        ]
        for one in comparison.differences
    ]
    return github_table(["context", "figure", "predicted", "measured", "difference"], rows, "rlrrr")


def _summary(comparison: Comparison) -> str:
    rows = []
    for (stage, metric), name in METRICS.items():
        of = [one for one in comparison.differences if (one.stage, one.metric) == (stage, metric)]
        if of:
            sizes = [abs(one.relative) for one in of]
            rows.append([name, *(_percent(one, sign=False) for one in (fmean(sizes), median(sizes), max(sizes)))])
    return github_table(["absolute difference", "mean", "median", "largest"], rows, "lrrr")


def _times(measured: Mapping[str, Any]) -> str:
    rows = [
        [
            f"{point['seq_len_prefill']:,}",
            f"{point['prefill']['time_ms']:.3f}",
            _percent(point["prefill"]["time_spread"], sign=False),
            f"{point['decode']['time_ms_per_token']:.3f}",
            _percent(point["decode"]["time_spread_per_token"], sign=False),
        ]
        for point in measured["points"]
        if point["prefill"]["time_ms"] is not None
    ]
    headers = ["context", "prefill", "spread", "decode, per token", "spread"]
    return github_table(headers, rows, "rrrrr") if rows else ""


def _names(metrics: Sequence[str]) -> str:
    return ", ".join(f"`{metric}`" for metric in metrics) or "nothing"


def _percent(share: float, *, sign: bool = True) -> str:
    if share == 0:
        return "0"
    return f"{100 * share:+.3g} %" if sign else f"{100 * share:.3g} %"
