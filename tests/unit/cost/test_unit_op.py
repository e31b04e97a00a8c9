"""Op and Cost: the record and its sum."""

import dataclasses

import numpy as np
import pytest

from dsocr_cost import Cost, Matmul, Op, SizeError, total
from dsocr_cost.kernels import linear
from dsocr_cost.op import under

GEMM = Op("a", "linear", 6, 0, 10, 20, 30, matmul=Matmul(1, 1, 1, 3))
NORM = Op("b", "reduction", 0, 5, read_bytes=100, write_bytes=7)


def test_an_op_moves_what_it_reads_weights_among_them_and_writes():
    assert (GEMM.io_bytes, NORM.io_bytes) == (10 + 20 + 30, 100 + 7)


def test_total_sums_every_figure_of_all_ops():
    assert total([GEMM, NORM, NORM]) == Cost(tensor_flops=6, cuda_flops=5 + 5, io_bytes=60 + 2 * 107, launches=3)


def test_total_of_nothing_is_no_work():
    assert total([]) == Cost(tensor_flops=0, cuda_flops=0, io_bytes=0, launches=0)


def test_total_of_arrays_is_taken_point_by_point():
    cost = total([Op("a", "linear", np.array([1, 2])), Op("b", "linear", np.array([10, 20])), Op("c", "linear", 100)])
    assert np.array_equal(cost.tensor_flops, [111, 122])


def test_total_of_ints_beyond_float_precision_is_exact():
    assert total([Op("a", "linear", 2**53), Op("b", "linear", 1)]).tensor_flops == 2**53 + 1


@pytest.mark.parametrize("field", ["tensor_flops", "cuda_flops", "io_bytes", "launches"])
def test_costs_add_field_by_field(field):
    assert Cost(**{field: 1}) + Cost(**{field: 2}) == Cost(**{field: 3})


@pytest.mark.parametrize("field", ["tensor_flops", "cuda_flops", "io_bytes", "launches"])
def test_no_figure_wraps_in_a_sum(field):
    half = Cost(**{field: np.array([1, 2**62])})
    with pytest.raises(SizeError, match=r"^the sum: 9.22e\+18 does not fit into int64; price such sizes one by one"):
        _ = half + half


def test_an_op_launched_several_times_does_and_moves_as_often():
    assert GEMM.times(3) == Op("a", "linear", 18, 0, 30, 60, 90, 3, Matmul(1, 1, 1, 3))


def test_an_op_that_is_not_needed_stays_and_costs_nothing():
    gone = NORM.times(0)
    assert (gone.name, gone.kind, total([gone])) == ("b", "reduction", Cost())


def test_an_op_may_be_needed_at_some_points_of_a_sweep_only():
    cost = total([NORM.times(np.array([0, 1]))])
    assert [cost.cuda_flops.tolist(), cost.io_bytes.tolist(), cost.launches.tolist()] == [[0, 5], [0, 107], [0, 1]]


def test_under_names_the_module_and_changes_nothing_else():
    assert list(under("attn", [GEMM])) == [dataclasses.replace(GEMM, name="attn.a")]


def test_an_op_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Op("a", "linear", 1).tensor_flops = 2


def test_a_product_just_beyond_int64_is_refused_though_floats_round_it_below():
    """2 * 44773650664343572 * 103 is 2**63 + 24; the middle factor takes 56 bits, of which a float keeps 53."""
    assert 2 * 44773650664343572 * 103 == 2**63 + 24 > 2**63 > 2.0 * 44773650664343572 * 103
    with pytest.raises(SizeError, match=r"^x: 9\.22e\+18 does not fit into int64"):
        linear("x", 2, np.array([44773650664343572]), 1, 103)
