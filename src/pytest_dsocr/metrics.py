"""What is compared: the metrics, and how the cost model predicts each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dsocr_cost import Execution, Op, total
from dsocr_cost.memory import activation_bytes

if TYPE_CHECKING:
    from .case import Case

__all__ = ["FAMILIES", "METRICS", "Metric", "Prediction"]

FAMILIES: Mapping[str, str] = {
    "flops": "floating-point operations, of matrix work and of the rest, counted",
    "params": "parameters, counted",
    "memory": "bytes that are alive: weights, KV cache, activations",
    "traffic": "bytes that are moved, kernels that are launched",
    "latency": "seconds",
}
"""The metric families, each a marker; a metric belongs to one."""

Figure: TypeAlias = int | float


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted figure, and the ops that it is the sum of (none for what is not additive over ops)."""

    value: Figure
    ops: tuple[Op, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a layer at a case.

    ``name`` is its key in tolerances and rows, ``label`` what tables say, ``family`` one of :data:`FAMILIES`.
    ``predict`` takes a layer, a case and an execution. ``tolerance`` holds where no tolerance file names the metric.
    """

    name: str
    label: str
    family: str
    predict: Callable[[Any, Case, Execution], Prediction]
    tolerance: float = 0.0


def _sum_of(name: str) -> Callable[[Any, Case, Execution], Prediction]:
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
    """Find what predicts a metric on a layer; None for a plain callable, which is asked itself."""
    own = getattr(layer, method, None)
    if own is None and hasattr(layer, "ops"):
        msg = f"it predicts no {metric}: give a figure or a function of the sizes"
        raise TypeError(msg)
    return own


def _predict_weight_bytes(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Price each parameter at its dtype; a plain callable or a figure is taken as it is."""
    params = _predict_params(layer, case, execution).value
    return Prediction(params * execution.item_bytes if hasattr(layer, "params") else params)


def _predict_kv_cache_bytes(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Ask a layer with a cache for it; a plain callable or a figure is taken as it is."""
    if isinstance(layer, int | float):
        return Prediction(layer)
    own = _of(layer, "kv_cache_bytes", "kv_cache_bytes")
    return Prediction(own(**case.sizes, execution=execution) if own else layer(**case.sizes))


def _predict_activation_bytes(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Take the largest of a layer's moments; a plain callable or a figure is taken as it is."""
    if isinstance(layer, int | float):
        return Prediction(layer)
    own = _of(layer, "moments", "activation_bytes")
    most: Any = activation_bytes(own(**case.sizes, execution=execution)) if own else layer(**case.sizes)
    return Prediction(most)


METRICS: tuple[Metric, ...] = (
    Metric("tensor_flops", "tensor FLOPs", "flops", _sum_of("tensor_flops")),
    Metric("cuda_flops", "CUDA FLOPs", "flops", _sum_of("cuda_flops")),
    Metric("io_bytes", "I/O bytes", "traffic", _sum_of("io_bytes")),
    Metric("launches", "launches", "traffic", _sum_of("launches")),
    Metric("params", "parameters", "params", _predict_params),
    Metric("weight_bytes", "weight bytes", "memory", _predict_weight_bytes),
    Metric("kv_cache_bytes", "KV cache bytes", "memory", _predict_kv_cache_bytes),
    Metric("activation_bytes", "activation bytes", "memory", _predict_activation_bytes),
)
"""The metrics that the plugin itself measures."""
