"""Every layer of the cost model, with sizes that it can be priced at."""

import pytest

from dsocr_cost import ClipConfig, DecoderConfig, ProjectorConfig, SamConfig, layers
from dsocr_cost.efficiency import CLASSES, Machine, Smooth
from dsocr_cost.profile import Host, Profile, Sample, Site

SAM, CLIP, DECODER = SamConfig(), ClipConfig(num_hidden_layers=2), DecoderConfig()
GRID, TOKENS = {"batch": 2, "height": 5, "width": 3}, {"batch": 2, "tokens": 5}
PIXELS, POSITIONS = {"batch": 2, "height": 112, "width": 224}, {"batch": 2, "q_len": 5}
SEQUENCES = {"batch": 2, "q_len": 3, "kv_len": 7}

CASES = {
    "PatchEmbed": (layers.PatchEmbed.from_config(SAM), PIXELS),
    "Attention": (layers.Attention.from_config(SAM, windowed=False), GRID),
    "MLPBlock": (layers.MLPBlock.from_config(SAM), GRID),
    "windowed Block": (layers.Block.from_config(SAM, windowed=True), GRID),
    "global Block": (layers.Block.from_config(SAM, windowed=False), GRID),
    "LayerNorm2d": (layers.LayerNorm2d.from_config(SAM), GRID),
    "ImageEncoderViT": (layers.ImageEncoderViT.from_config(SAM), PIXELS),
    "CLIPVisionEmbeddings of pixels": (layers.CLIPVisionEmbeddings(CLIP, "conv"), PIXELS),
    "CLIPVisionEmbeddings of features": (layers.CLIPVisionEmbeddings(CLIP, "sam"), GRID),
    "NoTPAttention": (layers.NoTPAttention.from_config(CLIP), TOKENS),
    "NoTPFeedForward": (layers.NoTPFeedForward.from_config(CLIP), TOKENS),
    "NoTPTransformerBlock": (layers.NoTPTransformerBlock(CLIP), TOKENS),
    "NoTPTransformer": (layers.NoTPTransformer(CLIP), TOKENS),
    "VitModel of pixels": (layers.VitModel(CLIP, "conv"), PIXELS),
    "VitModel of features": (layers.VitModel(CLIP, "sam"), GRID),
    "MlpProjector": (layers.MlpProjector(ProjectorConfig()), TOKENS),
    "MlpProjector of two linears": (layers.MlpProjector(ProjectorConfig("mlp_gelu")), TOKENS),
    "DeepseekV2MLP": (layers.DeepseekV2MLP.from_config(DECODER), POSITIONS),
    "MoEGate": (layers.MoEGate.from_config(DECODER), POSITIONS),
    "DeepseekV2MoE": (layers.DeepseekV2MoE(DECODER), POSITIONS),
    "DeepseekV2RMSNorm": (layers.DeepseekV2RMSNorm.from_config(DECODER), POSITIONS),
    "dense DeepseekV2DecoderLayer": (layers.DeepseekV2DecoderLayer(DECODER, 0), SEQUENCES),
    "MoE DeepseekV2DecoderLayer": (layers.DeepseekV2DecoderLayer(DECODER, 1), SEQUENCES),
    "LMHead": (layers.LMHead.from_config(DECODER), POSITIONS),
    "LlamaRotaryEmbedding": (layers.LlamaRotaryEmbedding.from_config(DECODER), POSITIONS),
    "LlamaAttention": (layers.LlamaAttention.from_config(DECODER), SEQUENCES),
    "LlamaFlashAttention2": (layers.LlamaFlashAttention2.from_config(DECODER), SEQUENCES),
}


@pytest.fixture(scope="session", params=CASES.values(), ids=CASES)
def every_layer(request):
    """Each layer in each of its forms in turn, and sizes for it."""
    return request.param


@pytest.fixture(scope="session")
def layer_kinds():
    """The classes that ``every_layer`` goes through."""
    return {type(layer) for layer, _ in CASES.values()}


@pytest.fixture
def profile():
    """A made-up card: a formula a class, and one site that takes twice as long as its formula at 1e6 FLOPs."""
    models = {
        kind: Smooth(fixed_s=1e-6 * (1 + at), compute=0.7, bandwidth=0.8, sharpness=2.0, error=0.1 + at / 100)
        for at, kind in enumerate(CLASSES)
    }
    site = Site((Sample(1_000_000, 2_000, 3_000, 2e-5, 2.0), Sample(8_000_000, 2_000, 24_000, 3e-5, 1.5)), 0.05)
    host = Host(dispatch_s=5e-6, latency_s=3e-6, overlaps=True, error=0.2)
    machine = Machine("Bench", {2: 1e14, 4: 5e13}, 1e12, 40_000_000, 4e12, 80)
    return Profile(machine, models, host, "made up", {"decoder.LMHead.lm_head 129280x1280": site})
