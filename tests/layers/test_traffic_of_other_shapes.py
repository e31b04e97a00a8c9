"""What copies a layer can spare depends on its shapes: images that are no square, one or several, chunks of a prefill.

The other files compare squares, which is what this model's preprocessing makes.
"""

import pytest

from dsocr_cost.layers import (
    Attention,
    Block,
    CLIPVisionEmbeddings,
    DeepseekV2DecoderLayer,
    ImageEncoderViT,
    LlamaAttention,
    NoTPAttention,
)
from pytest_dsocr import Case

TRAFFIC = ("cuda_flops", "io_bytes", "launches")
MEMORY = ("activation_bytes", "peak_launch", "allocated_bytes")


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize(
    "case",
    [
        Case("whole windows", batch=1, height=28, width=28),
        Case("two of whole windows", batch=2, height=28, width=28),
        Case("rows end early", batch=1, height=28, width=20),
        Case("rows are left out", batch=1, height=20, width=28),
        Case("rows are left out of two", batch=2, height=20, width=28),
        Case("one window across", batch=2, height=40, width=14),
        Case("a row of windows", batch=1, height=1, width=40),
        Case("a row of windows, two", batch=2, height=1, width=40),
    ],
    ids=str,
)
def test_windowed_block(dsocr, case):
    """What is cut off after the windows is a copy where it leaves gaps; one window across needs no reordering."""
    dsocr.compare_all(Block.from_config(dsocr.config.sam, windowed=True), case, metrics=TRAFFIC)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize(
    "case",
    [
        Case("global, as wide as trained", batch=1, height=40, width=64),
        Case("global, as high as trained", batch=2, height=64, width=40),
    ],
    ids=str,
)
def test_global_block(dsocr, case):
    """Rows and columns have tables of their own."""
    dsocr.compare_all(Block.from_config(dsocr.config.sam, windowed=False), case, metrics=TRAFFIC)


STRIPS = [
    Case("two rows", batch=1, height=2, width=40),
    Case("two rows of two", batch=2, height=2, width=40),
    Case("two columns", batch=1, height=64, width=2),
    Case("one row", batch=1, height=1, width=40),
    Case("one row of two", batch=2, height=1, width=40),
    Case("one column", batch=1, height=40, width=1),
    Case("one column of two", batch=2, height=40, width=1),
    Case("one token", batch=2, height=1, width=1),
]


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize("case", STRIPS, ids=str)
def test_attention_in_a_strip(dsocr, case):
    """2 x 40: tables of 2 * 2 + 40 * 40 distances, 64 channels each, are more than a bias of 12 * 80 * 80."""
    layer = Attention.from_config(dsocr.config.sam, windowed=False)
    dsocr.compare_all(layer, case, metrics=(*TRAFFIC, "activation_bytes", "peak_launch"))


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.params
@pytest.mark.parametrize(("dim", "heads"), [(768, 1), (768, 3), (24, 1)])
@pytest.mark.parametrize(
    "case",
    [
        *STRIPS,
        Case("few tokens", batch=1, height=6, width=3),
        Case("few tokens of two", batch=2, height=3, width=6),
        Case("more tokens than channels a head", batch=1, height=30, width=32),
        Case("more tokens than channels a head, two", batch=2, height=32, width=30),
    ],
    ids=str,
)
def test_attention_of_few_heads(dsocr, case, dim, heads):
    """One head needs no copy of queries, keys and values; wide heads are more than their bias."""
    layer = Attention(dim, heads, (12, 12))
    case = Case(f"{heads} heads of {dim}, {case}", **case.sizes)
    dsocr.compare_all(layer, case, metrics=(*TRAFFIC, "activation_bytes", "peak_launch", "params"))


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize("case", STRIPS, ids=str)
def test_global_block_in_a_strip(dsocr, case):
    """The residual beside it."""
    layer = Block.from_config(dsocr.config.sam, windowed=False)
    dsocr.compare_all(layer, case, metrics=(*TRAFFIC, "activation_bytes", "peak_launch"))


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize(
    "case",
    [
        Case("as wide as trained", batch=1, height=640, width=1024),
        Case("as high as trained", batch=1, height=1024, width=640),
    ],
    ids=str,
)
def test_image_encoder(dsocr, case):
    """Positions are stretched unless both sides are those of the trained grid."""
    dsocr.compare_all(ImageEncoderViT.from_config(dsocr.config.sam), case, metrics=TRAFFIC)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize(
    "case",
    [
        Case("features, as many as trained", batch=2, height=8, width=32),
        Case("features, as high as trained", batch=1, height=16, width=10),
    ],
    ids=str,
)
def test_embeddings_of_sam_features(dsocr, case):
    """Over features, positions are looked up wherever there are as many as trained."""
    dsocr.compare_all(CLIPVisionEmbeddings(dsocr.config.clip), case, metrics=TRAFFIC)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize(
    "case",
    [
        Case("pixels, as many patches as trained", batch=1, height=112, width=448),
        Case("pixels, as wide as trained", batch=2, height=112, width=224),
    ],
    ids=str,
)
def test_embeddings_of_pixels(dsocr, case):
    """Over pixels, the image has to be a square as well."""
    dsocr.compare_all(CLIPVisionEmbeddings(dsocr.config.clip, "conv"), case, metrics=TRAFFIC)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", [Case("two tokens", batch=3, tokens=2)], ids=str)
