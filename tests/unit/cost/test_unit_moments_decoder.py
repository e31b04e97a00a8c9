"""The moments of the decoder's layers: at which ops, at sizes of every sort, and where no module can measure them."""

import dataclasses
from itertools import product

import numpy as np
import pytest

from dsocr_cost import ATTENTIONS, DTYPES, IMPLEMENTATIONS, DecoderConfig, Execution, SizeError, SyntheticKVCache
from dsocr_cost.layers import (
    DeepseekV2DecoderLayer,
    DeepseekV2MLP,
    DeepseekV2MoE,
    DeepseekV2RMSNorm,
    LlamaAttention,
    LlamaFlashAttention2,
    LlamaRotaryEmbedding,
    LMHead,
    MoEGate,
)
from dsocr_cost.model import Decoder
from dsocr_cost.moment import activation_bytes, live_bytes, peak_launch
from dsocr_cost.polynomial import Values, symbol
from pytest_dsocr import Case
from pytest_dsocr.measure.trace import trace_subject
from pytest_dsocr.reference.transformers import TransformersReference

DECODER = DecoderConfig()
ATTENTION = LlamaAttention.from_config(DECODER)
SHARED_KEYS, ONE_KEY = (LlamaAttention(1280, 10, key_heads, 128) for key_heads in (2, 1))

OVER_POSITIONS = {
    "rotary": LlamaRotaryEmbedding.from_config(DECODER),
    "SwiGLU": DeepseekV2MLP.from_config(DECODER),
    "router": MoEGate.from_config(DECODER),
    "mixture": DeepseekV2MoE(DECODER),
    "norm": DeepseekV2RMSNorm.from_config(DECODER),
    "LM head": LMHead.from_config(DECODER),
}
OVER_KEYS = {
    "attention": ATTENTION,
    "shared keys": SHARED_KEYS,
    "one key": ONE_KEY,
    "flash attention": LlamaFlashAttention2.from_config(DECODER),
    "dense layer": DeepseekV2DecoderLayer(DECODER, 0),
    "MoE layer": DeepseekV2DecoderLayer(DECODER, 1),
}
POINTS = [(1, 512, 512), (1, 1, 945), (3, 913, 913), (3, 1, 945), (2, 37, 57), (1, 2, 3)]

ON_META = {"device": "meta", "dtype": "bfloat16"}
EXECUTIONS = [Execution(*names, dtype=dtype) for *names, dtype in product(IMPLEMENTATIONS, ATTENTIONS, DTYPES)]


@pytest.fixture(params=[*OVER_POSITIONS.items(), *OVER_KEYS.items()], ids=lambda item: item[0])
def layer(request):
    """Each of the layers in turn."""
    return request.param[1]


def taken(layer, sizes):
    """Take of (batch, q_len, kv_len) those that a layer takes."""
    return sizes if layer in OVER_KEYS.values() else sizes[:2]


def figures(layer, sizes, execution):
    """List everything that is said of what a layer holds, in one order."""
    cached = layer.kv_cache_bytes(*sizes, execution=execution) if hasattr(layer, "kv_cache_bytes") else 0
    moments = [(one.bytes, one.cache_bytes) for one in layer.moments(*sizes, execution=execution)]
    return [*layer.boundary(*sizes, execution=execution), cached, *(figure for moment in moments for figure in moment)]


def test_moments_stand_at_ops_in_their_order(layer):
    for execution in EXECUTIONS:
        sizes = taken(layer, (2, 3, 7))
        ops = iter([op.name for op in layer.ops(*sizes, execution=execution)])
        assert all(moment.op in ops for moment in layer.moments(*sizes, execution=execution))


def test_the_peak_is_at_an_op_that_is_launched(layer):
    for execution, point in product(EXECUTIONS, POINTS):
        sizes = taken(layer, point)
        _, op = peak_launch(layer.moments(*sizes, execution=execution), layer.ops(*sizes, execution=execution))
        assert op.launches == 1


def test_arrays_of_sizes_hold_what_each_point_holds(layer):
    sizes = taken(layer, tuple(map(np.array, zip(*POINTS, strict=True))))
    for execution in EXECUTIONS:
        at_once = [np.broadcast_to(figure, len(POINTS)).tolist() for figure in figures(layer, sizes, execution)]
        one_by_one = [figures(layer, taken(layer, point), execution) for point in POINTS]
        assert at_once == [list(figure) for figure in zip(*one_by_one, strict=True)]


