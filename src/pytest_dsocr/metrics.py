"""What is compared: the metrics, and how the cost model predicts each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dsocr_cost import Execution, Op, total
from dsocr_cost.moment import activation_bytes, compulsory_bytes, live_bytes, peak_launch

from .errors import NotSupportedError

if TYPE_CHECKING:
    from .case import Case

__all__ = [
    "FAMILIES",
    "LABELS",
    "LATENCY",
    "METRICS",
    "Metric",
    "Predict",
    "Prediction",
    "families_of",
    "labels_of",
    "metric_named",
    "or_given",
]

FAMILIES: Mapping[str, str] = {
    "flops": "floating-point operations, of matrix work and of the rest, counted",
    "params": "parameters, counted",
    "memory": "bytes that are alive: weights, KV cache, activations",
    "traffic": "bytes that are moved, kernels that are launched",
    "latency": "seconds",
}
"""The metric families, each a marker; a metric belongs to one."""

Figure: TypeAlias = int | float
Predict: TypeAlias = "Callable[[Any, Case, Execution], Prediction]"


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted figure, and the ops that it is the sum of (none for what is not additive over ops).

    ``band`` is what the prediction's own doubt leaves open, from low to high; ``source`` says where it comes from. They
    are told beside the verdict and do not change it. ``floor`` is the least that is physically possible: a measurement
    below it is an error.
    """

    value: Figure
    ops: tuple[Op, ...] = ()
    band: tuple[float, float] | None = None
    source: str = ""
    floor: float | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a layer at a case.

    ``name`` is its key in tolerances and rows, ``label`` what tables say, ``family`` one of
    :data:`~pytest_dsocr.metrics.FAMILIES`.
    ``predict`` takes a layer, a case and an execution. ``tolerance`` holds where no tolerance file names the metric.
    ``one_sided`` figures, times, fail only where more is measured than predicted; less is a notice.
    """

    name: str
    label: str
    family: str
    predict: Predict
    tolerance: float = 0.0
    one_sided: bool = False


def _sum_of(name: str) -> Predict:
    """Sum one figure of a layer's ops; a plain callable returns ops or, if it has nothing finer, the figure."""

    def predict(layer: Any, case: Case, execution: Execution) -> Prediction:
        if isinstance(layer, int | float):
            return Prediction(layer)
        made = layer.ops(**case.sizes, execution=execution) if hasattr(layer, "ops") else layer(**case.sizes)
        if isinstance(made, Iterable):
            ops = tuple(made)
            if not all(isinstance(op, Op) for op in ops):
                msg = f"it gave {made!r}, allowed are ops or one figure"
                raise TypeError(msg)
            return Prediction(getattr(total(ops), name), ops)
        return Prediction(made)

    return predict


