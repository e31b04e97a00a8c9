"""The core check: what was measured for the assembled model is the sum of what was measured for each part alone."""

import pytest

from dsocr_cost.layers import ImageEncoderViT, LlamaRotaryEmbedding, MlpProjector, VitModel
from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import MODES, Grid, feature_side, views
from pytest_dsocr import Case

GUNDAM = MODES["gundam"]


def assert_sum(whole, parts):
    """Hold for what was measured, and for what was predicted; a part that counts nothing is none."""
    assert len(parts) > 1
    assert whole.measured == sum(part.measured for part in parts)
    assert whole.predicted == sum(part.predicted for part in parts)


@pytest.mark.flops
@pytest.mark.parametrize(
    "case",
    [
        Case("prefill of 913 and its layers", batch=1, q_len=913, kv_len=913),
        Case("two prefills of 283 and their layers", batch=2, q_len=283, kv_len=283),
        Case("decode over 945 keys and its layers", batch=1, q_len=1, kv_len=945),
    ],
    ids=str,
)
def test_the_decoder_is_the_sum_of_its_layers(dsocr, case):
    """Each layer by itself, the LM head, and the rotary table: one row of positions, which all sequences share."""
    decoder = Decoder(dsocr.config.decoder)
    batch, q_len = case["batch"], case["q_len"]
    parts = [
        dsocr.compare(layer, Case(f"layer {index} alone, {case}", **case.sizes))
        for index, layer in enumerate(decoder.layers)
    ]
    parts.append(dsocr.compare(decoder.lm_head, Case(f"alone, {case}", batch=batch, q_len=q_len)))
    rotary = LlamaRotaryEmbedding.from_config(dsocr.config.decoder)
    parts.append(dsocr.compare(rotary, Case(f"alone, {case}", batch=1, q_len=q_len)))
    assert_sum(dsocr.compare(decoder, case), parts)


@pytest.mark.flops
@pytest.mark.parametrize(
    ("mode", "grid", "batch"),
    [
        pytest.param(MODES["base"], None, 1, id="one view"),
        pytest.param(GUNDAM, Grid(2, 3), 2, id="crops and views of two pages"),
    ],
)
def test_vision_is_the_sum_of_its_encoders_over_every_view(dsocr, mode, grid, batch):
    """SAM, CLIP and projector, each by itself, over the crops as one batch and over the global views."""
    config, name = dsocr.config, f"{mode.name}, {grid or 'no'} crops, batch {batch}"
    parts = []
    for view in views(mode, grid, batch):
        images, side = int(view.images), feature_side(view.size, config.sam)
        part = f"{images} of {view.size} alone, {name}"
        for layer, sizes in (
            (ImageEncoderViT(config.sam), {"height": view.size, "width": view.size}),
            (VitModel(config.clip), {"height": side, "width": side}),
            (MlpProjector(config.projector), {"tokens": side * side}),
        ):
            parts.append(dsocr.compare(layer, Case(part, batch=images, **sizes)))
    crops = {"crops_high": grid.high, "crops_wide": grid.wide} if grid else {}
    whole = Vision(config, mode, cropped=grid is not None)
    assert_sum(dsocr.compare(whole, Case(f"{name}, and its encoders", batch=batch, **crops)), parts)
