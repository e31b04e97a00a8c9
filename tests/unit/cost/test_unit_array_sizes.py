"""Whatever a batch of sizes given as numpy arrays costs equals what each costs one by one, with Python ints."""

from dataclasses import fields
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsocr_cost import ATTENTIONS, IMPLEMENTATIONS, Cost, DeepseekOCRConfig, Execution, Op, SizeError, total
from dsocr_cost.layers import LlamaAttention

FIGURES = [field.name for field in fields(Cost)]


def figures(cost):
    return [getattr(cost, name) for name in FIGURES]


def cost(layer, sizes, execution):
    return figures(total(layer.ops(*sizes, execution=execution)))


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
        one_by_one = [[cost(layer, (batch, *point), execution) for point in points] for batch in batches]
        at_once = [np.broadcast_to(one, (len(batches), len(points))) for one in cost(layer, arrays, execution)]
        assert np.stack(at_once, axis=-1).tolist() == one_by_one


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint32, np.int64])
def test_a_narrow_array_does_not_wrap(every_layer, dtype):
    layer, sizes = every_layer
    narrow = {name: np.array([100], dtype=dtype) for name in sizes}
    wide = total(layer.ops(**dict.fromkeys(sizes, 100)))
    assert all(
        np.all(one == other) for one, other in zip(figures(total(layer.ops(**narrow))), figures(wide), strict=True)
    )


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
    """What an op does not owe to its sizes, as one launch, may stay a plain int; its layer's FLOPs and bytes do not."""
    layer, sizes = every_layer
    arrays = {name: np.array([size, 2 * size]) for name, size in sizes.items()}
    for op in layer.ops(**arrays):
        for figure in (*figures(total([op])), op.read_bytes, op.weight_bytes, op.write_bytes):
            assert isinstance(figure, int) or (figure.dtype, figure.shape) == (np.int64, (2,))
    summed = total(layer.ops(**arrays))
    assert (summed.io_bytes.dtype, summed.io_bytes.shape) == (np.int64, (2,))


@pytest.mark.parametrize(
    ("attention", "op"),
    [("eager", r"sdpa\.scores: 2.56e\+21"), ("sdpa", r"sdpa: 5.12e\+21"), ("flash", r"sdpa: 5.12e\+21")],
)
def test_a_product_beyond_int64_is_refused_not_wrapped(attention, op):
    """2 * 10**9 * 10**9 scores of 128 channels and 10 heads are 2.56e21; with the weighted sum, twice as many."""
    layer, execution = LlamaAttention.from_config(DeepseekOCRConfig().decoder), Execution(attention=attention)
    with pytest.raises(
        SizeError, match=rf"^{op} does not fit into int64; price such sizes one by one, as Python ints$"
    ):
        total(layer.ops(1, np.array([10**9]), np.array([10**9]), execution=execution))
    assert total(layer.ops(1, 10**9, 10**9, execution=execution)).tensor_flops > 2**63


def test_a_sum_beyond_int64_is_refused_not_wrapped():
    halves = [Op("half", "attention", np.array([2**62])), Op("half", "attention", np.array([2**62]))]
    with pytest.raises(SizeError, match=r"^the sum: 9.22e\+18 does not fit into int64"):
        total(halves)
