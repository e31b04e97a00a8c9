"""SAM: what the cost model predicts, against what transformers' modules do.

A 1024 view is 64 x 64 patches of 16 pixels, a 640 crop 40 x 40. Windows of 14 pad those to 70 x 70 and 42 x 42, so
a view is 25 windows and a crop 9. Figures in the docstrings are by hand, for one 1024 view.
"""

import pytest

from dsocr_cost.layers import Attention, Block, ImageEncoderViT, LayerNorm2d, MLPBlock, PatchEmbed
from pytest_dsocr import Case

TRAFFIC = ("cuda_flops", "io_bytes", "launches", "compulsory_bytes")
MEMORY = ("activation_bytes", "peak_launch", "allocated_bytes")
WEIGHTS = ("params", "weight_bytes")

IMAGES = [
    Case("1024 view", batch=1, height=1024, width=1024),
    Case("two 1024 views", batch=2, height=1024, width=1024),
    Case("640 crop", batch=1, height=640, width=640),
    Case("six 640 crops", batch=6, height=640, width=640),
]
GRIDS = [
    Case("1024 view", batch=1, height=64, width=64),
    Case("two 1024 views", batch=2, height=64, width=64),
    Case("640 crop", batch=1, height=40, width=40),
    Case("six 640 crops", batch=6, height=40, width=40),
]
WINDOWS = [
    Case("window, 1024", batch=25, height=14, width=14),
    Case("window, two 1024", batch=2 * 25, height=14, width=14),
    Case("window, 640", batch=9, height=14, width=14),
    Case("window, six 640", batch=6 * 9, height=14, width=14),
]
FEW_TOKENS = [
    Case("8 x 8 tokens", batch=1, height=8, width=8),
    Case("two of 8 x 8 tokens", batch=2, height=8, width=8),
    Case("4 x 4 tokens", batch=1, height=4, width=4),
]
OTHER_GRIDS = [
    Case("one window", batch=1, height=14, width=14),
    Case("rows end early", batch=1, height=28, width=20),
    Case("rows are left out of two", batch=2, height=20, width=28),
]
OTHER_IMAGES = [
    Case("small image", batch=1, height=160, width=160),
    Case("eight of 240", batch=8, height=240, width=240),
    Case("as wide as trained", batch=1, height=640, width=1024),
]
ANY = Case("any size")


