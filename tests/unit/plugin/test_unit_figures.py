"""Numbers of others become Python's own, or are refused."""

import math

import numpy as np
import pytest
import torch

from pytest_dsocr.errors import MeasurementError
from pytest_dsocr.figures import plain_band, plain_number


@pytest.mark.parametrize(
    ("given", "plain"),
    [(7, 7), (0.5, 0.5), (np.int64(7), 7), (np.float32(0.5), 0.5), (torch.tensor(7), 7), (2**80, 2**80)],
    ids=["int", "float", "numpy's int", "numpy's float", "a tensor", "beyond 64 bits"],
)
def test_a_number_becomes_pythons_own(given, plain):
    number = plain_number("predicted", given)
    assert (number, type(number)) == (plain, type(plain))


@pytest.mark.parametrize("given", ["7", None, True, [7], np.arange(2)], ids=["text", "None", "True", "list", "array"])
def test_what_is_no_number_is_refused(given):
    with pytest.raises(MeasurementError, match=r"^predicted: got .*, allowed is one number$"):
        plain_number("predicted", given)


def test_a_band_becomes_two_numbers():
    assert plain_band((np.float64(0.5), 2)) == (0.5, 2)
    assert plain_band(None) is None


@pytest.mark.parametrize(
    "band",
    [(2.0, 1.0), (-1.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)],
    ids=["swapped", "below 0", "inf", "nan"],
)
def test_a_band_that_is_none_is_refused(band):
    with pytest.raises(MeasurementError, match=r"^band: got .*, allowed are two finite numbers of at least 0"):
        plain_band(band)


@pytest.mark.parametrize(("given", "read"), [(10**400, math.inf), (-(10**400), -math.inf)], ids=["large", "below"])
def test_an_integer_that_no_float_reaches_is_infinite(given, read):
    """So its row is an error, and its file can be read."""
    assert plain_number("predicted", given) == read
