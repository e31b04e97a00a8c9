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

__all__ = ["Kernel", "TimedRun", "pooled", "time_kernels"]


_WARM_UP_RUNS, _WARM_UP_S = 2, 0.5  # the second one gets the memory that the first has freed
_ENOUGH_S, _MOST_TIMES = 0.2, 5
_LONG_S = 0.4

DISTURBED = 1.5
"""Times the fastest pass from which on a pass was disturbed: drifts of a machine were seen up to a third."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """An op and the seconds that its kernel took in each of several runs."""

    op: Op
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of its runs."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class TimedRun:
    """A module's kernels, and the host's seconds for each of some runs that nothing looked into; none of a long one."""

    kernels: tuple[Kernel, ...]
    elapsed: tuple[float, ...]


def pooled(passes: Sequence[TimedRun]) -> tuple[Kernel, ...]:
    """Put the kernels of several passes over the same runs, spread over minutes, together.

    A machine is somewhat faster or slower from one half-minute to the next, and what is measured later meets either: a
    kernel keeps the runs of all passes. A kernel that took far longer in one pass than in another was disturbed there,
    by pages that came back from a disk, say, and that pass does not count for it.
    """
    return tuple(_pooled(same) for same in zip(*(one.kernels for one in passes), strict=True))


def _pooled(same: Sequence[Kernel]) -> Kernel:
    best = min(one.median for one in same)
    kept = [one for one in same if one.median <= DISTURBED * best]
    return Kernel(same[0].op, tuple(second for one in kept for second in one.seconds))


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

    A short one runs more often, a long one once. ``evict`` empties the caches before each run, ``wait``
    returns when the device is idle. A run without marks follows each run with them, until there is enough of those;
    of a long one, in which the host's share is lost, there is none.

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
            if sum(elapsed) >= _ENOUGH_S or sum(seconds[-1]) >= _LONG_S:
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
    if len(seconds) < runs:
        return total >= _LONG_S
    return total >= _ENOUGH_S or len(seconds) >= _MOST_TIMES * runs


def _require_as_predicted(launched: Sequence[Op], marks: Sequence[tuple[str, Any, Any]]) -> None:
    if len(launched) != len(marks):
        msg = f"calibration: {len(marks)} kernels ran, {len(launched)} are predicted: {_first_names(marks)}"
        raise MeasurementError(msg)


def _first_names(marks: Sequence[tuple[str, Any, Any]]) -> str:
    return ", ".join(name for name, *_ in marks[:8]) + ", ..."
