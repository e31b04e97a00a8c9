"""Times single kernels inside a run, without waiting for any of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CudaStopwatch", "Stopwatch", "WallStopwatch"]

_HEAD_START_CYCLES = 200_000_000  # a tenth of a second at 2 GHz: longer than the host takes to launch a run


class Stopwatch(Protocol):
    """Takes marks in the order in which kernels run."""

    def ready(self) -> None:
        """Begin a run."""
        ...

    def mark(self) -> Any:
        """Note now, as the device sees it."""
        ...

    def done(self) -> None:
        """End a run: from here on marks have a time."""
        ...

    def between(self, start: Any, end: Any) -> float:
        """Tell the seconds between two marks."""
        ...


class WallStopwatch:
    """The host's clock, for a CPU, whose kernels are done when their call returns."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock

    def ready(self) -> None:
        """Nothing to do."""

    def mark(self) -> float:
        """Read the clock."""
        return self._clock()

    def done(self) -> None:
        """Nothing to do."""

    def between(self, start: float, end: float) -> float:
        """Subtract."""
        return end - start


class CudaStopwatch:
    """Events in the stream of a card.

    A run begins behind a kernel that only waits: the host gets ahead, and no event waits for it.
    """

    def __init__(self, device: str) -> None:
        self._device = device

    def ready(self) -> None:
        """Let the card wait until the host is ahead."""
        import torch

        torch.cuda.synchronize(self._device)
        with torch.cuda.device(self._device):
            torch.cuda._sleep(_HEAD_START_CYCLES)  # noqa: SLF001 - torch's own tests hold a stream with it

    def mark(self) -> Any:
        """Record an event."""
        import torch

        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event

    def done(self) -> None:
        """Wait for all events."""
        import torch

        torch.cuda.synchronize(self._device)

    def between(self, start: Any, end: Any) -> float:
        """Ask the later event."""
        return float(start.elapsed_time(end)) / 1e3