def test_symbols_hold_what_each_point_holds(layer):
    names = taken(layer, ("batch", "q_len", "kv_len"))
    for execution, point in product(EXECUTIONS, POINTS):
        values = Values(dict(zip(names, point, strict=False)))
        symbolic = figures(layer, tuple(map(symbol, names)), execution)
        inserted = [one if isinstance(one, int) else one.evaluate("bytes", values) for one in symbolic]
        assert inserted == figures(layer, taken(layer, point), execution)


def test_each_weight_is_read_once_as_a_weight(layer):
    """Each expert gets some of 1024 positions; the router's copy of its weight in fp32 is read, and no weight."""
    for execution in EXECUTIONS:
        ops = layer.ops(*taken(layer, (2, 512, 512)), execution=execution)
        assert sum(op.weight_bytes for op in ops) == layer.params * execution.item_bytes


@pytest.mark.parametrize("name", ["boundary", "moments"])
@pytest.mark.parametrize("layer", OVER_KEYS.values(), ids=OVER_KEYS)
def test_fewer_keys_than_queries_are_refused(layer, name):
    with pytest.raises(SizeError, match=r"^kv_len: got 5, allowed is at least q_len \(6\)$"):
        list(getattr(layer, name)(1, 6, 5))


def test_the_parts_of_all_layers_are_the_whole_cache():
    """K and V of 12 layers, 3 sequences, 945 positions, 10 heads of 128 channels in 2 bytes."""
    parts = [DeepseekV2DecoderLayer(DECODER, index).kv_cache_bytes(3, 1, 945) for index in range(12)]
    whole = SyntheticKVCache(DECODER, 3, 945).kv_cache_bytes
    assert sum(parts) == whole == 2 * 12 * 3 * 945 * 1280 * 2


IN_FP32 = [
    pytest.param(LlamaRotaryEmbedding(128), (3, 64), id="rotary"),
    pytest.param(DeepseekV2MLP(1280, 6848), (3, 64), id="SwiGLU"),
    pytest.param(MoEGate(1280, 64), (3, 64), id="router"),
    pytest.param(DeepseekV2RMSNorm(1280), (3, 64), id="norm"),
    pytest.param(LMHead(1280, 129280), (3, 64), id="LM head"),
    pytest.param(ATTENTION, (3, 64, 64), id="prefill"),
    pytest.param(ATTENTION, (3, 1, 945), id="decode"),
    pytest.param(SHARED_KEYS, (1, 64, 945), id="shared keys"),
    pytest.param(ONE_KEY, (1, 64, 945), id="one key"),
    pytest.param(DeepseekV2DecoderLayer(DECODER, 0), (1, 64, 945), id="dense layer"),
]


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize(("layer", "sizes"), IN_FP32)
def test_in_fp32_where_nothing_is_cast_the_peak_is_elsewhere(layer, sizes, attention):
    """Of a norm it is the scaling, of a router its end, of eager attention the scaling of its scores."""
    named = dict(zip(("batch", "q_len", "kv_len"), sizes, strict=False))
    subject = TransformersReference().subject(
        layer, Case("fp32", **named), device="meta", dtype="float32", attention=attention
    )
    execution, trace = subject.execution or Execution(attention=attention, dtype="float32"), trace_subject(subject)
    moments = list(layer.moments(*sizes, execution=execution))
    cached = layer.kv_cache_bytes(*sizes, execution=execution) if hasattr(layer, "kv_cache_bytes") else 0
    assert activation_bytes(moments) == trace.activations.bytes
    assert peak_launch(moments, layer.ops(*sizes, execution=execution))[0] == trace.activations.at.launch
    assert layer.params * 4 + live_bytes(moments, cached) == trace.allocated.bytes


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize(
    "sizes",
    [(1, 8, 8), (2, 8, 8), (1, 1, 9), (3, 1, 9), (1, 4, 9), (2, 4, 9), (1, 1, 1), (2, 1, 1), (1, 1, 300), (2, 3, 300)],
    ids=str,
)
@pytest.mark.parametrize(
    ("heads", "key_heads"), [(10, 1), (10, 2), (10, 5), (10, 10), (2, 1), (1, 1)], ids=lambda heads: str(heads)
)
def test_heads_that_share_keys_launch_move_and_hold_what_the_module_does(heads, key_heads, sizes, attention):
    """Of 16 channels, and prefills, steps and chunks of few and of many keys beside them."""
    layer, named = (
        LlamaAttention(16 * heads, heads, key_heads, 16),
        dict(zip(("batch", "q_len", "kv_len"), sizes, strict=True)),
    )
    trace = trace_subject(
        TransformersReference().subject(layer, Case("shared", **named), **ON_META, attention=attention)
    )
    execution = Execution(attention=attention)
    ops, moments = (list(of(*sizes, execution=execution)) for of in (layer.ops, layer.moments))
    assert [op.io_bytes for op in ops if op.launches] == [launch.io_bytes for launch in trace.launches]
    assert activation_bytes(moments) == trace.activations.bytes
    assert peak_launch(moments, ops)[0] == trace.activations.at.launch
    assert layer.params * 2 + live_bytes(moments, layer.kv_cache_bytes(*sizes)) == trace.allocated.bytes


