"""Every layer against figures derived by hand, in plain numbers."""

import inspect

import pytest

from dsocr_cost import (
    ClipConfig,
    DecoderConfig,
    Matmul,
    ProjectorConfig,
    SamConfig,
    total,
)
from dsocr_cost.layers import (
    LAYERS,
    Attention,
    Block,
    CLIPVisionEmbeddings,
    DeepseekV2DecoderLayer,
    DeepseekV2MLP,
    DeepseekV2MoE,
    DeepseekV2RMSNorm,
    ImageEncoderViT,
    Layer,
    LayerNorm2d,
    LlamaAttention,
    LlamaFlashAttention2,
    LlamaRotaryEmbedding,
    LMHead,
    MLPBlock,
    MlpProjector,
    MoEGate,
    NoTPAttention,
    NoTPFeedForward,
    NoTPTransformer,
    NoTPTransformerBlock,
    PatchEmbed,
    VitModel,
    layer_name,
)

SAM, CLIP, DECODER = SamConfig(), ClipConfig(), DecoderConfig()

VIEW = {"batch": 1, "height": 1024, "width": 1024}
PATCHES = {"batch": 1, "height": 64, "width": 64}  # of a 1024 view
FEATURES = {"batch": 1, "height": 16, "width": 16}  # the same view after SAM
TOKENS = {"batch": 1, "tokens": 257}  # those and CLIP's class token
PREFILL = {"batch": 1, "q_len": 512, "kv_len": 512}
POSITIONS = {"batch": 1, "q_len": 512}

# SAM: 4096 patches; windows of 14 pad 64 to 70, which makes 25 windows of 196 tokens; 12 heads of 64 channels
PATCH_EMBED = 2 * 4096 * 768 * (3 * 16 * 16)
WINDOWED = (
    2 * (25 * 196) * 768 * (3 * 768 + 768)  # qkv and proj
    + 2 * 2 * (25 * 12) * 196**2 * 64  # scores and values
    + 2 * 2 * (25 * 12) * 196 * 14 * 64  # the bias of rows and of columns
)
GLOBAL = 2 * 4096 * 768 * (3 * 768 + 768) + 2 * 2 * 12 * 4096**2 * 64 + 2 * 2 * 12 * 4096 * 64 * 64
SAM_MLP = 2 * (2 * 4096 * 768 * 3072)
NECK = 2 * 4096 * 768 * 256 + 2 * 4096 * (256 * 9) * 256
DOWN = 2 * 32**2 * (256 * 9) * 512 + 2 * 16**2 * (512 * 9) * 1024
SAM_LINEARS_PARAMS = (768 * 3 * 768 + 3 * 768) + (768 * 768 + 768)
WINDOWED_PARAMS = SAM_LINEARS_PARAMS + 2 * (2 * 14 - 1) * 64
GLOBAL_PARAMS = SAM_LINEARS_PARAMS + 2 * (2 * 64 - 1) * 64
SAM_MLP_PARAMS = (768 * 3072 + 3072) + (3072 * 768 + 768)
SAM_NORMS_PARAMS = 2 * (2 * 768)
SAM_PARAMS = (
    (3 * 16 * 16 * 768 + 768)
    + 64 * 64 * 768  # positions
    + 8 * (WINDOWED_PARAMS + SAM_MLP_PARAMS + SAM_NORMS_PARAMS)
    + 4 * (GLOBAL_PARAMS + SAM_MLP_PARAMS + SAM_NORMS_PARAMS)
    + (768 * 256 + 256 * 256 * 9 + 2 * (2 * 256))  # neck
    + (256 * 512 * 9 + 512 * 1024 * 9)
)

# CLIP: 257 tokens, 16 heads of 64 channels
CLIP_CONV = 2 * 256 * (3 * 14 * 14) * 1024
CLIP_ATTENTION = 4 * (2 * 257 * 1024**2) + 2 * 2 * 16 * 257**2 * 64
CLIP_MLP = 2 * (2 * 257 * 1024 * 4096)
CLIP_EMBEDDINGS_PARAMS = 3 * 14 * 14 * 1024 + 1024 + 257 * 1024
CLIP_ATTENTION_PARAMS = 4 * (1024 * 1024 + 1024)
CLIP_MLP_PARAMS = (1024 * 4096 + 4096) + (4096 * 1024 + 1024)
CLIP_BLOCK_PARAMS = CLIP_ATTENTION_PARAMS + CLIP_MLP_PARAMS + 2 * (2 * 1024)

