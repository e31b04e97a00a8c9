"""Measures seconds: on a CPU by the wall, on CUDA by its events, one measurement at a time on a device."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import MeasurementError, NotSupportedError, raised_text
from ..markers import NO_TIME
from ..metrics import LATENCY, Metric
from .allocator import keep_freed_memory, page_faults
from .clock import WallClock
from .contention import others_share, usage
from .measurement import Measurement, Subject
from .nvml import GpuState, state_of
from .settings import LatencySettings
from .timing import Effort, Timing, time_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..metrics import Predict
    from .clock import Clock
    from .renewed import RenewedRun

__all__ = ["LatencyMeasurer"]


class LatencyMeasurer:
    """Measures ``latency_s``: the median of many runs without gradients, and how far it can be trusted.

    ``predict`` is asked before anything is measured. ``clock_for`` makes the clock of a device and a run; ``folder`` is
    where the locks are, by default the machine's.
    """

    def __init__(
        self,
        predict: Predict,
        settings: LatencySettings = LatencySettings(),
        *,
        effort: Effort = Effort(),
        rtol: float = LATENCY.tolerance,
        clock_for: Callable[[str, RenewedRun], Clock] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.metric: Metric = replace(LATENCY, predict=predict)
        self._settings = settings
        self._effort = replace(effort, repeats=settings.repeats)
        self._rtol = rtol
        self._clock_for = clock_for or self._usual_clock
        self._folder = folder

    def within(self, rtol: float) -> LatencyMeasurer:
        """Get the measurer whose attempts are made again where their spread is wider than ``rtol``."""
        return LatencyMeasurer(
            self.metric.predict,
            self._settings,
            effort=self._effort,
            rtol=rtol,
            clock_for=self._clock_for,
            folder=self._folder,
        )

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Time a subject. What goes wrong in a run, out of memory say, is the measurement's problem.

        Raises:
            NotSupportedError: there is no time to be had: on ``meta``, or a CUDA graph elsewhere than on CUDA.
        """
        self._refuse(device)
        from .lock import lock_key, one_at_a_time

        try:
            with one_at_a_time(lock_key(device), timeout_s=self._settings.lock_timeout_s, folder=self._folder):
                return self._measured(subject, device)
        except (RuntimeError, MemoryError) as error:  # a full or a lost card is one, a lock that is held another
            problem = _problem_of(error)
        _let_go(device)
        return Measurement(float("nan"), problem=problem)

    def _refuse(self, device: str) -> None:
        if device == "meta":
            raise NotSupportedError(NO_TIME)
        if not device.startswith(("cpu", "cuda")):
            msg = f"time is measured on cpu and cuda, and this module is on {device}"
            raise NotSupportedError(msg)
        if self._settings.launch == "graph" and not device.startswith("cuda"):
            msg = f"--dsocr-launch graph needs a CUDA device, and this is measured on {device}"
            raise NotSupportedError(msg)

    def _measured(self, subject: Subject, device: str) -> Measurement:
        import torch

        from .cache import evictor
        from .renewed import RenewedRun

        kept = device == "cpu" and keep_freed_memory()
        evict = evictor(self._settings.cache, device)
        with torch.no_grad():
            run = RenewedRun(subject)
            clock = self._clock_for(device, run)
            state = state_of(device)

            def make_ready() -> None:
                if not clock.captured:  # a replay runs on the inputs that were captured
                    run.renew()
                evict()

            timing = time_run(
                run,
                clock,
                tolerance=self._rtol,
                effort=self._effort,
                before=make_ready,
                others=_others(device),
                faults=page_faults if kept else lambda: 0,
            )
        notes = (f"{self._settings.cache} cache", "freed memory kept" if kept else "")
        return self._figure(timing, clock, notes, state, state_of(device))

    def _figure(
        self, timing: Timing, clock: Clock, notes: tuple[str, ...], before: GpuState, after: GpuState
    ) -> Measurement:
        throttled = dict.fromkeys((*before.throttled, *after.throttled))
        details: dict[str, int | float] = {
            "mean_s": timing.mean,
            "minimum_s": min(timing.seconds),
            "rounds": len(timing.seconds),
            "repeats": len(timing.repeats),
            "retries": timing.retries,
            "contention": timing.contention,
        }
        if timing.standard_deviation is not None:
            details["stdev_s"] = timing.standard_deviation
        if after.sm_clock_mhz is not None:
            details["sm_clock_mhz"] = after.sm_clock_mhz
        launch = "CUDA graph" if clock.captured else "eager"
        notes = (*notes, launch, f"spread by {timing.cause}", clock.note)
        return Measurement(
            timing.median,
            spread=timing.spread,
            details=details,
            notes=", ".join(filter(None, notes)),
            doubt=f"the card was throttled: {', '.join(throttled)}" if throttled else "",
            samples=timing.seconds,
        )

    def _usual_clock(self, device: str, run: RenewedRun) -> Clock:
        if not device.startswith("cuda"):
            return WallClock()
        from .cuda_clock import CudaEventClock, CudaGraphClock

        return CudaEventClock(device) if self._settings.launch == "eager" else CudaGraphClock(device, run.renew)


def _others(device: str) -> Callable[[], Callable[[], float]]:
    """Find what tells how much of the machine others use: for a CPU; a card is locked, and its host is not measured."""

    def watch() -> Callable[[], float]:
        if device.startswith("cuda"):
            return lambda: 0.0
        before, cores = usage(), os.cpu_count() or 1
        return lambda: others_share(before, usage(), cores)

    return watch


def _problem_of(error: BaseException) -> str:
    """Say in a line what went wrong: our own words, or the module's."""
    return str(error) if isinstance(error, MeasurementError) else raised_text(error)


def _let_go(device: str) -> None:
    """Give back what a failed run held of a card; one that is lost has nothing to give."""
    if device.startswith("cuda"):
        import torch

        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()
