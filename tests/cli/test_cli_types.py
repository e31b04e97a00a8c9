"""What options take."""

from itertools import pairwise

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsocr_cost.workload import MODEL_GRIDS, Grid
from pytest_dsocr.cli.types import CONTEXTS, GRID, GRIDS, SIZE, Whole

settings.register_profile("cli", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("cli")

LARGEST = 2**63 - 1


def read(kind, text):
    return kind.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "contexts"),
    [
        pytest.param("913", (913,), id="one"),
        pytest.param("256:1024:256", (256, 512, 768, 1024), id="the last is reached"),
        pytest.param("256:1023:256", (256, 512, 768), id="the last is not reached"),
        pytest.param("5:5:1", (5,), id="from one to itself"),
        pytest.param("5:6:100", (5,), id="a step past the last"),
    ],
)
def test_a_range_of_contexts_includes_its_last_one_when_reached(text, contexts):
    assert read(CONTEXTS, text) == contexts


@given(st.integers(1, 500), st.integers(0, 500), st.integers(1, 600))
def test_a_range_goes_from_the_first_in_steps_up_to_the_last(first, more, step):
    contexts = read(CONTEXTS, f"{first}:{first + more}:{step}")
    assert contexts[0] == first
    assert contexts[-1] <= first + more < contexts[-1] + step
    assert {after - before for before, after in pairwise(contexts)} <= {step}


@pytest.mark.parametrize(
    "text", ["0", "0:5:1", "5:4:1", "1:5:0", "1:5", "1:5:1:1", "axb", "-1", "1.5", "", "1:100001:1", "\u0661"]
)
def test_other_contexts_are_refused(text):
    with pytest.raises(click.BadParameter, match=f"got '{text}'"):
        read(CONTEXTS, text)


@pytest.mark.parametrize(
    ("text", "grids"),
    [
        pytest.param("2x3,15x26", [(2, 3), (15, 26)], id="by hand, in their order"),
        pytest.param("2x3,1x2,2X3", [(2, 3), (1, 2)], id="each once"),
        pytest.param("3x4,model", [(3, 4), *MODEL_GRIDS], id="one, then a table"),
        pytest.param("9x1,model", [(9, 1), *(grid for grid in MODEL_GRIDS if grid != (9, 1))], id="one of a table"),
    ],
)
def test_lists_of_grids(text, grids):
    assert [*read(GRIDS, text)] == grids


def test_the_published_grids_are_90():
    grids = read(GRIDS, "published")
    assert (len(grids), grids[0], grids[-1]) == (90, Grid(1, 2), Grid(15, 26))


@given(st.integers(1, 999), st.integers(1, 999))
def test_a_grid_is_high_before_wide_and_a_size_wide_before_high(one, other):
    grid, size = read(GRID, f"{one}x{other}"), read(SIZE, f"{one}x{other}")
    assert (grid.high, grid.wide) == (size.width, size.height) == (one, other)


@given(st.integers(1, LARGEST))
def test_whole_numbers_are_taken_up_to_the_largest_that_int64_holds(number):
    assert read(Whole(1), str(number)) == number


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "1e3", "1_000", "\u0661", "", " 1", str(2**63), "9" * 5000])
def test_other_numbers_are_refused(text):
    with pytest.raises(click.BadParameter, match=f"allowed are whole numbers from 1 to {LARGEST}"):
        read(Whole(1), text)
