"""All 90 crop grids of the published tables, 1x2 to 15x26: vision, prefill and decode, against the assembled modules.

A grid's prefill is its image tokens and 10 text tokens; decode steps 1, 50 and 100 follow it.
"""

import pytest

from dsocr_cost import SamConfig
from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import MODES, Grid, image_tokens
from pytest_dsocr import Case
from pytest_dsocr.published.grids import DECODE_STEPS, TEXT_TOKENS, read_grids

GUNDAM = MODES["gundam"]
GRIDS = read_grids("vision")


@pytest.mark.flops
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_vision(dsocr, grid):
    case = Case(f"{grid} crops", batch=1, crops_high=grid.crops_high, crops_wide=grid.crops_wide)
    dsocr.compare(Vision(dsocr.config, GUNDAM, cropped=True), case)


@pytest.mark.flops
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_prefill_and_decode(dsocr, grid):
    context = image_tokens(GUNDAM, Grid(grid.crops_high, grid.crops_wide), dsocr.config.sam) + TEXT_TOKENS
    decoder = Decoder(dsocr.config.decoder)
    dsocr.compare(decoder, Case(f"{grid} prefill", batch=1, q_len=context, kv_len=context))
    for step in (1, 50, DECODE_STEPS):
        dsocr.compare(decoder, Case(f"{grid} decode step {step}", batch=1, q_len=1, kv_len=context + step))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_image_tokens_are_the_published_ones(grid):
    assert image_tokens(GUNDAM, Grid(grid.crops_high, grid.crops_wide), SamConfig()) == grid.image_tokens
