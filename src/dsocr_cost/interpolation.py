"""Interpolates what a formula leaves over between points where it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["Interpolation"]

_NEAR = 1e-6


@dataclass(frozen=True, slots=True)
class Interpolation:
    """A value at every point of a space: exact where it is known, straight between two of those, level beyond all.

    A sum of cones, one a known point, and a constant: in one dimension the broken line through the points. ``points``
    are [known, dimensions]; ``weights`` the cones' slopes, which add up to 0.
    """

    points: NDArray[np.float64]
    weights: NDArray[np.float64]
    constant: float

    @classmethod
    def through(cls, samples: Iterable[tuple[tuple[float, ...], float]]) -> Interpolation:
        """Go through ``(point, value)`` pairs, at least one; of several values at one point, through their mean."""
        gathered: dict[tuple[float, ...], list[float]] = {}
        for point, value in samples:
            gathered.setdefault(tuple(round(one / _NEAR) * _NEAR for one in point), []).append(value)
        points = np.array(list(gathered), dtype=np.float64)
        values = np.array([sum(known) / len(known) for known in gathered.values()])
        count = len(points)
        system = np.zeros((count + 1, count + 1))
        system[:count, :count] = _distances(points, points)
        system[:count, count] = system[count, :count] = 1
        solved = np.linalg.solve(system, np.append(values, 0.0))
        return cls(points, solved[:count], float(solved[count]))

    def at(self, point: tuple[Any, ...]) -> Any:
        """Interpolate at one point, or at as many as the coordinates, arrays that broadcast, have entries."""
        coordinates = np.stack(np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in point)), axis=-1)
        return _distances(coordinates, self.points) @ self.weights + self.constant


def _distances(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    # [..., d] and [known, d]: [..., known]
    apart: NDArray[np.float64] = np.linalg.norm(left[..., None, :] - right, axis=-1)
    return apart
