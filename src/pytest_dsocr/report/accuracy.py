"""How near the predictions of a run came, in a line: the middle of its errors, and what nine of ten stay under."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

from ..compare import Verdict
from .text import is_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..row import Row

__all__ = ["Accuracy", "accuracy_of", "accuracy_text"]

_FEWEST = 5  # times of which nine of ten means anything
_JUDGED = (Verdict.PASS, Verdict.FAIL)


class Accuracy(NamedTuple):
    """Relative errors of predicted times, without signs; ``faster`` counts the times below it."""

    times: int
    median: float
    nine_of_ten: float
    faster: int


def accuracy_of(rows: Iterable[Row]) -> Accuracy | None:
    """Take the times that were judged; None of fewer than five. What is inconclusive says nothing of a prediction."""
    errors = [
        row.relative_difference
        for row in rows
        if is_time(row.metric) and row.verdict in _JUDGED and row.relative_difference is not None
    ]
    if len(errors) < _FEWEST:
        return None
    apart = [abs(error) for error in errors]
    ninth = statistics.quantiles(apart, n=10, method="inclusive")[-1]
    return Accuracy(len(apart), statistics.median(apart), ninth, sum(error > 0 for error in errors))


def accuracy_text(accuracy: Accuracy) -> str:
    """Say it: ``60 times: half within 5.7%, 9 of 10 within 19.7%, 23 faster``."""
    half, ninth = (f"{100 * one:.1f}%" for one in (accuracy.median, accuracy.nine_of_ten))
    return f"{accuracy.times} times: half within {half}, 9 of 10 within {ninth}, {accuracy.faster} faster"