# The decoder: 512 positions, 10 heads of 128 channels, 6 of 64 experts of 896 and one of 2 * 896
LLAMA = 4 * (2 * 512 * 1280**2) + 2 * 2 * 10 * 512 * 512 * 128
DENSE_MLP = 3 * (2 * 512 * 1280 * 6848)
GATE = 2 * 512 * 1280 * 64
MOE = GATE + 6 * 3 * (2 * 512 * 1280 * 896) + 3 * (2 * 512 * 1280 * 2 * 896)
LLAMA_PARAMS = 4 * 1280**2
DENSE_MLP_PARAMS = 3 * 1280 * 6848
MOE_PARAMS = 1280 * 64 + 64 * 3 * 1280 * 896 + 3 * 1280 * 2 * 896
DECODER_NORMS_PARAMS = 2 * 1280

FIGURES = [
    pytest.param(PatchEmbed.from_config(SAM), VIEW, PATCH_EMBED, 3 * 16 * 16 * 768 + 768, id="PatchEmbed"),
    pytest.param(
        Attention.from_config(SAM, windowed=True),
        {"batch": 25, "height": 14, "width": 14},
        WINDOWED,
        WINDOWED_PARAMS,
        id="Attention in windows",
    ),
    pytest.param(Attention.from_config(SAM, windowed=False), PATCHES, GLOBAL, GLOBAL_PARAMS, id="global Attention"),
    pytest.param(MLPBlock.from_config(SAM), PATCHES, SAM_MLP, SAM_MLP_PARAMS, id="MLPBlock"),
    pytest.param(
        Block.from_config(SAM, windowed=True),
        PATCHES,
        WINDOWED + SAM_MLP,
        WINDOWED_PARAMS + SAM_MLP_PARAMS + SAM_NORMS_PARAMS,
        id="windowed Block",
    ),
    pytest.param(
        Block.from_config(SAM, windowed=False),
        PATCHES,
        GLOBAL + SAM_MLP,
        GLOBAL_PARAMS + SAM_MLP_PARAMS + SAM_NORMS_PARAMS,
        id="global Block",
    ),
    pytest.param(LayerNorm2d.from_config(SAM), PATCHES, 0, 2 * 256, id="LayerNorm2d"),
    pytest.param(
        ImageEncoderViT.from_config(SAM),
        VIEW,
        PATCH_EMBED + 8 * (WINDOWED + SAM_MLP) + 4 * (GLOBAL + SAM_MLP) + NECK + DOWN,
        SAM_PARAMS,
        id="ImageEncoderViT",
    ),
    pytest.param(
        CLIPVisionEmbeddings(CLIP, "conv"),
        {"batch": 1, "height": 224, "width": 224},
        CLIP_CONV,
        CLIP_EMBEDDINGS_PARAMS,
        id="CLIPVisionEmbeddings of pixels",
    ),
    pytest.param(
        CLIPVisionEmbeddings(CLIP, "sam"), FEATURES, 0, CLIP_EMBEDDINGS_PARAMS, id="CLIPVisionEmbeddings of features"
    ),
    pytest.param(NoTPAttention.from_config(CLIP), TOKENS, CLIP_ATTENTION, CLIP_ATTENTION_PARAMS, id="NoTPAttention"),
    pytest.param(NoTPFeedForward.from_config(CLIP), TOKENS, CLIP_MLP, CLIP_MLP_PARAMS, id="NoTPFeedForward"),
    pytest.param(
        NoTPTransformerBlock(CLIP), TOKENS, CLIP_ATTENTION + CLIP_MLP, CLIP_BLOCK_PARAMS, id="NoTPTransformerBlock"
    ),
    pytest.param(
        NoTPTransformer(CLIP), TOKENS, 24 * (CLIP_ATTENTION + CLIP_MLP), 24 * CLIP_BLOCK_PARAMS, id="NoTPTransformer"
    ),
    pytest.param(
        VitModel(CLIP),
        FEATURES,
        24 * (CLIP_ATTENTION + CLIP_MLP),
        CLIP_EMBEDDINGS_PARAMS + 2 * 1024 + 24 * CLIP_BLOCK_PARAMS,
        id="VitModel of features",
    ),
    pytest.param(
        VitModel(CLIP, "conv"),
        {"batch": 1, "height": 224, "width": 224},
        CLIP_CONV + 24 * (CLIP_ATTENTION + CLIP_MLP),
        CLIP_EMBEDDINGS_PARAMS + 2 * 1024 + 24 * CLIP_BLOCK_PARAMS,
        id="VitModel of pixels",
    ),
    pytest.param(
        MlpProjector(ProjectorConfig()),
        {"batch": 1, "tokens": 256},
        2 * 256 * 2048 * 1280,
        2048 * 1280 + 1280,
        id="MlpProjector",
    ),
    pytest.param(
        MlpProjector(ProjectorConfig("mlp_gelu")),
        {"batch": 1, "tokens": 256},
        2 * 256 * 2048 * 1280 + 2 * 256 * 1280 * 1280,
        (2048 * 1280 + 1280) + (1280 * 1280 + 1280),
        id="MlpProjector of two linears",
    ),
    pytest.param(DeepseekV2MLP.from_config(DECODER), POSITIONS, DENSE_MLP, DENSE_MLP_PARAMS, id="DeepseekV2MLP"),
    pytest.param(MoEGate.from_config(DECODER), POSITIONS, GATE, 1280 * 64, id="MoEGate"),
    pytest.param(DeepseekV2MoE(DECODER), POSITIONS, MOE, MOE_PARAMS, id="DeepseekV2MoE"),
    pytest.param(DeepseekV2RMSNorm.from_config(DECODER), POSITIONS, 0, 1280, id="DeepseekV2RMSNorm"),
    pytest.param(
        DeepseekV2DecoderLayer(DECODER, 0),
        PREFILL,
        LLAMA + DENSE_MLP,
        LLAMA_PARAMS + DENSE_MLP_PARAMS + DECODER_NORMS_PARAMS,
        id="dense DeepseekV2DecoderLayer",
    ),
    pytest.param(
        DeepseekV2DecoderLayer(DECODER, 1),
        PREFILL,
        LLAMA + MOE,
        LLAMA_PARAMS + MOE_PARAMS + DECODER_NORMS_PARAMS,
        id="MoE DeepseekV2DecoderLayer",
    ),
    pytest.param(LMHead.from_config(DECODER), POSITIONS, 2 * 512 * 1280 * 129280, 1280 * 129280, id="LMHead"),
    pytest.param(LlamaRotaryEmbedding.from_config(DECODER), POSITIONS, 0, 0, id="LlamaRotaryEmbedding"),
    pytest.param(LlamaAttention.from_config(DECODER), PREFILL, LLAMA, LLAMA_PARAMS, id="LlamaAttention"),
    pytest.param(LlamaFlashAttention2.from_config(DECODER), PREFILL, LLAMA, LLAMA_PARAMS, id="LlamaFlashAttention2"),
]


