"""Counting the parameters of a real module."""

import pytest
import torch

from pytest_dsocr import MeasurementError, Subject
from pytest_dsocr.measure.params import ParameterMeasurer


def measure(module):
    def no_run():
        raise AssertionError

    return ParameterMeasurer("params").measure(Subject(module, no_run), device="meta")


def test_parameters_are_broken_down_by_name():
    """[4, 3] and [4]: 12 + 4."""
    counted = measure(torch.nn.ModuleDict({"proj": torch.nn.Linear(3, 4)}))
    assert [(call.module, call.shapes, call.count) for call in counted.calls] == [
        ("proj.weight", ((4, 3),), 12),
        ("proj.bias", ((4,),), 4),
    ]
    assert (counted.value, counted.problem) == (12 + 4, "")


def test_a_shared_parameter_counts_once():
    linear = torch.nn.Linear(3, 4)
    assert measure(torch.nn.Sequential(linear, linear)).value == 12 + 4


def test_a_buffer_counts_nothing():
    """Batch norm has a scale and a shift of 5, and statistics that are buffers."""
    assert measure(torch.nn.BatchNorm1d(5)).value == 2 * 5


def test_frozen_parameters_count():
    assert measure(torch.nn.Linear(3, 4).requires_grad_(requires_grad=False)).value == 12 + 4


def test_what_is_no_module_has_none():
    with pytest.raises(MeasurementError, match=r"^params: got function, allowed is a torch\.nn\.Module$"):
        measure(lambda x: x)
