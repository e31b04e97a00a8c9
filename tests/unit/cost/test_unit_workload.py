"""Modes, crop grids, views and image tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import SamConfig, SizeError
from dsocr_cost.workload import MODES, Grid, View, crop_grid, feature_side, image_tokens, views

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
