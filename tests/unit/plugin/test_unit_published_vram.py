"""The published VRAM table: the formulas behind its figures, what stands beside them, and how the file is read."""

from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import MODES, DeepseekOCRConfig, total
from dsocr_cost.model import Decoder, Vision
from dsocr_cost.sweep import evaluate
from pytest_dsocr.errors import ResultsError
from pytest_dsocr.published.formula import prefill_cuda_flops, projector_tokens, vision_cuda_flops
from pytest_dsocr.published.grids import read_grids
from pytest_dsocr.published.memory_formula import WEIGHT_BYTES, activation_bytes, io_bytes, kv_cache_bytes
from pytest_dsocr.published.vram import VramBytes, formula_rows, vram_rows, vram_section
from pytest_dsocr.published.vram_table import parse_vram, read_vram

TEXT = files("pytest_dsocr.published").joinpath("vram.csv").read_text(encoding="utf-8")
PUBLISHED = read_vram()
CONFIG = DeepseekOCRConfig()
SIZES = ("crops_high", "crops_wide", "context")


@pytest.fixture(scope="module")
def rows():
    return vram_rows()


@pytest.fixture(scope="module")
def section():
    return vram_section()


def test_the_formulas_give_every_published_digit():
    assert len(PUBLISHED) == 47
    assert formula_rows(PUBLISHED) == PUBLISHED


@pytest.mark.parametrize("table", ["vision", "vision_prefill", "decode_100_steps"])
def test_the_cuda_core_formulas_give_every_digit_of_the_sweeps(table):
    grids = read_grids(table)
    high, wide, context = (np.array([getattr(grid, name) for grid in grids]) for name in SIZES)
    counts = {
        "vision": vision_cuda_flops(high, wide),
        "vision_prefill": vision_cuda_flops(high, wide) + prefill_cuda_flops(context),
        "decode_100_steps": np.full(90, 100 * prefill_cuda_flops(1)),
    }
    assert [f"{count / 1e12:.6e}" for count in counts[table]] == [grid.cuda_tflops for grid in grids]


def view(patches, padded, tokens, *, attention, norm, conv_input):
    """SAM: patches of 16 x 16, 8 windowed and 4 global blocks, the neck on a full, a half and a quarter side; CLIP."""
    sam = (3 * 256 + 768) * patches + attention * 768 * (8 * padded + 4 * patches) + 12 * (768 + 3072 + 768) * patches
    outputs = 2 * 256 * patches + 512 * patches // 4 + 1024 * patches // 16
    inputs = (768 + 256 + 256) * patches + 512 * patches // 4
    clip = 257 * 1024 + 24 * tokens * 12 * 1024
    return sam + outputs + conv_input * inputs + norm * 2 * 256 * patches + clip


IO = {"attention": 5, "norm": 4, "conv_input": 1}
PEAK = {"attention": 6, "norm": 1, "conv_input": 0}
POSITION = 12 * (5 * 1280 + 4 * 1280 + 1350 + 6 * (2 * 1280 + 896) + 2 * 1280 + 1792) + 1280 + 129_280
PARAMETERS = 3_336_106_240


@pytest.mark.parametrize(
    ("figure", "derived"),
    [
        pytest.param("539,321,344", view(64 * 64, 70 * 70, 257, **IO), id="I/O, 1024 view"),
        pytest.param("206,402,560", view(40 * 40, 42 * 42, 101, **IO), id="I/O, crop"),
        pytest.param("569,951,232", view(64 * 64, 70 * 70, 257, **PEAK), id="peak, 1024 view"),
        pytest.param("217,445,376", view(40 * 40, 42 * 42, 101, **PEAK), id="peak, crop"),
        pytest.param("3,328", 2048 + 1280, id="projector, a token"),
        pytest.param("586,056", POSITION, id="decoder, a position"),
        pytest.param("61,440", 12 * 2 * 10 * 128 * 2, id="a key and a value"),
        pytest.param("165,478,400", 129_280 * 1280, id="LM head"),
        pytest.param("3,170,627,840", PARAMETERS - 129_280 * 1280, id="parameters in the published VRAM"),
        pytest.param("6,672,212,480", 2 * PARAMETERS, id="weights"),
    ],
)
def test_the_figures_in_the_explanation_are_derived(section, figure, derived):
    assert figure == f"{derived:,}"
    assert f" {figure}" in section.replace("\n", " ")


def test_vision_and_prefill_read_more_weights_than_the_report_has_io(section):
    """All but the embedding and CLIP's convolution, which takes pixels: 1024 channels of 3 x 14 x 14."""
    weight_gb = 2 * (PARAMETERS - 129_280 * 1280 - 1024 * 3 * 14 * 14) / 1e9
    assert f"read {weight_gb:.3f} GB of weights" in section
    assert float(PUBLISHED[0].forward_io_gb) < weight_gb


@pytest.mark.parametrize(
    ("count", "global_view", "crop"),
    [
        pytest.param(io_bytes, 539_321_344, 206_402_560, id="I/O"),
        pytest.param(activation_bytes, 569_951_232, 217_445_376, id="peak"),
    ],
)
def test_the_sums_in_the_explanation_are_the_whole_column(count, global_view, crop):
    """Two bytes an element; the projector over 272 tokens, and for each crop over those of all crops."""
    for row in PUBLISHED:
        high, wide = row.crops_high, row.crops_wide
        charged = 272 + high * wide * 10 * high * (10 * wide + 1)
        elements = global_view + high * wide * crop + 3_328 * charged + 586_056 * (row.image_tokens + 10)
        assert projector_tokens(high, wide) == charged
        assert count(high, wide) == 2 * elements


