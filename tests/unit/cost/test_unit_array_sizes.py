"""The tensor FLOPs of a batch of sizes given as numpy arrays equal those computed one by one with Python ints."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dsocr_cost import ATTENTIONS, IMPLEMENTATIONS, Execution, total


def flops(layer, sizes, execution):
    return total(layer.ops(*sizes, execution=execution)).tensor_flops


@settings(max_examples=10)
@given(data=st.data())
def test_arrays_of_sizes_cost_what_each_point_costs(every_layer, data):
    """The batch [n, 1] broadcasts against the other sizes [m]: n x m points in one evaluation."""
    layer, sizes = every_layer
    point = st.tuples(*[st.integers(1, 1300)] * (len(sizes) - 1))
    batches = data.draw(st.lists(st.integers(1, 64), min_size=1, max_size=3))
    points = data.draw(st.lists(point, min_size=1, max_size=3))
    arrays = [np.array(batches)[:, None], *map(np.array, zip(*points, strict=True))]
    for names in product(IMPLEMENTATIONS, ATTENTIONS):
        execution = Execution(*names)
        one_by_one = [[flops(layer, (batch, *point), execution) for point in points] for batch in batches]
        at_once = np.broadcast_to(flops(layer, arrays, execution), (len(batches), len(points)))
        assert at_once.tolist() == one_by_one


def test_an_array_of_sizes_stays_an_array_of_whole_numbers(every_layer):
    layer, sizes = every_layer
    for op in layer.ops(**{name: np.array([size, 2 * size]) for name, size in sizes.items()}):
        assert (op.tensor_flops.dtype, op.tensor_flops.shape) == (np.int64, (2,))
