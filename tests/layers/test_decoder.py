"""The decoder: what the cost model predicts, against what transformers' modules do.

512 positions is the size at which the report was published, 913 a real prompt: six 640 crops, a 1024 view and 37 more.
A decode step is one position over 945 keys, 944 of them in a real KV cache. Figures in the docstrings are by hand, for
a prefill of 512.
"""

import pytest

from dsocr_cost.layers import (
    DeepseekV2DecoderLayer,
    DeepseekV2MLP,
    DeepseekV2MoE,
    DeepseekV2RMSNorm,
    LMHead,
    MoEGate,
)
from pytest_dsocr import Case

TRAFFIC = ("cuda_flops", "io_bytes", "launches")

POSITIONS = [
    Case("prefill of 512", batch=1, q_len=512),
    Case("prefill of 913", batch=1, q_len=913),
    Case("decode step", batch=1, q_len=1),
    Case("three prefills of 913", batch=3, q_len=913),
    Case("three decode steps", batch=3, q_len=1),
]
SEQUENCES = [
    Case("prefill of 512", batch=1, q_len=512, kv_len=512),
    Case("prefill of 913", batch=1, q_len=913, kv_len=913),
    Case("decode over 945 keys", batch=1, q_len=1, kv_len=945),
    Case("three prefills of 913", batch=3, q_len=913, kv_len=913),
    Case("three decodes over 945 keys", batch=3, q_len=1, kv_len=945),
]
ANY = Case("any size")
DENSE, MOE = 0, 1  # the first layer of each sort


@pytest.mark.flops
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_mlp_flops(dsocr, case):
    """3 linears: 3 * (2 * 512 * 1280 * 6848) = 26,927,431,680."""
    dsocr.compare(DeepseekV2MLP.from_config(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_mlp_traffic(dsocr, case):
    """5 launches; SiLU and a product of 512 * 6848 numbers each: 7,012,352 FLOPs."""
    dsocr.compare_all(DeepseekV2MLP.from_config(dsocr.config.decoder), case, metrics=TRAFFIC)


@pytest.mark.params
def test_mlp_params(dsocr):
    """3 * 1280 * 6848 = 26,296,320."""
    dsocr.compare(DeepseekV2MLP.from_config(dsocr.config.decoder), ANY, metric="params")


@pytest.mark.flops
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_gate_flops(dsocr, case):
    """2 * 512 * 1280 * 64 = 83,886,080."""
    dsocr.compare(MoEGate.from_config(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_gate_traffic(dsocr, case):
    """6 launches: two casts, a linear, softmax and top-k of 512 * 64, a scale of 512 * 6: 68,608 FLOPs."""
    dsocr.compare_all(MoEGate.from_config(dsocr.config.decoder), case, metrics=TRAFFIC)


@pytest.mark.params
def test_gate_params(dsocr):
    """1280 * 64 = 81,920."""
    dsocr.compare(MoEGate.from_config(dsocr.config.decoder), ANY, metric="params")


@pytest.mark.flops
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_moe_flops(dsocr, case):
    """Router, 6 experts a position, shared experts.

    83,886,080 + 6 * 512 * 3 * (2 * 1280 * 896) + 512 * 3 * (2 * 1280 * 1792) = 28,269,608,960.
    """
    dsocr.compare(DeepseekV2MoE(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_moe_traffic(dsocr, case):
    """6 launches of the router, 17 of the experts, 5 of the shared ones, a sum: 29.

    68,608 FLOPs; sorting and counting 3 * 512 * 6 + 64; in the experts 2 * 3072 * 896 + 2 * 3072 * 1280; 2 * 512 * 1792
    in the shared ones; 512 * 1280: 15,937,600. All 64 experts are expected to get one of 512 positions, 6 one of 1.
    """
    dsocr.compare_all(DeepseekV2MoE(dsocr.config.decoder), case, metrics=TRAFFIC)


@pytest.mark.params
def test_moe_params(dsocr):
    """81,920 + 64 * 3 * 1280 * 896 + 3 * 1280 * 1792 = 227,164,160."""
    dsocr.compare(DeepseekV2MoE(dsocr.config.decoder), ANY, metric="params")


@pytest.mark.flops
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_rms_norm_flops(dsocr, case):
    """No matrix work."""
    dsocr.compare(DeepseekV2RMSNorm.from_config(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_rms_norm_traffic(dsocr, case):
    """8 launches, 2 of them casts: 4 * 512 * 1280 + 2 * 512 = 2,622,464 FLOPs."""
    dsocr.compare_all(DeepseekV2RMSNorm.from_config(dsocr.config.decoder), case, metrics=TRAFFIC)


@pytest.mark.params
def test_rms_norm_params(dsocr):
    """1280."""
    dsocr.compare(DeepseekV2RMSNorm.from_config(dsocr.config.decoder), ANY, metric="params")


@pytest.mark.flops
@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: f"dense, {case}")
def test_dense_layer_flops(dsocr, case):
    """Attention 8,053,063,680 and a SwiGLU 26,927,431,680."""
    layer = DeepseekV2DecoderLayer(dsocr.config.decoder, DENSE)
    dsocr.compare(layer, Case(f"dense, {case}", **case.sizes))


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: f"dense, {case}")
def test_dense_layer_traffic(dsocr, case):
    """17 + 5 launches, 2 norms of 8, 2 residuals: 40."""
    layer = DeepseekV2DecoderLayer(dsocr.config.decoder, DENSE)
    dsocr.compare_all(layer, Case(f"dense, {case}", **case.sizes), metrics=TRAFFIC)


@pytest.mark.params
def test_dense_layer_params(dsocr):
    """4 * 1280**2 + 26,296,320 + 2 * 1280 = 32,852,480."""
    dsocr.compare(DeepseekV2DecoderLayer(dsocr.config.decoder, DENSE), Case("dense"), metric="params")


@pytest.mark.flops
@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: f"MoE, {case}")
def test_moe_layer_flops(dsocr, case):
    """Attention 8,053,063,680 and a mixture 28,269,608,960."""
    layer = DeepseekV2DecoderLayer(dsocr.config.decoder, MOE)
    dsocr.compare(layer, Case(f"MoE, {case}", **case.sizes))


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: f"MoE, {case}")
def test_moe_layer_traffic(dsocr, case):
    """17 + 29 launches, 2 norms of 8, 2 residuals: 64."""
    layer = DeepseekV2DecoderLayer(dsocr.config.decoder, MOE)
    dsocr.compare_all(layer, Case(f"MoE, {case}", **case.sizes), metrics=TRAFFIC)


@pytest.mark.params
def test_moe_layer_params(dsocr):
    """4 * 1280**2 + 227,164,160 + 2 * 1280 = 233,720,320."""
    dsocr.compare(DeepseekV2DecoderLayer(dsocr.config.decoder, MOE), Case("MoE"), metric="params")


@pytest.mark.flops
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_lm_head_flops(dsocr, case):
    """2 * 512 * 1280 * 129280 = 169,449,881,600."""
    dsocr.compare(LMHead.from_config(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_lm_head_traffic(dsocr, case):
    """One launch: 2 * (512 * 1280 + 165,478,400 + 512 * 129280) = 464,650,240 bytes."""
    dsocr.compare_all(LMHead.from_config(dsocr.config.decoder), case, metrics=TRAFFIC)


@pytest.mark.params
def test_lm_head_params(dsocr):
    """1280 * 129280 = 165,478,400."""
    dsocr.compare(LMHead.from_config(dsocr.config.decoder), ANY, metric="params")
