"""The decoder: what the cost model predicts, against what transformers' modules do.

512 positions is the size at which the report was published, 913 a real prompt: six 640 crops, a 1024 view and 37 more.
A decode step is one position over 945 keys, 944 of them in a real KV cache. Figures in the docstrings are by hand, for
a prefill of 512.
"""

import pytest

from dsocr_cost import DecoderConfig
from dsocr_cost.layers import DeepseekV2DecoderLayer, DeepseekV2MLP, DeepseekV2MoE, DeepseekV2RMSNorm, LMHead, MoEGate
from pytest_dsocr import Case

TRAFFIC = ("cuda_flops", "io_bytes", "launches", "compulsory_bytes")
MEMORY = ("activation_bytes", "peak_launch", "allocated_bytes")
WEIGHTS = ("params", "weight_bytes")

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
    Case("chunk of 256 over 913 keys", batch=1, q_len=256, kv_len=913),
    Case("three chunks of 37 over 57 keys", batch=3, q_len=37, kv_len=57),
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


@pytest.mark.memory
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_mlp_memory(dsocr, case):
    """At the product, launch 4: 512 * 1280 * 2 bytes, and 3 * 512 * 6848 * 2: 22,347,776."""
    dsocr.compare_all(DeepseekV2MLP.from_config(dsocr.config.decoder), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_mlp_params(dsocr):
    """3 * 1280 * 6848 = 26,296,320."""
    dsocr.compare_all(DeepseekV2MLP.from_config(dsocr.config.decoder), ANY, metrics=WEIGHTS)


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


@pytest.mark.memory
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_gate_memory(dsocr, case):
    """At the logits: 512 * 1280 numbers in 2 and 4 bytes, 64 * 1280 weights and 512 * 64 logits in 4: 4,390,912."""
    dsocr.compare_all(MoEGate.from_config(dsocr.config.decoder), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_gate_params(dsocr):
    """1280 * 64 = 81,920."""
    dsocr.compare_all(MoEGate.from_config(dsocr.config.decoder), ANY, metrics=WEIGHTS)


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


@pytest.mark.memory
@pytest.mark.parametrize("case", [*POSITIONS, Case("chunk of two", batch=1, q_len=2)], ids=str)
def test_moe_memory(dsocr, case):
    """On the way back to the tokens, launch 21: 3072 rows of 1280 in 2, 2, 4 and 4 bytes, 47,185,920.

    Beside them the input, 1,310,720; 512 * (64 * 4 + 6 * 12) of the router; 3072 * 32 of indices and weights; 512 of
    counts. Few positions have their peak in the router, whose weight is as large in fp32 as ever.
    """
    dsocr.compare_all(DeepseekV2MoE(dsocr.config.decoder), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_moe_params(dsocr):
    """81,920 + 64 * 3 * 1280 * 896 + 3 * 1280 * 1792 = 227,164,160."""
    dsocr.compare_all(DeepseekV2MoE(dsocr.config.decoder), ANY, metrics=WEIGHTS)


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


@pytest.mark.memory
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_rms_norm_memory(dsocr, case):
    """At launch 6: 512 * 1280 numbers in 2, 4 and 4 bytes, and 2 * 512 in 4: 6,557,696."""
    dsocr.compare_all(DeepseekV2RMSNorm.from_config(dsocr.config.decoder), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_rms_norm_params(dsocr):
    """1280."""
    dsocr.compare_all(DeepseekV2RMSNorm.from_config(dsocr.config.decoder), ANY, metrics=WEIGHTS)


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


@pytest.mark.memory
@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: f"dense, {case}")
def test_dense_layer_memory(dsocr, case):
    """At the product of its SwiGLU, launch 38 under sdpa: 21,037,056 bytes.

    Beside them what came in, the residual and its norm, of 1,310,720 each, and 262,144 of cosine and sine; under eager
    a mask of 2 * 512**2 and scores of 2 * 10 * 512**2, which attention gave. The cache holds 2 * 2 * 512 * 1280.
    """
    layer = DeepseekV2DecoderLayer(dsocr.config.decoder, DENSE)
    dsocr.compare_all(layer, Case(f"dense, {case}", **case.sizes), metrics=(*MEMORY, "kv_cache_bytes"))


@pytest.mark.params
@pytest.mark.memory
def test_dense_layer_params(dsocr):
    """4 * 1280**2 + 26,296,320 + 2 * 1280 = 32,852,480."""
    dsocr.compare_all(DeepseekV2DecoderLayer(dsocr.config.decoder, DENSE), Case("dense"), metrics=WEIGHTS)


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


@pytest.mark.memory
@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: f"MoE, {case}")
def test_moe_layer_memory(dsocr, case):
    """At its mixture's launch 21, 55 under sdpa: 48,763,392 bytes, of which 1,310,720 are the norm of the residual.

    Beside them what came in and the residual, of 1,310,720 each, and 262,144 of cosine and sine.
    """
    layer = DeepseekV2DecoderLayer(dsocr.config.decoder, MOE)
    dsocr.compare_all(layer, Case(f"MoE, {case}", **case.sizes), metrics=(*MEMORY, "kv_cache_bytes"))


@pytest.mark.params
@pytest.mark.memory
def test_moe_layer_params(dsocr):
    """4 * 1280**2 + 227,164,160 + 2 * 1280 = 233,720,320."""
    dsocr.compare_all(DeepseekV2DecoderLayer(dsocr.config.decoder, MOE), Case("MoE"), metrics=WEIGHTS)


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


@pytest.mark.memory
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_lm_head_memory(dsocr, case):
    """2 * 512 * (1280 + 129280) = 133,693,440."""
    dsocr.compare_all(LMHead.from_config(dsocr.config.decoder), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_lm_head_params(dsocr):
    """1280 * 129280 = 165,478,400."""
    dsocr.compare_all(LMHead.from_config(dsocr.config.decoder), ANY, metrics=WEIGHTS)


OTHERS = {
    "narrow SwiGLU": DeepseekV2MLP(1280, 512),
    "more experts than channels": MoEGate(64, 256),
    "wide experts": DeepseekV2MoE(DecoderConfig(moe_intermediate_size=4096)),
    "one expert a token": DeepseekV2MoE(DecoderConfig(num_experts_per_tok=1)),
    "many shared experts": DeepseekV2MoE(DecoderConfig(n_shared_experts=24)),
}


@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", OTHERS)
def test_memory_of_other_feed_forwards(dsocr, name, batch):
    """Peaks that this model does not have.

    The output of a SwiGLU: 2 * 512 * (2 * 1280 + 512) bytes. The end of a router: 512 * (64 * 2 + 2 * 256 * 4 +
    6 * 16). The product inside of experts, the sums of their rows, the product inside of shared experts.
    """
    case = Case(f"{name}, {batch} of 512", batch=batch, q_len=512)
    dsocr.compare_all(OTHERS[name], case, metrics=("io_bytes", "launches", "compulsory_bytes", *MEMORY))


@pytest.mark.memory
@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: f"shared keys, {case}")
def test_memory_of_a_layer_with_shared_keys_and_a_narrow_swiglu(dsocr, case):
    """Most is allocated in the second norm of a prefill, when keys and values are in the cache, and no activations.

    6 * 1,310,720 + 262,144 + 4,096 bytes, 2 * 2 * 512 * 256 of cache, beside 2 * 5,900,800 of weights: 20,456,448.
    """
    config = DecoderConfig(num_key_value_heads=2, intermediate_size=512)
    case = Case(f"shared keys, {case}", **case.sizes)
    dsocr.compare_all(DeepseekV2DecoderLayer(config, DENSE), case, metrics=(*MEMORY, "kv_cache_bytes"))