@pytest.mark.parametrize(("layer", "sizes", "flops", "params"), FIGURES)
def test_flops_are_those_derived_by_hand(layer, sizes, flops, params):
    assert total(layer.ops(**sizes)).tensor_flops == flops


@pytest.mark.parametrize(("layer", "sizes", "flops", "params"), FIGURES)
def test_flops_grow_with_the_batch(layer, sizes, flops, params):
    assert total(layer.ops(**{**sizes, "batch": 3 * sizes["batch"]})).tensor_flops == 3 * flops


@pytest.mark.parametrize(("layer", "sizes", "flops", "params"), FIGURES)
def test_params_are_those_derived_by_hand(layer, sizes, flops, params):
    assert layer.params == params


@pytest.mark.parametrize(
    ("layer", "published"),
    [
        pytest.param(ImageEncoderViT(SAM), 95_569_152, id="SAM"),
        pytest.param(VitModel(CLIP), 303_177_728, id="CLIP"),
        pytest.param(MlpProjector(ProjectorConfig()), 2_622_720, id="projector"),
        pytest.param(DeepseekV2DecoderLayer(DECODER, 0), 32_852_480, id="dense layer"),
        pytest.param(DeepseekV2DecoderLayer(DECODER, 1), 233_720_320, id="MoE layer"),
        pytest.param(LMHead.from_config(DECODER), 165_478_400, id="LM head"),
    ],
)
def test_params_are_those_of_the_published_weights(layer, published):
    assert layer.params == published


def test_every_layer_stands_in_the_table_of_figures():
    assert {type(figures.values[0]) for figures in FIGURES} == set(LAYERS.values())


def test_a_layer_stands_in_the_catalog_under_its_group_and_class(every_layer):
    layer, _ = every_layer
    assert isinstance(layer, Layer)
    assert LAYERS[layer_name(layer)] is LAYERS[f"{layer.group}.{type(layer).__name__}"] is type(layer)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_takes_the_batch_first_and_the_execution_by_name(name):
    first, *_, last = list(inspect.signature(LAYERS[name].ops).parameters.values())[1:]
    assert (first.name, last.name, last.kind) == ("batch", "execution", inspect.Parameter.KEYWORD_ONLY)


