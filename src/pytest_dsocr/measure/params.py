"""Counts parameters of the real module."""

from __future__ import annotations

from ..errors import MeasurementError
from ..metrics import METRICS, Metric
from .measurement import Measurement, Subject

__all__ = ["ParamMeasurer"]


class ParamMeasurer:
    """Sums the elements of ``module.parameters()``: shared ones once, buffers not."""

    metric: Metric = next(metric for metric in METRICS if metric.name == "params")

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Count without a run."""
        del device
        if not callable(getattr(subject.module, "parameters", None)):
            msg = f"params: got {type(subject.module).__name__}, allowed is a torch.nn.Module"
            raise MeasurementError(msg)
        return Measurement(sum(parameter.numel() for parameter in subject.module.parameters()))
