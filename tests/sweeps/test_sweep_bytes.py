"""Bytes, launches and memory on 24 of the published grids, 1x2 to 15x26: vision, prefill and the last decode step.

The largest page holds 390 crops: the peak of its activations is 50 GB with sdpa attention, and meta holds none of it.
"""

import pytest

from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import MODES, Grid, image_tokens
from pytest_dsocr import Case
from pytest_dsocr.published.grids import DECODE_STEPS, TEXT_TOKENS, read_grids

GUNDAM = MODES["gundam"]
GRIDS = [*read_grids("vision")[:-1:4], read_grids("vision")[-1]]
MOVED = ("cuda_flops", "io_bytes", "launches", "compulsory_bytes")
HELD = ("activation_bytes", "peak_launch", "allocated_bytes")

pytestmark = [pytest.mark.flops, pytest.mark.traffic, pytest.mark.memory]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_vision(dsocr, grid):
    case = Case(f"{grid} crops", batch=1, crops_high=grid.crops_high, crops_wide=grid.crops_wide)
    dsocr.compare_all(Vision(dsocr.config, GUNDAM, cropped=True), case, metrics=(*MOVED, *HELD))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_prefill_and_decode(dsocr, grid):
    context = image_tokens(GUNDAM, Grid(grid.crops_high, grid.crops_wide), dsocr.config.sam) + TEXT_TOKENS
    decoder, metrics = Decoder(dsocr.config.decoder), (*MOVED, *HELD, "kv_cache_bytes")
    dsocr.compare_all(decoder, Case(f"{grid} prefill", batch=1, q_len=context, kv_len=context), metrics=metrics)
    last = Case(f"{grid} decode step {DECODE_STEPS}", batch=1, q_len=1, kv_len=context + DECODE_STEPS)
    dsocr.compare_all(decoder, last, metrics=metrics)
