"""Kernels of the vendor's own code, which no reference runs: what they move and hold, by hand."""

import pytest

from dsocr_cost import DecoderConfig, Execution
from dsocr_cost.layers import DeepseekV2MoE, LlamaAttention, LlamaRotaryEmbedding, NoTPAttention

ATTENTION = LlamaAttention(hidden_size=80, num_heads=5, num_key_value_heads=5, head_dim=16)
X, TABLE = 2 * 3 * 7 * 80, 2 * 3 * 7 * 16
"""Bytes of 3 x 7 positions: hidden states, and one of cosine and sine."""


def moved(layer, *sizes, attention="sdpa"):
    """Bytes that each kernel reads, reads as weights, and writes."""
    ops = layer.ops(*sizes, execution=Execution("vendor", attention))
    return {op.name: (op.read_bytes, op.weight_bytes, op.write_bytes) for op in ops}


def test_clip_multiplies_once_for_queries_keys_and_values():
    """2 x 9 tokens of 80 channels and 2 bytes; 3 x 80 x 80 weights and as many biases as rows of them."""
    ops = moved(NoTPAttention(80, 5), 2, 9)
    assert ops["qkv_proj"] == (2 * 18 * 80, 2 * (3 * 80 * 80 + 3 * 80), 2 * 18 * 3 * 80)


def test_clip_keeps_the_scores_of_eager_attention_to_itself():
    assert NoTPAttention(80, 5).boundary(2, 9, execution=Execution("vendor", "eager")) == (2 * 18 * 80, 2 * 18 * 80)


def test_each_attention_makes_a_rotary_table_of_its_own_for_every_sequence():
    """3 sequences of 7 positions: 8 frequencies of 4 bytes times each, as a matmul; both halves are the same."""
    ops = {name: one for name, one in moved(ATTENTION, 3, 7, 9).items() if name.startswith("rotary_emb.")}
    angles, table = 4 * 3 * 7 * 8, 4 * 3 * 7 * 16
    assert ops == {
        "rotary_emb.positions.to_fp32": (8 * 7, 0, 4 * 3 * 7),
        "rotary_emb.freqs": (4 * (3 * 8 + 3 * 7), 0, angles),
        "rotary_emb.freqs.cat": (table, 0, table),
        **{f"rotary_emb.{name}": (table, 0, table) for name in ("cos", "cos.scale", "sin", "sin.scale")},
        **{f"rotary_emb.{name}.from_fp32": (table, 0, table // 2) for name in ("cos", "sin")},
    }


@pytest.mark.parametrize("name", ["query", "key"])
def test_each_sequence_is_turned_by_its_own_table(name):
    ops = moved(ATTENTION, 3, 7, 9)
    assert ops[f"rotary.{name}.cos"] == ops[f"rotary.{name}.sin"] == (X + TABLE, 0, X)


def test_attention_takes_positions_and_gives_no_scores():
    """7 positions of 8 bytes; under eager attention a mask of 3 x 7 x 9 numbers, under sdpa of 7 x 9 bools."""
    eager, sdpa = (ATTENTION.boundary(3, 7, 9, execution=Execution("vendor", name)) for name in ("eager", "sdpa"))
    assert eager == (X + 8 * 7 + 2 * 3 * 7 * 9, X)
    assert sdpa == (X + 8 * 7 + 7 * 9, X)


def test_attention_holds_its_table_to_the_end():
    """Beside input and positions: cosine and sine, what attention gave, and the output; keys are in the cache."""
    moments = {one.op: one.bytes for one in ATTENTION.moments(3, 7, 7, execution=Execution("vendor"))}
    assert moments["o_proj"] == X + 8 * 7 + 2 * TABLE + 2 * X + X


def test_a_table_by_matmul_keeps_positions_in_fp32():
    """Hidden states of 16 channels come in with 7 positions; 3 x 7 of 4 bytes, angles, both halves, their scaling."""
    (moment,) = LlamaRotaryEmbedding(16).moments(3, 7, execution=Execution("vendor"))
    assert moment.bytes == 2 * 21 * 16 + 8 * 7 + 4 * 21 + 4 * 21 * 8 + 4 * 4 * 21 * 16


@pytest.mark.parametrize("name", ["gate_proj", "up_proj"])
def test_experts_run_two_linears_where_transformers_runs_one(name):
    """4 x 64 positions go to 2 of 3 experts of 80 x 24 each, all of which get some; 3 ends of rows of 4 bytes."""
    config = DecoderConfig(
        hidden_size=80,
        num_attention_heads=5,
        num_key_value_heads=5,
        moe_intermediate_size=24,
        n_routed_experts=3,
        num_experts_per_tok=2,
    )
    rows = 4 * 64 * 2
    assert moved(DeepseekV2MoE(config), 4, 64)[f"experts.{name}"] == (
        2 * rows * 80 + 4 * 3,
        2 * 3 * 80 * 24,
        2 * rows * 24,
    )
