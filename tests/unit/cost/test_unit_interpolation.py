"""Interpolation between known points: exact there, straight between two of them, level beyond."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost.interpolation import Interpolation

LEVEL = 1e-6
"""Points nearer than that are one."""

PLACES = st.integers(-200, 200).map(lambda tenths: tenths / 10)
VALUES = st.floats(-5, 5)
LINES = st.dictionaries(PLACES, VALUES, min_size=1, max_size=12)
SPACES = st.dictionaries(st.tuples(PLACES, PLACES, PLACES), VALUES, min_size=1, max_size=12)


def line(samples):
    return Interpolation.through(((place,), value) for place, value in samples.items())


@given(LINES)
def test_a_line_goes_through_every_sample(samples):
    made = line(samples)
    assert [made.at((place,)) for place in samples] == pytest.approx([*samples.values()], abs=1e-6)


@given(SPACES)
def test_a_space_goes_through_every_sample(samples):
    made = Interpolation.through(samples.items())
    assert [made.at(point) for point in samples] == pytest.approx([*samples.values()], abs=1e-6)


@given(LINES, st.floats(-40, 40))
def test_in_one_dimension_it_is_the_broken_line(samples, place):
    """As numpy.interp draws it, which is level beyond both ends."""
    places = sorted(samples)
    broken = np.interp(place, places, [samples[one] for one in places])
    assert line(samples).at((place,)) == pytest.approx(broken, abs=1e-5)


def test_between_two_points_it_is_straight():
    made = line({1.0: 10.0, 3.0: 20.0})
    assert [float(made.at((place,))) for place in (1.0, 1.5, 2.0, 3.0)] == pytest.approx([10, 12.5, 15, 20])


def test_beyond_the_points_it_is_level():
    made = line({1.0: 10.0, 3.0: 20.0})
    assert [float(made.at((place,))) for place in (-1e3, 0.0, 4.0, 1e3)] == pytest.approx([10, 10, 20, 20])


def test_far_from_all_points_of_a_space_it_comes_near_to_one_value():
    """The slopes of the cones add up to 0: what is left falls with the distance."""
    made = Interpolation.through([((0.0, 0.0), 1.0), ((1.0, 0.0), 2.0), ((0.0, 1.0), 4.0)])
    assert made.weights.sum() == pytest.approx(0, abs=1e-12)
    near, far = (abs(float(made.at((far, far))) - float(made.at((10 * far, 10 * far)))) for far in (1e2, 1e4))
    assert far < near


def test_of_one_point_it_is_that_everywhere():
    made = Interpolation.through([((2.0, 3.0), 7.0)])
    assert [float(made.at((place, place))) for place in (-5.0, 2.0, 99.0)] == pytest.approx([7, 7, 7])


def test_several_values_at_one_point_are_their_mean():
    made = Interpolation.through([((1.0,), 2.0), ((1.0 + LEVEL / 10,), 4.0), ((5.0,), 9.0)])
    assert float(made.at((1.0,))) == pytest.approx(3.0)


def test_points_of_one_place_on_an_axis_cause_no_trouble():
    """Sites differ in a single size: the other coordinates are all the same."""
    made = Interpolation.through([((4.0, 0.0, 1.0), 1.0), ((8.0, 0.0, 1.0), 3.0)])
    assert float(made.at((6.0, 0.0, 1.0))) == pytest.approx(2.0)


@given(SPACES, st.lists(st.tuples(PLACES, PLACES), min_size=1, max_size=5))
def test_arrays_give_what_each_entry_gives_alone(samples, places):
    made = Interpolation.through(samples.items())
    first, second = (np.array(axis) for axis in zip(*places, strict=True))
    at_once = made.at((first[:, None], second, 0.5))
    assert at_once.shape == (len(places), len(places))
    alone = [[float(made.at((one, other, 0.5))) for other in second] for one in first]
    assert at_once.tolist() == pytest.approx(np.array(alone), abs=1e-9)
