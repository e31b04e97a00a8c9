"""Tells pytest-benchmark the times that were measured, so that its table, files and comparisons hold them.

Its timer is a clock that stands still but for what a round took: a round of its own is the replay of one of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .row import Row

__all__ = ["VirtualClock", "tell_benchmark"]

FIXTURE = "benchmark"


class VirtualClock:
    """A timer that shows what it was last moved to."""

    def __init__(self, rounds: Sequence[float]) -> None:
        self._now = 0.0
        self._rounds = iter(rounds)

    def __call__(self) -> float:
        """Tell the time."""
        return self._now

    def reset(self) -> None:
        """Go back to 0 before a round, so that no digit of it is lost in a sum."""
        self._now = 0.0

    def advance(self) -> None:
        """Let the next round pass."""
        self._now = next(self._rounds, 0.0)


def tell_benchmark(request: pytest.FixtureRequest, row: Row, rounds: Sequence[float]) -> bool:
    """Replay the rounds of a time through the fixture ``benchmark``; say whether it took them.

    It takes one set of rounds a test, and none where pytest-benchmark is missing, disabled (as it is under xdist) or
    skipped, or where the test uses the fixture itself.
    """
    session: Any = request.config.pluginmanager.get_plugin("pytest-benchmark")
    if session is None or session.disabled or session.skip or FIXTURE in request.fixturenames or not rounds:
        return False
    clock = VirtualClock(rounds)
    own = request.node.get_closest_marker(FIXTURE)
    request.node.add_marker(pytest.mark.benchmark(**{**(own.kwargs if own else {}), "timer": clock}), append=False)
    benchmark = request.getfixturevalue(FIXTURE)
    benchmark.extra_info |= {
        "predicted_s": row.predicted,
        "layer": row.layer,
        "case": row.case,
        "device": row.device.name or row.device.type,
        "rtol": row.rtol,
        "verdict": str(row.verdict),
    }
    benchmark.pedantic(clock.advance, setup=clock.reset, rounds=len(rounds), iterations=1)
    return True
