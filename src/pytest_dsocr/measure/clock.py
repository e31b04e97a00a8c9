"""What times one run."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clock", "WallClock"]


class Clock(Protocol):
    """Times one run at a time.

    ``captured`` says whether what it times is a replay of the first run, on that run's inputs; ``note`` what else a
    reader of its figures has to know, empty for nothing.
    """

    @property
    def captured(self) -> bool: ...  # noqa: D102 - the class docstring says it

    @property
    def note(self) -> str: ...  # noqa: D102 - the class docstring says it

    def seconds(self, run: Callable[[], object]) -> float:
        """Run once, and say how long it took until all of its work was done."""
        ...


class WallClock:
    """Times what ends when it returns, as on a CPU."""

    captured = False
    note = ""

    def seconds(self, run: Callable[[], object]) -> float:
        """Take the time on the wall."""
        start = perf_counter()
        run()
        return perf_counter() - start
