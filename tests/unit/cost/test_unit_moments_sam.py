"""What SAM's layers take, give and hold: the same for ints, arrays and symbols, and at kernels that they run."""

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsocr_cost import ATTENTIONS, IMPLEMENTATIONS, Execution, SamConfig, SizeError
from dsocr_cost.layers import (
    Attention,
    Block,
    ImageEncoderViT,
    LayerNorm2d,
    MLPBlock,
    PatchEmbed,
    sam,
    sam_attention,
    sam_block,
)
from dsocr_cost.moment import activation_bytes, peak_launch
from dsocr_cost.polynomial import Polynomial, symbol
from pytest_dsocr import Case
from pytest_dsocr.measure.trace import trace_subject
from pytest_dsocr.reference.transformers import TransformersReference

SAM = SamConfig()
LAYERS = {
    "PatchEmbed": PatchEmbed.from_config(SAM),
    "windowed Attention": Attention.from_config(SAM, windowed=True),
    "global Attention": Attention.from_config(SAM, windowed=False),
    "MLPBlock": MLPBlock.from_config(SAM),
    "windowed Block": Block.from_config(SAM, windowed=True),
    "global Block": Block.from_config(SAM, windowed=False),
    "LayerNorm2d": LayerNorm2d.from_config(SAM),
    "ImageEncoderViT": ImageEncoderViT.from_config(SAM),
}
DTYPES = ("bfloat16", "float32")
EXECUTIONS = [Execution(*names, dtype=dtype) for *names, dtype in product(IMPLEMENTATIONS, ATTENTIONS, DTYPES)]

every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
every_execution = pytest.mark.parametrize(
    "execution", EXECUTIONS, ids=lambda one: f"{one.implementation} {one.attention} {one.dtype}"
)
counts = st.integers(1, 40)
sides = st.sampled_from([16, 100, 224, 640, 1024])


def figures(layer, *sizes, execution):
    """Inputs, outputs, and what each moment holds."""
    moments = layer.moments(*sizes, execution=execution)
    return [*layer.boundary(*sizes, execution=execution), *(moment.bytes for moment in moments)]


def test_every_layer_of_sam_is_looked_at():
    kinds = {name for module in (sam, sam_attention, sam_block) for name in module.__all__}
    assert {type(layer).__name__ for layer in LAYERS.values()} == kinds


@every_execution
@every_layer
def test_every_moment_has_the_name_of_an_op_and_they_stand_in_its_order(layer, execution):
    names = [op.name for op in layer.ops(2, 160, 160, execution=execution)]
    places = [names.index(moment.op) for moment in layer.moments(2, 160, 160, execution=execution)]
    assert places
    assert places == sorted(set(places))


@every_layer
@pytest.mark.parametrize(("batch", "side"), [(1, 1024), (2, 160)], ids=["one, as trained", "two small"])
def test_the_largest_moment_is_that_of_an_op_that_is_launched(layer, batch, side):
    for execution in EXECUTIONS:
        moments, ops = (of(batch, side, side, execution=execution) for of in (layer.moments, layer.ops))
        assert peak_launch(moments, ops)[1].launches == 1


@every_layer
@settings(max_examples=10)
@given(batches=st.lists(counts, min_size=1, max_size=3), points=st.lists(st.tuples(sides, sides), min_size=1))
def test_arrays_of_sizes_are_what_each_point_is(layer, batches, points):
    """The batch [n, 1] broadcasts against heights and widths [m]."""
    arrays = [np.array(batches)[:, None], *map(np.array, zip(*points, strict=True))]
    for execution in EXECUTIONS:
        one_by_one = [[figures(layer, batch, *point, execution=execution) for point in points] for batch in batches]
        at_once = [
            np.broadcast_to(one, (len(batches), len(points))) for one in figures(layer, *arrays, execution=execution)
        ]
        assert np.stack(at_once, axis=-1).tolist() == one_by_one


@every_layer
@settings(max_examples=10)
@given(batch=counts, height=sides, width=sides)
def test_a_symbol_for_the_batch_is_what_each_batch_is(layer, batch, height, width):
    for execution in EXECUTIONS:
        in_symbols = figures(layer, symbol("batch"), height, width, execution=execution)
        values = [one.evaluate("it", {"batch": batch}) if isinstance(one, Polynomial) else one for one in in_symbols]
        assert values == figures(layer, batch, height, width, execution=execution)


@every_layer
@pytest.mark.parametrize(("height", "width"), [(1024, 1024), (1024, 640)], ids=["as trained", "narrower"])
def test_every_weight_is_read_once(layer, height, width):
    """Positions too: added where they fit, else converted or stretched."""
    for execution in EXECUTIONS:
        ops = layer.ops(2, height, width, execution=execution)
        assert sum(op.weight_bytes for op in ops) == layer.params * execution.item_bytes


@every_layer
@pytest.mark.parametrize("method", ["boundary", "moments"])
@pytest.mark.parametrize("width", [-1, 1.5, "12", np.array([4, -1]), np.array([1.5])], ids=lambda width: repr(width))
def test_what_is_no_size_is_refused(layer, method, width):
    with pytest.raises(SizeError, match=r"^width: got .*, allowed are whole numbers of at least 0"):
        getattr(layer, method)(1, 16, width)


@every_layer
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_implementations_hold_the_same(layer, attention):
    vendor, transformers = (
        figures(layer, 2, 160, 160, execution=Execution(name, attention)) for name in IMPLEMENTATIONS
    )
    assert vendor == transformers


