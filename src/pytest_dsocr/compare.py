"""Prediction against measurement: the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["WORST_FIRST", "Judgement", "Verdict", "judge"]


class Verdict(StrEnum):
    """What a comparison came to.

    ``error`` is a measurement that cannot be trusted, ``inconclusive`` one whose own noise is wider than the
    tolerance, ``not run`` one that was expected and never made. Only ``pass`` is a pass.
    """

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


WORST_FIRST = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_RUN, Verdict.PASS)
"""The order in which reports have them."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and, where it is no pass, why; the reason of a pass is a notice."""

    verdict: Verdict
    reason: str = ""


def judge(
    predicted: float,
    measured: float,
    rtol: float,
    *,
    spread: float | None = None,
    one_sided: bool = False,
    floor: float | None = None,
    doubt: str = "",
) -> Judgement:
    """Hold ``|predicted - measured| <= rtol * measured``, in both directions.

    ``spread`` is the measurement's own relative noise, None for a count; ``doubt`` is why it says nothing either way.
    Integers are compared as integers: at tolerance 0 the last digit decides, however large they are. A ``one_sided``
    figure, a time, passes with a notice where less is measured than predicted, and is an error below ``floor``, the
    least that is possible.
    """
    for name, figure in (("predicted", predicted), ("measured", measured)):
        if not _is_figure(figure):
            return Judgement(Verdict.ERROR, f"{name} is {figure!r}, allowed is a finite number of at least 0")
    if measured == 0 and predicted != 0:
        return Judgement(Verdict.ERROR, "measured 0 although the prediction is not: the measurement saw nothing")
    if floor is not None and measured < floor:
        msg = f"measured {measured:.4g}, the least that is physically possible is {floor:.4g}: the measurement is wrong"
        return Judgement(Verdict.ERROR, msg)
    if doubt:
        return Judgement(Verdict.INCONCLUSIVE, doubt)
    if spread is not None and not spread <= rtol:
        return Judgement(
            Verdict.INCONCLUSIVE, f"the measurement's spread of {100 * spread:.3g}% is wider than {100 * rtol:.3g}%"
        )
    if predicted == measured or abs(predicted - measured) <= rtol * measured:
        return Judgement(Verdict.PASS)
    if not one_sided:
        return Judgement(Verdict.FAIL, "the difference is larger than the rule allows")
    if measured > predicted:
        return Judgement(Verdict.FAIL, "slower than predicted by more than the rule allows")
    return Judgement(Verdict.PASS, "notice: faster than predicted by more than the rule allows")


def _is_figure(figure: object) -> bool:
    return isinstance(figure, int | float) and not isinstance(figure, bool) and math.isfinite(figure) and not figure < 0