def test_layer_name_of_a_layer_is_that_of_its_class():
    assert layer_name(LMHead(8, 16)) == layer_name(LMHead) == "decoder.LMHead"


@pytest.mark.parametrize(
    ("layer", "height", "width", "op", "rows"),
    [
        pytest.param(PatchEmbed.from_config(SAM), 2 * 16, 3 * 16, "projection", 2 * 3, id="PatchEmbed"),
        pytest.param(MLPBlock.from_config(SAM), 2, 3, "lin1", 2 * 3, id="MLPBlock"),
        pytest.param(Block.from_config(SAM, windowed=False), 2, 3, "attn.qkv", 2 * 3, id="global Block"),
        pytest.param(ImageEncoderViT(SAM), 2 * 16, 3 * 16, "neck.conv1", 2 * 3, id="ImageEncoderViT"),
        pytest.param(CLIPVisionEmbeddings(CLIP, "conv"), 2 * 14, 3 * 14, "patch_embedding", 2 * 3, id="embeddings"),
        pytest.param(VitModel(CLIP), 2, 3, "encoder.layers.0.mlp.fc1", 2 * 3 + 1, id="VitModel of features"),
        pytest.param(VitModel(CLIP, "conv"), 28, 42, "encoder.layers.0.mlp.fc1", 2 * 3 + 1, id="VitModel of pixels"),
    ],
)
def test_an_image_that_is_no_square_has_height_times_width_tokens(layer, height, width, op, rows):
    assert {one.name: one.matmul for one in layer.ops(1, height, width)}[op].m == rows


def test_relative_positions_over_a_grid_that_is_no_square():
    """2 heads over a grid 3 high and 5 wide: rows [3 of 2 * 5, d] @ [d, 3], columns [5 of 2 * 3, d] @ [d, 5].

    The tables that are stretched have 2 * 3 - 1 rows and 2 * 5 - 1 columns of 4 channels and 2 bytes.
    """
    ops = {op.name: op for op in Attention(8, 2, (3, 5)).ops(1, 3, 5)}
    assert ops["rel_pos_h"].matmul == Matmul(3, 2 * 5, 3, 4)
    assert ops["rel_pos_w"].matmul == Matmul(5, 2 * 3, 5, 4)
    assert (ops["rel_pos_h.resize"].weight_bytes, ops["rel_pos_w.resize"].weight_bytes) == (2 * 5 * 4, 2 * 9 * 4)


def test_position_tables_of_a_grid_that_is_no_square():
    """Two linears with biases, and tables of 2 * 3 - 1 rows and 2 * 5 - 1 columns of 4 channels."""
    assert Attention(8, 2, (3, 5)).params == (8 * 24 + 24) + (8 * 8 + 8) + (5 + 9) * 4


@pytest.mark.parametrize(
    ("height", "width", "windows"),
    [
        pytest.param(64, 64, 5 * 5, id="1024 view"),
        pytest.param(40, 40, 3 * 3, id="640 crop"),
        pytest.param(14, 15, 1 * 2, id="one column over"),
        pytest.param(28, 14, 2 * 1, id="exact"),
        pytest.param(1, 1, 1, id="one patch"),
    ],
)
def test_a_windowed_block_pads_each_side_to_whole_windows(height, width, windows):
    ops = {op.name: op for op in Block.from_config(SAM, windowed=True).ops(1, height, width)}
    assert ops["attn.qkv"].matmul.m == windows * 14 * 14
    assert ops["windows.pad"].read_bytes == 2 * height * width * 768
    assert ops["windows.pad"].write_bytes == 2 * windows * 14 * 14 * 768


@pytest.mark.parametrize(
    ("batch", "height", "width", "cropped"),
    [
        pytest.param(1, 28, 28, 0, id="whole windows"),
        pytest.param(2, 28, 28, 0, id="whole windows of two images"),
        pytest.param(1, 28, 20, 1, id="rows that end early leave gaps"),
        pytest.param(1, 20, 28, 0, id="rows that are left out stand at the end"),
        pytest.param(2, 20, 28, 1, id="and between two images"),
    ],
)
def test_a_windowed_block_copies_what_padding_leaves_only_where_it_has_gaps(batch, height, width, cropped):
    ops = {op.name: op for op in Block.from_config(SAM, windowed=True).ops(batch, height, width)}
    assert ops["windows.crop"].launches == cropped


