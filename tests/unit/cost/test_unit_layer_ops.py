"""Which ops a layer yields, by implementation and attention."""

from collections import Counter
from itertools import product

import pytest

from dsocr_cost import ATTENTIONS, IMPLEMENTATIONS, ClipConfig, DecoderConfig, Execution, SamConfig, total
from dsocr_cost.execution import FP32_BYTES
from dsocr_cost.layers import (
    LAYERS,
    Attention,
    DeepseekV2DecoderLayer,
    DeepseekV2MoE,
    ImageEncoderViT,
    LlamaAttention,
    LlamaFlashAttention2,
    LlamaRotaryEmbedding,
    NoTPAttention,
)
from dsocr_cost.op import MATRIX_WORK

SAM_ATTENTION = Attention.from_config(SamConfig(), windowed=False)
CLIP_ATTENTION = NoTPAttention.from_config(ClipConfig())
LLAMA_ATTENTION = LlamaAttention.from_config(DecoderConfig())
LLAMA_FLASH = LlamaFlashAttention2.from_config(DecoderConfig())
GRID, TOKENS = {"batch": 2, "height": 5, "width": 3}, {"batch": 2, "tokens": 5}
SEQUENCES = {"batch": 2, "q_len": 3, "kv_len": 7}

every_execution = pytest.mark.parametrize(
    "execution",
    [Execution(*names) for names in product(IMPLEMENTATIONS, ATTENTIONS)],
    ids=lambda one: f"{one.implementation} {one.attention}",
)

RECOMPUTES_ROTARY_TABLE = (LlamaRotaryEmbedding, LlamaAttention, DeepseekV2DecoderLayer)


def flops(layer, sizes, execution):
    return total(layer.ops(**sizes, execution=execution)).tensor_flops


def names(layer, sizes, execution):
    return [op.name for op in layer.ops(**sizes, execution=execution)]


def matrix_work(layer, sizes, execution):
    return [op.name for op in layer.ops(**sizes, execution=execution) if op.kind in MATRIX_WORK]


def test_every_layer_is_looked_at(layer_kinds):
    assert layer_kinds == set(LAYERS.values())


@every_execution
def test_op_names_are_unique_within_a_layer(every_layer, execution):
    assert [name for name, times in Counter(names(*every_layer, execution)).items() if times > 1] == []


@every_execution
def test_an_op_has_the_flops_of_its_matmul(every_layer, execution):
    """A multiply-add is 2; only a fused attention does matrix work without a matmul of its own."""
    layer, sizes = every_layer
    for op in layer.ops(**sizes, execution=execution):
        if op.kind not in MATRIX_WORK:
            assert (op.tensor_flops, op.matmul) == (0, None)
        elif op.matmul is None:
            assert op.kind == "attention"
        else:
            assert op.tensor_flops == 2 * op.matmul.batch * op.matmul.m * op.matmul.n * op.matmul.k


@every_execution
def test_an_op_is_launched_once_and_writes_or_not_at_all_and_costs_nothing(every_layer, execution):
    layer, sizes = every_layer
    for op in layer.ops(**sizes, execution=execution):
        assert op.launches in (0, 1)
        assert bool(op.write_bytes) == bool(op.launches)
        assert op.launches or (op.tensor_flops, op.cuda_flops, op.io_bytes) == (0, 0, 0)


@every_execution
def test_only_arithmetic_is_cuda_flops(every_layer, execution):
    layer, sizes = every_layer
    for op in layer.ops(**sizes, execution=execution):
        assert bool(op.cuda_flops) == (op.kind in ("pointwise", "reduction") and bool(op.launches))


@every_execution
def test_weights_that_are_read_are_parameters(every_layer, execution):
    """Each is read once at most."""
    layer, sizes = every_layer
    weights = sum(op.weight_bytes for op in layer.ops(**sizes, execution=execution))
    assert weights <= execution.item_bytes * layer.params


CASTS = ("to_fp32", "from_fp32")


@every_execution
def test_float32_needs_no_casts_and_is_otherwise_the_same_ops(every_layer, execution):
    """The rotary positions are whole numbers, which are converted in any case."""
    layer, sizes = every_layer
    in_fp32 = Execution(execution.implementation, execution.attention, dtype="float32")
    assert names(layer, sizes, in_fp32) == [
        name
        for name in names(layer, sizes, execution)
        if not name.endswith(CASTS) or name.endswith("positions.to_fp32")
    ]


