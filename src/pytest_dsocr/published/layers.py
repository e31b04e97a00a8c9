"""The published layer table: what each row was measured on, and where it is not what the model runs.

Source: the public DeepSeek-OCR analytic performance report of 2025-11-28. Its measured column is torch's counter on the
model's published code, so it is what the ``vendor`` predictions are held against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsocr_cost import ClipConfig, DeepseekOCRConfig, Execution, ProjectorConfig, layers, total

from ..case import Case
from .grids import table_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SETUPS", "PublishedLayer", "Setup", "read_layers"]

_CONFIG = DeepseekOCRConfig()
_SAM, _CLIP, _DECODER = _CONFIG.sam, _CONFIG.clip, _CONFIG.decoder
_TWO_BLOCKS = ClipConfig(num_hidden_layers=2)
_EAGER = Execution("vendor", "eager")

_GRID = Case("1024 view", batch=1, height=64, width=64)
_PIXELS = Case("1024 view", batch=1, height=1024, width=1024)
_CLIP_TOKENS = Case("257 tokens", batch=1, tokens=257)
_PREFILL = Case("512 positions", batch=1, q_len=512)
_PREFILL_KEYS = Case("512 positions", batch=1, q_len=512, kv_len=512)


@dataclass(frozen=True, slots=True)
class PublishedLayer:
    """One row of ``layers.csv``; figures as printed, in GFLOPs with five digits."""

    group: str
    name: str
    measured_gflops: str
    analytic_gflops: str


@dataclass(frozen=True, slots=True)
class Setup:
    """What a row was measured on, as the layer and the sizes that give its figure.

    ``why`` says where the published figure is not that of the model. ``in_model`` is then what the model runs.
    """

    layer: Any
    case: Case
    why: str = ""
    in_model: tuple[Any, Case] | None = None

    @property
    def predicted(self) -> int:
        """Tensor FLOPs of the vendor's code, with eager attention as it was counted."""
        return _price(self.layer, self.case)

    @property
    def predicted_in_model(self) -> int | None:
        """The same for what the model runs, where that is something else."""
        return _price(*self.in_model) if self.in_model else None


def _price(layer: Any, case: Case) -> int:
    flops = total(layer.ops(**case.sizes, execution=_EAGER)).tensor_flops
    assert isinstance(flops, int)
    return flops


def read_layers() -> list[PublishedLayer]:
    """Read the table that ships with the package."""
    return [
        PublishedLayer(row["group"], row["layer"], row["measured_gflops"], row["analytic_gflops"])
        for row in table_rows("layers")
    ]


SETUPS: Mapping[str, Setup] = {
    "Attention": Setup(
        layers.Attention.from_config(_SAM, windowed=True),
        Case("25 windows of 14 x 14", batch=25, height=14, width=14),
        why="the report's measurement leaves out the relative positions, two products of 105,369,600 FLOPs, which the "
        "model always uses",
    ),
    "MLPBlock": Setup(layers.MLPBlock.from_config(_SAM), _GRID),
    "PatchEmbed": Setup(layers.PatchEmbed.from_config(_SAM), _PIXELS),
    "Block": Setup(layers.Block.from_config(_SAM, windowed=False), _GRID),
    "CLIPVisionEmbeddings_conv": Setup(
        layers.CLIPVisionEmbeddings(_CLIP, "conv"),
        Case("224 pixels", batch=1, height=224, width=224),
        why="reproduced, but the model never runs this convolution: it takes SAM's features instead",
        in_model=(layers.CLIPVisionEmbeddings(_CLIP), Case("1024 view", batch=1, height=16, width=16)),
    ),
    "LayerNorm2d": Setup(
        layers.LayerNorm2d.from_config(_SAM),
        _GRID,
        why="reproduced; the report's formula counts 5 FLOPs an element here, which are no tensor FLOPs",
    ),
    "ImageEncoderViT": Setup(layers.ImageEncoderViT(_SAM), _PIXELS),
    "NoTPAttention": Setup(layers.NoTPAttention.from_config(_CLIP), _CLIP_TOKENS),
    "NoTPFeedForward": Setup(layers.NoTPFeedForward.from_config(_CLIP), _CLIP_TOKENS),
    "NoTPTransformerBlock": Setup(layers.NoTPTransformerBlock(_CLIP), _CLIP_TOKENS),
    "NoTPTransformer": Setup(
        layers.NoTPTransformer(_TWO_BLOCKS),
        _CLIP_TOKENS,
        why="reproduced with 2 blocks, as it was measured; the model has 24",
        in_model=(layers.NoTPTransformer(_CLIP), _CLIP_TOKENS),
    ),
    "VitModel": Setup(
        layers.VitModel(_TWO_BLOCKS),
        Case("16 x 16 features", batch=1, height=16, width=16),
        why="reproduced with 2 blocks, as it was measured; the model has 24",
        in_model=(layers.VitModel(_CLIP), Case("16 x 16 features", batch=1, height=16, width=16)),
    ),
    "MlpProjector": Setup(
        layers.MlpProjector(ProjectorConfig("mlp_gelu")),
        Case("577 tokens", batch=1, tokens=577),
        why="reproduced as the 2-layer form on 577 tokens, as it was measured; the model has one linear, and a 1024 "
        "view is 256 tokens",
        in_model=(layers.MlpProjector(_CONFIG.projector), Case("1024 view", batch=1, tokens=256)),
    ),
    "DeepseekV2MLP": Setup(layers.DeepseekV2MLP.from_config(_DECODER), _PREFILL),
    "MoEGate": Setup(layers.MoEGate.from_config(_DECODER), _PREFILL),
    "DeepseekV2MoE": Setup(layers.DeepseekV2MoE(_DECODER), _PREFILL),
    "DeepseekV2RMSNorm": Setup(
        layers.DeepseekV2RMSNorm.from_config(_DECODER),
        _PREFILL,
        why="reproduced; the report's formula counts 3 FLOPs an element here, which are no tensor FLOPs",
    ),
    "DeepseekV2DecoderLayer_dense": Setup(
        layers.DeepseekV2DecoderLayer(_DECODER, 0),
        _PREFILL_KEYS,
        why="one unit in the fifth digit: the published figure is that without the rotary table's 65,536 FLOPs, which "
        "the vendor's attention computes in every layer",
    ),
    "DeepseekV2DecoderLayer_moe": Setup(layers.DeepseekV2DecoderLayer(_DECODER, 1), _PREFILL_KEYS),
    "LlamaFlashAttention2": Setup(
        layers.LlamaFlashAttention2.from_config(_DECODER),
        _PREFILL_KEYS,
        why="the report's measurement misses the attention core, 1,342,177,280 FLOPs: the flash-attention kernel is "
        "invisible to the counter",
    ),
    "LlamaRotaryEmbedding": Setup(
        layers.LlamaRotaryEmbedding.from_config(_DECODER),
        _PREFILL,
        why="reproduced; transformers multiplies elementwise, which counts as no tensor FLOPs",
    ),
}
"""A row's name to what it was measured on."""
