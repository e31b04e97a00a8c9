"""Seconds: every layer at the sizes that it runs at on real pages, predicted from a calibration, then measured.

They need a device that runs: on meta they are *not run*. `make latency` calibrates this CPU and runs them, `make
gpu-latency` a card. A page of 1x2 crops is two crops of 640 (40 x 40 patches, 10 x 10 features), one view of 1024
(64 x 64, 16 x 16) and, with 10 text tokens, a prefill of 493 positions; 2x2 crops make it 703.
"""

import pytest

from dsocr_cost import DeepseekOCRConfig, layers
from pytest_dsocr import Case

pytestmark = pytest.mark.latency

CONFIG = DeepseekOCRConfig()
SAM, CLIP, DECODER = CONFIG.sam, CONFIG.clip, CONFIG.decoder

PIXELS = [
    Case("view, in time", batch=1, height=1024, width=1024),
    Case("crops, in time", batch=2, height=640, width=640),
]
PATCHES = [Case("view, in time", batch=1, height=64, width=64), Case("crops, in time", batch=2, height=40, width=40)]
WINDOWS = [Case("view, in time", batch=25, height=14, width=14), Case("crops, in time", batch=18, height=14, width=14)]
MAPS = [Case("view, in time", batch=1, height=64, width=64), Case("crops, in time", batch=2, height=40, width=40)]
FEATURES = [Case("view, in time", batch=1, height=16, width=16), Case("crops, in time", batch=2, height=10, width=10)]
TOKENS = [Case("view, in time", batch=1, tokens=257), Case("crops, in time", batch=2, tokens=101)]
PROJECTED = [Case("view, in time", batch=1, tokens=256), Case("crops, in time", batch=2, tokens=100)]
POSITIONS = [
    Case("prefill of 493, in time", batch=1, q_len=493),
    Case("prefill of 703, in time", batch=1, q_len=703),
    Case("decode step, in time", batch=1, q_len=1),
]
SEQUENCES = [
    Case("prefill of 493, in time", batch=1, q_len=493, kv_len=493),
    Case("prefill of 703, in time", batch=1, q_len=703, kv_len=703),
    Case("decode over 504 keys, in time", batch=1, q_len=1, kv_len=504),
]

LAYERS = {
    "PatchEmbed": (layers.PatchEmbed.from_config(SAM), PIXELS),
    "Attention, windowed": (layers.Attention.from_config(SAM, windowed=True), WINDOWS),
    "Attention, global": (layers.Attention.from_config(SAM, windowed=False), PATCHES),
    "MLPBlock": (layers.MLPBlock.from_config(SAM), PATCHES),
    "Block, windowed": (layers.Block.from_config(SAM, windowed=True), PATCHES),
    "Block, global": (layers.Block.from_config(SAM, windowed=False), PATCHES),
    "LayerNorm2d": (layers.LayerNorm2d.from_config(SAM), MAPS),
    "ImageEncoderViT": (layers.ImageEncoderViT(SAM), PIXELS),
    "CLIPVisionEmbeddings": (layers.CLIPVisionEmbeddings(CLIP, patches="sam"), FEATURES),
    "NoTPAttention": (layers.NoTPAttention.from_config(CLIP), TOKENS),
    "NoTPFeedForward": (layers.NoTPFeedForward.from_config(CLIP), TOKENS),
    "NoTPTransformerBlock": (layers.NoTPTransformerBlock(CLIP), TOKENS),
    "NoTPTransformer": (layers.NoTPTransformer(CLIP), TOKENS),
    "VitModel": (layers.VitModel(CLIP, patches="sam"), FEATURES),
    "MlpProjector": (layers.MlpProjector(CONFIG.projector), PROJECTED),
    "LlamaRotaryEmbedding": (layers.LlamaRotaryEmbedding.from_config(DECODER), POSITIONS),
    "LlamaAttention": (layers.LlamaAttention.from_config(DECODER), SEQUENCES),
    "LlamaFlashAttention2": (layers.LlamaFlashAttention2.from_config(DECODER), SEQUENCES),
    "DeepseekV2RMSNorm": (layers.DeepseekV2RMSNorm.from_config(DECODER), POSITIONS),
    "DeepseekV2MLP": (layers.DeepseekV2MLP.from_config(DECODER), POSITIONS),
    "MoEGate": (layers.MoEGate.from_config(DECODER), POSITIONS),
    "DeepseekV2MoE": (layers.DeepseekV2MoE(DECODER), POSITIONS),
    "DeepseekV2DecoderLayer, dense": (layers.DeepseekV2DecoderLayer(DECODER, 0), SEQUENCES),
    "DeepseekV2DecoderLayer, MoE": (layers.DeepseekV2DecoderLayer(DECODER, 1), SEQUENCES),
    "LMHead": (layers.LMHead.from_config(DECODER), POSITIONS),
}
TIMED = [
    pytest.param(layer, Case(f"{name}, {case.name}", **case.sizes), id=f"{name}, {case.name.removesuffix(', in time')}")
    for name, (layer, cases) in LAYERS.items()
    for case in cases
]


@pytest.mark.parametrize(("layer", "case"), TIMED)
def test_a_layer_takes_as_long_as_predicted(dsocr, layer, case):
    dsocr.compare(layer, case, metric="latency_s")


def test_every_layer_is_timed():
    assert {type(layer) for layer, _ in LAYERS.values()} == {*layers.LAYERS.values()}
