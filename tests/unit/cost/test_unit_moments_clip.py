"""What CLIP and the projector take, give and hold: the same of ints, arrays and symbols; each moment is an op."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsocr_cost import ATTENTIONS, IMPLEMENTATIONS, ClipConfig, Execution, ProjectorConfig
from dsocr_cost.kernels import conv2d_params
from dsocr_cost.layers import (
    CLIPVisionEmbeddings,
    MlpProjector,
    NoTPAttention,
    NoTPFeedForward,
    NoTPTransformer,
    NoTPTransformerBlock,
    VitModel,
)
from dsocr_cost.moment import activation_bytes
from dsocr_cost.polynomial import symbol

CLIP = ClipConfig(num_hidden_layers=3)
OF_FEATURES = {
    "CLIPVisionEmbeddings of features": (CLIPVisionEmbeddings(CLIP), 3),
    "NoTPAttention": (NoTPAttention.from_config(CLIP), 2),
    "NoTPFeedForward": (NoTPFeedForward.from_config(CLIP), 2),
    "NoTPTransformerBlock": (NoTPTransformerBlock(CLIP), 2),
    "NoTPTransformer": (NoTPTransformer(CLIP), 2),
    "NoTPTransformer of one block": (NoTPTransformer(ClipConfig(num_hidden_layers=1)), 2),
    "VitModel of features": (VitModel(CLIP), 3),
    "MlpProjector": (MlpProjector(ProjectorConfig()), 2),
    "MlpProjector of two linears": (MlpProjector(ProjectorConfig("mlp_gelu")), 2),
}
OF_PIXELS = {
    "CLIPVisionEmbeddings of pixels": (CLIPVisionEmbeddings(CLIP, "conv"), 3),
    "VitModel of pixels": (VitModel(CLIP, "conv"), 3),
}
LAYERS = OF_FEATURES | OF_PIXELS

EXECUTIONS = [
    pytest.param(Execution(implementation, attention, dtype=dtype), id=f"{implementation}, {attention}, {dtype}")
    for implementation, attention, dtype in product(IMPLEMENTATIONS, ATTENTIONS, ("bfloat16", "float32"))
]
each_layer = pytest.mark.parametrize(("layer", "count"), LAYERS.values(), ids=LAYERS)
each_execution = pytest.mark.parametrize("execution", EXECUTIONS)
sizes = st.lists(st.tuples(*[st.integers(1, 600)] * 3), min_size=1, max_size=4)


def memory(layer, at, execution):
    """Take inputs, outputs and the most that is alive."""
    return *layer.boundary(*at, execution=execution), activation_bytes(layer.moments(*at, execution=execution))


@each_layer
@each_execution
def test_moments_are_ops_in_their_order(layer, count, execution):
    names = iter([op.name for op in layer.ops(*[28] * count, execution=execution)])
    for moment in layer.moments(*[28] * count, execution=execution):
        assert moment.op in names  # goes on from there


@each_layer
@each_execution
@settings(max_examples=5)
@given(points=sizes)
def test_arrays_of_sizes_hold_what_each_point_holds(layer, count, execution, points):
    one_by_one = [memory(layer, point[:count], execution) for point in points]
    at_once = memory(layer, [np.array(size) for size in zip(*points, strict=True)][:count], execution)
    assert [one.tolist() for one in at_once] == [list(one) for one in zip(*one_by_one, strict=True)]


@pytest.mark.parametrize(("layer", "count"), OF_FEATURES.values(), ids=OF_FEATURES)
@each_execution
@settings(max_examples=5)
@given(points=sizes)
def test_symbols_evaluate_to_what_their_values_hold(layer, count, execution, points):
    names = ["batch", "height", "width"][:count]
    in_symbols = memory(layer, [symbol(name) for name in names], execution)
    for point in points:
        values = dict(zip(names, point, strict=False))
        assert tuple(one.evaluate("it", values) for one in in_symbols) == memory(layer, point[:count], execution)


@each_layer
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("side", [16, 140, 224], ids=str)
def test_each_parameter_is_read_once(layer, count, implementation, side):
    """Positions are looked up or stretched, all of them; over SAM's features the convolution stays idle."""
    sam = getattr(layer, "patches", "") == "sam"
    idle = conv2d_params(CLIP.num_channels, CLIP.hidden_size, CLIP.patch_size, bias=False) if sam else 0
    ops = layer.ops(*[2, side, side][:count], execution=Execution(implementation))
    assert sum(op.weight_bytes for op in ops) == 2 * (layer.params - idle)
