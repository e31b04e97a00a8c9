"""The sizes of every predicted matmul, not only its FLOPs: those that a GEMM library is called with.

Under eager attention every op with matrix work is one matmul or one convolution, so each stands beside one call.
"""

import math

import pytest

from dsocr_cost import DeepseekOCRConfig, Execution, Matmul, layers
from dsocr_cost.op import MATRIX_WORK
from pytest_dsocr import Call, Case
from pytest_dsocr.measure.flops import FlopMeasurer
from pytest_dsocr.measure.formulas import FORMULAS
from pytest_dsocr.measure.trace import trace_subject
from pytest_dsocr.reference.transformers import TransformersReference

CONFIG = DeepseekOCRConfig()
IMAGES = Case("two images", batch=2, height=640, width=640)
GRIDS = Case("two grids", batch=2, height=40, width=30)
FEATURES = Case("two grids of features", batch=2, height=10, width=10)
POSITIONS = Case("two prefills", batch=2, q_len=13)
PREFILL = Case("two prefills", batch=2, q_len=13, kv_len=13)
DECODE = Case("two decode steps", batch=2, q_len=1, kv_len=45)

LAYERS = [
    pytest.param(layers.ImageEncoderViT(CONFIG.sam), IMAGES, id="SAM"),
    pytest.param(layers.Block.from_config(CONFIG.sam, windowed=True), GRIDS, id="windowed block, not square"),
    pytest.param(layers.Block.from_config(CONFIG.sam, windowed=False), GRIDS, id="global block, not square"),
    pytest.param(layers.VitModel(CONFIG.clip), FEATURES, id="CLIP"),
    pytest.param(layers.MlpProjector(CONFIG.projector), Case("two images", batch=2, tokens=100), id="projector"),
    pytest.param(layers.DeepseekV2DecoderLayer(CONFIG.decoder, 0), PREFILL, id="dense layer, prefill"),
    pytest.param(layers.DeepseekV2DecoderLayer(CONFIG.decoder, 0), DECODE, id="dense layer, decode"),
    pytest.param(layers.DeepseekV2DecoderLayer(CONFIG.decoder, 1), PREFILL, id="MoE layer, prefill"),
    pytest.param(layers.LMHead.from_config(CONFIG.decoder), POSITIONS, id="LM head"),
]


def sizes_of(call: Call) -> Matmul:
    """Read batch, m, n and k off the shapes of a counted call."""
    if call.op == "aten::convolution":
        # image [b, c, H, W], weight [n, c, k, k]: m is what the FLOPs leave for the positions
        (_, *_), weight = call.shapes[:2]
        inner = math.prod(weight[1:])
        return Matmul(1, call.count // (2 * weight[0] * inner), weight[0], inner)
    left, right = call.shapes[-2:] if call.op != "aten::_grouped_mm" else call.shapes[:2]
    batch = left[0] if call.op == "aten::bmm" else 1
    return Matmul(batch, left[-2], right[-1], left[-1])


@pytest.mark.flops
@pytest.mark.parametrize(("layer", "case"), LAYERS)
def test_every_matmul_has_the_sizes_that_the_counter_saw(layer, case):
    subject = TransformersReference().subject(layer, case, device="meta", dtype="bfloat16", attention="eager")
    calls = FlopMeasurer(FORMULAS).measure(subject, device="meta").calls
    execution = Execution("transformers", "eager")
    ops = [op for op in layer.ops(**case.sizes, execution=execution) if op.kind in MATRIX_WORK]
    assert [(op.name, op.matmul) for op in ops] == [
        (op.name, sizes_of(call)) for op, call in zip(ops, calls, strict=True)
    ]


@pytest.mark.traffic
@pytest.mark.parametrize(("layer", "case"), LAYERS)
def test_every_fused_attention_has_the_sizes_that_the_trace_saw(layer, case):
    """Query [b, h, s, d], key [b, h, t, d]: b * h products of s x d and d x t."""
    subject = TransformersReference().subject(layer, case, device="meta", dtype="bfloat16", attention="sdpa")
    seen = [one.shapes[:2] for one in trace_subject(subject).launches if "attention" in one.name]
    ops = [op for op in layer.ops(**case.sizes, execution=Execution("transformers", "sdpa")) if op.scores]
    assert [op.scores for op in ops] == [
        Matmul(batch * heads, q_len, kv_len, head_dim) for (batch, heads, q_len, head_dim), (_, _, kv_len, _) in seen
    ]
