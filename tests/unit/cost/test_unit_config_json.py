"""Reading the config.json that is published with the model: an error names file, key, what it got, what is allowed."""

import json
import re
from copy import deepcopy
from operator import attrgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsocr_cost import ConfigError, DeepseekOCRConfig

PUBLISHED = {
    "architectures": ["DeepseekOCRForCausalLM"],
    "torch_dtype": "bfloat16",
    "vision_config": {
        "image_size": 1024,
        "mlp_ratio": 3.7362,
        "width": {
            "sam_vit_b": {
                "layers": 12,
                "width": 768,
                "heads": 12,
                "global_attn_indexes": [2, 5, 8, 11],
                "downsample_channels": [512, 1024],
            },
            "clip-l-14-224": {"layers": 24, "width": 1024, "heads": 16, "image_size": 224, "patch_size": 14},
        },
    },
    "projector_config": {"projector_type": "linear", "input_dim": 2048, "n_embed": 1280},
    "language_config": {
        "vocab_size": 129280,
        "hidden_size": 1280,
        "intermediate_size": 6848,
        "moe_intermediate_size": 896,
        "num_hidden_layers": 12,
        "num_attention_heads": 10,
        "num_key_value_heads": 10,
        "n_routed_experts": 64,
        "n_shared_experts": 2,
        "num_experts_per_tok": 6,
        "first_k_dense_replace": 1,
        "max_position_embeddings": 8192,
        "use_mla": False,
        "rm_head": False,
    },
}
REMOVED = object()


def changed(path, value):
    """Copy the published document with one value replaced or removed; a key may hold no dot."""
    document = deepcopy(PUBLISHED)
    *sections, key = path.split(".")
    section = document
    for name in sections:
        section = section[name]
    if value is REMOVED:
        del section[key]
    else:
        section[key] = value
    return document


@pytest.fixture
def write(tmp_path):
    """Write a config.json and return its path."""

    def write(content):
        path = tmp_path / "config.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def test_the_published_file_gives_the_published_sizes(write):
    assert DeepseekOCRConfig.from_hf(write(PUBLISHED)) == DeepseekOCRConfig()


def test_a_path_may_be_text(write):
    assert DeepseekOCRConfig.from_hf(str(write(PUBLISHED))) == DeepseekOCRConfig()


def test_a_parsed_document_gives_the_same_sizes():
    assert DeepseekOCRConfig.from_hf(PUBLISHED) == DeepseekOCRConfig()


def test_use_mla_need_not_be_there():
    assert DeepseekOCRConfig.from_hf(changed("language_config.use_mla", REMOVED)) == DeepseekOCRConfig()


@pytest.mark.parametrize(
    ("path", "value", "size"),
    [
        ("vision_config.image_size", 2048, "sam.image_size"),
        ("vision_config.width.sam_vit_b.layers", 24, "sam.num_hidden_layers"),
        ("vision_config.width.sam_vit_b.heads", 16, "sam.num_attention_heads"),
        ("vision_config.width.sam_vit_b.width", 1536, "sam.hidden_size"),
        ("vision_config.width.clip-l-14-224.image_size", 448, "clip.image_size"),
        ("vision_config.width.clip-l-14-224.patch_size", 16, "clip.patch_size"),
        ("vision_config.width.clip-l-14-224.layers", 12, "clip.num_hidden_layers"),
        ("vision_config.width.clip-l-14-224.heads", 8, "clip.num_attention_heads"),
        ("projector_config.projector_type", "mlp_gelu", "projector.projector_type"),
        ("language_config.n_routed_experts", 32, "decoder.n_routed_experts"),
        ("language_config.num_key_value_heads", 5, "decoder.num_key_value_heads"),
        ("language_config.first_k_dense_replace", 0, "decoder.first_k_dense_replace"),
    ],
)
def test_each_key_is_read(path, value, size):
    assert attrgetter(size)(DeepseekOCRConfig.from_hf(changed(path, value))) == value


def test_the_feed_forward_of_sam_is_4_times_its_width():
    assert DeepseekOCRConfig.from_hf(changed("vision_config.width.sam_vit_b.width", 1536)).sam.mlp_dim == 4 * 1536


def test_global_blocks_and_convolutions_are_read():
    document = changed("vision_config.width.sam_vit_b.global_attn_indexes", [0])
    document["vision_config"]["width"]["sam_vit_b"]["downsample_channels"] = [128, 1024]
    sam = DeepseekOCRConfig.from_hf(document).sam
    assert (sam.global_attn_indexes, sam.downsample_channels) == ((0,), (128, 1024))


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "nowhere.json"
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: cannot be read: No such file or directory$"):
        DeepseekOCRConfig.from_hf(path)


