"""Fits what a class of kernels makes of a machine to kernels that were timed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dsocr_cost.efficiency import Limits, Smooth

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["fit_smooth"]

_START = (5e-6, 0.7, 0.7, 3.0)
_LOW = (1e-7, 0.001, 0.001, 1.0)
_HIGH = (1e-2, 1.2, 4.0, 8.0)
_SHARE = 0.9  # of the samples that stay under the error that is told
_LINEAR_UP_TO = 0.1  # of the error: larger ones pull less than their square


def fit_smooth(limits: Sequence[Limits], seconds: Sequence[float]) -> Smooth:
    """Find the parameters of :class:`Smooth` with the least relative error, in which outliers count for less.

    ``limits`` are what each kernel would take at the machine's figures, ``seconds`` what it took; at least one.
    """
    from scipy.optimize import least_squares

    compute = np.array([float(one.compute_s) for one in limits])
    memory = np.array([float(one.memory_s) for one in limits])
    measured = np.log(np.array(seconds))

    def made(logs: Any) -> Smooth:
        fixed, by_compute, by_memory, sharpness = np.exp(logs)
        return Smooth(float(fixed), float(by_compute), float(by_memory), float(sharpness), 0.0)

    def off(logs: Any) -> Any:
        return np.log(made(logs).at(Limits(compute, memory))) - measured

    start, low, high = (np.log(one) for one in (_START, _LOW, _HIGH))
    best = least_squares(off, start, bounds=(low, high), loss="soft_l1", f_scale=_LINEAR_UP_TO)
    error = float(np.quantile(np.abs(np.expm1(off(best.x))), _SHARE))
    return replace(made(best.x), error=error)
