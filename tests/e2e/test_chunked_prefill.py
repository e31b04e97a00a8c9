"""A prefill in chunks: several new positions after those of a real KV cache, under the model's causal mask."""

import pytest

from dsocr_cost import DecoderConfig
from dsocr_cost.layers import DeepseekV2DecoderLayer, LlamaAttention, LlamaFlashAttention2
from dsocr_cost.model import Decoder
from pytest_dsocr import Case, NotSupportedError
from pytest_dsocr.reference.transformers import TransformersReference

CHUNKS = [
    Case("chunk of 256 after 657", batch=1, q_len=256, kv_len=913),
    Case("chunk of 2 after 911", batch=1, q_len=2, kv_len=913),
    Case("three chunks of 911 after 2", batch=3, q_len=911, kv_len=913),
]


@pytest.mark.flops
@pytest.mark.parametrize("case", CHUNKS, ids=str)
def test_decoder(dsocr, case):
    """Each of 256 queries meets 913 keys: 12 * 4 * 10 * 128 * 256 * 913 FLOPs of attention."""
    dsocr.compare(Decoder(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.parametrize("case", CHUNKS, ids=str)
def test_layer(dsocr, case):
    """The same share of attention in a layer by itself, which has its mask from outside."""
    dsocr.compare(DeepseekV2DecoderLayer(dsocr.config.decoder, 1), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize("case", CHUNKS, ids=str)
def test_decoder_bytes(dsocr, case):
    """Under sdpa a chunk needs a mask, which neither a prefill nor a decode step has."""
    metrics = ("cuda_flops", "io_bytes", "launches", "kv_cache_bytes")
    dsocr.compare_all(Decoder(dsocr.config.decoder), case, metrics=metrics)


@pytest.mark.flops
@pytest.mark.parametrize("case", CHUNKS, ids=str)
def test_attention(dsocr, case):
    """4 linears 2 * 256 * 1280**2 each, and 4 * 10 * 128 * 256 * 913."""
    dsocr.compare(LlamaAttention.from_config(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.parametrize("case", CHUNKS, ids=str)
def test_flash_attention(dsocr, case):
    dsocr.compare(LlamaFlashAttention2.from_config(dsocr.config.decoder), case)


def test_a_real_flash_kernel_is_refused_not_measured_without_the_mask():
    layer = LlamaFlashAttention2.from_config(DecoderConfig())
    chunk = TransformersReference().subject(layer, CHUNKS[1], device="cpu", dtype="bfloat16", attention="flash")
    with pytest.raises(
        NotSupportedError, match=r"^q_len 2 after 911 cached: torch's flash kernel masks from the first"
    ):
        chunk.run()