def test_attention_over_two_tokens(dsocr, case):
    dsocr.compare_all(NoTPAttention.from_config(dsocr.config.clip), case, metrics=TRAFFIC)


CHUNKS = [
    Case("chunk of 256 after 657", batch=1, q_len=256, kv_len=913),
    Case("chunk of 2 after 1", batch=1, q_len=2, kv_len=3),
    Case("three chunks of 37 after 20", batch=3, q_len=37, kv_len=57),
]


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", CHUNKS, ids=str)
def test_llama_attention_of_a_chunk(dsocr, case):
    """sdpa: a mask of bools becomes one of numbers, under which heads share no keys. flash: neither."""
    dsocr.compare_all(LlamaAttention.from_config(dsocr.config.decoder), case, metrics=TRAFFIC)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", CHUNKS, ids=str)
def test_decoder_layer_of_a_chunk(dsocr, case):
    """3 launches more than a prefill under sdpa."""
    dsocr.compare_all(DeepseekV2DecoderLayer(dsocr.config.decoder, 1), case, metrics=TRAFFIC)


SHARED = {
    "a prefill of 37": {"batch": 1, "q_len": 37, "kv_len": 37},
    "three prefills of 37": {"batch": 3, "q_len": 37, "kv_len": 37},
    "a step over 57 keys": {"batch": 1, "q_len": 1, "kv_len": 57},
    "three steps over 57 keys": {"batch": 3, "q_len": 1, "kv_len": 57},
    "a chunk of 37 after 20": {"batch": 1, "q_len": 37, "kv_len": 57},
    "three chunks of 37 after 20": {"batch": 3, "q_len": 37, "kv_len": 57},
}


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize("sizes", SHARED.items(), ids=lambda sizes: sizes[0])
@pytest.mark.parametrize(
    ("heads", "key_heads"),
    [(10, 1), (10, 2), (10, 5), (10, 10), (1, 1)],
    ids=["10 on 1", "10 on 2", "10 on 5", "10 on 10", "1 on 1"],
)
def test_llama_attention_of_shared_key_heads(dsocr, heads, key_heads, sizes):
    """Keys of several shared heads are copied for each head, under eager or a mask; a single one is read as it is.

    eager, of several sequences: a matmul has to copy that one after all, and lets go of the copy. One head needs no
    copies to be in order.
    """
    name, counts = sizes
    layer = LlamaAttention(128 * heads, heads, key_heads, 128)
    case = Case(f"{heads} heads on {key_heads}: {name}", **counts)
    dsocr.compare_all(layer, case, metrics=(*TRAFFIC, *MEMORY))
