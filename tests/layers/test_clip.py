"""CLIP: what the cost model predicts, against what transformers' modules do.

SAM turns a 1024 view into 16 x 16 features and a 640 crop into 10 x 10; the class token makes that 257 and 101
tokens. 257 is also the size at which the report was published. Figures in the docstrings are by hand, for 257 tokens.
"""

import pytest

from dsocr_cost import ClipConfig
from dsocr_cost.layers import (
    CLIPVisionEmbeddings,
    NoTPAttention,
    NoTPFeedForward,
    NoTPTransformer,
    NoTPTransformerBlock,
    VitModel,
)
from pytest_dsocr import Case

TRAFFIC = ("cuda_flops", "io_bytes", "launches", "compulsory_bytes")
MEMORY = ("activation_bytes", "peak_launch", "allocated_bytes")
WEIGHTS = ("params", "weight_bytes")

TOKENS = [
    Case("1024 view, 257 tokens", batch=1, tokens=257),
    Case("two 1024 views", batch=2, tokens=257),
    Case("640 crop, 101 tokens", batch=1, tokens=101),
    Case("six 640 crops", batch=6, tokens=101),
]
FEW_TOKENS = [
    Case("10 tokens", batch=1, tokens=10),
    Case("two of 10 tokens", batch=2, tokens=10),
]
FEATURES = [
    Case("features of a 1024 view", batch=1, height=16, width=16),
    Case("features of two 1024 views", batch=2, height=16, width=16),
    Case("features of a 640 crop", batch=1, height=10, width=10),
    Case("features of six 640 crops", batch=6, height=10, width=10),
]
PIXELS = [
    Case("224 pixels, its own convolution", batch=1, height=224, width=224),
    Case("two of 448 pixels", batch=2, height=448, width=448),
]
ANY = Case("any size")

ONE_BLOCK = ClipConfig(num_hidden_layers=1)
TWO_BLOCKS = ClipConfig(num_hidden_layers=2)  # as the published report measured it


