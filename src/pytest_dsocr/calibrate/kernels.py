"""Times every kernel of a module where it runs: after the one before it, beside its caches, at its place in memory."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ..errors import MeasurementError
from ..measure.launch import Ran, is_launch
from ..measure.op_kinds import op_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsocr_cost import Op

    from ..measure.measurement import Subject
    from .stopwatch import Stopwatch

__all__ = ["Kernel", "TimedRun", "quietest", "time_kernels"]


_WARM_UP_RUNS, _WARM_UP_S = 2, 0.5  # the second one gets the memory that the first has freed
_ENOUGH_S, _MOST_TIMES = 0.3, 5
_LONG_S, _FEWEST = 2.0, 2


@dataclass(frozen=True, slots=True)
class Kernel:
    """An op and the seconds that its kernel took in each of several runs.

    ``apart`` is how far another pass over the same runs is from this one: half the difference of their medians, over
    this one's; 0 where there is no other.
    """

    op: Op
    seconds: tuple[float, ...]
    apart: float = 0.0

    @property
    def median(self) -> float:
        """The middle of its runs."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class TimedRun:
    """A module's kernels, and the host's seconds for each of some runs that nothing looked into."""

    kernels: tuple[Kernel, ...]
    elapsed: tuple[float, ...]


def quietest(passes: Sequence[TimedRun]) -> TimedRun:
    """Take of several passes over the same runs, minutes apart, the fastest for each kernel.

    What disturbs a pass, another guest of the host or pages that come back from its disk, only adds to it, and lasts
    for longer than the runs of one pass.
    """
    kernels = []
    for same in zip(*(one.kernels for one in passes), strict=True):
        best, worst = min(same, key=_median), max(same, key=_median)
        apart = (worst.median - best.median) / 2 / best.median if best.median else 0.0
        kernels.append(Kernel(best.op, best.seconds, apart))
    return TimedRun(tuple(kernels), min((one.elapsed for one in passes), key=statistics.median))


def _median(kernel: Kernel) -> float:
    return kernel.median


class _Timing(TorchDispatchMode):
    """Puts a mark before and after every op that launches something."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.marks: list[tuple[str, Any, Any]] = []
        self._stopwatch = stopwatch

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the op between two marks."""
        kwargs = kwargs or {}
        start = self._stopwatch.mark()
        out = func(*args, **kwargs)
        end = self._stopwatch.mark()
        if is_launch(Ran.of(op_of(func), args, kwargs, out)):
            self.marks.append((func.name(), start, end))
        return out


def time_kernels(
    subject: Subject,
    ops: Sequence[Op],
    stopwatch: Stopwatch,
    evict: Callable[[], object],
    *,
    runs: int,
    wait: Callable[[], None],
) -> TimedRun:
    """Run a module ``runs`` times and hold its kernels against the predicted ops, one for one.

    A short one runs more often, one that takes seconds twice. ``evict`` empties the caches before each run, ``wait``
    returns when the device is idle. A run without marks follows each run with them, until there is enough of those.

    Raises:
        MeasurementError: the module launched other kernels than predicted.
    """
    launched = [op for op in ops for _ in range(int(op.launches))]
    seconds: list[list[float]] = []
    elapsed: list[float] = []
    with torch.no_grad():
        _warm_up(subject)
        while not _is_enough(seconds, runs):
            args, kwargs = subject.inputs()
            evict()
            timing = _Timing(stopwatch)
            stopwatch.ready()
            with timing:
                subject.module(*args, **kwargs)
            stopwatch.done()
            _require_as_predicted(launched, timing.marks)
            seconds.append([stopwatch.between(start, end) for _, start, end in timing.marks])
            if sum(elapsed) >= _ENOUGH_S:
                continue
            args, kwargs = subject.inputs()
            evict()
            wait()
            begin = time.perf_counter()
            subject.module(*args, **kwargs)
            wait()
            elapsed.append(time.perf_counter() - begin)
    by_op = zip(launched, zip(*seconds, strict=True), strict=True)
    return TimedRun(tuple(Kernel(op, taken) for op, taken in by_op), tuple(elapsed))


def _warm_up(subject: Subject) -> None:
    """Run untimed, once if that takes long."""
    begin = time.perf_counter()
    for _ in range(_WARM_UP_RUNS):
        subject.run()
        if time.perf_counter() - begin > _WARM_UP_S:
            return


def _is_enough(seconds: Sequence[Sequence[float]], runs: int) -> bool:
    """Whether a module ran often enough, by the seconds of its kernels in each run."""
    total = sum(map(sum, seconds))
    if len(seconds) >= min(runs, _FEWEST) and total >= _LONG_S:
        return True
    return len(seconds) >= runs and (total >= _ENOUGH_S or len(seconds) >= _MOST_TIMES * runs)


def _require_as_predicted(launched: Sequence[Op], marks: Sequence[tuple[str, Any, Any]]) -> None:
    if len(launched) != len(marks):
        msg = f"calibration: {len(marks)} kernels ran, {len(launched)} are predicted: {_first_names(marks)}"
        raise MeasurementError(msg)


def _first_names(marks: Sequence[tuple[str, Any, Any]]) -> str:
    return ", ".join(name for name, *_ in marks[:8]) + ", ..."
