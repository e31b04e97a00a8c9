"""Real layers with real numbers on the CPU: each launch of the prediction, but for two things that differ there.

A layer norm of bfloat16 keeps its mean and its deviation in bfloat16, not in fp32: 4 bytes a row less are written. And
a router does send tokens somewhere: the experts that got any are those that it names, not those of an even one.
"""

import pytest

from dsocr_cost import ATTENTIONS, DecoderConfig, DeepseekOCRConfig, Execution, total
from dsocr_cost.kernels import touched
from dsocr_cost.layers import (
    Attention,
    Block,
    DeepseekV2DecoderLayer,
    LayerNorm2d,
    LlamaAttention,
    NoTPTransformerBlock,
)
from pytest_dsocr import Case
from pytest_dsocr.measure.trace import trace
from pytest_dsocr.reference.transformers import TransformersReference

CONFIG = DeepseekOCRConfig()
DENSE, MOE = (DeepseekV2DecoderLayer(CONFIG.decoder, index) for index in (0, 1))
SHARED_HEADS = LlamaAttention.from_config(DecoderConfig(num_key_value_heads=5))
CROP = Case("640 crop", batch=1, height=40, width=40)
PREFILL = Case("prefill of 40", batch=1, q_len=40, kv_len=40)
PREFILLS = Case("two prefills of 40", batch=2, q_len=40, kv_len=40)
DECODE = Case("decode over 945 keys", batch=1, q_len=1, kv_len=945)
DECODES = Case("two decodes over 945 keys", batch=2, q_len=1, kv_len=945)
CHUNK = Case("chunk of 8 after 32", batch=1, q_len=8, kv_len=40)


class Run:
    """One run of a layer on the CPU, its prediction, and the experts that its router sent tokens to."""

    def __init__(self, layer, case, attention, dtype):
        reference = TransformersReference()
        subject = reference.subject(layer, case, device="cpu", dtype=dtype, attention=attention)
        self.sent_to = set()
        for name, module in subject.module.named_modules():
            if name.endswith("gate"):
                module.register_forward_hook(self._note)
        args, kwargs = subject.inputs()
        launches = trace(lambda: subject.module(*args, **kwargs))
        self.measured = sum(one.cuda_flops for one in launches), len(launches)
        self.measured_bytes = sum(one.io_bytes for one in launches)
        cost = total(layer.ops(**case.sizes, execution=Execution("transformers", attention, dtype=dtype)))
        self.predicted, self.predicted_bytes = (cost.cuda_flops, cost.launches), cost.io_bytes

    def _note(self, router, args, output):
        *_, chosen = output
        self.sent_to |= set(chosen.flatten().tolist())


every_attention = pytest.mark.parametrize("attention", ATTENTIONS)


@every_attention
@pytest.mark.parametrize(
    ("layer", "case"),
    [
        pytest.param(Attention.from_config(CONFIG.sam, windowed=False), CROP, id="SAM's attention"),
        pytest.param(DENSE, PREFILLS, id="dense layer, prefill"),
        pytest.param(DENSE, DECODES, id="dense layer, decode"),
        pytest.param(SHARED_HEADS, PREFILLS, id="heads that share keys, prefill"),
        pytest.param(SHARED_HEADS, DECODES, id="heads that share keys, decode"),
    ],
)
def test_what_has_no_layer_norm_and_no_experts_is_exact(layer, case, attention):
    """RMS norms are made of launches that the CPU runs as any device does."""
    run = Run(layer, case, attention, "bfloat16")
    assert run.measured == run.predicted
    assert run.measured_bytes == run.predicted_bytes


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("layer", [DENSE.self_attn, SHARED_HEADS], ids=["each head its keys", "heads that share keys"])
def test_a_chunk_of_a_prefill_is_exact(layer, attention):
    """Its mask of bools becomes one of numbers on the CPU too."""
    run = Run(layer, CHUNK, attention, "bfloat16")
    assert (run.measured, run.measured_bytes) == (run.predicted, run.predicted_bytes)


@pytest.mark.parametrize(("dtype", "less"), [("bfloat16", 4), ("float32", 0)])
@pytest.mark.parametrize(
    ("layer", "case", "attention", "rows"),
    [
        pytest.param(LayerNorm2d.from_config(CONFIG.sam), CROP, "sdpa", 40 * 40, id="a layer norm"),
        pytest.param(
            Block.from_config(CONFIG.sam, windowed=True), CROP, "sdpa", 2 * 40 * 40, id="SAM's windowed block, sdpa"
        ),
        pytest.param(
            Block.from_config(CONFIG.sam, windowed=True), CROP, "eager", 2 * 40 * 40, id="SAM's windowed block, eager"
        ),
        pytest.param(
            NoTPTransformerBlock(CONFIG.clip),
            Case("two 1024 views", batch=2, tokens=257),
            "sdpa",
            2 * 2 * 257,
            id="CLIP's block, sdpa",
        ),
        pytest.param(
            NoTPTransformerBlock(CONFIG.clip),
            Case("1024 view", batch=1, tokens=257),
            "eager",
            2 * 257,
            id="CLIP's block, eager",
        ),
    ],
)
def test_a_layer_norm_of_bfloat16_writes_4_bytes_a_row_less(layer, case, attention, rows, dtype, less):
    """A mean and a deviation of 2 bytes each, not 4; a block norms its rows twice."""
    run = Run(layer, case, attention, dtype)
    assert run.measured == run.predicted
    assert run.measured_bytes == run.predicted_bytes - less * rows


@pytest.mark.parametrize(
    ("case", "attention", "expected"),
    [
        pytest.param(PREFILL, "sdpa", 63, id="prefill, sdpa"),
        pytest.param(DECODES, "eager", 11, id="decode, eager"),
        pytest.param(DECODE, "flash", 6, id="decode of one, flash"),
    ],
)
def test_experts_that_got_no_token_are_not_read(case, attention, expected):
    """Of even routing 64 * (1 - (1 - 6 / 64)**T): 62.8, 11.4 and 6 of T = 40, 2 and 1. An expert has 3 * 1280 * 896."""
    run = Run(MOE, case, attention, "bfloat16")
    assert touched(64, 6, case["batch"] * case["q_len"]) == expected
    assert 6 <= len(run.sent_to) <= 64
    assert run.measured == run.predicted
    assert run.measured_bytes == run.predicted_bytes + (len(run.sent_to) - expected) * 2 * 3 * 1280 * 896
