"""The forms of a fused attention against tables that others measured: sizes that the fit did not see."""

from functools import cache

import judge
import pytest

pytestmark = pytest.mark.oracle

MOST = 12
SETS = ("other sites", "other sizes", "both")
TABLES = [
    *((system, name) for system in ("H200", "RTX PRO 6000 Server", "B200", "L40S") for name in judge.ATTENTION),
    *(("A100 80GB", name) for name in ("prefill", "decode")),
]
REACHED = {
    ("B200", "prefill", "other sizes"): 13,
    ("B200", "prefill", "both"): 13,
    ("H200", "encoder", "other sizes"): 13.5,
    ("H200", "encoder", "both"): 14,
}
"""Mean errors where 12 % is not met: an open target."""


@cache
def judged(system, name):
    return judge.judge_attention(system, name, seeds=range(4))


@pytest.mark.parametrize("among", SETS)
@pytest.mark.parametrize(("system", "name"), TABLES, ids=lambda one: one)
def test_seven_parameters_predict_what_they_were_not_fitted_to(system, name, among, told):
    """Of all (batch, heads), the sites, and of all lengths, three of ten are held out."""
    if among == SETS[0]:
        told(judged(system, name).lines(f"{system}: {name}"))
    assert judged(system, name)["fitted", among].mean <= REACHED.get((system, name, among), MOST)


@pytest.mark.parametrize(("system", "name", "among"), REACHED)
@pytest.mark.xfail(strict=True, reason="an open target: docs/decisions/0009-kernel-time.md")
def test_these_come_within_12_per_cent_too(system, name, among):
    assert judged(system, name)["fitted", among].mean <= MOST


@pytest.mark.parametrize(("system", "name"), TABLES, ids=lambda one: one)
def test_they_do_better_than_a_roofline(system, name):
    assert judged(system, name)["fitted", "both"].mean < 0.3 * judged(system, name)["roofline", "both"].mean
