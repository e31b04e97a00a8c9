"""What is compared: the metrics, and how the cost model predicts each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dsocr_cost import Execution, Op, total

if TYPE_CHECKING:
    from .case import Case

__all__ = ["FAMILIES", "METRICS", "Metric", "Prediction"]

FAMILIES: Mapping[str, str] = {
    "flops": "floating-point operations of matrix work, counted",
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


def _predict_tensor_flops(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Sum a layer's ops; a plain callable returns ops or, if it has nothing finer, the figure; or it is the figure."""
    if isinstance(layer, int | float):
        return Prediction(layer)
    made = layer.ops(**case.sizes, execution=execution) if hasattr(layer, "ops") else layer(**case.sizes)
    if isinstance(made, Iterable):
        ops = tuple(made)
        if not all(isinstance(op, Op) for op in ops):
            msg = f"it gave {made!r}, allowed are ops or one figure"
            raise TypeError(msg)
        return Prediction(total(ops).tensor_flops, ops)  # type: ignore[arg-type]  # a case's sizes are ints
    return Prediction(made)


def _predict_params(layer: Any, case: Case, execution: Execution) -> Prediction:
    """Take a layer's ``params``, what a plain callable returns, or the figure."""
    del execution
    if isinstance(layer, int | float):
        return Prediction(layer)
    return Prediction(layer.params if hasattr(layer, "params") else layer(**case.sizes))


METRICS: tuple[Metric, ...] = (
    Metric("tensor_flops", "tensor FLOPs", "flops", _predict_tensor_flops),
    Metric("params", "parameters", "params", _predict_params),
)
"""The metrics that the plugin itself measures."""
