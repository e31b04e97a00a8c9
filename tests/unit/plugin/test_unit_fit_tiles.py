"""Fits of tiled kernels: times that a form made give that form back."""

from dataclasses import replace

import numpy as np
import pytest

from dsocr_cost import Matmul
from dsocr_cost.efficiency import Machine
from dsocr_cost.flash import ScoreTiles, SharedKeys
from dsocr_cost.kernels import NOTHING, bmm, fused_attention, grouped_linear, linear, pointwise
from dsocr_cost.tiled_gemm import TiledGemm
from pytest_dsocr.calibrate.fit_tiles import fit_gemm, fit_score_tiles, fit_shared_keys, together
from pytest_dsocr.errors import MeasurementError

MACHINE = Machine("made up", {2: 300e12, 4: 20e12}, 2e12, 40 * 2**20, 5e12, sms=108)
GEMM = TiledGemm(3e-6, 0.8, 0.75, 30e9, 0.0, 0.4, 2e-6, 1.5e-10, 0.0)
SIZES = [(m, n, k) for m in (1, 16, 100, 513, 4096) for n in (256, 1280, 6848) for k in (128, 1280, 4096)]
MATMULS = [linear("x", 2, m, k, n) for m, n, k in SIZES]
LENGTHS = (8, 100, 513, 1600, 4096)


def attention(heads, queries, keys, head_dim=128):
    return fused_attention("x", 2, Matmul(heads, queries, keys, head_dim), heads * keys * head_dim)


def test_a_matmul_of_cold_weights():
    seconds = [GEMM.seconds(op, MACHINE, 2) for op in MATMULS]
    fitted = fit_gemm(MATMULS, seconds, MACHINE, 2)
    assert [fitted.seconds(op, MACHINE, 2) for op in MATMULS] == pytest.approx(seconds, rel=0.03)
    assert fitted.compute == pytest.approx(GEMM.compute, rel=0.05)
    assert fitted.fixed_s == pytest.approx(GEMM.fixed_s, rel=0.05)
    assert fitted.kept_weights == 0
    assert fitted.error < 0.02


def test_a_benchmark_that_repeats_its_weights():
    warm = replace(GEMM, kept_weights=0.3)
    seconds = [warm.of_op(op, MACHINE, 2, cold_weights=False) for op in MATMULS]
    fitted = fit_gemm(MATMULS, seconds, MACHINE, 2, cold_weights=False)
    repeated = [fitted.of_op(op, MACHINE, 2, cold_weights=False) for op in MATMULS]
    assert repeated == pytest.approx(seconds, rel=0.03)
    assert fitted.kept_weights == pytest.approx(0.3, rel=0.2)


def test_the_error_is_what_nine_of_ten_stay_under():
    """Every tenth is measured twice as long: the others do not follow it, and it stands outside."""
    usual = np.array([GEMM.seconds(op, MACHINE, 2) for op in MATMULS])
    odd = np.arange(len(usual)) % 12 == 0
    fitted = fit_gemm(MATMULS, np.where(odd, 2 * usual, usual), MACHINE, 2)
    assert fitted.error < 0.1
    assert np.abs(fitted.seconds(together(MATMULS), MACHINE, 2) / usual - 1).mean() < 0.05


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "all keys"])
def test_many_queries(causal):
    tiles = ScoreTiles(3e-6, 0.8, 0.4e-6, 2e-6, 0.7, 2.0, 0.3, 0.7, 64)
    ops = [attention(heads, length, length) for heads in (1, 10, 64, 200) for length in LENGTHS]
    seconds = [tiles.seconds(op, MACHINE, 2, causal=causal) for op in ops]
    fitted, error = fit_score_tiles(ops, seconds, MACHINE, 2, compute=0.8, tile=64, causal=causal)
    assert [fitted.seconds(op, MACHINE, 2, causal=causal) for op in ops] == pytest.approx(seconds, rel=0.05)
    assert error < 0.03


def test_a_single_query():
    keys = SharedKeys(3e-6, 0.8, 30e9, 2e-6, 4.0, 0.4, 1.5e-6, 128)
    ops = [attention(heads, 1, length) for heads in (1, 10, 64, 200, 2000) for length in LENGTHS]
    seconds = [keys.seconds(op, MACHINE, 2, cold=False) for op in ops]
    fitted, error = fit_shared_keys(ops, seconds, MACHINE, 2, most_splits=128)
    assert [fitted.seconds(op, MACHINE, 2, cold=False) for op in ops] == pytest.approx(seconds, rel=0.05)
    assert (error, fitted.most_splits) == (pytest.approx(0, abs=0.03), 128)


def test_ops_together_are_each_on_its_own():
    """Of an op with arrays there are as many entries as those have."""
    ops = [bmm("x", 2, 3, 5, 64, 128), bmm("x", 2, 1, np.array([7, 9]), 64, 128)]
    alone = [ops[0], bmm("x", 2, 1, 7, 64, 128), bmm("x", 2, 1, 9, 64, 128)]
    joined = together(ops)
    assert list(GEMM.seconds(joined, MACHINE, 2)) == [GEMM.seconds(op, MACHINE, 2) for op in alone]
    assert list(joined.tensor_flops) == [op.tensor_flops for op in alone]


def test_experts_are_kept_apart():
    ops = [grouped_linear("x", 2, 6 * tokens, 1280, 896, min(6 * tokens, 64), NOTHING) for tokens in (1, 8, 100)]
    assert list(GEMM.seconds(together(ops), MACHINE, 2)) == [GEMM.seconds(op, MACHINE, 2) for op in ops]


def test_what_is_no_matrix_work_is_refused():
    with pytest.raises(MeasurementError) as caught:
        together([pointwise("gelu", NOTHING)])
    assert str(caught.value) == "fit: gelu is a pointwise, allowed is matrix work"