@pytest.mark.flops
@pytest.mark.parametrize("case", PIXELS, ids=str)
def test_embeddings_of_pixels_flops(dsocr, case):
    """256 patches of 14 * 14 * 3 numbers to 1024 channels: 2 * 256 * 1024 * 588 = 308,281,344."""
    dsocr.compare(CLIPVisionEmbeddings(dsocr.config.clip, "conv"), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", PIXELS, ids=str)
def test_embeddings_of_pixels_traffic(dsocr, case):
    """4 launches: the convolution, the class token before its patches, positions looked up, and added."""
    dsocr.compare_all(CLIPVisionEmbeddings(dsocr.config.clip, "conv"), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", PIXELS, ids=str)
def test_embeddings_of_pixels_memory(dsocr, case):
    """Positions are added last, launch 4.

    Pixels 2 * 3 * 224**2, patches 2 * 256 * 1024, 3 times 2 * 257 * 1024: 2,404,352 bytes.
    """
    dsocr.compare_all(CLIPVisionEmbeddings(dsocr.config.clip, "conv"), case, metrics=MEMORY)


@pytest.mark.flops
@pytest.mark.parametrize("case", FEATURES, ids=str)
def test_embeddings_of_sam_features_flops(dsocr, case):
    """A class token and positions: no matrix work."""
    dsocr.compare(CLIPVisionEmbeddings(dsocr.config.clip, "sam"), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", FEATURES, ids=str)
def test_embeddings_of_sam_features_traffic(dsocr, case):
    """3 launches, 257 * 1024 FLOPs: 7 times 257 * 1024 numbers each way, 257 indices: 3,686,408 bytes.

    Features, tokens, class token and positions have to be moved: 2 * 1024 * (256 + 257 + 1 + 257) = 1,579,008.
    """
    dsocr.compare_all(CLIPVisionEmbeddings(dsocr.config.clip, "sam"), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", FEATURES, ids=str)
def test_embeddings_of_sam_features_memory(dsocr, case):
    """Launch 3: 2 * 256 * 1024 of features, 3 times 2 * 257 * 1024: 2,103,296 bytes; all weights 1,732,608 more."""
    dsocr.compare_all(CLIPVisionEmbeddings(dsocr.config.clip, "sam"), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
@pytest.mark.parametrize("patches", ["conv", "sam"])
def test_embeddings_params(dsocr, patches):
    """The convolution 602,112, idle or not; the class token 1,024; 257 positions of 1,024."""
    dsocr.compare_all(
        CLIPVisionEmbeddings(dsocr.config.clip, patches), Case(f"patches from {patches}"), metrics=WEIGHTS
    )


@pytest.mark.flops
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_attention_flops(dsocr, case):
    """4 linears 2 * 257 * 1024**2 each, and 2 * 2 * 16 * 257**2 * 64: 2,155,872,256 + 270,536,704."""
    dsocr.compare(NoTPAttention.from_config(dsocr.config.clip), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_attention_traffic(dsocr, case):
    """5 launches under sdpa, and no CUDA FLOPs.

    4 linears of 2 * (2 * 257 * 1024 + 1,049,600) bytes, the kernel of 2 * 4 * 257 * 1024 and 16 * 257 log-sums of 4.
    Input, output and weights are 2 * (2 * 257 * 1024 + 4,198,400) of it; eager attention returns its softmax, too.
    """
    dsocr.compare_all(NoTPAttention.from_config(dsocr.config.clip), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", TOKENS + FEW_TOKENS, ids=str)
def test_attention_memory(dsocr, case):
    """Input, q, k, v, their weighted sum and the output: 6 * 2 * 257 * 1024 = 3,158,016 bytes at launch 5.

    Eager holds most at its softmax: 4 * 2 * 257 * 1024, and 2 + 4 + 4 bytes for each of 16 * 257**2 scores, 12,673,184.
    Of 10 tokens there are fewer scores than numbers in q: its peak is at a copy, before the softmax or after.
    """
    dsocr.compare_all(NoTPAttention.from_config(dsocr.config.clip), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_attention_params(dsocr):
    """4 * (1024 * 1024 + 1024) = 4,198,400."""
    dsocr.compare_all(NoTPAttention.from_config(dsocr.config.clip), ANY, metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_feed_forward_flops(dsocr, case):
    """2 * (2 * 257 * 1024 * 4096) = 4,311,744,512."""
    dsocr.compare(NoTPFeedForward.from_config(dsocr.config.clip), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_feed_forward_traffic(dsocr, case):
    """5 launches; QuickGELU scales, squashes and multiplies: 3 * 257 * 4096 = 3,158,016 FLOPs."""
    dsocr.compare_all(NoTPFeedForward.from_config(dsocr.config.clip), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_feed_forward_memory(dsocr, case):
    """At the sigmoid, launch 3: 2 * 257 * 1024 and 3 * 2 * 257 * 4096, 6,842,368 bytes."""
    dsocr.compare_all(NoTPFeedForward.from_config(dsocr.config.clip), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_feed_forward_params(dsocr):
    """1024 * 4096 + 4096 + 4096 * 1024 + 1024 = 8,393,728."""
    dsocr.compare_all(NoTPFeedForward.from_config(dsocr.config.clip), ANY, metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_block_flops(dsocr, case):
    """2,426,408,960 + 4,311,744,512 = 6,738,153,472."""
    dsocr.compare(NoTPTransformerBlock(dsocr.config.clip), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_block_traffic(dsocr, case):
    """5 + 5 launches, 2 norms, 2 residuals: 14; 3,158,016 + 4 * 257 * 1024 = 4,210,688 FLOPs."""
    dsocr.compare_all(NoTPTransformerBlock(dsocr.config.clip), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_block_memory(dsocr, case):
    """The sigmoid is launch 11; input and residual, 2 * 2 * 257 * 1024, beside 6,842,368: 7,895,040 bytes."""
    dsocr.compare_all(NoTPTransformerBlock(dsocr.config.clip), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_block_params(dsocr):
    """4,198,400 + 8,393,728 + 2 * (2 * 1024) = 12,596,224."""
    dsocr.compare_all(NoTPTransformerBlock(dsocr.config.clip), ANY, metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_transformer_flops(dsocr, case):
    """24 * 6,738,153,472 = 161,715,683,328."""
    dsocr.compare(NoTPTransformer(dsocr.config.clip), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_transformer_traffic(dsocr, case):
    """24 * 14 launches, 24 * 4,210,688 FLOPs."""
    dsocr.compare_all(NoTPTransformer(dsocr.config.clip), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_transformer_memory(dsocr, case):
    """In the second block, launch 14 + 11: the first one's input beside it, 2 * 257 * 1024, makes 8,421,376 bytes."""
    dsocr.compare_all(NoTPTransformer(dsocr.config.clip), case, metrics=MEMORY)


@pytest.mark.memory
def test_transformer_of_one_block_memory(dsocr):
    """Its one input is there once: 7,895,040 bytes at launch 11."""
    dsocr.compare_all(NoTPTransformer(ONE_BLOCK), Case("one block, 257 tokens", batch=1, tokens=257), metrics=MEMORY)


@pytest.mark.flops
def test_transformer_flops_as_published(dsocr):
    """2 * 6,738,153,472 = 13,476,306,944."""
    dsocr.compare(NoTPTransformer(TWO_BLOCKS), Case("published: 2 blocks, 257 tokens", batch=1, tokens=257))


@pytest.mark.flops
@pytest.mark.traffic
def test_transformer_traffic_as_published(dsocr):
    """2 * 14 launches."""
    dsocr.compare_all(
        NoTPTransformer(TWO_BLOCKS), Case("published: 2 blocks, 257 tokens", batch=1, tokens=257), metrics=TRAFFIC
    )


@pytest.mark.params
@pytest.mark.memory
def test_transformer_params(dsocr):
    """24 * 12,596,224 = 302,309,376."""
    dsocr.compare_all(NoTPTransformer(dsocr.config.clip), ANY, metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", FEATURES, ids=str)
def test_vit_model_flops(dsocr, case):
    """The blocks and nothing else: 161,715,683,328 for 16 x 16 features and the class token."""
    dsocr.compare(VitModel(dsocr.config.clip), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", FEATURES, ids=str)
def test_vit_model_traffic(dsocr, case):
    """3 launches of the embeddings, a norm, 24 * 14: 340."""
    dsocr.compare_all(VitModel(dsocr.config.clip), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", FEATURES, ids=str)
def test_vit_model_memory(dsocr, case):
    """Launch 4 + 14 + 11, with features of 2 * 256 * 1024 bytes: 8,945,664; all weights are 606,355,456 more."""
    dsocr.compare_all(VitModel(dsocr.config.clip), case, metrics=MEMORY)


@pytest.mark.flops
@pytest.mark.parametrize("case", PIXELS, ids=str)
def test_vit_model_of_pixels_flops(dsocr, case):
    """The blocks and its own convolution: 161,715,683,328 + 308,281,344."""
    dsocr.compare(VitModel(dsocr.config.clip, "conv"), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", PIXELS, ids=str)
def test_vit_model_of_pixels_traffic(dsocr, case):
    """One more, its own convolution, for pixels in the trained size: 341."""
    dsocr.compare_all(VitModel(dsocr.config.clip, "conv"), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", PIXELS, ids=str)
def test_vit_model_of_pixels_memory(dsocr, case):
    """Launch 5 + 14 + 11, with pixels of 2 * 3 * 224**2 bytes: 8,722,432."""
    dsocr.compare_all(VitModel(dsocr.config.clip, "conv"), case, metrics=MEMORY)


@pytest.mark.flops
def test_vit_model_flops_as_published(dsocr):
    """The report's two blocks: 13,476,306,944."""
    dsocr.compare(VitModel(TWO_BLOCKS), Case("published: 2 blocks, 257 tokens", batch=1, height=16, width=16))


@pytest.mark.flops
@pytest.mark.traffic
def test_vit_model_traffic_as_published(dsocr):
    """3 + 1 + 2 * 14 launches."""
    dsocr.compare_all(
        VitModel(TWO_BLOCKS), Case("published: 2 blocks, 257 tokens", batch=1, height=16, width=16), metrics=TRAFFIC
    )


@pytest.mark.params
@pytest.mark.memory
def test_vit_model_params(dsocr):
    """303,177,728, the published size of CLIP in this model."""
    dsocr.compare_all(VitModel(dsocr.config.clip), ANY, metrics=WEIGHTS)
