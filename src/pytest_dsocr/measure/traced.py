"""Measures what a trace sees: kernels launched, bytes moved, FLOPs outside of matrix work, memory that is alive."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from ..metrics import Metric, metric_named
from .measurement import Call, Measurement, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .alive import Peak
    from .launch import Launch
    from .memo import MetaMemo
    from .trace import Part, Trace

__all__ = ["TRACED", "TraceMeasurer", "Tracer"]


class Tracer:
    """Traces a subject, once for all metrics that ask for it one after the other, and does not keep it alive."""

    def __init__(self) -> None:
        self._memo: MetaMemo | None = None
        self._last: tuple[weakref.ref[Subject], Trace] | None = None

    def trace(self, subject: Subject) -> Trace:
        """Follow one run.

        Raises:
            MeasurementError: the module raised.
        """
        from .memo import MetaMemo
        from .trace import trace_subject

        if self._last is None or self._last[0]() is not subject:
            self._memo = self._memo or MetaMemo()
            self._last = None
            self._last = (weakref.ref(subject), trace_subject(subject, self._memo))
        return self._last[1]


class TraceMeasurer:
    """Measures one metric of a trace: what is counted of a launch is decision 5, what is alive decision 7.

    On a card ``allocated_bytes`` is what torch's allocator held, in a run of its own.
    """

    def __init__(self, name: str, tracer: Tracer) -> None:
        self.metric: Metric = metric_named(name)
        self._measure = TRACED[name]
        self._tracer = tracer

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Run once, without gradients.

        Raises:
            MeasurementError: the module raised.
        """
        if self.metric.name == "allocated_bytes" and device.startswith("cuda"):
            from .cuda_memory import allocated_on_cuda

            return allocated_on_cuda(subject, device)
        return self._measure(self._tracer.trace(subject))


def _cuda_flops(trace: Trace) -> Measurement:
    calls = tuple(_call(one, one.cuda_flops) for one in trace.launches if one.cuda_flops)
    return Measurement(sum(call.count for call in calls), calls, problem=_joined(trace.unwritten, trace.unclassified))


def _io_bytes(trace: Trace) -> Measurement:
    calls = tuple(_call(one, one.io_bytes) for one in trace.launches)
    return Measurement(sum(call.count for call in calls), calls, problem=trace.unwritten)


def _launches(trace: Trace) -> Measurement:
    """Tell the terms apart by their bytes."""
    calls = tuple(_call(one, one.io_bytes) for one in trace.launches)
    return Measurement(len(calls), calls, problem=trace.unwritten)


def _compulsory_bytes(trace: Trace) -> Measurement:
    return Measurement(
        sum(part.bytes for part in trace.compulsory), _parts(trace.compulsory), problem=_memory_problem(trace)
    )


def _kv_cache_bytes(trace: Trace) -> Measurement:
    return Measurement(sum(part.bytes for part in trace.kv_cache), _parts(trace.kv_cache))


def _activation_bytes(trace: Trace) -> Measurement:
    return Measurement(trace.activations.bytes, _storages(trace.activations), problem=_memory_problem(trace))


def _peak_launch(trace: Trace) -> Measurement:
    """Count the launches up to the peak of the activations; the one term is that launch."""
    number = trace.activations.at.launch
    calls = tuple(_call(one, number) for one in trace.launches[max(number - 1, 0) : number])
    return Measurement(number, calls, problem=_memory_problem(trace))


def _allocated_bytes(trace: Trace) -> Measurement:
    return Measurement(trace.allocated.bytes, _storages(trace.allocated), problem=_memory_problem(trace))


TRACED = {
    "cuda_flops": _cuda_flops,
    "io_bytes": _io_bytes,
    "launches": _launches,
    "compulsory_bytes": _compulsory_bytes,
    "kv_cache_bytes": _kv_cache_bytes,
    "activation_bytes": _activation_bytes,
    "peak_launch": _peak_launch,
    "allocated_bytes": _allocated_bytes,
}
"""What is measured from a trace, by the name of the metric."""


def _memory_problem(trace: Trace) -> str:
    return _joined(trace.unwritten, trace.unknown)


def _joined(*problems: str) -> str:
    return "; ".join(filter(None, problems))


def _call(launch: Launch, count: int) -> Call:
    return Call(launch.name.split(".")[0], launch.module, launch.shapes, count)


def _parts(parts: Iterable[Part]) -> tuple[Call, ...]:
    return tuple(Call(part.what, part.name, (part.shape,), part.bytes) for part in parts)


def _storages(peak: Peak) -> tuple[Call, ...]:
    """Say what was alive; a peak of many small ones is told by the largest."""
    return tuple(Call(one.op.split(".")[0], one.module, (one.shape,), one.bytes) for one in peak.storages if one.bytes)
