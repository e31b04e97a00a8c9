"""Counts parameters of the real module."""

from __future__ import annotations

from ..errors import MeasurementError
from ..metrics import METRICS, Metric
from .measurement import Call, Measurement, Subject

__all__ = ["ParamMeasurer"]


class ParamMeasurer:
    """Sums the elements of ``module.named_parameters()``: shared ones once, buffers not."""

    metric: Metric = next(metric for metric in METRICS if metric.name == "params")

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Count without a run."""
        del device
        if not callable(getattr(subject.module, "named_parameters", None)):
            msg = f"params: got {type(subject.module).__name__}, allowed is a torch.nn.Module"
            raise MeasurementError(msg)
        calls = tuple(
            Call("parameter", name, (tuple(parameter.shape),), parameter.numel())
            for name, parameter in subject.module.named_parameters()
        )
        return Measurement(sum(call.count for call in calls), calls)
