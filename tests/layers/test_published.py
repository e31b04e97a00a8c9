"""The published layer table: each row reproduced, or its difference explained; docs/published.md says so."""

from pathlib import Path

import pytest
import transformers
from packaging.version import Version

from pytest_dsocr.published.layers import SETUPS, PublishedLayer, read_layers
from pytest_dsocr.published.page import gflops, published_page

ROWS = read_layers()
PAGE = Path(__file__).parents[2] / "docs" / "published.md"

# The report's own measurement is not that of the model's layer; docs/published.md says why.
DIFFER = {"Attention", "DeepseekV2DecoderLayer_dense", "LlamaFlashAttention2"}


def test_each_published_row_has_its_setup():
    assert [row.name for row in ROWS] == list(SETUPS)
    assert len(ROWS) == 21


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_prediction_gives_the_published_measurement_or_says_why_not(row: PublishedLayer):
    """The report counted the vendor's modules to five digits."""
    setup = SETUPS[row.name]
    assert (gflops(setup.predicted) != row.measured_gflops) == (row.name in DIFFER)
    assert setup.why or row.name not in DIFFER


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        # 25 windows x 12 heads x 196 queries x 14 rows x 64 channels, and the same for columns
        pytest.param("Attention", 2 * (2 * 25 * 12 * 196 * 14 * 64), id="relative positions"),
        # 10 heads x 512 queries x 512 keys x 128 channels, scores and values
        pytest.param("LlamaFlashAttention2", 2 * (2 * 10 * 512 * 512 * 128), id="the core of flash attention"),
        # 64 frequencies x 512 positions
        pytest.param("DeepseekV2DecoderLayer_dense", 2 * 64 * 512, id="the rotary table"),
    ],
)
def test_what_explains_a_difference_is_all_of_it(name: str, missing: int):
    (row,) = (row for row in ROWS if row.name == name)
    assert gflops(SETUPS[name].predicted - missing) == row.measured_gflops


@pytest.mark.skipif(
    Version(transformers.__version__) < Version("5.15"), reason="the page is written with transformers 5.15 or later"
)
def test_the_page_is_what_the_command_writes():
    """``make pages`` measures each row anew."""
    assert PAGE.read_text(encoding="utf-8") == published_page()
