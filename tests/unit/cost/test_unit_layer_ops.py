"""Which ops a layer yields, by implementation and attention."""

from collections import Counter
from itertools import product

import pytest

from dsocr_cost import ATTENTIONS, IMPLEMENTATIONS, ClipConfig, DecoderConfig, Execution, SamConfig, total
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


def test_every_layer_is_looked_at(layer_kinds):
    assert layer_kinds == set(LAYERS.values())


@every_execution
def test_op_names_are_unique_within_a_layer(every_layer, execution):
    assert [name for name, times in Counter(names(*every_layer, execution)).items() if times > 1] == []


@every_execution
def test_an_op_has_the_flops_of_its_matmul(every_layer, execution):
    """A multiply-add is 2; only a fused attention has no matmul of its own."""
    layer, sizes = every_layer
    for op in layer.ops(**sizes, execution=execution):
        if op.matmul is None:
            assert op.kind == "attention"
        else:
            assert op.tensor_flops == 2 * op.matmul.batch * op.matmul.m * op.matmul.n * op.matmul.k


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
        attention: [one for one in names(layer, sizes, Execution(implementation, attention)) if one.startswith("sdpa")]
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
    assert names(SAM_ATTENTION, GRID, Execution(implementation, attention)) == order


@pytest.mark.parametrize(
    ("implementation", "order"),
    [
        ("vendor", ["qkv_proj", "sdpa", "out_proj"]),
        ("transformers", ["q_proj", "k_proj", "v_proj", "sdpa", "out_proj"]),
    ],
)
def test_clip_multiplies_for_q_k_and_v_once_or_three_times(implementation, order):
    assert names(CLIP_ATTENTION, TOKENS, Execution(implementation)) == order


@pytest.mark.parametrize(
    ("implementation", "order"),
    [
        ("vendor", ["q_proj", "k_proj", "v_proj", "rotary_emb.freqs", "sdpa", "o_proj"]),
        ("transformers", ["q_proj", "k_proj", "v_proj", "sdpa", "o_proj"]),
    ],
)
def test_llama_attention_runs_in_the_order_of_its_forward(implementation, order):
    assert names(LLAMA_ATTENTION, SEQUENCES, Execution(implementation)) == order


SHARED = ["shared_experts.gate_proj", "shared_experts.up_proj", "shared_experts.down_proj"]


@pytest.mark.parametrize(
    ("implementation", "order"),
    [
        ("vendor", ["gate.logits", "experts.gate_proj", "experts.up_proj", "experts.down_proj", *SHARED]),
        ("transformers", ["gate.logits", "experts.gate_up_proj", "experts.down_proj", *SHARED]),
    ],
)
def test_moe_routes_then_runs_its_experts_then_the_shared_ones(implementation, order):
    assert names(DeepseekV2MoE(DecoderConfig()), {"batch": 2, "q_len": 5}, Execution(implementation)) == order


def test_submodules_stand_in_the_path_of_their_ops():
    ops = names(ImageEncoderViT(SamConfig()), {"batch": 1, "height": 64, "width": 64}, Execution())
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
