"""What the decoder takes from LLaMA: predictions against transformers' modules.

512 positions is the size at which the report was published. Figures in the docstrings are by hand, for 512.
"""

import pytest

from dsocr_cost.layers import LlamaAttention, LlamaFlashAttention2, LlamaRotaryEmbedding
from pytest_dsocr import Case

TRAFFIC = ("cuda_flops", "io_bytes", "launches", "compulsory_bytes")
MEMORY = ("activation_bytes", "peak_launch", "allocated_bytes")
WEIGHTS = ("params", "weight_bytes")

SEQUENCES = [
    Case("prefill of 512", batch=1, q_len=512, kv_len=512),
    Case("prefill of 913", batch=1, q_len=913, kv_len=913),
    Case("decode over 945 keys", batch=1, q_len=1, kv_len=945),
    Case("three prefills of 913", batch=3, q_len=913, kv_len=913),
    Case("three decodes over 945 keys", batch=3, q_len=1, kv_len=945),
    Case("chunk of 256 over 913 keys", batch=1, q_len=256, kv_len=913),
    Case("three chunks of 37 over 57 keys", batch=3, q_len=37, kv_len=57),
]
POSITIONS = [
    Case("512 positions", batch=1, q_len=512),
    Case("913 positions", batch=1, q_len=913),
    Case("decode step", batch=1, q_len=1),
    Case("three of 913 positions", batch=3, q_len=913),
]
ANY = Case("any size")
SHARED_KEYS = LlamaAttention(1280, 10, 2, 128)  # five heads to a head of keys
NARROW_HEADS = LlamaAttention(1280, 2, 2, 64)


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

    Rotating takes 3.5 FLOPs a number: 2 * 3.5 * 512 * 1280 = 4,587,520. Not to be spared: 2 * 512 * 1280 bytes each of
    input, output, K and V; 2 * 512 * 128 each of cosine and sine; 2 * 4 * 1280**2 of weights: 18,612,224.
    """
    dsocr.compare_all(LlamaAttention.from_config(dsocr.config.decoder), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", SEQUENCES, ids=str)
def test_attention_memory(dsocr, case):
    """Under sdpa the peak is launch 12, while the keys turn; the cache of 2 * 2 * 512 * 1280 bytes is still empty.

    Input, Q, K, V, rotated Q, K * cos, rotated K, that * sin: 8 * 1,310,720 bytes. Cosine and sine: 262,144. Under
    eager launch 20: scores in 2 and twice in 4 bytes, 10 * 512**2 * 10, the mask, 2 * 512**2, input and Q.
    """
    metrics = (*MEMORY, "kv_cache_bytes")
    dsocr.compare_all(LlamaAttention.from_config(dsocr.config.decoder), case, metrics=metrics)


@pytest.mark.params
@pytest.mark.memory
def test_attention_params(dsocr):
    """4 * 1280**2 = 6,553,600."""
    dsocr.compare_all(LlamaAttention.from_config(dsocr.config.decoder), ANY, metrics=WEIGHTS)


@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize(
    "case",
    [
        Case("shared keys, prefill of 512", batch=1, q_len=512, kv_len=512),
        Case("shared keys, decode over 945", batch=1, q_len=1, kv_len=945),
        Case("shared keys, two decodes over 8", batch=2, q_len=1, kv_len=8),
        Case("shared keys, chunk of 2 over 22", batch=1, q_len=2, kv_len=22),
    ],
    ids=str,
)
def test_attention_with_shared_keys(dsocr, case):
    """Narrow keys leave the peak of a prefill to the queries, at launch 7.

    Input, Q, Q * cos, rotated Q, that * sin: 5 * 1,310,720 bytes; K, V, cosine, sine: 3 * 262,144. Under eager few keys
    make few scores: 22 keys, and as many values, are repeated for 10 heads, 112,640 bytes; the peak is what comes last
    beside them.
    """
    dsocr.compare_all(
        SHARED_KEYS, case, metrics=("io_bytes", "launches", "compulsory_bytes", *MEMORY, "kv_cache_bytes")
    )


@pytest.mark.memory
@pytest.mark.parametrize(
    "case",
    [
        Case("narrow heads, prefill of 512", batch=1, q_len=512, kv_len=512),
        Case("narrow heads, decode over 9 keys", batch=1, q_len=1, kv_len=9),
    ],
    ids=str,
)
def test_attention_with_narrow_heads(dsocr, case):
    """The output is wider than all that leads to it: two of 1,310,720 bytes, Q and its values of 131,072, cos and sin.

    Under eager that holds for a decode step.
    """
    dsocr.compare_all(NARROW_HEADS, case, metrics=(*MEMORY, "kv_cache_bytes"))


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


@pytest.mark.memory
@pytest.mark.parametrize("case", SEQUENCES, ids=str)
def test_flash_attention_memory(dsocr, case):
    """The same 8 * 1,310,720 + 262,144 bytes; a chunk needs no mask."""
    metrics = (*MEMORY, "kv_cache_bytes")
    dsocr.compare_all(LlamaFlashAttention2.from_config(dsocr.config.decoder), case, metrics=metrics)


@pytest.mark.params
@pytest.mark.memory
def test_flash_attention_params(dsocr):
    """4 * 1280**2 = 6,553,600."""
    dsocr.compare_all(LlamaFlashAttention2.from_config(dsocr.config.decoder), ANY, metrics=WEIGHTS)


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


@pytest.mark.memory
@pytest.mark.parametrize("case", POSITIONS, ids=str)
def test_rotary_embedding_memory(dsocr, case):
    """At launch 7, the scaled sine: 512 positions of 8 bytes and 128 channels of 2, which came in.

    Angles: 512 * 64 * 4 bytes; those twice, cosine, sine, scaled sine: 4 * 512 * 128 * 4. In all 1,314,816.
    """
    dsocr.compare_all(LlamaRotaryEmbedding.from_config(dsocr.config.decoder), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_rotary_embedding_params(dsocr):
    """A buffer: no parameters."""
    dsocr.compare_all(LlamaRotaryEmbedding.from_config(dsocr.config.decoder), ANY, metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize(("heads", "key_heads"), [(10, 1), (10, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize(
    "sizes",
    [
        {"batch": 1, "q_len": 8, "kv_len": 8},
        {"batch": 2, "q_len": 8, "kv_len": 8},
        {"batch": 3, "q_len": 1, "kv_len": 9},
        {"batch": 1, "q_len": 1, "kv_len": 300},
        {"batch": 2, "q_len": 3, "kv_len": 300},
    ],
    ids=lambda sizes: "{batch} of {q_len} over {kv_len}".format(**sizes),
)
def test_attention_of_few_key_heads(dsocr, heads, key_heads, sizes):
    """Of 16 channels each. Eager attention repeats several key heads, and a single one for several sequences."""
    layer = LlamaAttention(16 * heads, heads, key_heads, 16)
    case = Case(f"{heads} heads, {key_heads} of keys: {sizes}", **sizes)
    dsocr.compare_all(layer, case, metrics=("io_bytes", "launches", "activation_bytes", "peak_launch"))
