"""What a calibration runs: few layers of each sort, at sizes between and around those of real pages.

None of these sizes is one that the model meets, so that what is measured later was not calibrated on: a page has views
of 640 and 1024, crops by the square, and a prompt behind them. Pages that are named beside run at their own sizes: a
library chooses its kernel by the exact size, and now and then that is far slower than those of sizes around it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dsocr_cost import Mode
from dsocr_cost.layers import CLIPVisionEmbeddings, DeepseekV2RMSNorm, LayerNorm2d, LlamaRotaryEmbedding, MoEGate
from dsocr_cost.model import Decoder, Vision

from ..case import Case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsocr_cost import DeepseekOCRConfig, Workload
    from dsocr_cost.layers import Layer

__all__ = ["Point", "calibration_points", "page_points", "thinned"]

_VIEWS = (432, 576, 768, 1152)
_CROP, _CROP_GRIDS = 592, ((1, 3), (1, 5))
_MAPS = (27, 48, 72)
_PREFILLS = (3, 12, 48, 192, 400, 800, 1200)
_KEYS = (24, 200, 800, 3000)
_BATCHES = (1, 5)


@dataclass(frozen=True, slots=True)
class Point:
    """A layer, or a part of the model with few of them, and the sizes of one run."""

    part: Layer
    case: Case


def thinned(config: DeepseekOCRConfig) -> DeepseekOCRConfig:
    """Keep of each stack the layers that differ: SAM's two blocks, CLIP's one, the dense and a MoE layer."""
    dense = min(config.decoder.first_k_dense_replace, 1)
    return replace(
        config,
        sam=replace(config.sam, num_hidden_layers=2, global_attn_indexes=(1,)),
        clip=replace(config.clip, num_hidden_layers=1),
        decoder=replace(config.decoder, num_hidden_layers=2, first_k_dense_replace=dense),
    )


def calibration_points(config: DeepseekOCRConfig) -> Iterator[Point]:
    """Go through the runs, the short ones first."""
    few = thinned(config)
    decoder = Decoder(few.decoder)
    for layer in (DeepseekV2RMSNorm, MoEGate, LlamaRotaryEmbedding):
        # so little work that most of their time is the host's
        yield Point(layer.from_config(few.decoder), Case(f"one position of {layer.__name__}", batch=1, q_len=1))
    # positions are looked up, not resized, where there are as many as it was trained on
    trained = few.clip.image_size // few.clip.patch_size
    case = Case(f"three of {trained} x {trained} features", batch=3, height=trained, width=trained)
    yield Point(CLIPVisionEmbeddings(few.clip, patches="sam"), case)
    for side in _MAPS:
        case = Case(f"map of {side} x {side}", batch=1, height=side, width=side)
        yield Point(LayerNorm2d.from_config(few.sam), case)
    for keys in _KEYS:
        for batch in _BATCHES:
            name = f"{batch} x decode over {keys} keys"
            yield Point(decoder, Case(name, batch=batch, q_len=1, kv_len=keys + 1))
    for length in _PREFILLS:
        yield Point(decoder, Case(f"prefill of {length}", batch=1, q_len=length, kv_len=length))
    for size in _VIEWS:
        yield Point(Vision(few, Mode(f"view {size}", size), cropped=False), Case(f"view of {size}", batch=1))
    cropping = Mode(f"crops of {_CROP}", _VIEWS[0], _CROP)
    for high, wide in _CROP_GRIDS:
        case = Case(f"{high}x{wide} crops of {_CROP}", batch=1, crops_high=high, crops_wide=wide)
        yield Point(Vision(few, cropping, cropped=True), case)


def page_points(config: DeepseekOCRConfig, pages: Iterable[Workload]) -> Iterator[Point]:
    """Go through vision and prefill of pages, at their own sizes. Their decode steps lie between the usual ones."""
    few = thinned(config)
    decoder = Decoder(few.decoder)
    for page in pages:
        if page.mode is None:
            continue
        name = str(page.grid or page.mode.name)
        crops = page.grid._asdict() if page.grid else {}
        sizes = {"batch": page.batch, **{f"crops_{side}": count for side, count in crops.items()}}
        yield Point(Vision(few, page.mode, cropped=page.grid is not None), Case(f"vision of {name}", **sizes))
        length = page.context(few.sam)
        case = Case(f"prefill of {name}, {length}", batch=page.batch, q_len=length, kv_len=length)
        yield Point(decoder, case)
