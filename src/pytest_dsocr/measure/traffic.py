"""Measures what a trace sees: bytes moved, kernels launched, FLOPs outside of matrix work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..metrics import METRICS, Metric
from .measurement import Call, Measurement, Subject

if TYPE_CHECKING:
    from .memo import MetaMemo
    from .trace import Launch

__all__ = ["TraceMeasurer", "Tracer"]


class Tracer:
    """Traces a subject, once for all metrics that ask for it one after the other."""

    def __init__(self) -> None:
        self._memo: MetaMemo | None = None
        self._last: tuple[Subject, tuple[Launch, ...]] | None = None

    def launches(self, subject: Subject) -> tuple[Launch, ...]:
        """List what one run launches."""
        from .memo import MetaMemo
        from .trace import trace

        if self._last is None or self._last[0] is not subject:
            self._memo = self._memo or MetaMemo()
            args, kwargs = subject.inputs()  # made before the run: they are no work of the module
            seen = trace(lambda: subject.module(*args, **kwargs), subject.touched, self._memo)
            self._last = (subject, seen)
        return self._last[1]


class TraceMeasurer:
    """Measures ``cuda_flops``, ``io_bytes`` or ``launches``: what is counted of a launch is decision 5."""

    def __init__(self, name: str, tracer: Tracer) -> None:
        self.metric: Metric = next(metric for metric in METRICS if metric.name == name)
        self._tracer = tracer

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Run once, without gradients; the terms of ``launches`` are told apart by their bytes."""
        del device
        launches = self._tracer.launches(subject)
        if self.metric.name == "cuda_flops":
            calls = tuple(_call(one, one.cuda_flops) for one in launches if one.cuda_flops)
            return Measurement(sum(call.count for call in calls), calls)
        calls = tuple(_call(one, one.io_bytes) for one in launches)
        value = len(launches) if self.metric.name == "launches" else sum(call.count for call in calls)
        return Measurement(value, calls)


def _call(launch: Launch, count: int) -> Call:
    return Call(launch.name.split(".")[0], launch.module, launch.shapes, count)