@pytest.mark.flops
@pytest.mark.parametrize("case", IMAGES, ids=str)
def test_patch_embed_flops(dsocr, case):
    """4,096 patches of 16 * 16 * 3 numbers to 768 channels: 2 * 4096 * 768 * 768 = 4,831,838,208."""
    dsocr.compare(PatchEmbed.from_config(dsocr.config.sam), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", IMAGES, ids=str)
def test_patch_embed_traffic(dsocr, case):
    """One launch: 3 * 1024**2 numbers in, 590,592 weights, 4096 * 768 numbers out, of 2 bytes: 13,764,096."""
    dsocr.compare_all(PatchEmbed.from_config(dsocr.config.sam), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", IMAGES, ids=str)
def test_patch_embed_memory(dsocr, case):
    """Pixels and patches, 2 * (3 * 1024**2 + 4096 * 768) = 12,582,912; with 590,592 weights 13,764,096."""
    dsocr.compare_all(PatchEmbed.from_config(dsocr.config.sam), case, metrics=MEMORY)


@pytest.mark.memory
@pytest.mark.params
def test_patch_embed_params(dsocr):
    """768 * 3 * 16 * 16 + 768 = 590,592."""
    dsocr.compare_all(PatchEmbed.from_config(dsocr.config.sam), ANY, metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_windowed_attention_flops(dsocr, case):
    """Over 4,900 tokens in 25 windows of 196.

    qkv and proj 2 * 4900 * 768 * (3 * 768 + 768) = 23,121,100,800; scores and values 2 * 2 * 300 * 196**2 * 64 =
    2,950,348,800; rows and columns of the bias 2 * (2 * 300 * 196 * 14 * 64) = 210,739,200; together 26,282,188,800.
    """
    dsocr.compare(Attention.from_config(dsocr.config.sam, windowed=True), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_windowed_attention_traffic(dsocr, case):
    """28 launches under sdpa: 9 a table, 2 linears, 2 products, the bias's sum, the kernel, 4 copies.

    The sum adds 25 * 12 * 196**2 = 11,524,800 FLOPs; a table is stretched to 27 * 64 numbers, and 2 * 14 + 2 * 14**2
    distances are worked out: 11,524,800 + 2 * 2,148. Input, output and weights have to be moved: 2 * (2 * 4900 * 768 +
    2,365,824) = 19,784,448 bytes; eager attention gives 11,524,800 weights of its own, 23,049,600 bytes more.
    """
    dsocr.compare_all(Attention.from_config(dsocr.config.sam, windowed=True), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_windowed_attention_memory(dsocr, case):
    """Under sdpa, the bias stands beside its copy, made by launch 25 of 28.

    Input, q, k and v, and those again: 7 * (4900 * 768 * 2); twice a bias of 300 * 196**2 * 2: 98,784,000. Eager: one
    bias, the scores with it, those in fp32 and their softmax, 12 bytes a pair: 190,982,400.
    """
    dsocr.compare_all(Attention.from_config(dsocr.config.sam, windowed=True), case, metrics=MEMORY)


@pytest.mark.memory
@pytest.mark.params
def test_windowed_attention_params(dsocr):
    """768 * 2304 + 2304 + 768 * 768 + 768, and two tables of 27 * 64: 2,365,824."""
    dsocr.compare_all(Attention.from_config(dsocr.config.sam, windowed=True), Case("window"), metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", GRIDS, ids=str)
def test_global_attention_flops(dsocr, case):
    """Over 4,096 tokens at once.

    qkv and proj 19,327,352,832; scores and values 2 * 2 * 12 * 4096**2 * 64 = 51,539,607,552; rows and columns of the
    bias 2 * (2 * 12 * 4096 * 64 * 64) = 805,306,368; together 71,672,266,752.
    """
    dsocr.compare(Attention.from_config(dsocr.config.sam, windowed=False), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", GRIDS, ids=str)
def test_global_attention_traffic(dsocr, case):
    """27 launches under sdpa: one image needs a copy less.

    12 * 4096**2 + 2 * (127 * 64 + 2 * 64 + 2 * 64**2) = 201,359,488 FLOPs.
    """
    dsocr.compare_all(Attention.from_config(dsocr.config.sam, windowed=False), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", [*GRIDS, *FEW_TOKENS], ids=str)
def test_global_attention_memory(dsocr, case):
    """One image needs no copy of q, k and v: 4 * (4096 * 768 * 2) and 2 * (12 * 4096**2 * 2): 830,472,192.

    Over 8 x 8 tokens a bias is as large as the input, 98,304 bytes: it stands beside input, q, k and v, what the scores
    sum, and the projection of that: 7 * 98,304; of two, with a copy of q, k and v, 10 * 196,608. Over 4 x 4 that holds
    for eager attention too: with two biases, 6 * 24,576 + 2 * 6,144.
    """
    dsocr.compare_all(Attention.from_config(dsocr.config.sam, windowed=False), case, metrics=MEMORY)


@pytest.mark.memory
@pytest.mark.params
def test_global_attention_params(dsocr):
    """The windowed one's linears, and two tables of 127 * 64: 2,378,624."""
    dsocr.compare_all(Attention.from_config(dsocr.config.sam, windowed=False), Case("global"), metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", GRIDS, ids=str)
def test_mlp_block_flops(dsocr, case):
    """Two linears: 2 * (2 * 4096 * 768 * 3072) = 38,654,705,664."""
    dsocr.compare(MLPBlock.from_config(dsocr.config.sam), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", GRIDS, ids=str)
def test_mlp_block_traffic(dsocr, case):
    """3 launches; GELU of 4096 * 3072 numbers; 2 * (2 * 4096 * 768 + 4 * 4096 * 3072 + 4,722,432) bytes."""
    dsocr.compare_all(MLPBlock.from_config(dsocr.config.sam), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", GRIDS, ids=str)
def test_mlp_block_memory(dsocr, case):
    """Input, and what GELU reads and writes: 2 * 4096 * (768 + 2 * 3072) = 56,623,104."""
    dsocr.compare_all(MLPBlock.from_config(dsocr.config.sam), case, metrics=MEMORY)


@pytest.mark.memory
@pytest.mark.params
def test_mlp_block_params(dsocr):
    """768 * 3072 + 3072 + 3072 * 768 + 768 = 4,722,432."""
    dsocr.compare_all(MLPBlock.from_config(dsocr.config.sam), ANY, metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", GRIDS, ids=lambda case: f"window, {case}")
def test_windowed_block_flops(dsocr, case):
    """Attention over the padded windows, MLP over the 4,096 tokens: 26,282,188,800 + 38,654,705,664."""
    dsocr.compare(Block.from_config(dsocr.config.sam, windowed=True), Case(f"window, {case}", **case.sizes))


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", GRIDS, ids=lambda case: f"window, {case}")
def test_windowed_block_traffic(dsocr, case):
    """28 + 3 launches, 2 norms, 2 residuals; pad, into windows, out of them, crop: 39."""
    dsocr.compare_all(
        Block.from_config(dsocr.config.sam, windowed=True), Case(f"window, {case}", **case.sizes), metrics=TRAFFIC
    )


@pytest.mark.memory
@pytest.mark.parametrize("case", [*GRIDS, *OTHER_GRIDS], ids=lambda case: f"window, {case}")
def test_windowed_block_memory(dsocr, case):
    """Attention over the windows, and the residual: 98,784,000 + 4096 * 768 * 2 = 105,075,456."""
    dsocr.compare_all(
        Block.from_config(dsocr.config.sam, windowed=True), Case(f"window, {case}", **case.sizes), metrics=MEMORY
    )


@pytest.mark.memory
@pytest.mark.params
def test_windowed_block_params(dsocr):
    """2,365,824 + 4,722,432 + 2 * (2 * 768) = 7,091,328."""
    dsocr.compare_all(Block.from_config(dsocr.config.sam, windowed=True), Case("window"), metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", GRIDS, ids=lambda case: f"global, {case}")
def test_global_block_flops(dsocr, case):
    """71,672,266,752 + 38,654,705,664 = 110,326,972,416."""
    dsocr.compare(Block.from_config(dsocr.config.sam, windowed=False), Case(f"global, {case}", **case.sizes))


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", GRIDS, ids=lambda case: f"global, {case}")
def test_global_block_traffic(dsocr, case):
    """27 + 3 launches, 2 norms, 2 residuals: 34; 201,359,488 + 12,582,912 + 4 * 4096 * 768 FLOPs."""
    dsocr.compare_all(
        Block.from_config(dsocr.config.sam, windowed=False), Case(f"global, {case}", **case.sizes), metrics=TRAFFIC
    )


@pytest.mark.memory
@pytest.mark.parametrize("case", [*GRIDS, *OTHER_GRIDS, *FEW_TOKENS], ids=lambda case: f"global, {case}")
def test_global_block_memory(dsocr, case):
    """Attention and the residual, 830,472,192 + 6,291,456 = 836,763,648.

    Over 8 x 8 tokens it is the MLP: input, sum with attention, normed sum, and twice 4 times as wide: 11 * 98,304.
    """
    dsocr.compare_all(
        Block.from_config(dsocr.config.sam, windowed=False), Case(f"global, {case}", **case.sizes), metrics=MEMORY
    )


@pytest.mark.memory
@pytest.mark.params
def test_global_block_params(dsocr):
    """2,378,624 + 4,722,432 + 2 * (2 * 768) = 7,104,128."""
    dsocr.compare_all(Block.from_config(dsocr.config.sam, windowed=False), Case("global"), metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", GRIDS, ids=str)
def test_layer_norm_2d_flops(dsocr, case):
    """No matrix work."""
    dsocr.compare(LayerNorm2d.from_config(dsocr.config.sam), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", GRIDS, ids=str)
def test_layer_norm_2d_traffic(dsocr, case):
    """One launch: 2 * (2 * 4096 * 256 + 512) bytes, and a mean and a deviation of 4 each a position: 4,228,096."""
    dsocr.compare_all(LayerNorm2d.from_config(dsocr.config.sam), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", GRIDS, ids=str)
def test_layer_norm_2d_memory(dsocr, case):
    """In and out, a mean and a deviation a position: 4096 * (2 * 256 * 2 + 2 * 4) = 4,227,072."""
    dsocr.compare_all(LayerNorm2d.from_config(dsocr.config.sam), case, metrics=MEMORY)


@pytest.mark.memory
@pytest.mark.params
def test_layer_norm_2d_params(dsocr):
    """2 * 256."""
    dsocr.compare_all(LayerNorm2d.from_config(dsocr.config.sam), ANY, metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", IMAGES, ids=str)
def test_image_encoder_flops(dsocr, case):
    """The whole of SAM.

    Patches 4,831,838,208; 8 windowed blocks of 64,936,894,464; 4 global ones of 110,326,972,416; neck
    2 * 4096 * 256 * (768 + 9 * 256) = 6,442,450,944; to 512 channels at 32 x 32, 2 * 1024 * 512 * 9 * 256 =
    2,415,919,104; to 1024 at 16 x 16, 2 * 256 * 1024 * 9 * 512 = 2,415,919,104; together 976,909,172,736.
    """
    dsocr.compare(ImageEncoderViT.from_config(dsocr.config.sam), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", IMAGES, ids=str)
def test_image_encoder_traffic(dsocr, case):
    """Patches, positions, 8 * 39 + 4 * 34, 4 convolutions and 2 norms: 456 launches.

    Pixels, weights and features have to be moved: 2 * (3 * 1024**2 + 95,569,152 + 256 * 1024) = 197,954,048 bytes.
    """
    dsocr.compare_all(ImageEncoderViT.from_config(dsocr.config.sam), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", [*IMAGES, *OTHER_IMAGES], ids=str)
def test_image_encoder_memory(dsocr, case):
    """The first global block, beside the pixels: 836,763,648 + 3 * 1024**2 * 2 = 843,055,104, at launch 106.

    With the weights, 2 * 95,569,152, that is 1,034,193,408. A small image is less than the positions: pixels and
    patches, 100 * 768 * 2 each; 64**2 * 768 of them in fp32, and 100 * 768 made of those: 13,197,312. Eight of 15 x 15
    patches pad those to 28 x 28: the first windowed block is the peak.
    """
    dsocr.compare_all(ImageEncoderViT.from_config(dsocr.config.sam), case, metrics=MEMORY)


@pytest.mark.memory
@pytest.mark.params
def test_image_encoder_params(dsocr):
    """95,569,152, the published size of SAM in this model."""
    dsocr.compare_all(ImageEncoderViT.from_config(dsocr.config.sam), ANY, metrics=WEIGHTS)