@pytest.mark.parametrize(
    ("attention", "dtype", "op", "pair_bytes"),
    [
        pytest.param("sdpa", "bfloat16", "rel_pos.contiguous", 2 + 2, id="the bias and its copy"),
        pytest.param("sdpa", "float32", "rel_pos.contiguous", 4 + 4, id="in fp32"),
        pytest.param("eager", "bfloat16", "sdpa.softmax", 2 + 2 + 4 + 4, id="bias, scores, those in fp32, softmax"),
        pytest.param("eager", "float32", "rel_pos.contiguous", 4 + 4 + 4, id="as many as the softmax, and before it"),
    ],
)
def test_attention_holds_most_for_each_pair_of_tokens_at(attention, dtype, op, pair_bytes):
    """Two images of 16 x 16 tokens: x, q, k and v, and those again, 7 * 2 * 256 * 768; 2 * 12 * 256**2 pairs."""
    layer, execution = Attention.from_config(SAM, windowed=False), Execution(attention=attention, dtype=dtype)
    moments = list(layer.moments(2, 16, 16, execution=execution))
    held = 7 * 2 * 256 * 768 * execution.item_bytes
    assert activation_bytes(moments) == held + 2 * 12 * 256**2 * pair_bytes
    assert peak_launch(moments, layer.ops(2, 16, 16, execution=execution))[1].name == op


@settings(max_examples=100, deadline=None)
@example(batch=1, height=2, width=6, heads=3, attention="sdpa", dtype="bfloat16")
@example(batch=1, height=40, width=2, heads=12, attention="eager", dtype="float32")
@example(batch=1, height=1, width=64, heads=12, attention="sdpa", dtype="bfloat16")
@example(batch=2, height=64, width=1, heads=1, attention="eager", dtype="bfloat16")
@given(
    batch=st.integers(1, 3),
    height=st.integers(1, 64),
    width=st.integers(1, 64),
    heads=st.sampled_from([1, 2, 3, 12]),
    attention=st.sampled_from(["sdpa", "eager"]),
    dtype=st.sampled_from(DTYPES),
)
def test_attention_launches_moves_and_holds_what_the_module_does(batch, height, width, heads, attention, dtype):
    """The tables are at the peak in strips, products with them where a head is wider than a grid has tokens."""
    layer, sizes = Attention(768, heads, (64, 64)), (batch, height, width)
    case = Case("grid", batch=batch, height=height, width=width)
    trace = trace_subject(TransformersReference().subject(layer, case, device="meta", dtype=dtype, attention=attention))
    execution = Execution(attention=attention, dtype=dtype)
    ops, moments = (list(of(*sizes, execution=execution)) for of in (layer.ops, layer.moments))
    assert [op.io_bytes for op in ops if op.launches] == [launch.io_bytes for launch in trace.launches]
    assert activation_bytes(moments) == trace.activations.bytes
    assert peak_launch(moments, ops)[0] == trace.activations.at.launch


def test_a_sweep_looks_at_few_moments_of_attention():
    """Of as many images as there are, at the sizes of this model: the others are sure to hold less."""
    for attention in ATTENTIONS:
        for side in (14, 40, 64, 80):
            layer, execution = Attention.from_config(SAM, windowed=side == 14), Execution(attention=attention)
            images = symbol("images", at_least_one=True)
            most = activation_bytes(layer.moments(images, side, side, execution=execution))
            assert len(getattr(most, "candidates", (most,))) <= 2


def test_only_eager_attention_gives_its_weights_beside_its_output():
    """8 x 8 tokens of 768 numbers, and 12 * 64**2 weights, of 2 bytes."""
    layer = Attention.from_config(SAM, windowed=False)
    given_back = [layer.boundary(1, 8, 8, execution=Execution(attention=name)).outputs for name in ATTENTIONS]
    assert given_back == [2 * (64 * 768 + 12 * 64**2), 2 * 64 * 768, 2 * 64 * 768]


def test_an_encoder_lists_the_first_block_of_either_kind():
    moments = ImageEncoderViT(SAM).moments(1, 1024, 1024)
    assert {".".join(moment.op.split(".")[:2]) for moment in moments} == {"pos_embed.resize", "layers.0", "layers.2"}


def test_an_encoder_that_attends_globally_at_first_lists_that_block_first():
    config = SamConfig(num_hidden_layers=3, global_attn_indexes=(0,))
    blocks = [moment.op.split(".")[1] for moment in ImageEncoderViT(config).moments(1, 1024, 1024)]
    assert list(dict.fromkeys(blocks)) == ["resize", "0", "1"]


def test_nothing_is_held_at_a_copy_that_one_image_does_not_need():
    held = {moment.op: moment.bytes for moment in Attention.from_config(SAM, windowed=False).moments(1, 8, 8)}
    assert held["sdpa.contiguous"] == 0


@pytest.mark.parametrize(
    ("side", "dtype", "held"),
    [
        pytest.param(1024, "bfloat16", 0, id="as trained"),
        pytest.param(
            160,
            "bfloat16",
            2 * (3 * 160**2 + 100 * 768) + 4 * 768 * (64**2 + 100),
            id="pixels, patches, both tables",
        ),
        pytest.param(160, "float32", 4 * (3 * 160**2 + 2 * 100 * 768), id="in fp32 the table is no copy"),
    ],
)
def test_positions_are_held_in_fp32_only_where_they_are_stretched(side, dtype, held):
    execution = Execution(dtype=dtype)
    moments = {moment.op: moment.bytes for moment in ImageEncoderViT(SAM).moments(1, side, side, execution=execution)}
    assert moments["pos_embed.resize"] == held