@pytest.mark.parametrize(
    ("layer", "height", "width", "looked_up"),
    [
        pytest.param(CLIPVisionEmbeddings(CLIP), 16, 16, 1, id="features, the trained grid"),
        pytest.param(CLIPVisionEmbeddings(CLIP), 8, 32, 1, id="features, as many"),
        pytest.param(CLIPVisionEmbeddings(CLIP), 16, 10, 0, id="features, one side as trained"),
        pytest.param(CLIPVisionEmbeddings(CLIP, "conv"), 224, 224, 1, id="pixels, as trained"),
        pytest.param(CLIPVisionEmbeddings(CLIP, "conv"), 112, 448, 0, id="pixels, as many patches in no square"),
    ],
)
def test_clip_stretches_its_positions_to_any_other_grid(layer, height, width, looked_up):
    """Looked up: every vector of 1,024 channels and 2 bytes, and an int64 each; stretched: the table, but for one."""
    ops = {op.name: op for op in layer.ops(1, height, width)}
    names = ("position_embedding", "position_embedding.resize", "position_embedding.cat")
    assert [ops[name].launches for name in names] == [looked_up, 1 - looked_up, 1 - looked_up]
    assert ops["position_embedding"].weight_bytes == looked_up * 257 * 1024 * 2
    assert ops["position_embedding"].read_bytes == looked_up * 257 * 8
    assert ops["position_embedding.resize"].weight_bytes == (1 - looked_up) * 256 * 1024 * 2


@pytest.mark.parametrize(
    ("height", "width", "resized"), [(64, 64, 0), (64, 40, 1), (40, 64, 1)], ids=["as trained", "narrower", "lower"]
)
def test_sam_stretches_its_positions_to_any_other_grid(height, width, resized):
    ops = {op.name: op for op in ImageEncoderViT(SAM).ops(1, height * 16, width * 16)}
    assert ops["pos_embed.resize"].launches == resized


def test_sam_attends_globally_where_its_config_says():
    """A global block scores 4096 tokens at once, a windowed one 196."""
    blocks = ImageEncoderViT(SAM).layers
    assert [index for index, block in enumerate(blocks) if block.window_size == 0] == [2, 5, 8, 11]


def test_sam_halves_odd_grids_upwards():
    """7 x 5 patches: the stride-2 convolutions with padding 1 give 4 x 3, then 2 x 2."""
    ops = {op.name: op.matmul for op in ImageEncoderViT(SAM).ops(1, 7 * 16, 5 * 16)}
    assert (ops["proj.conv1"].m, ops["proj.conv2"].m) == (4 * 3, 2 * 2)


def test_a_decode_step_attends_one_position_to_every_key():
    """4 linears 2 * 1280**2 each, and 2 * 2 * 10 * 945 * 128."""
    cost = total(LlamaAttention.from_config(DECODER).ops(batch=1, q_len=1, kv_len=945))
    assert cost.tensor_flops == 4 * 2 * 1280**2 + 2 * 2 * 10 * 945 * 128


def test_shared_key_heads_make_two_linears_narrower():
    """8 query heads on 2 key heads of 16 channels over a width of 128; scores and values keep all 8 heads."""
    layer = LlamaAttention(128, 8, 2, 16)
    assert layer.params == 128 * 128 + 2 * (128 * 32) + 128 * 128
    assert total(layer.ops(1, 3, 5)).tensor_flops == 2 * 3 * layer.params + 2 * 2 * 8 * 3 * 5 * 16


@pytest.mark.parametrize(("dense", "expected"), [(0, [False] * 3), (2, [True, True, False])], ids=["none", "two"])
def test_the_first_layers_are_dense(dense, expected):
    config = DecoderConfig(num_hidden_layers=3, first_k_dense_replace=dense)
    mlps = [DeepseekV2DecoderLayer(config, index).mlp for index in range(3)]
    assert [isinstance(mlp, DeepseekV2MLP) for mlp in mlps] == expected


def test_a_layer_takes_its_sizes_from_the_config():
    """Windows of 14 patches, 64 a side of an image of 1024; 10 heads of 128 channels."""
    assert Attention.from_config(SamConfig(), windowed=True) == Attention(768, 12, (14, 14))
    assert Attention.from_config(SamConfig(), windowed=False) == Attention(768, 12, (64, 64))
    assert LayerNorm2d.from_config(SamConfig()) == LayerNorm2d(256)
    assert LlamaRotaryEmbedding.from_config(DecoderConfig()) == LlamaRotaryEmbedding(128)
