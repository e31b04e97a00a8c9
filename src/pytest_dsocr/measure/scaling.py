"""Runs the real decoder over a real cache, prompt by prompt and token by token, and measures what it does."""

from __future__ import annotations

import platform
from dataclasses import asdict, replace
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from dsocr_cost.model import Decoder

from ..case import Case
from ..errors import MeasurementError, first_line
from ..scaling import TRACED, DecoderRun, Measured
from .device import fingerprint, resolve_device
from .flops import FlopMeasurer
from .formulas import FORMULAS
from .params import ParameterMeasurer
from .traced import TraceMeasurer, Tracer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..reference.reference import Reference
    from ..scaling import Plan
    from .measurement import Measurer, Subject

__all__ = ["REPEATS", "measure_runs"]

REPEATS = 3
"""Timed runs of a prompt on a device that has time, after one to warm up."""


def measure_runs(plan: Plan, reference: Reference, device: str) -> Measured:
    """Run every prompt of a plan, and the decode steps after it, on ``device``.

    FLOPs are counted in each forward pass. Times are taken in runs of their own, where nothing counts.

    Raises:
        OptionError: the device is not there.
        NotSupportedError: the modules cannot run in this dtype or attention there.
        MeasurementError: a count that cannot be trusted, or a prompt that torch cannot run.
    """
    device = resolve_device(device)
    case = Case("prompt", batch=plan.batch, q_len=1, kv_len=1)
    execution = plan.execution
    subject = reference.subject(
        Decoder(plan.config.decoder), case, device=device, dtype=execution.dtype, attention=execution.attention
    )
    if ParameterMeasurer("params").measure(subject, device=device).value == 0:
        msg = f"reference {reference.name}: its decoder has no parameters"
        raise MeasurementError(msg)
    measurer = FlopMeasurer(FORMULAS)
    runs: list[DecoderRun] = []
    for context in plan.contexts:
        try:
            runs.append(_run(_Prompt(subject, plan, context, device), measurer))
        except (RuntimeError, MemoryError, OverflowError) as error:
            if isinstance(error, MeasurementError):
                raise
            reason = first_line(error) or type(error).__name__
            msg = f"context: got {context}, which torch cannot run on {device}: {reason}"
            raise MeasurementError(msg) from error
    return Measured(
        runs=tuple(runs),
        environment={
            "python": platform.python_version(),
            "torch": version("torch"),
            "transformers": version("transformers"),
            "device": asdict(fingerprint(device)),
        },
        rotary=subject.execution.rotary if subject.execution else None,
        repeats=0 if device == "meta" else REPEATS,
    )


class _Prompt:
    """One prompt: its prefill and its decode steps as calls, in that order over one cache."""

    def __init__(self, decoder: Subject, plan: Plan, context: int, device: str) -> None:
        self.decoder, self.plan, self.context, self.device = decoder, plan, context, device

    def passes(self) -> tuple[Any, list[Subject]]:
        """Make an empty cache, and the forward passes that fill it."""
        from transformers import DynamicCache

        cache = DynamicCache()
        lengths = [self.context] + [1] * self.plan.decode_steps
        return cache, [replace(self.decoder, inputs=self._inputs(length, cache)) for length in lengths]

    def _inputs(self, length: int, cache: Any) -> Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]:
        def make() -> tuple[tuple[Any, ...], dict[str, Any]]:
            import torch

            shape = (self.plan.batch, length, self.plan.config.decoder.hidden_size)
            dtype = getattr(torch, self.plan.execution.dtype)
            return (torch.randn(shape, device=self.device, dtype=dtype), cache), {}

        return make


def _run(prompt: _Prompt, measurer: FlopMeasurer) -> DecoderRun:
    cache, (prefill, *steps) = prompt.passes()
    prefill_flops = _count(prefill, measurer, prompt)
    kv_after_prefill = _kv_bytes(cache)
    decode_flops = tuple(_count(step, measurer, prompt) for step in steps)
    times = {} if prompt.device == "meta" else _times(prompt)
    return DecoderRun(
        context=prompt.context,
        prefill_flops=prefill_flops,
        decode_flops=decode_flops,
        weight_bytes=sum(parameter.nbytes for parameter in prompt.decoder.module.parameters()),
        kv_bytes_after_prefill=kv_after_prefill,
        kv_bytes_after_decode=_kv_bytes(cache),
        traced=_trace(prompt),
        **times,
    )


def _count(subject: Subject, measurer: Measurer, prompt: _Prompt) -> int:
    measurement = measurer.measure(subject, device=prompt.device)
    if measurement.problem:
        msg = f"context {prompt.context}: {measurement.problem}"
        raise MeasurementError(msg)
    return int(measurement.value)


def _trace(prompt: _Prompt) -> tuple[dict[str, int], ...]:
    """Run the passes once more, over another cache, for what every kernel moves and what is alive."""
    tracer = Tracer()
    measurers = [TraceMeasurer(name, tracer) for name in TRACED]
    return tuple({one.metric.name: _count(subject, one, prompt) for one in measurers} for subject in prompt.passes()[1])


def _kv_bytes(cache: Any) -> int:
    return sum(int(layer.keys.nbytes + layer.values.nbytes) for layer in cache.layers)


def _times(prompt: _Prompt) -> dict[str, float]:
    """Time whole runs: the median and the spread of the prefill, and of all decode steps."""
    prefills: list[float] = []
    decodes: list[float] = []
    for repeat in range(REPEATS + 1):
        _, (prefill, *steps) = prompt.passes()
        times = [_time(one, prompt.device) for one in (prefill, *steps)]
        if repeat:
            prefills.append(times[0])
            decodes += times[1:]
    middles = {"prefill": median(prefills), "decode": median(decodes)}
    spreads = {
        f"{stage}_spread": (max(times) - min(times)) / middles[stage]
        for stage, times in (("prefill", prefills), ("decode", decodes))
    }
    return {**{f"{stage}_ms": middle for stage, middle in middles.items()}, **spreads}


def _time(subject: Subject, device: str) -> float:
    """Take the wall clock of one forward pass in milliseconds, from an idle device to an idle device."""
    import torch

    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)

    args, kwargs = subject.inputs()
    with torch.no_grad():
        wait()
        start = perf_counter()
        subject.module(*args, **kwargs)
        wait()
        return 1000 * (perf_counter() - start)
