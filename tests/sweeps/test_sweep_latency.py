"""Seconds over crop grids: vision, prefill and a decode step of each grid that ``--dsocr-grids`` names.

On a CPU a grid takes a minute, so there a handful of small ones runs; a card runs all that are asked for.
"""

import pytest

from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import MODES, image_tokens
from pytest_dsocr import Case
from pytest_dsocr.published.grids import TEXT_TOKENS

pytestmark = pytest.mark.latency

GUNDAM = MODES["gundam"]
MOST_CROPS_ON_A_CPU = 3


@pytest.fixture(autouse=True)
def few_on_a_cpu(dsocr, dsocr_grid):
    crops = dsocr_grid.high * dsocr_grid.wide
    if dsocr.device == "cpu" and crops > MOST_CROPS_ON_A_CPU:
        pytest.skip(f"needs a GPU, and this run measures on cpu: {crops} crops take it minutes")


def test_vision(dsocr, dsocr_grid):
    case = Case(f"{dsocr_grid} crops, in time", batch=1, crops_high=dsocr_grid.high, crops_wide=dsocr_grid.wide)
    dsocr.compare(Vision(dsocr.config, GUNDAM, cropped=True), case, metric="latency_s")


def test_prefill_and_decode(dsocr, dsocr_grid):
    context, decoder = image_tokens(GUNDAM, dsocr_grid, dsocr.config.sam) + TEXT_TOKENS, Decoder(dsocr.config.decoder)
    prefill = Case(f"{dsocr_grid} prefill, in time", batch=1, q_len=context, kv_len=context)
    dsocr.compare(decoder, prefill, metric="latency_s")
    step = Case(f"{dsocr_grid} decode step, in time", batch=1, q_len=1, kv_len=context + 1)
    dsocr.compare(decoder, step, metric="latency_s")
