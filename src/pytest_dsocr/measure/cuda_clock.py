"""Times runs on a CUDA device by its own events: launched as they come (eager), or back to back (graph)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..errors import first_line

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CudaEventClock", "CudaGraphClock"]

WARM_UP_RUNS = 3
"""Runs on a side stream before a capture, as torch asks for: libraries allocate in their first ones."""

LEAD_CYCLES = 1_000_000
"""Clock cycles, half a millisecond, for which the device is kept busy while a replay is put into its queue."""


class CudaEventClock:
    """Times the stream from before the first kernel of a run to after its last one, gaps and host included.

    With ``lead_cycles`` the device is busy for as long before, so that the host's first launch is no part of it.
    """

    captured = False
    note = ""

    def __init__(self, device: str, *, lead_cycles: int = 0) -> None:
        self._device = device
        self._lead_cycles = lead_cycles

    def seconds(self, run: Callable[[], object]) -> float:
        """Record an event before and one after the run, and wait for it."""
        with torch.cuda.device(self._device):
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            torch.cuda.synchronize()
            if self._lead_cycles:
                torch.cuda._sleep(self._lead_cycles)  # noqa: SLF001 - it has no public name
            start.record()
            run()
            end.record()
            end.synchronize()
            return float(start.elapsed_time(end)) / 1000


class CudaGraphClock:
    """Captures a run into a CUDA graph when it first sees it, and times replays: kernels back to back, no host.

    ``renew`` makes the inputs of a run that changes them; it is called before each run of the warm-up and before the
    capture. Where a run cannot be captured (it waits for the device, say) it is timed as it comes, and ``note`` says
    so.
    """

    def __init__(self, device: str, renew: Callable[[], object] = lambda: None) -> None:
        self.note = ""
        self._device = device
        self._renew = renew
        self._run: Callable[[], object] | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._made: object = None

    @property
    def captured(self) -> bool:
        """Whether what it times is a replay; known after the first run."""
        return self._graph is not None

    def seconds(self, run: Callable[[], object]) -> float:
        """Replay the run, and take the time between two events around it."""
        if run != self._run:  # a method is another object each time it is asked for
            self._run, self._graph, self._made = run, None, None
            with torch.cuda.device(self._device):
                self._graph = self._capture(run)
        if self._graph is None:
            return CudaEventClock(self._device).seconds(run)
        return CudaEventClock(self._device, lead_cycles=LEAD_CYCLES).seconds(self._graph.replay)

    def _capture(self, run: Callable[[], object]) -> torch.cuda.CUDAGraph | None:
        """Warm up on a side stream, then capture."""
        before, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(before)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP_RUNS):
                self._renew()
                run()
        before.wait_stream(side)
        self._renew()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._made = run()  # kept: its memory is the graph's
        except RuntimeError as error:
            torch.cuda.set_stream(before)  # a capture that fails leaves its own stream current
            torch.cuda.synchronize()
            self._renew()
            self.note = f"no CUDA graph, timed eager: {first_line(error)}"
            return None
        self.note = ""
        return graph