FEW = DecoderConfig(
    vocab_size=101,
    hidden_size=144,
    intermediate_size=352,
    moe_intermediate_size=56,
    num_attention_heads=6,
    num_key_value_heads=3,
    n_routed_experts=10,
    n_shared_experts=3,
    num_experts_per_tok=4,
)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("sizes", [(1, 48, 48), (2, 33, 33), (3, 1, 400), (2, 8, 60)], ids=str)
@pytest.mark.parametrize(
    ("dense", "layers"), [(dense, layers) for layers in (1, 2, 3, 4) for dense in range(layers + 1)], ids=str
)
def test_a_decoder_of_any_layers_holds_what_the_module_does(dense, layers, sizes, attention):
    decoder = Decoder(dataclasses.replace(FEW, num_hidden_layers=layers, first_k_dense_replace=dense))
    subject = TransformersReference().subject(
        decoder,
        Case("few", **dict(zip(("batch", "q_len", "kv_len"), sizes, strict=True))),
        **ON_META,
        attention=attention,
    )
    execution, trace = subject.execution, trace_subject(subject)
    ops, moments = (tuple(of(*sizes, execution=execution)) for of in (decoder.ops, decoder.moments))
    assert activation_bytes(moments) == trace.activations.bytes
    assert peak_launch(moments, ops)[0] == trace.activations.at.launch
    assert decoder.params * 2 + live_bytes(moments, decoder.kv_cache_bytes(*sizes)) == trace.allocated.bytes


@pytest.mark.parametrize(
    ("dense", "layers", "looked_at"),
    [
        pytest.param(0, 1, ["0"], id="one mixture"),
        pytest.param(1, 1, ["0"], id="one dense layer"),
        pytest.param(0, 12, ["1", "11"], id="mixtures"),
        pytest.param(12, 12, ["1", "11"], id="dense layers"),
        pytest.param(1, 12, ["0", "1", "11"], id="as published"),
        pytest.param(2, 12, ["1", "2", "11"], id="two dense layers"),
        pytest.param(5, 12, ["1", "4", "5", "11"], id="five dense layers"),
    ],
)
def test_however_many_layers_there_are_at_most_four_are_looked_at(dense, layers, looked_at):
    decoder = Decoder(dataclasses.replace(FEW, num_hidden_layers=layers, first_k_dense_replace=dense))
    names = [moment.op.split(".") for moment in decoder.moments(1, 8, 8)]
    assert list(dict.fromkeys(name[1] for name in names if name[0] == "layers")) == looked_at


VENDOR, X = Execution("vendor"), 2 * 512 * 1280


def test_the_vendors_attention_takes_positions_and_makes_its_own_table():
    """512 of 8 bytes come in; while the keys turn, beside 8 of the input's size, cosine and sine: 2 * 2 * 512 * 128."""
    assert ATTENTION.boundary(1, 512, 512, execution=VENDOR) == (X + 512 * 8, X)
    assert activation_bytes(ATTENTION.moments(1, 512, 512, execution=VENDOR)) == 8 * X + 512 * 8 + 2 * 2 * 512 * 128


def test_the_vendors_eager_attention_keeps_its_scores_to_itself():
    """In transformers they stay beside the feed-forward, 2 * 10 * 512**2 bytes, as do cosine and sine."""
    layer = DeepseekV2DecoderLayer(DECODER, 0)
    vendor, transformers = (
        {moment.op: moment.bytes for moment in layer.moments(1, 512, 512, execution=Execution(name, "eager"))}
        for name in ("vendor", "transformers")
    )
    scores, table = 2 * 10 * 512**2, 2 * 2 * 512 * 128
    assert transformers["mlp.mul"] - vendor["mlp.mul"] == scores + table - 512 * 8
    assert ATTENTION.boundary(1, 512, 512, execution=Execution("vendor", "eager")).outputs == X


def test_a_rotary_table_made_by_a_matmul_keeps_its_positions():
    """512 of 4 bytes."""
    rotary = LlamaRotaryEmbedding(128)
    by_matmul, elementwise = (activation_bytes(rotary.moments(1, 512, execution=one)) for one in (VENDOR, Execution()))
    assert by_matmul - elementwise == 512 * 4
