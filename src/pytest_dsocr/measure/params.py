"""Counts parameters of the real module, and their bytes."""

from __future__ import annotations

from ..errors import MeasurementError
from ..metrics import Metric, metric_named
from .measurement import Call, Measurement, Subject

__all__ = ["ParameterMeasurer"]


class ParameterMeasurer:
    """Sums ``module.named_parameters()``, shared ones once, buffers not: elements (``params``) or ``weight_bytes``."""

    def __init__(self, name: str) -> None:
        self.metric: Metric = metric_named(name)

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Count without a run.

        Raises:
            MeasurementError: what is to be measured is no module, or one that has no shapes yet.
            NotSupportedError: bytes of parameters that are not dense.
        """
        from .refusals import refuse_lazy, refuse_tensors

        del device
        if not callable(getattr(subject.module, "named_parameters", None)):
            msg = f"{self.metric.name}: got {type(subject.module).__name__}, allowed is a torch.nn.Module"
            raise MeasurementError(msg)
        refuse_lazy(subject.module)
        in_bytes = self.metric.name == "weight_bytes"
        if in_bytes:
            refuse_tensors(subject.module.parameters(), "a parameter")
        calls = tuple(
            Call(
                "parameter",
                name,
                (tuple(parameter.shape),),
                parameter.numel() * (parameter.element_size() if in_bytes else 1),
            )
            for name, parameter in subject.module.named_parameters()
        )
        return Measurement(sum(call.count for call in calls), calls)
