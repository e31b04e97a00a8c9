"""A time with its doubt: warm-up, rounds, repeats, bounded retries; what their spread is.

The figure is the median of all rounds. Its spread is relative to it, half a width, and the widest of

- the 95 % confidence interval of the median, by ranks: no shape of the noise is assumed;
- the drift: how far the medians of the first and of the second half stand apart;
- the contention: the share of the machine that others used meanwhile;
- how far the medians of the repeats stand apart.

An attempt whose spread is wider than the tolerance is made again, a bounded number of times in a measurement; the
quietest attempt of each repeat is kept.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, floor, sqrt
from statistics import fmean, median, stdev
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .clock import Clock

__all__ = ["Attempt", "Effort", "Timing", "median_interval", "time_run"]

FEW_FAULTS_PER_S = 3000
"""Page faults in a second that do not count: at 3 us each, as on a virtual machine, they take 1 % of it."""

NORMAL_95 = 1.96
"""Standard deviations on both sides of a mean that hold 95 %."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a measurement tries.

    An attempt goes on until it has ``rounds`` and ``seconds`` on the wall, and ends at ``most_rounds``, or once it has
    two rounds and ``most_seconds``. ``retries`` is what all repeats may have together. The warm-up is at least two runs
    and ``warm_up_seconds``, goes on to ``warm_up_runs`` at most until memory has settled, and ends once it has taken
    ``most_seconds``.
    """

    repeats: int = 3
    rounds: int = 5
    seconds: float = 0.3
    most_rounds: int = 1000
    most_seconds: float = 10.0
    retries: int = 3
    warm_up_seconds: float = 0.1
    warm_up_runs: int = 6


@dataclass(frozen=True, slots=True)
class Attempt:
    """The rounds of one attempt, in their order, and the share of the machine that others used meanwhile."""

    seconds: tuple[float, ...]
    contention: float = 0.0

    @property
    def median(self) -> float:
        """The middle round."""
        return median(self.seconds)

    @property
    def drift(self) -> float:
        """Half the distance between the medians of the first and of the second half, relative."""
        half = len(self.seconds) // 2
        if not half:
            return 0.0
        return _relative(abs(median(self.seconds[:half]) - median(self.seconds[-half:])) / 2, self.median)

    @property
    def interval(self) -> float:
        """Half the width of the median's confidence interval, relative."""
        low, high = median_interval(self.seconds)
        return _relative((high - low) / 2, self.median)

    @property
    def spread(self) -> float:
        """The widest of the median's interval, the drift and the contention."""
        return max(self.interval, self.drift, self.contention)


@dataclass(frozen=True, slots=True)
class Timing:
    """What was kept of each repeat, and how many attempts were made again."""

    repeats: tuple[Attempt, ...]
    retries: int = 0

    @property
    def seconds(self) -> tuple[float, ...]:
        """All rounds."""
        return tuple(second for attempt in self.repeats for second in attempt.seconds)

    @property
    def median(self) -> float:
        """The median of all rounds: the figure."""
        return median(self.seconds)

    @property
    def mean(self) -> float:
        """The mean over the repeats, each by its median."""
        return fmean(attempt.median for attempt in self.repeats)

    @property
    def standard_deviation(self) -> float | None:
        """That of the repeats, each by its median; None for a single one."""
        return stdev(attempt.median for attempt in self.repeats) if len(self.repeats) > 1 else None

    @property
    def contention(self) -> float:
        """The most that others used in any repeat."""
        return max(attempt.contention for attempt in self.repeats)

    @property
    def parts(self) -> dict[str, float]:
        """What could make the spread, and how wide each is: the widest of all repeats."""
        medians = [attempt.median for attempt in self.repeats]
        return {
            "scatter of the rounds": max(attempt.interval for attempt in self.repeats),
            "drift": max(attempt.drift for attempt in self.repeats),
            "scatter of the repeats": _relative((max(medians) - min(medians)) / 2, self.median),
            "others' use of the CPU": self.contention,
        }

    @property
    def spread(self) -> float:
        """The widest of its parts."""
        return max(self.parts.values())

    @property
    def cause(self) -> str:
        """What makes the spread."""
        return max(self.parts, key=self.parts.__getitem__)


def time_run(
    run: Callable[[], object],
    clock: Clock,
    *,
    tolerance: float,
    effort: Effort = Effort(),
    before: Callable[[], object] = lambda: None,
    others: Callable[[], Callable[[], float]] = lambda: lambda: 0.0,
    faults: Callable[[], int] = lambda: 0,
    now: Callable[[], float] = perf_counter,
) -> Timing:
    """Time a run until its spread is within the tolerance, or the effort is spent.

    Args:
        run: what is timed.
        clock: what times it.
        tolerance: the relative spread above which an attempt is made again.
        effort: how long it tries.
        before: what is called before each run, outside of the timed span: new inputs, empty caches.
        others: called at the start of an attempt; what it returns, at its end: the share that others used between.
        faults: the page faults until now; the warm-up ends when a run has few.
        now: the time on the wall, which bounds the effort.
    """

    def one_round() -> float:
        before()
        return clock.seconds(run)

    _warm_up(one_round, effort, faults, now)
    kept, left = [], effort.retries
    for _ in range(effort.repeats):
        best = _attempt(one_round, effort, others, now)
        while best.spread > tolerance and left:
            left -= 1
            best = min(best, _attempt(one_round, effort, others, now), key=lambda one: one.spread)
        kept.append(best)
    return Timing(tuple(kept), effort.retries - left)


def median_interval(values: tuple[float, ...]) -> tuple[float, float]:
    """Find the 95 % confidence interval of the median by ranks; the whole range below six values.

    The number of values below the median is binomial, n/2 on average with sqrt(n)/2 of deviation. So it holds the ranks
    n/2 -+ 0.98 sqrt(n), counted from 1, the upper one plus 1.
    """
    ordered = sorted(values)
    count, around = len(ordered), NORMAL_95 * sqrt(len(ordered)) / 2
    low, high = floor(count / 2 - around), ceil(count / 2 + around) + 1
    return ordered[max(low, 1) - 1], ordered[min(high, count) - 1]


def _warm_up(
    one_round: Callable[[], float], effort: Effort, faults: Callable[[], int], now: Callable[[], float]
) -> None:
    """Run untimed: libraries load, choose and allocate in their first runs, clocks rise, and memory is found."""
    start, runs, settled = now(), 0, False
    while runs < 2 or now() - start < effort.warm_up_seconds or (not settled and runs < effort.warm_up_runs):
        before = faults()
        taken = one_round()
        settled = faults() - before <= FEW_FAULTS_PER_S * taken
        runs += 1
        if now() - start >= effort.most_seconds:
            return


def _attempt(
    one_round: Callable[[], float],
    effort: Effort,
    others: Callable[[], Callable[[], float]],
    now: Callable[[], float],
) -> Attempt:
    seconds: list[float] = []
    with _no_garbage_collection():
        start, share = now(), others()
        while len(seconds) < effort.most_rounds:
            seconds.append(one_round())
            took = now() - start
            if len(seconds) >= effort.rounds and took >= effort.seconds:
                break
            if len(seconds) >= 2 and took >= effort.most_seconds:
                break
        return Attempt(tuple(seconds), share())


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collect before, so that no collection falls into a round."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _relative(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
