"""Modes, crop grids, views, image tokens, and what a run is asked for."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import SamConfig, SizeError, Workload
from dsocr_cost.workload import (
    MAX_SIDE,
    MODEL_GRIDS,
    MODES,
    Grid,
    View,
    crop_grid,
    feature_side,
    image_tokens,
    parse_grid,
    views,
)

SAM = SamConfig()
GUNDAM = MODES["gundam"]


@pytest.mark.parametrize(
    ("mode", "tokens"),
    [
        ("tiny", 8 * 9 + 1),
        ("small", 10 * 11 + 1),
        ("base", 16 * 17 + 1),
        ("large", 20 * 21 + 1),
        ("gundam", 16 * 17 + 1),
        ("gundam-m", 20 * 21 + 1),
    ],
)
def test_a_view_takes_its_features_a_newline_a_row_and_a_separator(mode, tokens):
    assert image_tokens(MODES[mode], None, SAM) == tokens


@pytest.mark.parametrize(
    ("mode", "grid", "tokens"),
    [
        pytest.param("gundam", Grid(1, 2), 273 + 10 * (20 + 1), id="1x2 of 640"),
        pytest.param("gundam", Grid(2, 3), 273 + 20 * (30 + 1), id="2x3 of 640"),
        pytest.param("gundam-m", Grid(2, 1), 421 + 32 * (16 + 1), id="2x1 of 1024"),
    ],
)
def test_a_crop_grid_adds_its_rows_and_their_newlines(mode, grid, tokens):
    assert image_tokens(MODES[mode], grid, SAM) == tokens


@pytest.mark.parametrize(("size", "side"), [(512, 8), (640, 10), (1024, 16), (1280, 20), (16, 1)])
def test_patches_are_halved_twice(size, side):
    assert feature_side(size, SAM) == side


@pytest.mark.parametrize(
    ("width", "height", "grid"),
    [
        pytest.param(640, 640, None, id="fits into one crop"),
        pytest.param(641, 640, Grid(2, 2), id="a pixel wider: 2x2 and 3x3 are closest, 2x2 comes first and stays"),
        pytest.param(1280, 640, Grid(1, 2), id="twice as wide as high"),
        pytest.param(640, 1280, Grid(2, 1), id="twice as high as wide"),
        pytest.param(1700, 2200, Grid(3, 2), id="a letter page: 0.77 is closer to 2/3 than to 1"),
        pytest.param(100_000, 641, Grid(1, 9), id="as wide as can be"),
    ],
)
def test_the_grid_is_the_one_of_the_closest_aspect_ratio(width, height, grid):
    assert crop_grid(width, height, GUNDAM) == grid


@pytest.mark.parametrize(
    ("side", "grid"),
    [
        # 2x2 and 3x3 are equally close to a square; 3x3 wins above half of its area: 0.5 * 9 * 640**2 = 1357.6**2
        pytest.param(1357, Grid(2, 2), id="below half of 3x3"),
        pytest.param(1358, Grid(3, 3), id="above half of 3x3"),
    ],
)
def test_a_tie_goes_to_the_larger_grid_when_the_image_fills_half_of_it(side, grid):
    assert crop_grid(side, side, GUNDAM) == grid


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_no_grid_of_2_to_9_crops_is_closer(width, height):
    grid = crop_grid(width, height, GUNDAM)
    if max(width, height) <= 640:
        assert grid is None
        return
    distances = {
        (high, wide): abs(width / height - wide / high)
        for high in range(1, 10)
        for wide in range(1, 10)
        if 2 <= high * wide <= 9
    }
    assert distances[grid] == min(distances.values())


@pytest.mark.parametrize("mode", ["tiny", "small", "base", "large"])
def test_a_mode_of_one_view_cuts_nothing(mode):
    assert crop_grid(5000, 5000, MODES[mode]) is None
    with pytest.raises(SizeError, match=f"^mode {mode}: got a crop grid, allowed is none"):
        views(MODES[mode], Grid(1, 2), 1)


def test_crops_run_as_one_batch_before_the_global_views():
    assert views(GUNDAM, Grid(2, 3), 4) == (View(24, 640), View(4, 1024))
    assert views(GUNDAM, None, 4) == (View(4, 1024),)


@pytest.mark.parametrize(("width", "height", "name"), [(0, 5, "width"), (5, -1, "height")])
def test_an_image_without_pixels_is_refused(width, height, name):
    with pytest.raises(SizeError, match=f"^{name}: got .*, allowed is at least 1 pixel"):
        crop_grid(width, height, GUNDAM)


def test_the_models_grids_are_all_of_2_to_9_crops():
    assert set(MODEL_GRIDS) == {(high, wide) for high in range(1, 10) for wide in range(1, 10) if 2 <= high * wide <= 9}
    assert len(MODEL_GRIDS) == len(set(MODEL_GRIDS))
    crops = [grid.high * grid.wide for grid in MODEL_GRIDS]
    assert crops == sorted(crops)


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_the_model_picks_from_its_grids(width, height):
    assert crop_grid(width, height, GUNDAM) in (*MODEL_GRIDS, None)


@given(st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE))
def test_a_grid_is_read_as_it_is_written(high, wide):
    grid = Grid(high, wide)
    assert parse_grid(str(grid)) == parse_grid(f" {high}X{wide}\n") == grid
    assert str(grid) == f"{high}x{wide}"


@pytest.mark.parametrize(
    "text",
    [
        *("", "2x", "x3", "2", "axb", "2x3x4", "2 x 3", "2*3", "-1x2", "+1x2", "1.0x2", "2x3,", "\u0662x3", "1_0x2"),
        *("0x2", "2x0", "0x10", "1000x1", "1x1000", "1x100000", "9999999999x1"),
    ],
    ids=ascii,
)
def test_what_is_no_grid_is_refused(text):
    message = f"grid: got {text!r}, allowed is HIGHxWIDE, such as 2x3, with 1 to 999 crops a side"
    with pytest.raises(SizeError, match=f"^{re.escape(message)}$"):
        parse_grid(text)


@given(st.text(max_size=12))
def test_any_text_is_a_grid_in_bounds_or_refused(text):
    try:
        grid = parse_grid(text)
    except SizeError:
        return
    assert all(1 <= side <= MAX_SIDE for side in grid)


@pytest.mark.parametrize(
    ("mode", "grid", "tokens"),
    [
        pytest.param(None, None, 0, id="no image"),
        pytest.param("tiny", None, 73, id="one view"),
        pytest.param("gundam", None, 273, id="a page that fits into one crop"),
        pytest.param("gundam", Grid(2, 3), 893, id="crops"),
    ],
)
def test_the_context_is_image_and_text(mode, grid, tokens):
    workload = Workload(MODES[mode] if mode else None, grid, text_tokens=10, decode_steps=5, batch=3)
    assert workload.image_tokens(SAM) == tokens
    assert workload.context(SAM) == tokens + 10


def test_a_workload_decodes_one_token_of_one_page_by_default():
    workload = Workload(MODES["tiny"])
    assert (workload.text_tokens, workload.decode_steps, workload.batch) == (0, 1, 1)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        pytest.param(
            {"text_tokens": -1},
            "text_tokens: got -1, allowed are whole numbers of at least 0, or an array of them",
            id="negative text",
        ),
        pytest.param(
            {"decode_steps": 0},
            "decode_steps: got 0, allowed are whole numbers of at least 1, or an array of them",
            id="no step",
        ),
        pytest.param(
            {"batch": 0}, "batch: got 0, allowed are whole numbers of at least 1, or an array of them", id="no page"
        ),
        pytest.param(
            {"batch": -2},
            "batch: got -2, allowed are whole numbers of at least 1, or an array of them",
            id="negative batch",
        ),
        pytest.param(
            {"grid": Grid(0, 2)},
            "grid: got 0, allowed are whole numbers of at least 1, or an array of them",
            id="no row of crops",
        ),
        pytest.param(
            {"grid": Grid(2, -1)},
            "grid: got -1, allowed are whole numbers of at least 1, or an array of them",
            id="negative side",
        ),
        pytest.param(
            {"text_tokens": np.array([3, -1])},
            "text_tokens: got array([ 3, -1]), allowed are whole numbers of at least 0, or an array of them",
            id="array of text",
        ),
        pytest.param(
            {"decode_steps": np.array([0])},
            "decode_steps: got array([0]), allowed are whole numbers of at least 1, or an array of them",
            id="array of steps",
        ),
        pytest.param(
            {"batch": np.array([1, 0])},
            "batch: got array([1, 0]), allowed are whole numbers of at least 1, or an array of them",
            id="array of batches",
        ),
        pytest.param(
            {"grid": Grid(np.array([2, 0]), 1)},
            "grid: got array([2, 0]), allowed are whole numbers of at least 1, or an array of them",
            id="array of sides",
        ),
    ],
)
def test_a_size_below_its_least_is_refused(sizes, message):
    with pytest.raises(SizeError, match=f"^{re.escape(message)}$"):
        Workload(GUNDAM, **sizes)


@pytest.mark.parametrize("size", [True, 1.0, "3", None, np.array([1.0]), np.array([True])], ids=lambda size: repr(size))
@pytest.mark.parametrize("name", ["text_tokens", "decode_steps", "batch", "grid"])
def test_a_size_that_is_no_whole_number_is_refused(name, size):
    given = Grid(2, size) if name == "grid" else size
    with pytest.raises(
        SizeError, match=rf"^{name}: got {re.escape(repr(size))}, allowed are whole numbers of at least"
    ):
        Workload(GUNDAM, **{name: given})


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint64])
def test_narrow_arrays_do_not_wrap(dtype):
    """10 * 12 rows of 10 * 12 + 1 tokens, a view of 273, and 100 of text."""
    sides = np.array([12], dtype=dtype)
    workload = Workload(GUNDAM, Grid(sides, sides), text_tokens=np.array([100], dtype=dtype))
    assert workload.context(SAM).tolist() == [120 * 121 + 273 + 100]


def test_a_number_of_numpys_is_one_of_pythons():
    workload = Workload(GUNDAM, Grid(np.int8(12), np.int64(12)), batch=np.uint8(200))
    assert [type(size) for size in (*workload.grid, workload.batch)] == [int, int, int]


@pytest.mark.parametrize(
    ("mode", "got"),
    [(None, "no image"), *((MODES[name], f"mode {name}") for name in ("tiny", "small", "base", "large"))],
    ids=["no image", "tiny", "small", "base", "large"],
)
def test_a_grid_where_the_mode_cuts_none_is_refused(mode, got):
    message = f"grid: got 2x3 with {got}, which takes none; allowed are the modes gundam, gundam-m"
    with pytest.raises(SizeError, match=f"^{re.escape(message)}$"):
        Workload(mode, Grid(2, 3))


def test_sizes_of_a_workload_may_be_arrays_that_broadcast():
    """2 x 3 grids and texts: rows 1x2 and 2x3, columns 0, 1 and 10."""
    grid = Grid(np.array([[1], [2]]), np.array([[2], [3]]))
    workload = Workload(GUNDAM, grid, text_tokens=np.array([0, 1, 10]))
    assert workload.image_tokens(SAM).tolist() == [[483], [893]]
    assert workload.context(SAM).tolist() == [[483, 484, 493], [893, 894, 903]]