def test_a_folder_is_named(tmp_path):
    with pytest.raises(ConfigError, match=f"^{re.escape(str(tmp_path))}: is a folder, allowed is a text file$"):
        DeepseekOCRConfig.from_hf(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[default]", id="TOML"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", id="more digits than an int may have"),
    ],
)
def test_a_file_that_is_no_json_is_named(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: is no JSON: "):
        DeepseekOCRConfig.from_hf(path)


@pytest.mark.parametrize(("content", "kind"), [("[]", "list"), ("3", "int"), ('"a"', "str"), ("null", "NoneType")])
def test_json_without_keys_is_refused(write, content, kind):
    path = write(content)
    with pytest.raises(
        ConfigError, match=f"^{re.escape(f'{path}: got a JSON {kind}, allowed is an object with keys')}$"
    ):
        DeepseekOCRConfig.from_hf(path)


SAM, CLIP = "vision_config.width.sam_vit_b", "vision_config.width.clip-l-14-224"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param(
            "language_config",
            REMOVED,
            "language_config: is missing, allowed is an object with keys",
            id="missing section",
        ),
        pytest.param(SAM, REMOVED, f"{SAM}: is missing, allowed is an object with keys", id="missing inner section"),
        pytest.param(
            "vision_config",
            [1],
            "vision_config: got [1], allowed is an object with keys",
            id="list for a section",
        ),
        pytest.param(
            "language_config.hidden_size",
            REMOVED,
            "language_config.hidden_size: is missing, allowed is a whole number",
            id="missing key",
        ),
        pytest.param(
            f"{SAM}.global_attn_indexes",
            REMOVED,
            f"{SAM}.global_attn_indexes: is missing, allowed is a list of whole numbers",
            id="missing list",
        ),
        pytest.param(
            "projector_config.projector_type",
            REMOVED,
            'projector_config.projector_type: is missing, allowed is "linear", "mlp_gelu"',
            id="missing choice",
        ),
        pytest.param(
            "language_config.hidden_size",
            "1280",
            "language_config.hidden_size: got '1280', allowed is a whole number",
            id="text for a number",
        ),
        pytest.param(f"{CLIP}.heads", 16.0, f"{CLIP}.heads: got 16.0, allowed is a whole number", id="float"),
        pytest.param(f"{CLIP}.heads", None, f"{CLIP}.heads: got None, allowed is a whole number", id="null"),
        pytest.param(f"{SAM}.layers", True, f"{SAM}.layers: got True, allowed is a whole number", id="bool"),
        pytest.param(
            f"{SAM}.downsample_channels",
            1024,
            f"{SAM}.downsample_channels: got 1024, allowed is a list of whole numbers",
            id="number for a list",
        ),
        pytest.param(
            f"{SAM}.global_attn_indexes",
            [2, True],
            f"{SAM}.global_attn_indexes: got [2, True], allowed is a list of whole numbers",
            id="bool in a list",
        ),
        pytest.param(
            "language_config.vocab_size",
            "x" * 100,
            f"language_config.vocab_size: got '{'x' * 56}..., allowed is a whole number",
            id="long text is cut",
        ),
        pytest.param(
            f"{SAM}.heads", 0, f"{SAM}: num_attention_heads: got 0, allowed is an integer of at least 1", id="0"
        ),
        pytest.param(
            "language_config.vocab_size",
            -1,
            "language_config: vocab_size: got -1, allowed is an integer of at least 1",
            id="negative",
        ),
        pytest.param(
            f"{CLIP}.patch_size",
            15,
            f"{CLIP}: image_size: got 224, allowed is a multiple of patch_size (15)",
            id="half a patch",
        ),
        pytest.param(
            "language_config.num_key_value_heads",
            3,
            "language_config: num_attention_heads: got 10, allowed is a multiple of num_key_value_heads (3)",
            id="key heads that do not divide",
        ),
        pytest.param(
            "language_config.use_mla", True, "language_config.use_mla: got True, allowed is false", id="use_mla"
        ),
        pytest.param(
            "projector_config.projector_type",
            "identity",
            'projector_config.projector_type: got \'identity\', allowed is "linear", "mlp_gelu"',
            id="unknown projector",
        ),
        pytest.param(
            "projector_config.projector_type",
            ["linear"],
            'projector_config.projector_type: got [\'linear\'], allowed is "linear", "mlp_gelu"',
            id="list for a choice",
        ),
        pytest.param(
            "projector_config.n_embed",
            1024,
            "n_embed: got 1024, allowed is the decoder's hidden_size (1280)",
            id="projector that does not fit the decoder",
        ),
        pytest.param(
            f"{SAM}.downsample_channels",
            [512, 768],
            "downsample_channels: got 768 at the end, allowed is CLIP's width (1024)",
            id="SAM that does not fit CLIP",
        ),
    ],
)
def test_a_bad_value_is_refused_with_file_key_and_what_is_allowed(write, path, value, message):
    file = write(changed(path, value))
    with pytest.raises(ConfigError, match=f"^{re.escape(f'{file}: {message}')}$"):
        DeepseekOCRConfig.from_hf(file)


def test_a_parsed_document_is_named_as_such():
    with pytest.raises(ConfigError, match=r"^<mapping>: vision_config: is missing, allowed is an object with keys$"):
        DeepseekOCRConfig.from_hf({})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths(section, above=""):
    for key, value in section.items():
        yield f"{above}{key}"
        if isinstance(value, dict):
            yield from paths(value, f"{above}{key}.")


@given(document=JSON)
def test_any_document_is_read_or_refused_as_a_config_error(document, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: "):
        DeepseekOCRConfig.from_hf(path)


@given(content=st.binary())
def test_any_bytes_are_refused_as_a_config_error(content, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: "):
        DeepseekOCRConfig.from_hf(path)


@settings(max_examples=300)
@given(path=st.sampled_from(list(paths(PUBLISHED))), value=JSON)
def test_any_value_at_any_key_is_read_or_refused_as_a_config_error(path, value):
    try:
        config = DeepseekOCRConfig.from_hf(changed(path, value))
    except ConfigError as error:
        assert str(error).startswith("<mapping>: ")  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(config, DeepseekOCRConfig)