def _predict_params(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Take a layer's ``params``, what a plain callable returns, or the figure."""
    del execution
    if isinstance(layer, int | float):
        return Prediction(layer)
    return Prediction(layer.params if hasattr(layer, "params") else layer(**case.sizes))


def _of(layer: Any, method: str, metric: str) -> Any:
    """Find what predicts a metric on a layer."""
    own = getattr(layer, method, None)
    if own is None:
        msg = f"it predicts no {metric}: give a figure or a function of the sizes"
        raise TypeError(msg)
    return own


def _predict_weight_bytes(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Price each parameter at its dtype; a plain callable or a figure is taken as it is."""
    params = _predict_params(layer, case, execution).value
    return Prediction(params * execution.item_bytes if hasattr(layer, "params") else params)


def _predict_kv_cache_bytes(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Ask a layer with a cache for it."""
    return Prediction(_of(layer, "kv_cache_bytes", "kv_cache_bytes")(**case.sizes, execution=execution))


def _predict_activation_bytes(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Take the largest of a layer's moments."""
    most: Any = activation_bytes(_of(layer, "moments", "activation_bytes")(**case.sizes, execution=execution))
    return Prediction(most)


def _predict_peak_launch(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Find the largest of a layer's moments among its ops."""
    moments = _of(layer, "moments", "peak_launch")(**case.sizes, execution=execution)
    number, op = peak_launch(moments, layer.ops(**case.sizes, execution=execution))
    return Prediction(number, (op,))


def _predict_allocated_bytes(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Add weights, KV cache and what is alive beside them."""
    moments = _of(layer, "moments", "allocated_bytes")(**case.sizes, execution=execution)
    weights = layer.params * execution.item_bytes
    live: Any = live_bytes(moments, _cache(layer, case, execution))
    return Prediction(weights + live)


def _predict_compulsory_bytes(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Add what comes in, what goes out, the weights that are touched and the KV cache."""
    boundary = _of(layer, "boundary", "compulsory_bytes")(**case.sizes, execution=execution)
    ops = layer.ops(**case.sizes, execution=execution)
    least: Any = compulsory_bytes(boundary, ops, _cache(layer, case, execution))
    return Prediction(least)


def _cache(layer: Any, case: Case, execution: Execution) -> Any:
    return layer.kv_cache_bytes(**case.sizes, execution=execution) if hasattr(layer, "kv_cache_bytes") else 0


def or_given(predict: Predict) -> Predict:
    """Take a figure or a prediction as it is, and what a plain callable makes of the sizes."""

    def predict_or_take(layer: Any, case: Case, execution: Execution) -> Prediction:
        if hasattr(layer, "ops") and not isinstance(layer, Prediction):
            return predict(layer, case, execution)
        given = layer if isinstance(layer, int | float | Prediction) else layer(**case.sizes)
        return given if isinstance(given, Prediction) else Prediction(given)

    return predict_or_take


def _predict_latency(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Refuse: what predicts a layer's time depends on the device."""
    del layer, case, execution
    msg = "a run that knows its device predicts this; here, give a figure or a function of the sizes, in seconds"
    raise NotSupportedError(msg)


LATENCY = Metric("latency_s", "latency", "latency", or_given(_predict_latency), tolerance=0.10, one_sided=True)
"""Seconds of one run."""


METRICS: tuple[Metric, ...] = (
    Metric("tensor_flops", "tensor FLOPs", "flops", _sum_of("tensor_flops")),
    Metric("cuda_flops", "CUDA FLOPs", "flops", _sum_of("cuda_flops")),
    Metric("io_bytes", "I/O bytes", "traffic", _sum_of("io_bytes")),
    Metric("launches", "launches", "traffic", _sum_of("launches")),
    Metric("compulsory_bytes", "compulsory bytes", "traffic", or_given(_predict_compulsory_bytes)),
    Metric("params", "parameters", "params", _predict_params),
    Metric("weight_bytes", "weight bytes", "memory", _predict_weight_bytes),
    Metric("kv_cache_bytes", "KV cache bytes", "memory", or_given(_predict_kv_cache_bytes)),
    Metric("activation_bytes", "activation bytes", "memory", or_given(_predict_activation_bytes)),
    Metric("peak_launch", "peak at launch", "memory", or_given(_predict_peak_launch)),
    Metric("allocated_bytes", "allocated bytes", "memory", or_given(_predict_allocated_bytes)),
    LATENCY,
)
"""The metrics that the plugin itself measures."""

LABELS: dict[str, str] = {metric.name: metric.label for metric in METRICS}
"""What people read in place of a metric's name: in every table, and in every report."""


def metric_named(name: str) -> Metric:
    """Find a metric that the plugin itself measures.

    Raises:
        KeyError: it measures none of this name.
    """
    return {metric.name: metric for metric in METRICS}[name]


def labels_of(metrics: Iterable[Metric]) -> dict[str, str]:
    """Name metrics for people."""
    return {metric.name: metric.label for metric in metrics}


def families_of(metrics: Iterable[Metric]) -> dict[str, str]:
    """Say of metrics which family they belong to."""
    return {metric.name: metric.family for metric in metrics}
