"""The model's sizes: the published ones, and what no model can have."""

import re

import pytest

from dsocr_cost import ClipConfig, ConfigError, DecoderConfig, DeepseekOCRConfig, ProjectorConfig, SamConfig


def test_sam_defaults_are_the_published_ones():
    assert SamConfig() == SamConfig(
        image_size=1024,
        patch_size=16,
        num_channels=3,
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        mlp_dim=3072,
        window_size=14,
        global_attn_indexes=(2, 5, 8, 11),
        output_channels=256,
        downsample_channels=(512, 1024),
    )


def test_clip_defaults_are_the_published_ones():
    assert ClipConfig() == ClipConfig(
        image_size=224,
        patch_size=14,
        num_channels=3,
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
    )


def test_projector_defaults_are_the_published_ones():
    assert ProjectorConfig() == ProjectorConfig(projector_type="linear", input_dim=2048, n_embed=1280)


def test_decoder_defaults_are_the_published_ones():
    assert DecoderConfig() == DecoderConfig(
        vocab_size=129280,
        hidden_size=1280,
        intermediate_size=6848,
        moe_intermediate_size=896,
        num_hidden_layers=12,
        num_attention_heads=10,
        num_key_value_heads=10,
        n_routed_experts=64,
        n_shared_experts=2,
        num_experts_per_tok=6,
        first_k_dense_replace=1,
        max_position_embeddings=8192,
    )


def test_the_model_is_its_published_parts():
    assert DeepseekOCRConfig() == DeepseekOCRConfig(SamConfig(), ClipConfig(), ProjectorConfig(), DecoderConfig())


def test_sam_was_trained_on_64_patches_a_side():
    assert SamConfig(image_size=1024, patch_size=16).trained_grid == 64


def test_a_decoder_head_has_its_share_of_the_width():
    assert DecoderConfig(hidden_size=1280, num_attention_heads=10).head_dim == 128


AT_LEAST_1 = "allowed is an integer of at least 1"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: SamConfig(hidden_size=0), f"hidden_size: got 0, {AT_LEAST_1}", id="0"),
        pytest.param(lambda: ClipConfig(image_size=-224), f"image_size: got -224, {AT_LEAST_1}", id="negative"),
        pytest.param(lambda: ProjectorConfig(input_dim=0), f"input_dim: got 0, {AT_LEAST_1}", id="projector of 0"),
        pytest.param(
            lambda: DecoderConfig(n_shared_experts=0), f"n_shared_experts: got 0, {AT_LEAST_1}", id="decoder of 0"
        ),
        pytest.param(
            lambda: DecoderConfig(first_k_dense_replace=-1),
            "first_k_dense_replace: got -1, allowed is an integer of at least 0",
            id="dense layers below 0",
        ),
        pytest.param(
            lambda: SamConfig(global_attn_indexes=(2, -1)),
            "global_attn_indexes: got -1, allowed is an integer of at least 0",
            id="block below 0",
        ),
        pytest.param(
            lambda: SamConfig(global_attn_indexes=(2, 12)),
            "global_attn_indexes: got 12, allowed is 0 to 11",
            id="block that is not there",
        ),
        pytest.param(
            lambda: SamConfig(downsample_channels=(512, 0)),
            f"downsample_channels: got 0, {AT_LEAST_1}",
            id="convolution to 0 channels",
        ),
        pytest.param(
            lambda: SamConfig(downsample_channels=(1024,)),
            "downsample_channels: got 1 numbers, allowed are exactly 2",
            id="one convolution",
        ),
        pytest.param(
            lambda: SamConfig(image_size=1000),
            "image_size: got 1000, allowed is a multiple of patch_size (16)",
            id="half a patch in SAM",
        ),
        pytest.param(
            lambda: SamConfig(num_attention_heads=7),
            "hidden_size: got 768, allowed is a multiple of num_attention_heads (7)",
            id="heads that do not divide in SAM",
        ),
        pytest.param(
            lambda: ClipConfig(patch_size=15),
            "image_size: got 224, allowed is a multiple of patch_size (15)",
            id="half a patch in CLIP",
        ),
        pytest.param(
            lambda: ClipConfig(num_attention_heads=15),
            "hidden_size: got 1024, allowed is a multiple of num_attention_heads (15)",
            id="heads that do not divide in CLIP",
        ),
        pytest.param(
            lambda: ProjectorConfig("conv"),
            "projector_type: got 'conv', allowed are linear, mlp_gelu",
            id="projector of another form",
        ),
        pytest.param(
            lambda: DecoderConfig(num_attention_heads=11, num_key_value_heads=11),
            "hidden_size: got 1280, allowed is a multiple of num_attention_heads (11)",
            id="heads that do not divide in the decoder",
        ),
        pytest.param(
            lambda: DecoderConfig(num_key_value_heads=3),
            "num_attention_heads: got 10, allowed is a multiple of num_key_value_heads (3)",
            id="key heads that do not divide",
        ),
        pytest.param(
            lambda: DecoderConfig(num_experts_per_tok=65),
            "num_experts_per_tok: got 65, allowed is 1 to 64",
            id="more experts a token than there are",
        ),
        pytest.param(
            lambda: DecoderConfig(hidden_size=30),
            "hidden_size / num_attention_heads: got 3, allowed is an even number (rotary halves)",
            id="odd head",
        ),
        pytest.param(
            lambda: DeepseekOCRConfig(clip=ClipConfig(hidden_size=512)),
            "downsample_channels: got 1024 at the end, allowed is CLIP's width (512)",
            id="SAM that does not fit CLIP",
        ),
        pytest.param(
            lambda: DeepseekOCRConfig(projector=ProjectorConfig(input_dim=1024)),
            "input_dim: got 1024, allowed is SAM's and CLIP's width together (2048)",
            id="projector that does not fit the vision tower",
        ),
        pytest.param(
            lambda: DeepseekOCRConfig(projector=ProjectorConfig(n_embed=1024)),
            "n_embed: got 1024, allowed is the decoder's hidden_size (1280)",
            id="projector that does not fit the decoder",
        ),
    ],
)
def test_sizes_that_no_model_can_have_are_refused(make, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: SamConfig(global_attn_indexes=(0, 11)), id="first and last block global"),
        pytest.param(lambda: SamConfig(global_attn_indexes=()), id="no block global"),
        pytest.param(lambda: DecoderConfig(first_k_dense_replace=0), id="no layer dense"),
        pytest.param(lambda: DecoderConfig(num_experts_per_tok=64), id="all experts for each token"),
    ],
)
def test_sizes_at_the_edge_are_taken(make):
    make()
