"""Predicted terms beside counted ones: which stand for each other, and where the two part ways."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Pair", "align", "aligned"]

MAX_ALIGNED = 400
"""Terms of each side that are matched with as few disagreements as can be: the time grows with the square."""

MAX_STANDS_FOR = 3
"""Terms that one may stand for."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Predicted and counted terms that stand for each other, as index ranges into both sequences."""

    predicted: range
    counted: range
    agrees: bool


def align(predicted: Sequence[float], counted: Sequence[float]) -> list[Pair]:
    """Match two sequences of terms in their order, with as few disagreements as can be.

    One term may stand for two or three of the other side with the same sum, as a fused attention does for its two
    matmuls. A term that nothing stands for is paired with an empty range.
    """
    steps = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 0), (0, 1)]
    rows, columns = len(predicted), len(counted)
    best: dict[tuple[int, int], tuple[int, tuple[int, int], bool]] = {(0, 0): (0, (0, 0), True)}
    for row in range(rows + 1):
        for column in range(columns + 1):
            options = []
            for up, left in steps:
                before = (row - up, column - left)
                if before not in best:
                    continue
                agrees = 0 not in (up, left) and sum(predicted[before[0] : row]) == sum(counted[before[1] : column])
                if not agrees and up + left > 2:
                    continue
                options.append((best[before][0] + (not agrees), (up, left), agrees))
            if options:
                best[row, column] = min(options, key=lambda option: option[0])
    pairs = []
    row, column = rows, columns
    while (row, column) != (0, 0):
        _, (up, left), agrees = best[row, column]
        pairs.append(Pair(range(row - up, row), range(column - left, column), agrees))
        row, column = row - up, column - left
    return pairs[::-1]


def aligned(predicted: Sequence[Any], counted: Sequence[Any]) -> list[Pair]:
    """Match two sequences of terms, in a time that grows with the square only between their first and last difference.

    Far too much of that is matched one by one.
    """
    in_step = _in_step(predicted, counted)
    if in_step is not None:
        return in_step
    start = _common(predicted, counted)
    end = _common(predicted[start:][::-1], counted[start:][::-1])
    left, right = predicted[start : len(predicted) - end], counted[start : len(counted) - end]
    between = align(left[:MAX_ALIGNED], right[:MAX_ALIGNED])
    between += [_pair(index, index, left, right) for index in range(MAX_ALIGNED, max(len(left), len(right)))]
    return [
        *(Pair(range(at, at + 1), range(at, at + 1), agrees=True) for at in range(start)),
        *(Pair(_moved(pair.predicted, start), _moved(pair.counted, start), pair.agrees) for pair in between),
        *(_pair(len(predicted) - at, len(counted) - at, predicted, counted) for at in range(end, 0, -1)),
    ]


def _in_step(predicted: Sequence[Any], counted: Sequence[Any]) -> list[Pair] | None:
    """Match terms by the sums up to each, if both sides reach the same ones in steps that may stand for each other."""
    pairs: list[Pair] = []
    row = column = 0
    while row < len(predicted) and column < len(counted):
        start_row, start_column = row, column
        ahead = predicted[row] - counted[column]
        row, column = row + 1, column + 1
        while ahead:
            if ahead > 0 and column < len(counted):
                ahead, column = ahead - counted[column], column + 1
            elif ahead < 0 and row < len(predicted):
                ahead, row = ahead + predicted[row], row + 1
            else:
                return None
        sides = row - start_row, column - start_column
        if max(sides) > MAX_STANDS_FOR or min(sides) > 1:
            return None
        pairs.append(Pair(range(start_row, row), range(start_column, column), agrees=True))
    return pairs if (row, column) == (len(predicted), len(counted)) else None


def _pair(left: int, right: int, predicted: Sequence[Any], counted: Sequence[Any]) -> Pair:
    ranges = range(left, min(left + 1, len(predicted))), range(right, min(right + 1, len(counted)))
    return Pair(*ranges, agrees=predicted[left : left + 1] == counted[right : right + 1])


def _common(left: Sequence[Any], right: Sequence[Any]) -> int:
    """Count the terms that both begin with."""
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(left, right, strict=False)))


def _moved(indices: range, by: int) -> range:
    return range(indices.start + by, indices.stop + by)
