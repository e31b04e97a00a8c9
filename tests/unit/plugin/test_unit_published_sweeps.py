"""The published sweep tables: the measurements beside them, and what explains where they differ."""

from dataclasses import replace

import numpy as np
import pytest
import transformers
from packaging.version import Version

from dsocr_cost import MODES, DeepseekOCRConfig, Execution, ProjectorConfig, layers, total
from dsocr_cost.model import Decoder, Vision
from pytest_dsocr import MeasurementError
from pytest_dsocr.published.__main__ import GRIDS
from pytest_dsocr.published.grids import DECODE_STEPS, read_grids, read_required
from pytest_dsocr.published.measured import ALL_STEPS_ON, measure_grids, read_measured, to_csv
from pytest_dsocr.published.sweeps import as_printed, grid_rows, sweeps_section

MEASURED = read_measured()
STAGES = ["vision", "prefill", "decode"]
CONFIG = DeepseekOCRConfig()


def flops(layer, *sizes):
    return total(layer.ops(*sizes)).tensor_flops


@pytest.fixture(scope="module")
def tables():
    return grid_rows()


@pytest.fixture(scope="module")
def section():
    return sweeps_section()


def column(name):
    return np.array([getattr(grid, name) for grid in MEASURED])


def test_what_was_measured_is_what_the_model_predicts_on_every_grid():
    vision, decoder = Vision(CONFIG, MODES["gundam"], cropped=True), Decoder(CONFIG.decoder)
    high, wide, context = (column(name) for name in ("crops_high", "crops_wide", "context"))
    steps = flops(decoder, 1, 1, context[:, np.newaxis] + np.arange(1, DECODE_STEPS + 1))
    assert column("vision").tolist() == flops(vision, 1, high, wide).tolist()
    assert column("prefill").tolist() == flops(decoder, 1, context, context).tolist()
    for step in (1, 50, 100):
        assert column(f"decode_step_{step}").tolist() == steps[:, step - 1].tolist()
    assert column("decode").tolist() == steps.sum(axis=1).tolist()


def test_all_90_grids_were_measured_and_one_of_them_in_every_step():
    assert [str(grid) for grid in MEASURED] == [str(grid) for grid in read_grids("vision")]
    assert len(MEASURED) == 90
    assert [str(grid) for grid in MEASURED if grid.decode_all_steps is not None] == [ALL_STEPS_ON]


@pytest.mark.skipif(Version(transformers.__version__) < Version("5.15"), reason="the file is of transformers 5.15 on")
def test_measuring_again_gives_the_same():
    versions = {"torch": "", "transformers": ""}
    again = measure_grids(["1x2", "4x7", "15x26"])
    assert len(again) == 3
    for grid in again:
        (before,) = (one for one in MEASURED if str(one) == str(grid))
        assert replace(grid, **versions) == replace(before, **versions)


def test_the_file_is_what_the_command_writes():
    assert GRIDS.read_bytes().decode() == to_csv(MEASURED)


def test_steps_off_their_line_are_no_measurement_of_a_hundred():
    grid = MEASURED[0]
    with pytest.raises(MeasurementError, match="on no line"):
        _ = replace(grid, decode_step_50=grid.decode_step_50 + 1).decode
    with pytest.raises(MeasurementError, match="the line gives"):
        _ = replace(grid, decode_all_steps=grid.decode + 1).decode


@pytest.mark.parametrize("stage", STAGES)
def test_the_report_formula_gives_every_published_digit(tables, stage):
    rows = getattr(tables, stage)
    assert len(rows) == 90
    assert [as_printed(row.formula, row.published) for row in rows] == [row.published for row in rows]
    assert {len(row.published) for row in rows} == {len("1.913039e+00")}


@pytest.mark.parametrize("stage", STAGES)
def test_ours_is_the_measured_figure_on_every_grid(tables, stage):
    rows = getattr(tables, stage)
    assert [row.ours for row in rows] == [row.measured for row in rows]


def test_the_report_rates_are_of_tensor_and_cuda_flops(tables):
    for table, rows, rate, seconds in (
        ("vision_prefill", tables.prefill, "ttft_1s", 1.0),
        ("decode_100_steps", tables.decode, "tpot_50ms", 0.05 * DECODE_STEPS),
    ):
        published = read_required(rate)
        for grid, row in zip(read_grids(table), rows, strict=True):
            needed = (row.formula / 1e12 + float(grid.cuda_tflops)) / seconds
            assert f"{needed:.3f}" == published[grid.crops_high, grid.crops_wide] == row.published_rate


def relative_positions(view, windows, side):
    """8 windowed blocks of 14 x 14, 4 global ones: 12 heads x 64 channels, with each row, then each column."""
    windowed = 2 * (2 * 12 * windows * 14 * 14 * 64 * 14)
    return 8 * windowed + 4 * 2 * (2 * 12 * view * view * 64 * side)


@pytest.mark.parametrize(
    ("figure", "derived"),
    [
        pytest.param("4,907,139,072", relative_positions(64, 25, 64), id="relative positions, global view"),
        pytest.param("1,393,360,896", relative_positions(40, 9, 40), id="relative positions, a crop"),
        pytest.param("8,519,680", 2 * 2048 * 1280 + 2 * 1280 * 1280, id="projector of two linears"),
        pytest.param("5,242,880", 2 * 2048 * 1280, id="projector"),
        pytest.param("2,621,440", 2 * 1280 * 64 + 3 * 2 * 1280 * (6 * 896 + 1792 - 6848), id="layer 0"),
        pytest.param("61,440", 12 * 2 * 2 * 1280, id="a key"),
        pytest.param("2,560,000", 2_621_440 - 61_440, id="a decode step"),
    ],
)
def test_the_figures_in_the_explanation_are_derived(section, figure, derived):
    assert figure == f"{derived:,}"
    assert f" {figure}" in section.replace("\n", " ")


def test_the_explanation_is_the_whole_difference(tables):
    """7/8 of the relative positions missing, the projector too often; layer 0 as a mixture, a key too few."""
    for vision, prefill, decode in zip(*tables, strict=True):
        grid = vision.grid
        crops = grid.crops_high * grid.crops_wide
        charged = 272 + crops * 10 * grid.crops_high * (10 * grid.crops_wide + 1)
        off = 8_519_680 * charged - 5_242_880 * (256 + 100 * crops) - 7 * (4_907_139_072 + 1_393_360_896 * crops) // 8
        assert vision.formula - vision.ours == off
        assert prefill.formula - prefill.ours == off + 2_621_440 * grid.context
        assert decode.formula - decode.ours == 2_560_000 * DECODE_STEPS


def test_the_projector_and_the_first_layer_are_what_the_explanation_says():
    two = layers.MlpProjector(ProjectorConfig("mlp_gelu"))
    assert flops(two, 1, 1) == 8_519_680
    execution = Execution("transformers", "sdpa")
    dense, mixture = (
        total(layers.DeepseekV2DecoderLayer(CONFIG.decoder, index).ops(1, 1, 1, execution=execution)).tensor_flops
        for index in (0, 1)
    )
    assert mixture - dense == 2_621_440


def test_the_section_has_a_row_a_grid_and_a_table_a_stage(section):
    lines = section.splitlines()
    for grid in read_grids("vision"):
        assert sum(line.startswith(f"| {grid} ") for line in lines) == 3
    assert "270 of the 270 figures below are equal" in section
