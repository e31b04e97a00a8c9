"""The published sweep tables against this model, which the other sweeps hold to the last digit."""

import numpy as np
import pytest

from dsocr_cost import DeepseekOCRConfig, Execution, total
from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import MODES
from pytest_dsocr.published.grids import DECODE_STEPS, TEXT_TOKENS, read_grids

CONFIG = DeepseekOCRConfig()
VISION, DECODER = Vision(CONFIG, MODES["gundam"], cropped=True), Decoder(CONFIG.decoder)
EAGER = Execution("vendor", "eager")


def excess(published, flops):
    return float(published.tensor_tflops) * 1e12 / flops - 1


def vision(grid):
    return total(VISION.ops(1, grid.crops_high, grid.crops_wide, execution=EAGER)).tensor_flops


def decoder(q_len, kv_len):
    return total(DECODER.ops(1, q_len, kv_len, execution=EAGER)).tensor_flops


def test_published_vision_grows_with_the_square_of_the_crops():
    """Each crop is an image of its own, so the true cost is linear: at 390 crops the report is 85 % too high."""
    few, many = read_grids("vision")[0], read_grids("vision")[-1]
    assert (str(few), str(many)) == ("1x2", "15x26")
    assert abs(excess(few, vision(few))) < 0.012
    assert excess(many, vision(many)) == pytest.approx(0.85, abs=0.01)


def test_published_vision_and_prefill_at_few_crops_is_off_by_a_percent():
    for grid in read_grids("vision_prefill")[:8]:
        context = grid.image_tokens + TEXT_TOKENS
        assert -0.002 < excess(grid, vision(grid) + decoder(context, context)) < 0.0125


@pytest.mark.parametrize("grid", read_grids("decode_100_steps"), ids=str)
def test_published_decode_is_a_quarter_of_a_percent_high(grid):
    context = grid.image_tokens + TEXT_TOKENS
    steps = decoder(1, context + np.arange(1, DECODE_STEPS + 1))
    assert 0 < excess(grid, steps.sum()) < 0.003
