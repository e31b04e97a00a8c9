"""What the decoder takes from LLaMA: predictions against transformers' modules.

512 positions is the size at which the report was published. Figures in the docstrings are by hand, for 512.
"""

import pytest

from dsocr_cost.layers import LlamaAttention, LlamaFlashAttention2, LlamaRotaryEmbedding
from pytest_dsocr import Case

TRAFFIC = ("cuda_flops", "io_bytes", "launches")

SEQUENCES = [
    Case("prefill of 512", batch=1, q_len=512, kv_len=512),
    Case("prefill of 913", batch=1, q_len=913, kv_len=913),
    Case("decode over 945 keys", batch=1, q_len=1, kv_len=945),
    Case("three prefills of 913", batch=3, q_len=913, kv_len=913),
    Case("three decodes over 945 keys", batch=3, q_len=1, kv_len=945),
]
POSITIONS = [
    Case("512 positions", batch=1, q_len=512),
    Case("913 positions", batch=1, q_len=913),
    Case("decode step", batch=1, q_len=1),
    Case("three of 913 positions", batch=3, q_len=913),
]
ANY = Case("any size")


@pytest.mark.flops
@pytest.mark.parametrize("case", SEQUENCES, ids=str)
def test_attention_flops(dsocr, case):
    """4 linears 2 * 512 * 1280**2 each, and 2 * 2 * 10 * 512**2 * 128: 6,710,886,400 + 1,342,177,280."""
    dsocr.compare(LlamaAttention.from_config(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", SEQUENCES, ids=str)
def test_attention_traffic(dsocr, case):
    """17 launches under sdpa: 4 linears, 5 to rotate q and as many for k, K and V into the cache, the kernel.

    Rotating takes 3.5 FLOPs a number: 2 * 3.5 * 512 * 1280 = 4,587,520.
    """
    dsocr.compare_all(LlamaAttention.from_config(dsocr.config.decoder), case, metrics=TRAFFIC)


@pytest.mark.params
def test_attention_params(dsocr):
    """4 * 1280**2 = 6,553,600."""
    dsocr.compare(LlamaAttention.from_config(dsocr.config.decoder), ANY, metric="params")


@pytest.mark.flops
@pytest.mark.parametrize("case", SEQUENCES, ids=str)
def test_flash_attention_flops(dsocr, case):
    """The same work, through torch's flash kernel: 8,053,063,680."""
    dsocr.compare(LlamaFlashAttention2.from_config(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", SEQUENCES, ids=str)
def test_flash_attention_traffic(dsocr, case):
    """The same 17 launches."""
    dsocr.compare_all(LlamaFlashAttention2.from_config(dsocr.config.decoder), case, metrics=TRAFFIC)


@pytest.mark.params
def test_flash_attention_params(dsocr):
    """4 * 1280**2 = 6,553,600."""
    dsocr.compare(LlamaFlashAttention2.from_config(dsocr.config.decoder), ANY, metric="params")


@pytest.mark.flops
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_rotary_embedding_flops(dsocr, case):
    """transformers since 5.15 multiplies elementwise: no matrix work; before that, and in the vendor, 2 * 64 * 512."""
    dsocr.compare(LlamaRotaryEmbedding.from_config(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_rotary_embedding_traffic(dsocr, case):
    """9 launches since 5.15; 512 * (64 + 4 * 128) = 294,912 FLOPs."""
    dsocr.compare_all(LlamaRotaryEmbedding.from_config(dsocr.config.decoder), case, metrics=TRAFFIC)


@pytest.mark.params
def test_rotary_embedding_params(dsocr):
    """A buffer: no parameters."""
    dsocr.compare(LlamaRotaryEmbedding.from_config(dsocr.config.decoder), ANY, metric="params")
