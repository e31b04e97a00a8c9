"""Op and Cost: the record and its sum."""

import dataclasses

import numpy as np
import pytest

from dsocr_cost import Cost, Matmul, Op, total
from dsocr_cost.op import under


def test_total_sums_the_flops_of_all_ops():
    assert total([Op("a", "linear", 3), Op("b", "bmm", 4), Op("c", "conv2d", 5)]) == Cost(tensor_flops=12)


def test_total_of_nothing_is_no_work():
    assert total([]) == Cost(tensor_flops=0)


def test_total_of_arrays_is_taken_point_by_point():
    cost = total([Op("a", "linear", np.array([1, 2])), Op("b", "linear", np.array([10, 20])), Op("c", "linear", 100)])
    assert np.array_equal(cost.tensor_flops, [111, 122])


def test_total_of_ints_beyond_float_precision_is_exact():
    assert total([Op("a", "linear", 2**53), Op("b", "linear", 1)]).tensor_flops == 2**53 + 1


def test_costs_add_field_by_field():
    assert Cost(tensor_flops=1) + Cost(tensor_flops=2) == Cost(tensor_flops=3)


def test_under_names_the_module_and_changes_nothing_else():
    op = Op("proj", "linear", 6, Matmul(1, 1, 1, 3))
    assert list(under("attn", [op])) == [Op("attn.proj", "linear", 6, Matmul(1, 1, 1, 3))]


def test_an_op_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Op("a", "linear", 1).tensor_flops = 2