@every_execution
def test_float32_moves_twice_the_bytes_of_a_matmul(every_layer, execution):
    """But of the experts' ends, of 4 bytes each, and of a matmul that runs in fp32 in any case."""
    layer, sizes = every_layer
    in_fp32 = Execution(execution.implementation, execution.attention, dtype="float32")
    wide = {op.name: op for op in layer.ops(**sizes, execution=in_fp32)}
    for op in layer.ops(**sizes, execution=execution):
        if op.kind in ("linear", "bmm", "conv2d"):
            always = op.name.endswith(("gate.logits", "freqs")) or op.name == "logits"
            assert wide[op.name].io_bytes == op.io_bytes * (1 if always else FP32_BYTES // execution.item_bytes)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_eager_sdpa_and_flash_are_the_same_work(every_layer, implementation):
    assert len({flops(*every_layer, Execution(implementation, attention)) for attention in ATTENTIONS}) == 1


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_implementations_differ_by_the_rotary_table_alone(every_layer, attention):
    """The vendor multiplies 64 frequencies by each of 2 * q_len positions: 2 * 64 = 128 FLOPs a position."""
    layer, sizes = every_layer
    vendor, transformers = (flops(layer, sizes, Execution(name, attention)) for name in ("vendor", "transformers"))
    positions = sizes["batch"] * sizes["q_len"] if isinstance(layer, RECOMPUTES_ROTARY_TABLE) else 0
    assert vendor - transformers == 128 * positions


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize(
    ("layer", "sizes"),
    [(SAM_ATTENTION, GRID), (CLIP_ATTENTION, TOKENS), (LLAMA_ATTENTION, SEQUENCES)],
    ids=["SAM", "CLIP", "LLaMA"],
)
def test_only_eager_attention_yields_scores_and_values(layer, sizes, implementation):
    core = {
        attention: [
            one for one in matrix_work(layer, sizes, Execution(implementation, attention)) if one.startswith("sdpa")
        ]
        for attention in ATTENTIONS
    }
    assert core == {"eager": ["sdpa.scores", "sdpa.values"], "sdpa": ["sdpa"], "flash": ["sdpa"]}


@every_execution
def test_llama_flash_attention_is_always_one_fused_op(execution):
    core = [op for op in LLAMA_FLASH.ops(**SEQUENCES, execution=execution) if op.name.startswith("sdpa")]
    assert [(op.name, op.kind) for op in core] == [("sdpa", "attention")]


@every_execution
def test_llama_flash_attention_keeps_the_implementation(execution):
    assert ("rotary_emb.freqs" in names(LLAMA_FLASH, SEQUENCES, execution)) is (execution.implementation == "vendor")


@pytest.mark.parametrize(
    ("attention", "order"),
    [
        ("eager", ["qkv", "sdpa.scores", "rel_pos_h", "rel_pos_w", "sdpa.values", "proj"]),
        ("sdpa", ["qkv", "rel_pos_h", "rel_pos_w", "sdpa", "proj"]),
        ("flash", ["qkv", "rel_pos_h", "rel_pos_w", "sdpa", "proj"]),
    ],
)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_sam_attention_runs_in_the_order_of_its_forward(implementation, attention, order):
    assert matrix_work(SAM_ATTENTION, GRID, Execution(implementation, attention)) == order


@pytest.mark.parametrize(
    ("implementation", "order"),
    [
        ("vendor", ["qkv_proj", "sdpa", "out_proj"]),
        ("transformers", ["q_proj", "k_proj", "v_proj", "sdpa", "out_proj"]),
    ],
)
def test_clip_multiplies_for_q_k_and_v_once_or_three_times(implementation, order):
    assert matrix_work(CLIP_ATTENTION, TOKENS, Execution(implementation)) == order


@pytest.mark.parametrize(
    ("implementation", "order"),
    [
        ("vendor", ["q_proj", "k_proj", "v_proj", "rotary_emb.freqs", "sdpa", "o_proj"]),
        ("transformers", ["q_proj", "k_proj", "v_proj", "sdpa", "o_proj"]),
    ],
)
def test_llama_attention_runs_in_the_order_of_its_forward(implementation, order):
    assert matrix_work(LLAMA_ATTENTION, SEQUENCES, Execution(implementation)) == order


ROTARY = [f"rotary.{name}.{step}" for name in ("query", "key") for step in ("cos", "neg", "rotate", "sin", "add")]


def test_llama_attention_lists_every_launch_of_its_forward():
    """Two sequences of 3 positions over 7 keys: all of it is needed."""
    launched = [
        op.name for op in LLAMA_ATTENTION.ops(**SEQUENCES, execution=Execution(attention="eager")) if op.launches
    ]
    assert launched == [
        *("q_proj", "k_proj", "v_proj"),
        *ROTARY,
        *("cache.key", "cache.value"),
        *("sdpa.query.contiguous", "sdpa.scores", "sdpa.scale", "sdpa.mask"),
        *("sdpa.softmax.to_fp32", "sdpa.softmax", "sdpa.softmax.from_fp32"),
        *("sdpa.values", "sdpa.contiguous", "o_proj"),
    ]


def test_a_decode_step_has_its_positions_in_order_already():
    """One position: a transposed query is what it was. No cache, no mask is spared."""
    sizes = {**SEQUENCES, "q_len": 1}
    ops = list(LLAMA_ATTENTION.ops(**sizes, execution=Execution(attention="eager")))
    assert [op.name for op in ops if not op.launches] == ["sdpa.query.contiguous", "sdpa.contiguous"]


SHARED_HEADS = LlamaAttention(hidden_size=96, num_heads=6, num_key_value_heads=3, head_dim=16)


@pytest.mark.parametrize(
    ("attention", "q_len", "repeats"),
    [
        pytest.param("eager", 7, 2, id="eager, prefill"),
        pytest.param("eager", 1, 2, id="eager, decode"),
        pytest.param("sdpa", 7, 0, id="sdpa, prefill"),
        pytest.param("sdpa", 1, 0, id="sdpa, decode"),
        pytest.param("sdpa", 3, 2, id="sdpa, chunk of a prefill: under a mask"),
        pytest.param("flash", 3, 0, id="flash, chunk of a prefill"),
    ],
)
def test_heads_that_share_keys_repeat_them_where_the_kernel_cannot_share(attention, q_len, repeats):
    """2 * 7 keys of 3 heads and 16 channels, of 2 bytes, are read, and 6 heads are written; of values, as many."""
    ops = [
        op
        for op in SHARED_HEADS.ops(2, q_len, 7, execution=Execution(attention=attention))
        if op.name in ("sdpa.key.repeat", "sdpa.value.repeat") and op.launches
    ]
    assert [(op.read_bytes, op.write_bytes) for op in ops] == repeats * [(2 * 2 * 7 * 3 * 16, 2 * 2 * 7 * 6 * 16)]


@pytest.mark.parametrize(
    ("attention", "q_len", "masked"), [("sdpa", 3, True), ("sdpa", 1, False), ("sdpa", 7, False), ("flash", 3, False)]
)
def test_only_a_chunk_of_a_prefill_runs_under_a_mask_that_is_made_of_one_of_bools(attention, q_len, masked):
    """10 heads of 128 channels: q, and keys and values of 2 * 7 positions, of 2 bytes; 2 masks of 3 * 7."""
    ops = {op.name: op for op in LLAMA_ATTENTION.ops(2, q_len, 7, execution=Execution(attention=attention))}
    made = total(op for name, op in ops.items() if name.startswith("sdpa.mask"))
    mask_bytes = masked * 2 * 2 * 3 * 7
    assert (made.launches, made.io_bytes) == (masked * 3, masked * (2 + 2 + (3 * 7 + 2 * 2) + mask_bytes))
    assert ops["sdpa"].read_bytes == 2 * (2 * q_len * 1280 + 2 * (2 * 7 * 1280)) + mask_bytes


SHARED = ["shared_experts.gate_proj", "shared_experts.up_proj", "shared_experts.down_proj"]


@pytest.mark.parametrize(
    ("implementation", "order"),
    [
        ("vendor", ["gate.logits", "experts.gate_proj", "experts.up_proj", "experts.down_proj", *SHARED]),
        ("transformers", ["gate.logits", "experts.gate_up_proj", "experts.down_proj", *SHARED]),
    ],
)
def test_moe_routes_then_runs_its_experts_then_the_shared_ones(implementation, order):
    assert matrix_work(DeepseekV2MoE(DecoderConfig()), {"batch": 2, "q_len": 5}, Execution(implementation)) == order


def test_submodules_stand_in_the_path_of_their_ops():
    ops = matrix_work(ImageEncoderViT(SamConfig()), {"batch": 1, "height": 64, "width": 64}, Execution())
    assert ops[0] == "patch_embed.projection"
    assert ops[1:8] == [
        "layers.0.attn.qkv",
        "layers.0.attn.rel_pos_h",
        "layers.0.attn.rel_pos_w",
        "layers.0.attn.sdpa",
        "layers.0.attn.proj",
        "layers.0.mlp.lin1",
        "layers.0.mlp.lin2",
    ]
    assert ops[-4:] == ["neck.conv1", "neck.conv2", "proj.conv1", "proj.conv2"]
