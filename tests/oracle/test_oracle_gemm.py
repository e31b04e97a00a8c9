"""The matmul form against tables that others measured: sites and sizes that the fit did not see."""

from functools import cache

import judge
import numpy as np
import pytest
import tables

from dsocr_cost.profile import Host, Profile, site_key
from pytest_dsocr.calibrate.fit_tiles import fit_gemm
from pytest_dsocr.calibrate.kernels import Kernel
from pytest_dsocr.calibrate.sites import sites

pytestmark = pytest.mark.oracle

CARDS = ("H200", "RTX PRO 6000 Server", "B200", "A100 80GB")
ALL_CARDS = (*CARDS, "L40S")
SETS = ("other sites", "other sizes", "both")
FITTED_MOST, SITES_MOST = 10, 6
REACHED = {("L40S", among): most for among, most in zip(SETS, (12, 12.5, 12), strict=True)}
"""Mean errors where 10 % is not met: an open target."""

SITES_REACHED = {"A100 80GB": 7, "B200": 6.6}
"""Mean errors where 6 % is not met: an open target."""

HOST = Host(0.0, 0.0, overlaps=True, error=0.0)
MEASURED_AT = (1, 4, 12, 16, 32, 64, 128, 256, 513, 1024, 2048, 4096, 8192)
A_SITE_EACH = 28


@cache
def judged(system):
    return judge.judge_gemm(system, seeds=(0, 1))


@pytest.mark.parametrize("among", SETS)
@pytest.mark.parametrize("system", ALL_CARDS)
def test_eight_parameters_predict_what_they_were_not_fitted_to(system, among, told):
    """Of 483 (n, k) and 74 m, three of ten are held out."""
    if among == SETS[0]:
        told(judged(system).lines(f"{system}: matmuls"))
    assert judged(system)["fitted", among].mean <= REACHED.get((system, among), FITTED_MOST)


@pytest.mark.parametrize(("system", "among"), REACHED)
@pytest.mark.xfail(strict=True, reason="an open target: docs/decisions/0009-kernel-time.md")
def test_these_come_within_10_per_cent_too(system, among):
    assert judged(system)["fitted", among].mean <= FITTED_MOST


@pytest.mark.parametrize("among", SETS)
@pytest.mark.parametrize("system", CARDS)
def test_they_do_better_than_a_roofline_and_than_one_constant(system, among):
    errors = judged(system)
    assert errors["fitted", among].mean < 0.4 * errors["one constant", among].mean
    assert errors["one constant", among].mean < errors["roofline", among].mean


class Repeated:
    """A benchmark's matmul: the same few weights again and again."""

    def __init__(self, model):
        self.error = model.error
        self._model = model

    def seconds(self, op, machine, item_bytes):
        return self._model.of_op(op, machine, item_bytes, cold_weights=False)


def one_by_one(table, rows):
    """Make kernels of rows, as a calibration times them: an op and its seconds."""
    for row in rows:
        op = tables.picked(table.op, row)
        yield Kernel(judge.matmul_of(*map(int, op.matmul[1:])), (float(table.seconds[row]),))


@cache
def judged_at_sites(system):
    """Calibrate at 28 sites and 13 sizes with the product's own code, and judge it at the other sizes of those."""
    table, machine, judgement = tables.gemm(system), tables.machine(system), judge.Judgement()
    m, n, k = table.op.matmul[1:]
    ordinary = np.flatnonzero((n >= 512) & (n <= 16384) & (k >= 512) & (k <= 16384) & (m <= 8192))
    for seed in range(5):
        every = np.unique(table.site[ordinary])
        drawn = np.random.default_rng(seed).permutation(every)[:A_SITE_EACH]
        here = ordinary[np.isin(table.site[ordinary], drawn)]
        known = np.isin(table.size[here], MEASURED_AT)
        few = table.rows(here[known])
        model = Repeated(fit_gemm([few.op], few.seconds, machine, judge.ITEM_BYTES, cold_weights=False))
        models = {"gemm": model}
        measured = sites(one_by_one(table, here[known]), machine, models, judge.ITEM_BYTES)
        with_sites = Profile(machine, models, HOST, "table", measured)
        rest = table.rows(here[~known])
        alone, predicted = model.seconds(rest.op, machine, judge.ITEM_BYTES), np.zeros(len(rest.seconds))
        for site in drawn:
            at = np.flatnonzero(rest.site == site)
            _, sizes, columns, summed = tables.picked(rest.op, at).matmul
            op = judge.matmul_of(sizes, int(columns[0]), int(summed[0]))
            assert site_key(op) in measured
            predicted[at] = with_sites.time(op, judge.ITEM_BYTES).seconds
        at_best = judge.roofline(system, rest.op)
        constant = np.median(judge.roofline(system, few.op) / few.seconds)
        judgement.add("roofline", "at sites", at_best, rest.seconds)
        judgement.add("one constant", "at sites", at_best / constant, rest.seconds)
        judgement.add("fitted", "at sites", alone, rest.seconds)
        judgement.add("fitted + site table", "at sites", predicted, rest.seconds)
    return judgement


@pytest.mark.parametrize("system", CARDS)
def test_sites_that_were_measured_are_predicted_between_their_sizes(system, told):
    told(judged_at_sites(system).lines(f"{system}: 28 sites x 13"))
    assert judged_at_sites(system)["fitted + site table", "at sites"].mean <= SITES_REACHED.get(system, SITES_MOST)


@pytest.mark.parametrize("system", CARDS)
def test_a_site_table_is_never_worse_than_none(system):
    errors = judged_at_sites(system)
    assert errors["fitted + site table", "at sites"].mean < errors["fitted", "at sites"].mean


@pytest.mark.parametrize("system", SITES_REACHED)
@pytest.mark.xfail(strict=True, reason="an open target: docs/decisions/0009-kernel-time.md")
def test_sites_of_these_cards_come_within_6_per_cent_too(system):
    assert judged_at_sites(system)["fitted + site table", "at sites"].mean <= SITES_MOST