def test_the_published_cache_holds_the_prompt_twice(rows):
    for row in rows:
        context = row.published.image_tokens + 10
        assert kv_cache_bytes(context) == 61_440 * (context + context + 99)
        assert row.measured.kv_cache == row.ours.kv_cache == 61_440 * (context + 100)


def test_the_published_weights_lack_the_lm_head_or_the_embedding():
    assert WEIGHT_BYTES == 2 * (PARAMETERS - 129_280 * 1280)


def test_ours_is_the_whole_page_and_not_a_sum_over_what_is_freed(rows):
    """Grid 2x3 over 893 + 10 positions."""
    (row,) = (one for one in rows if str(one.published) == "2x3")
    parts = Vision(CONFIG, MODES["gundam"], cropped=True).ops(1, 2, 3), Decoder(CONFIG.decoder).ops(1, 903, 903)
    assert row.ours.io == sum(total(ops).io_bytes for ops in parts)
    *stages, whole = (stage.activation_bytes for stage in evaluate(crops_high=2, crops_wide=3, text_tokens=10))
    assert max(stages) <= row.ours.activations < sum(stages)
    assert row.ours.activations == whole


def test_ours_is_what_was_measured_on_every_grid(rows):
    assert [row.ours for row in rows] == [row.measured for row in rows]


def test_the_most_that_is_allocated_is_less_than_the_sum_of_what_is_alive_at_other_times(rows):
    """While SAM's bias is there, the cache is not."""
    for row in rows:
        assert row.ours.allocated == 2 * PARAMETERS + row.ours.activations


def test_the_report_is_held_against_the_measured_figures_in_its_own_units(rows):
    row = rows[0]._replace(measured=VramBytes(10**9, 2**29, 2**30, 5 * 2**29))
    assert row.excess == pytest.approx((2.487, 0.062 / 0.5, 2.414, 8.817 / 2.5))


def rows_of_1x2():
    return vram_rows()[0]


def table(section):
    lines = section.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in cells if row[0] in {str(one) for one in PUBLISHED}]


def test_the_section_has_a_row_a_grid(section):
    assert [row[0] for row in table(section)] == [str(row) for row in PUBLISHED]
    assert "282 of the 282 figures" in section


def test_a_row_shows_each_column_as_published_as_priced_as_measured_and_how_far_off_it_is(section):
    """1x2: 61,440 x (483 + 10 + 100) / 2**30 = 0.034."""
    first = table(section)[0]
    assert first[6:9] == ["0.062", "0.034", "0.034"]
    assert [first[column] for column in (2, 6, 10, 14)] == ["2.487", "0.062", "2.414", "8.817"]
    assert [first[column] for column in (5, 9, 13, 17)] == [f"{times:.2f} x" for times in rows_of_1x2().excess]


def edited(old, new):
    assert old in TEXT
    return TEXT.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "line 1: got ''", id="empty"),
        pytest.param(edited("vram_gb", "vram"), "line 1: got 'crops_high", id="another header"),
        pytest.param(TEXT.splitlines()[0], "got 0 rows of 0 grids, allowed are 47", id="no rows"),
        pytest.param(TEXT.rpartition("15,26")[0], "got 46 rows of 46 grids, allowed are 47", id="a row short"),
        pytest.param(edited("1,3,583", "1,2,483"), "got 47 rows of 46 grids", id="a grid twice"),
        pytest.param(edited(",8.817", ""), "line 2: got 8 cells, allowed are 9", id="a cell short"),
        pytest.param(edited("8.817", "8.817,"), "line 2: got 10 cells, allowed are 9", id="a cell too many"),
        pytest.param(edited("8.817", "8.82"), "line 2: vram_gb: got '8.82', allowed is", id="a digit short"),
        pytest.param(edited("8.817", "nan"), "line 2: vram_gb: got 'nan', allowed is", id="no number"),
        pytest.param(edited("8.817", "-8.817"), "line 2: vram_gb: got '-8.817'", id="negative"),
        pytest.param(edited("2.495323e+00", "2.495323"), "line 2: tensor_tflops: got '2.495323'", id="no exponent"),
        pytest.param(edited("1,2,483", "0,2,483"), "line 2: crops_high: got '0', allowed is a whole", id="no crops"),
        pytest.param(edited("1,2,483", "1,2,484"), "image_tokens: got 484, allowed is 483 for 1x2", id="tokens"),
        pytest.param(edited("1,2,483", "٣,2,483"), "line 2: crops_high: got '٣'", id="another alphabet's digit"),
        pytest.param(edited("\n", "\n\n"), "line 2: got 1 cells, allowed are 9", id="an empty line"),
    ],
)
def test_what_is_not_the_table_is_refused_with_its_place(text, message):
    with pytest.raises(ResultsError) as error:
        parse_vram(text)
    assert str(error.value).startswith("vram.csv")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@given(length=st.integers(0, len(TEXT.rstrip("\n")) - 1))
def test_a_truncated_table_is_refused_wherever_it_ends(length):
    with pytest.raises(ResultsError, match=r"^vram\.csv"):
        parse_vram(TEXT[:length])


@given(place=st.integers(0, len(TEXT.rstrip("\n")) - 1), character=st.characters(min_codepoint=32, max_codepoint=126))
def test_one_other_character_is_refused_or_no_longer_what_the_formulas_give(place, character):
    text = TEXT[:place] + character + TEXT[place + 1 :]
    if text == TEXT:
        return
    try:
        read = parse_vram(text)
    except ResultsError:
        return
    assert formula_rows(read) != read
