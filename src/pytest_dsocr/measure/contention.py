"""How much of the machine others used while something was measured on its CPU."""

from __future__ import annotations

import time
from dataclasses import dataclass

__all__ = ["TICK", "Usage", "others_share", "usage"]

TICK = 0.01
"""Seconds to which the kernel counts the time of a core."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds since some fixed time: of all cores busy, of them stolen by the hypervisor, of this process, on the wall.

    ``busy_s`` is without what was stolen.
    """

    busy_s: float
    stolen_s: float
    own_s: float
    wall_s: float


def usage() -> Usage:
    """Read the counters of the machine and of this process with all of its threads."""
    import psutil

    times = psutil.cpu_times()
    parts = (getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
    return Usage(sum(parts), getattr(times, "steal", 0.0), time.process_time(), time.perf_counter())


def others_share(before: Usage, after: Usage, cores: int) -> float:
    """Find the share of all cores, 0 to 1, that other processes and the hypervisor took between two readings.

    The counters move by ticks: up to one a core is doubt, not use, and is taken off. So a span of a few ticks sees
    only what fills it.
    """
    others = max((after.busy_s - before.busy_s) - (after.own_s - before.own_s), 0.0)
    taken = others + (after.stolen_s - before.stolen_s) - cores * TICK
    available = (after.wall_s - before.wall_s) * cores
    return min(max(taken / available, 0.0), 1.0) if available > 0 else 0.0
