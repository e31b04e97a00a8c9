"""The tensor FLOPs of a batch of sizes given as numpy arrays equal those computed one by one with Python ints."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsocr_cost import ATTENTIONS, IMPLEMENTATIONS, DeepseekOCRConfig, Execution, Op, SizeError, total
from dsocr_cost.layers import LlamaAttention


def flops(layer, sizes, execution):
    return total(layer.ops(*sizes, execution=execution)).tensor_flops


def flops_of(layer, sizes):
    return total(layer.ops(**sizes)).tensor_flops


@settings(max_examples=10)
@given(data=st.data())
def test_arrays_of_sizes_cost_what_each_point_costs(every_layer, data):
    """The batch [n, 1] broadcasts against the other sizes [m]: n x m points in one evaluation."""
    layer, sizes = every_layer
    # ascending: no layer sees fewer keys than queries
    point = st.tuples(*[st.integers(1, 1300)] * (len(sizes) - 1)).map(sorted).map(tuple)
    batches = data.draw(st.lists(st.integers(1, 64), min_size=1, max_size=3))
    points = data.draw(st.lists(point, min_size=1, max_size=3))
    arrays = [np.array(batches)[:, None], *map(np.array, zip(*points, strict=True))]
    for names in product(IMPLEMENTATIONS, ATTENTIONS):
        execution = Execution(*names)
        one_by_one = [[flops(layer, (batch, *point), execution) for point in points] for batch in batches]
        at_once = np.broadcast_to(flops(layer, arrays, execution), (len(batches), len(points)))
        assert at_once.tolist() == one_by_one


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint32, np.int64])
def test_a_narrow_array_does_not_wrap(every_layer, dtype):
    layer, sizes = every_layer
    narrow = {name: np.array([100], dtype=dtype) for name in sizes}
    assert np.all(flops_of(layer, narrow) == flops_of(layer, dict.fromkeys(sizes, 100)))


@pytest.mark.parametrize(
    "size", [-1, 1.5, True, "12", None, np.array([4, -1]), np.array([1.5])], ids=lambda size: repr(size)
)
def test_what_is_no_size_is_refused(every_layer, size):
    layer, sizes = every_layer
    name = list(sizes)[-1]
    with pytest.raises(SizeError, match=rf"^{name}: got .*, allowed are whole numbers of at least 0"):
        layer.ops(**{**sizes, name: size})


def test_fewer_keys_than_queries_are_refused():
    layer = LlamaAttention.from_config(DeepseekOCRConfig().decoder)
    with pytest.raises(SizeError, match=r"^kv_len: got 5, allowed is at least q_len \(6\)$"):
        total(layer.ops(1, 6, 5))


def test_an_array_of_sizes_stays_an_array_of_whole_numbers(every_layer):
    layer, sizes = every_layer
    for op in layer.ops(**{name: np.array([size, 2 * size]) for name, size in sizes.items()}):
        assert (op.tensor_flops.dtype, op.tensor_flops.shape) == (np.int64, (2,))


def test_a_product_beyond_int64_is_refused_not_wrapped():
    """2 * 10**9 * 10**9 scores of 128 channels and 10 heads are 2.56e21."""
    layer = LlamaAttention.from_config(DeepseekOCRConfig().decoder)
    with pytest.raises(SizeError, match=r"^sdpa\.scores: 2.56e\+21 FLOPs do not fit into int64"):
        total(layer.ops(1, np.array([10**9]), np.array([10**9])))
    assert total(layer.ops(1, 10**9, 10**9)).tensor_flops > 2**63


def test_a_sum_beyond_int64_is_refused_not_wrapped():
    halves = [Op("half", "attention", np.array([2**62])), Op("half", "attention", np.array([2**62]))]
    with pytest.raises(SizeError, match=r"^the sum: 9.22e\+18 FLOPs do not fit into int64"):
        total(halves)
