"""The time of a matmul: each term by hand, and what holds for all sizes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost.efficiency import Machine
from dsocr_cost.kernels import NOTHING, bmm, conv2d, grouped_linear, linear
from dsocr_cost.tiled_gemm import TiledGemm, missed

US = 1e-6
MACHINE = Machine("made up", {2: 4e12, 4: 1e12}, 1e9, 2**20, 1e10, sms=4)
FREE = TiledGemm(
    fixed_s=1 * US,
    compute=0.5,
    bandwidth=1e12,
    load_bytes_per_s=1e24,
    kept_weights=0.0,
    kept_inputs=0.0,
    split_s=1.0,
    finish_s=0.0,
    error=0.1,
)
"""Only compute takes time, 0.5e12 FLOP/s an SM, and a second more where the sum is split."""

REAL = TiledGemm(1.6e-6, 0.9, 0.9, 40e9, 0.1, 0.8, 2.2e-6, 1.4e-10, 0.1)
SIZE = st.integers(1, 3000)


def seconds(model, op):
    return model.seconds(op, MACHINE, 2)


def test_a_wave_of_tiles_takes_what_one_takes():
    """128 x 128 is four tiles of 64 x 64, one an SM: 2 * 64 * 64 * 1024 FLOPs at 0.5e12 a second are 16.777 us."""
    assert seconds(FREE, linear("x", 2, 128, 1024, 128)) == pytest.approx(1 * US + 16.777216 * US)


def test_a_tile_at_the_edge_costs_as_much_as_a_full_one():
    """65 x 65 takes the same four tiles; 64 x 64 takes one, and no less time."""
    full = seconds(FREE, linear("x", 2, 128, 1024, 128))
    assert seconds(FREE, linear("x", 2, 65, 1024, 65)) == full == seconds(FREE, linear("x", 2, 64, 1024, 64))


def test_the_sum_is_split_where_that_is_faster():
    """One tile of 64 x 64 x 1024 as four of 256 each: a quarter of 16.777 us, and 1 us to add them up."""
    split = replace(FREE, split_s=1 * US)
    assert seconds(split, linear("x", 2, 64, 1024, 64)) == pytest.approx((1 + 16.777216 / 4 + 1) * US)


def test_a_split_writes_partial_sums_and_reads_them():
    """Four of 64 x 64, 8 bytes each, at 4 x 1e9 bytes/s, beside 2 * (64 + 64) * 256 bytes loaded by each SM."""
    split = replace(FREE, split_s=0.0, load_bytes_per_s=1e9)
    partial, loaded, products = 4 * 64 * 64 * 8 / 4e9, 2 * 128 * 256 / 1e9, 16.777216 * US / 4
    joint = (partial**4 + loaded**4 + products**4) ** 0.25
    assert seconds(split, linear("x", 2, 64, 1024, 64)) == pytest.approx(1 * US + joint)


def test_an_sm_loads_both_sides_of_its_tile():
    """2 * (64 + 64) * 1024 bytes at 1e9 a second, beside which 17 us of products are nothing: (17 / 262) ** 4."""
    slow = replace(FREE, load_bytes_per_s=1e9)
    assert seconds(slow, linear("x", 2, 128, 1024, 128)) == pytest.approx((1 + 262.144) * US, rel=1e-5)


def test_a_tile_is_written_out():
    """64 * 64 outputs at 1 ns each."""
    assert seconds(replace(FREE, finish_s=1e-9), linear("x", 2, 128, 1024, 128)) == pytest.approx(
        (1 + 16.777216 + 4.096) * US
    )


def test_memory_reads_weights_inputs_and_writes_outputs():
    """2 * 1024 * 1024, and twice 2 * 1024 bytes, at half of 1e9 a second."""
    slow = replace(FREE, bandwidth=0.5)
    assert seconds(slow, linear("x", 2, 1, 1024, 1024)) == pytest.approx((2097152 + 2048 + 2048) / 0.5e9, rel=1e-3)


def test_weights_are_warm_in_a_benchmark_alone():
    """2 MiB of weights in twice their room: 1 / (1 + 2 ** 4) of them is missed."""
    warm, op = replace(FREE, bandwidth=0.5, kept_weights=4.0), linear("x", 2, 1, 1024, 1024)
    repeated = warm.of_op(op, MACHINE, 2, cold_weights=False)
    assert repeated == pytest.approx(1 * US + (2097152 / 17 + 4096) / 0.5e9, rel=2e-3)
    assert seconds(warm, op) == seconds(replace(warm, kept_weights=0.0), op) > 10 * repeated


@pytest.mark.parametrize(("nbytes", "share"), [(0, 0.0), (50, 1 / 17), (100, 0.5), (200, 16 / 17)])
def test_half_of_a_tensor_as_large_as_its_room_is_missed(nbytes, share):
    assert missed(nbytes, 100.0) == pytest.approx(share, abs=1e-6)


def test_a_batch_multiplies_tiles():
    """Four of 64 x 64 fill the four SMs once, eight twice."""
    one, four, eight = (seconds(FREE, bmm("x", 2, batch, 64, 64, 1024)) for batch in (1, 4, 8))
    assert one == four
    assert eight - 1 * US == pytest.approx(2 * (four - 1 * US))


def test_experts_share_the_rows():
    """128 rows over 2 experts are 2 tiles of 64 rows and, over 8, 8 of 16 rows: two waves on four SMs."""
    few, many = (seconds(FREE, grouped_linear("x", 2, 128, 1024, 64, experts, NOTHING)) for experts in (2, 8))
    assert few == pytest.approx(1 * US + 16.777216 * US)
    assert many == pytest.approx(1 * US + 2 * 16.777216 * US)


def test_experts_do_not_split_the_sum():
    split = replace(FREE, split_s=0.0)
    assert seconds(split, grouped_linear("x", 2, 64, 1024, 64, 1, NOTHING)) > seconds(
        split, linear("x", 2, 64, 1024, 64)
    )


def test_a_convolution_is_the_matmul_of_its_patches():
    """64 x 64 patches of 16 x 16 x 3 to 768 channels: the work of that matmul, while only the pixels are read."""
    conv = conv2d("x", 2, 1, (1024, 1024), (64, 64), (3, 768), 16)
    assert conv.matmul == (1, 4096, 768, 768)
    assert seconds(FREE, conv) == seconds(FREE, linear("x", 2, 4096, 768, 768))


def test_fp32_runs_at_its_own_peak():
    """A quarter of the 16-bit peak."""
    slow, fast = (seconds(FREE, linear("x", item, 128, 1024, 128)) - 1 * US for item in (4, 2))
    assert slow == pytest.approx(4 * fast)


@given(m=SIZE, n=SIZE, k=SIZE, more=st.integers(1, 500))
def test_more_rows_or_columns_take_no_less(m, n, k, more):
    once = seconds(REAL, linear("x", 2, m, k, n))
    assert once > REAL.fixed_s
    assert seconds(REAL, linear("x", 2, m + more, k, n)) >= once
    assert seconds(REAL, linear("x", 2, m, k, n + more)) >= once


@given(m=SIZE, n=SIZE, k=SIZE)
def test_no_matmul_beats_the_peak_or_the_bandwidth_of_its_weights(m, n, k):
    op = linear("x", 2, m, k, n)
    taken = seconds(REAL, op)
    assert taken >= op.tensor_flops / MACHINE.flops_per_s[2]
    assert taken >= op.weight_bytes / MACHINE.bandwidth_bytes_per_s


@given(rows=st.lists(SIZE, min_size=1, max_size=6), n=SIZE, k=SIZE)
def test_arrays_are_what_each_is_alone(rows, n, k):
    together = seconds(REAL, linear("x", 2, np.array(rows), k, n))
    assert list(together) == [seconds(REAL, linear("x", 2, row, k, n)) for row in rows]


@given(rows=st.lists(SIZE, min_size=2, max_size=4))
def test_sizes_broadcast(rows):
    grid = seconds(REAL, bmm("x", 2, np.array([[1], [3]]), np.array(rows), 64, 128))
    assert grid.shape == (2, len(rows))
    assert grid[1, 0] == seconds(REAL, bmm("x", 2, 3, rows[0], 64, 128))


@given(tokens=st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_experts_in_arrays_are_what_each_is_alone(tokens):
    rows, experts = 6 * np.array(tokens), np.minimum(6 * np.array(tokens), 64)
    together = seconds(REAL, grouped_linear("x", 2, rows, 1280, 896, experts, NOTHING))
    assert list(together) == [
        seconds(REAL, grouped_linear("x", 2, 6 * one, 1280, 896, min(6 * one, 64), NOTHING)) for one in tokens
    ]
