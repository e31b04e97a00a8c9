"""Crop grids: vision, prefill and decode, against the assembled modules.

By default all 90 of the published tables, 1x2 to 15x26; ``--dsocr-grids`` names others. A grid's prefill is its image
tokens and 10 text tokens; decode steps 1, 50 and 100 follow it.
"""

import pytest

from dsocr_cost import SamConfig
from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import MODES, Grid, image_tokens
from pytest_dsocr import Case
from pytest_dsocr.published.grids import DECODE_STEPS, TEXT_TOKENS, read_grids

GUNDAM = MODES["gundam"]


def context_of(grid, config):
    return image_tokens(GUNDAM, grid, config.sam) + TEXT_TOKENS


@pytest.mark.flops
def test_vision(dsocr, dsocr_grid):
    case = Case(f"{dsocr_grid} crops", batch=1, crops_high=dsocr_grid.high, crops_wide=dsocr_grid.wide)
    dsocr.compare(Vision(dsocr.config, GUNDAM, cropped=True), case)


@pytest.mark.flops
def test_prefill_and_decode(dsocr, dsocr_grid):
    context = context_of(dsocr_grid, dsocr.config)
    decoder = Decoder(dsocr.config.decoder)
    dsocr.compare(decoder, Case(f"{dsocr_grid} prefill", batch=1, q_len=context, kv_len=context))
    for step in (1, 50, DECODE_STEPS):
        dsocr.compare(decoder, Case(f"{dsocr_grid} decode step {step}", batch=1, q_len=1, kv_len=context + step))


@pytest.mark.flops
@pytest.mark.parametrize("first", range(1, DECODE_STEPS + 1, 10), ids=lambda first: f"steps {first} to {first + 9}")
def test_every_decode_step_after_2x3_crops(dsocr, first):
    context, decoder = context_of(Grid(2, 3), dsocr.config), Decoder(dsocr.config.decoder)
    for step in range(first, first + 10):
        dsocr.compare(decoder, Case(f"2x3, each step: {step}", batch=1, q_len=1, kv_len=context + step))


@pytest.mark.parametrize("grid", read_grids("vision"), ids=str)
def test_image_tokens_are_the_published_ones(grid):
    assert image_tokens(GUNDAM, Grid(grid.crops_high, grid.crops_wide), SamConfig()) == grid.image_tokens
