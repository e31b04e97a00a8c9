"""A row against the stored row of its key: what moved, by how much, and whether that is a regression."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from .compare import Verdict
from .row import AgainstBaseline, Change, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "REGRESSION",
    "SIGNIFICANCE",
    "against",
    "can_differ",
    "change_text",
    "gated",
    "has_moved",
    "is_regression",
    "rank_test",
    "ungated",
]

SIGNIFICANCE = 0.01
"""The p-value below which the rounds of two times differ by more than chance."""

REGRESSION = "regression"
"""What the reason of a row begins with that the baseline alone fails."""

MOVED = 3
"""An update stores a figure anew when it has drifted by more than its tolerance over this."""

_TRUSTED = (Verdict.PASS, Verdict.FAIL)


def against(head: Row, base: Row | None, source: str) -> AgainstBaseline:
    """Hold a row's measured figure against the stored one of the same key, which is None if there is none.

    More than the row's tolerance allows is a regression, less an improvement; a time moves only if, beyond that, the
    rounds of both differ by a rank test. A measurement that is not trusted, on either side, moves nothing.
    """
    if base is None:
        return AgainstBaseline(Change.NEW, source=source, reason="no stored row has its key")
    if dict(head.sizes) != dict(base.sizes):
        sizes = ", ".join(f"{name}={size}" for name, size in base.sizes.items())
        return AgainstBaseline(Change.NEW, source=source, reason=f"the stored row is of other sizes: {sizes}")
    stored = AgainstBaseline(Change.SAME, base.measured, _relative(head.measured, base.measured), source=source)
    for row, whose in ((head, "measured"), (base, "stored")):
        if row.verdict not in _TRUSTED:
            return replace(stored, change=Change.UNCERTAIN, reason=f"the {whose} row is {row.verdict}: {row.reason}")
    if abs(head.measured - base.measured) <= head.rtol * base.measured:
        return stored
    more = head.measured > base.measured
    moved = replace(stored, change=Change.REGRESSION if more else Change.IMPROVEMENT)
    return _tested(moved, head, base) if head.metric.endswith("_s") else moved


def gated(row: Row, base: Row | None, source: str, *, advisory: str = "", updating: bool = False) -> Row:
    """Give a row its standing against the baseline; a regression fails it, unless its verdict is worse already.

    ``advisory`` says why times make no test fail; their regressions are inconclusive. ``updating`` runs take over what
    has moved, so nothing fails.
    """
    standing = against(row, base, source)
    row = replace(row, baseline=standing)
    if standing.change is not Change.REGRESSION or row.verdict is not Verdict.PASS or updating:
        return row
    reason = "; ".join(filter(None, (_regression(standing), row.reason)))  # a pass has a notice for a reason
    if advisory and row.metric.endswith("_s"):
        return replace(row, verdict=Verdict.INCONCLUSIVE, reason=f"{advisory}: {reason}")
    return replace(row, verdict=Verdict.FAIL, reason=reason)


def is_regression(row: Row) -> bool:
    """Tell whether a row fails because its figure got worse than what is stored."""
    standing = row.baseline
    return row.verdict is Verdict.FAIL and standing is not None and standing.change is Change.REGRESSION


def ungated(row: Row) -> Row:
    """Take a row's standing against a baseline off again, and the verdict that it has of it alone."""
    standing = row.baseline
    if standing and standing.change is Change.REGRESSION:
        _, regression, notice = row.reason.partition(_regression(standing))
        if regression:
            row = replace(row, verdict=Verdict.PASS, reason=notice.removeprefix("; "))
    return replace(row, baseline=None)


def _regression(standing: AgainstBaseline) -> str:
    return f"{REGRESSION}: {change_text(standing)}"


def change_text(standing: AgainstBaseline) -> str:
    """Say how a figure moved: ``+10.2% of the stored (p = 0.0001)``."""
    if standing.relative_change is None or not math.isfinite(standing.relative_change):
        return "more than the stored 0" if standing.measured == 0 else "moved"
    p = f" (rank test: p = {standing.p_value:.2g})" if standing.p_value is not None else ""
    return f"{100 * standing.relative_change:+.3g}% of the stored{p}"


def has_moved(row: Row, base: Row | None) -> bool:
    """Whether an update stores a row: it is new, or has moved by more than a third of its tolerance."""
    if base is None or dict(row.sizes) != dict(base.sizes) or base.verdict not in _TRUSTED:
        return True
    return MOVED * abs(row.measured - base.measured) > row.rtol * base.measured


def rank_test(head: Sequence[float], base: Sequence[float], *, more: bool) -> float:
    """Get the p-value of a one-sided Mann-Whitney U test: that ``head`` is only by chance larger (or smaller).

    Source: H. B. Mann and D. R. Whitney, Ann. Math. Statist. 18 (1947); as scipy.stats.mannwhitneyu has it.
    """
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(head, base, alternative="greater" if more else "less").pvalue)


def can_differ(head: int, base: int) -> bool:
    """Whether so many rounds can differ by the rank test at all: the least p-value is one over all their orders."""
    return 1 / math.comb(head + base, base) < SIGNIFICANCE


def _tested(moved: AgainstBaseline, head: Row, base: Row) -> AgainstBaseline:
    if not head.samples or not base.samples:
        whose = "measured" if not head.samples else "stored"
        return replace(moved, change=Change.UNCERTAIN, reason=f"the {whose} row has no rounds to test")
    if not can_differ(len(head.samples), len(base.samples)):
        reason = f"too few rounds to tell: {len(head.samples)} measured, {len(base.samples)} stored"
        return replace(moved, change=Change.UNCERTAIN, reason=reason)
    p = rank_test(head.samples, base.samples, more=moved.change is Change.REGRESSION)
    if not p < SIGNIFICANCE:
        reason = f"beyond the tolerance, and its rounds do not differ from the stored (rank test: p = {p:.2g})"
        return replace(moved, change=Change.UNCERTAIN, p_value=p, reason=reason)
    return replace(moved, p_value=p)


def _relative(measured: float, stored: float) -> float | None:
    try:
        return (measured - stored) / stored
    except (ZeroDivisionError, OverflowError):
        return None
