"""The decoder end to end: all layers, a real KV cache, the LM head on every position, against the assembled modules."""

import pytest

from dsocr_cost.model import Decoder
from pytest_dsocr import Case

TRAFFIC = ("cuda_flops", "io_bytes", "launches", "compulsory_bytes")
MEMORY = ("kv_cache_bytes", "activation_bytes", "peak_launch", "allocated_bytes")


@pytest.mark.flops
@pytest.mark.parametrize(
    "case",
    [
        Case("prefill of 283: a 1024 view and 10 text tokens", batch=1, q_len=283, kv_len=283),
        Case("prefill of 913", batch=1, q_len=913, kv_len=913),
        Case("two prefills of 913", batch=2, q_len=913, kv_len=913),
        Case("eight prefills of 283", batch=8, q_len=283, kv_len=283),
    ],
    ids=str,
)
def test_prefill(dsocr, case):
    """283: attention, SwiGLU and mixtures of 12 layers, and 2 * 283 * 1280 * 129280 of the LM head: 329,858,641,920."""
    dsocr.compare(Decoder(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.parametrize("step", range(1, 101, 9), ids=lambda step: f"step {step}")
def test_decode_after_a_prefill_of_913(dsocr, step):
    """Step n attends over 913 + n keys, its own among them."""
    case = Case(f"decode step {step} after 913", batch=1, q_len=1, kv_len=913 + step)
    dsocr.compare(Decoder(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.parametrize("batch", [2, 8])
def test_decode_of_a_batch(dsocr, batch):
    case = Case(f"decode over 945 keys, batch {batch}", batch=batch, q_len=1, kv_len=945)
    dsocr.compare(Decoder(dsocr.config.decoder), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize(
    "case",
    [
        Case("a prefill of 283", batch=1, q_len=283, kv_len=283),
        Case("a prefill of 2048", batch=1, q_len=2048, kv_len=2048),
        Case("two prefills of 913", batch=2, q_len=913, kv_len=913),
        Case("a step over 945 keys", batch=1, q_len=1, kv_len=945),
        Case("a step of 8 over 8192 keys", batch=8, q_len=1, kv_len=8192),
        Case("a step of 512 over 283 keys", batch=512, q_len=1, kv_len=283),
    ],
    ids=str,
)
def test_what_it_moves_and_holds(dsocr, case):
    """283: 61,440 bytes of cache a position; logits of 129,280 in 2 and in 4 bytes, and twice 1,280 of 2 bytes.

    A step puts new keys and values beside the old ones, layer by layer: for a moment both are allocated.
    """
    dsocr.compare_all(Decoder(dsocr.config.decoder), case, metrics=(*TRAFFIC, *MEMORY))


@pytest.mark.memory
def test_decoder_weight_bytes(dsocr):
    """2,934,734,080 parameters of 2 bytes."""
    dsocr.compare(Decoder(dsocr.config.decoder), Case("whole"), metric="weight_bytes")


@pytest.mark.params
def test_decoder_params(dsocr):
    """Embedding and head 165,478,400 each, layers 32,852,480 + 11 * 233,720,320, final norm 1,280."""
    dsocr.compare(Decoder(dsocr.config.decoder), Case("whole"), metric="params")
