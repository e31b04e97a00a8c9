"""The decoder end to end: all layers, a real KV cache, the LM head on every position, against the assembled modules."""

from dataclasses import replace

import pytest

from dsocr_cost import DecoderConfig
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


SMALL = DecoderConfig(
    vocab_size=101,
    hidden_size=144,
    intermediate_size=352,
    moe_intermediate_size=56,
    num_attention_heads=6,
    num_key_value_heads=3,
    n_routed_experts=10,
    n_shared_experts=3,
    num_experts_per_tok=4,
)


@pytest.mark.memory
@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({"batch": 2, "q_len": 33, "kv_len": 33}, id="prefill"),
        pytest.param({"batch": 3, "q_len": 1, "kv_len": 400}, id="step"),
        pytest.param({"batch": 2, "q_len": 8, "kv_len": 60}, id="chunk"),
    ],
)
@pytest.mark.parametrize("wide", [40, 352, 2000], ids=lambda wide: f"dense {wide}")
@pytest.mark.parametrize(
    ("dense", "layers"),
    [(dense, layers) for layers in (1, 2, 3) for dense in range(layers + 1)],
    ids=lambda count: str(count),
)
def test_what_it_holds_with_other_layers(dsocr, dense, layers, wide, sizes):
    """The first layer takes the embeddings, any later one holds them beside its own input; a last one has all keys.

    A dense layer of 40 holds less than a mixture, one of 352 as much, one of 2000 more. Of two layers that hold the
    same, the peak of activations is in the first, that of all memory in the last.
    """
    config = replace(SMALL, intermediate_size=wide, num_hidden_layers=layers, first_k_dense_replace=dense)
    case = Case(f"{dense} of {layers} dense, {wide} wide: {sizes}", **sizes)
    dsocr.compare_all(Decoder(config), case, metrics=MEMORY)


@pytest.mark.memory
def test_decoder_weight_bytes(dsocr):
    """2,934,734,080 parameters of 2 bytes."""
    dsocr.compare(Decoder(dsocr.config.decoder), Case("whole"), metric="weight_bytes")


@pytest.mark.params
def test_decoder_params(dsocr):
    """Embedding and head 165,478,400 each, layers 32,852,480 + 11 * 233,720,320, final norm 1,280."""
    dsocr.compare(Decoder(dsocr.config.decoder), Case("whole"), metric="params")
