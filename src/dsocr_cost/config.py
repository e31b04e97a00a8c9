"""The sizes of DeepSeek-OCR, as frozen values; the defaults are the published 3B model (v1)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

from .errors import ConfigError
from .json_section import JsonSection

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

__all__ = ["ClipConfig", "DecoderConfig", "DeepseekOCRConfig", "ProjectorConfig", "SamConfig"]

ProjectorType: TypeAlias = Literal["linear", "mlp_gelu"]

SAM_MLP_RATIO = 4  # a constant of the published code, not in its config.json


def _require_positive(config: object, *, zero_allowed: tuple[str, ...] = ()) -> None:
    """Check every int field of a config: at least 1, or 0 where that has a meaning."""
    for item in fields(config):  # type: ignore[arg-type]
        value = getattr(config, item.name)
        least = 0 if item.name in zero_allowed else 1
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int) and number < least:
                msg = f"{item.name}: got {number}, allowed is an integer of at least {least}"
                raise ConfigError(msg)


def _require_divides(divisor_name: str, divisor: int, name: str, value: int) -> None:
    if value % divisor:
        msg = f"{name}: got {value}, allowed is a multiple of {divisor_name} ({divisor})"
        raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class SamConfig:
    """SAM ViT-B with its neck and the two stride-2 convolutions after it. Sizes in pixels, tokens and channels.

    Source: the model's ``ImageEncoderViT``; ``DeepseekOcr2SamVisionConfig`` of transformers has the same names.
    """

    image_size: int = 1024
    patch_size: int = 16
    num_channels: int = 3
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    mlp_dim: int = 3072
    window_size: int = 14
    global_attn_indexes: tuple[int, ...] = (2, 5, 8, 11)
    output_channels: int = 256
    downsample_channels: tuple[int, ...] = (512, 1024)

    def __post_init__(self) -> None:
        """Refuse sizes that no encoder can have."""
        _require_positive(self, zero_allowed=("global_attn_indexes",))
        _require_divides("patch_size", self.patch_size, "image_size", self.image_size)
        _require_divides("num_attention_heads", self.num_attention_heads, "hidden_size", self.hidden_size)
        if len(self.downsample_channels) != 2:
            msg = f"downsample_channels: got {len(self.downsample_channels)} numbers, allowed are exactly 2"
            raise ConfigError(msg)
        for index in self.global_attn_indexes:
            if index >= self.num_hidden_layers:
                msg = f"global_attn_indexes: got {index}, allowed is 0 to {self.num_hidden_layers - 1}"
                raise ConfigError(msg)

    @property
    def trained_grid(self) -> int:
        """Patches along one side of the image that the position tables were trained for."""
        return self.image_size // self.patch_size


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """CLIP-L. ``image_size`` and ``patch_size`` size its position table, and the convolution that never runs here.

    Source: the model's ``VitModel``; ``CLIPVisionConfig`` of transformers has the same names.
    """

    image_size: int = 224
    patch_size: int = 14
    num_channels: int = 3
    hidden_size: int = 1024
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    intermediate_size: int = 4096

    def __post_init__(self) -> None:
        """Refuse sizes that no encoder can have."""
        _require_positive(self)
        _require_divides("patch_size", self.patch_size, "image_size", self.image_size)
        _require_divides("num_attention_heads", self.num_attention_heads, "hidden_size", self.hidden_size)


@dataclass(frozen=True, slots=True)
class ProjectorConfig:
    """The projector from the vision tower's channels to the decoder's: one linear, or linear, GELU, linear."""

    projector_type: ProjectorType = "linear"
    input_dim: int = 2048
    n_embed: int = 1280

    def __post_init__(self) -> None:
        """Refuse other forms and sizes."""
        _require_positive(self)
        if self.projector_type not in ("linear", "mlp_gelu"):
            msg = f"projector_type: got {self.projector_type!r}, allowed are linear, mlp_gelu"
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """The DeepSeek-V2-style decoder with plain multi-head attention. The names are those of its config.json.

    ``intermediate_size`` is the dense SwiGLU of the first ``first_k_dense_replace`` layers, ``moe_intermediate_size``
    that of one expert; the shared experts are one SwiGLU of ``n_shared_experts`` times that.
    """

    vocab_size: int = 129280
    hidden_size: int = 1280
    intermediate_size: int = 6848
    moe_intermediate_size: int = 896
    num_hidden_layers: int = 12
    num_attention_heads: int = 10
    num_key_value_heads: int = 10
    n_routed_experts: int = 64
    n_shared_experts: int = 2
    num_experts_per_tok: int = 6
    first_k_dense_replace: int = 1
    max_position_embeddings: int = 8192

    def __post_init__(self) -> None:
        """Refuse sizes that no decoder can have."""
        _require_positive(self, zero_allowed=("first_k_dense_replace",))
        _require_divides("num_attention_heads", self.num_attention_heads, "hidden_size", self.hidden_size)
        _require_divides(
            "num_key_value_heads", self.num_key_value_heads, "num_attention_heads", self.num_attention_heads
        )
        if self.first_k_dense_replace > self.num_hidden_layers:
            msg = f"first_k_dense_replace: got {self.first_k_dense_replace}, allowed is 0 to {self.num_hidden_layers}"
            raise ConfigError(msg)
        if self.num_experts_per_tok > self.n_routed_experts:
            msg = f"num_experts_per_tok: got {self.num_experts_per_tok}, allowed is 1 to {self.n_routed_experts}"
            raise ConfigError(msg)
        if self.head_dim % 2:
            msg = f"hidden_size / num_attention_heads: got {self.head_dim}, allowed is an even number (rotary halves)"
            raise ConfigError(msg)

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.hidden_size // self.num_attention_heads


@dataclass(frozen=True, slots=True)
class DeepseekOCRConfig:
    """The whole model.

    Raises:
        ConfigError: the parts do not fit together.
    """

    sam: SamConfig = field(default_factory=SamConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)
    projector: ProjectorConfig = field(default_factory=ProjectorConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        sam_channels, clip_channels = self.sam.downsample_channels[-1], self.clip.hidden_size
        if sam_channels != clip_channels:
            msg = f"downsample_channels: got {sam_channels} at the end, allowed is CLIP's width ({clip_channels})"
            raise ConfigError(msg)
        if self.projector.input_dim != sam_channels + clip_channels:
            msg = f"input_dim: got {self.projector.input_dim}, allowed is SAM's and CLIP's width together"
            raise ConfigError(f"{msg} ({sam_channels + clip_channels})")
        if self.projector.n_embed != self.decoder.hidden_size:
            msg = f"n_embed: got {self.projector.n_embed}, allowed is the decoder's hidden_size"
            raise ConfigError(f"{msg} ({self.decoder.hidden_size})")

    @classmethod
    def from_hf(cls, source: str | os.PathLike[str] | Mapping[str, object]) -> DeepseekOCRConfig:
        """Read the config.json that is published with DeepSeek-OCR (v1): a file, or its parsed content.

        Sizes that the published code holds as constants (SAM's window and neck, CLIP's feed-forward) keep them.

        Raises:
            ConfigError: the file cannot be read, is no JSON, lacks a key, or has a value of a wrong type or size. The
                message names the file, the key, what it got and what is allowed.
        """
        root = JsonSection.load(source)
        vision, language, projector = (root.section(f"{part}_config") for part in ("vision", "language", "projector"))
        sam, clip = vision.section("width", "sam_vit_b"), vision.section("width", "clip-l-14-224")
        language.one_of("use_mla", (False,), default=False)
        language.one_of("moe_layer_freq", (1,), default=1)
        language.one_of("attention_bias", (False,), default=False)
        language.one_of("tie_word_embeddings", (False,), default=False)
        with _located(sam):
            sam_config = SamConfig(
                image_size=vision.integer("image_size"),
                hidden_size=sam.integer("width"),
                num_hidden_layers=sam.integer("layers"),
                num_attention_heads=sam.integer("heads"),
                mlp_dim=SAM_MLP_RATIO * sam.integer("width"),
                global_attn_indexes=sam.integers("global_attn_indexes"),
                downsample_channels=sam.integers("downsample_channels"),
            )
        with _located(clip):
            clip_config = ClipConfig(
                image_size=clip.integer("image_size"),
                patch_size=clip.integer("patch_size"),
                hidden_size=clip.integer("width"),
                num_hidden_layers=clip.integer("layers"),
                num_attention_heads=clip.integer("heads"),
            )
        with _located(projector):
            projector_config = ProjectorConfig(
                projector_type=cast("ProjectorType", projector.one_of("projector_type", get_args(ProjectorType))),
                input_dim=projector.integer("input_dim"),
                n_embed=projector.integer("n_embed"),
            )
        with _located(language):
            decoder_config = DecoderConfig(**{item.name: language.integer(item.name) for item in fields(DecoderConfig)})
        language.one_of("head_dim", (decoder_config.head_dim,), default=decoder_config.head_dim)
        with _located(root):
            return cls(sam_config, clip_config, projector_config, decoder_config)


@contextmanager
def _located(section: JsonSection) -> Iterator[None]:
    """Name the file and the section in what a config says of its values."""
    try:
        yield
    except ConfigError as error:
        if str(error).startswith(section.source):
            raise
        raise section.locate(error) from error
