"""The plugin's markers: their arguments, and what a GPU test needs."""

import re
from types import SimpleNamespace

import pytest
import torch

from pytest_dsocr import OptionError
from pytest_dsocr.markers import check_marks, missing_gpu
from pytest_dsocr.metrics import FAMILIES


def gpu(**kwargs):
    return pytest.mark.gpu(**kwargs).mark


@pytest.mark.parametrize(
    "mark",
    [
        pytest.mark.gpu,
        pytest.mark.gpu(memory_gib=24),
        pytest.mark.gpu(memory_gib=0.5, capability=(8, 0)),
        pytest.mark.gpu(memory_gib=None, capability=None),
        pytest.mark.rtx5090,
        *[getattr(pytest.mark, family) for family in FAMILIES],
        pytest.mark.parametrize("a", [1]),
    ],
    ids=lambda mark: f"{mark.name}{mark.kwargs or ''}",
)
def test_a_mark_as_it_should_be_is_taken(mark):
    check_marks([mark.mark])


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (pytest.mark.rtx5090(1), "marker rtx5090: got (1), allowed are no arguments"),
        (pytest.mark.flops("a", b=2), "marker flops: got ('a', b=2), allowed are no arguments"),
        (
            pytest.mark.gpu(24),
            "marker gpu: got (24,), allowed are memory_gib=NUMBER and capability=(MAJOR, MINOR)",
        ),
        (
            pytest.mark.gpu(memory=24),
            "marker gpu: got {'memory': 24}, allowed are memory_gib=NUMBER and capability=(MAJOR, MINOR)",
        ),
        (pytest.mark.gpu(memory_gib=0), "marker gpu: memory_gib: got 0, allowed is a number above 0"),
        (pytest.mark.gpu(memory_gib=-1), "marker gpu: memory_gib: got -1, allowed is a number above 0"),
        (pytest.mark.gpu(memory_gib=True), "marker gpu: memory_gib: got True, allowed is a number above 0"),
        (pytest.mark.gpu(memory_gib="24"), "marker gpu: memory_gib: got '24', allowed is a number above 0"),
        (
            pytest.mark.gpu(memory_gib=float("nan")),
            "marker gpu: memory_gib: got nan, allowed is a number above 0",
        ),
        (
            pytest.mark.gpu(capability=9.0),
            "marker gpu: capability: got 9.0, allowed is a pair of whole numbers such as (8, 0)",
        ),
        (
            pytest.mark.gpu(capability=(9,)),
            "marker gpu: capability: got (9,), allowed is a pair of whole numbers such as (8, 0)",
        ),
        (
            pytest.mark.gpu(capability=(9, True)),
            "marker gpu: capability: got (9, True), allowed is a pair of whole numbers such as (8, 0)",
        ),
        (
            pytest.mark.gpu(capability=(-1, 0)),
            "marker gpu: capability: got (-1, 0), allowed is a pair of whole numbers such as (8, 0)",
        ),
    ],
    ids=[
        "rtx5090 of a number",
        "family of anything",
        "gpu of a number",
        "gpu of another key",
        "memory of 0",
        "memory below 0",
        "memory of bool",
        "memory as text",
        "memory of nan",
        "capability as a float",
        "capability of one number",
        "capability of bool",
        "capability below 0",
    ],
)
def test_a_mark_with_a_wrong_argument_is_refused(mark, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        check_marks([mark.mark])


def test_every_mark_is_checked():
    with pytest.raises(OptionError, match=r"^marker gpu: memory_gib"):
        check_marks([pytest.mark.flops.mark, gpu(memory_gib=0)])


# --- what a GPU test needs ---


@pytest.fixture
def card(monkeypatch):
    """Pretend that ``cuda:0`` is a card of 24 GiB and compute capability 8.9."""

    def pretend(name="NVIDIA GeForce RTX 4090"):
        properties = SimpleNamespace(name=name, total_memory=24 * 2**30, major=8, minor=9)
        monkeypatch.setattr(torch.cuda, "get_device_properties", {"cuda:0": properties}.__getitem__)

    return pretend


@pytest.mark.parametrize("device", ["meta", "cpu", "cuda:0"])
def test_a_test_without_a_gpu_mark_runs_anywhere(device):
    assert missing_gpu([pytest.mark.flops.mark], device) == ""


@pytest.mark.parametrize("mark", [pytest.mark.gpu, pytest.mark.rtx5090], ids=["gpu", "rtx5090"])
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_gpu_test_does_not_run_without_a_gpu(mark, device):
    reason = f"needs a GPU, and this run measures on {device}: give --dsocr-device cuda or auto"
    assert missing_gpu([mark.mark], device) == reason


@pytest.mark.parametrize(
    "asked",
    [{}, {"memory_gib": 24}, {"capability": (8, 9)}, {"capability": (8, 0)}, {"memory_gib": None, "capability": None}],
    ids=["any", "its memory", "its capability", "an older capability", "nothing"],
)
def test_a_gpu_test_runs_on_a_card_that_has_what_it_needs(card, asked):
    card()
    assert missing_gpu([gpu(**asked)], "cuda:0") == ""


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"memory_gib": 32}, "needs 32 GiB, and cuda:0 (NVIDIA GeForce RTX 4090) has 24.0"),
        (
            {"capability": (9, 0)},
            "needs compute capability (9, 0), and cuda:0 (NVIDIA GeForce RTX 4090) has 8.9",
        ),
        (
            {"capability": (8, 10)},
            "needs compute capability (8, 10), and cuda:0 (NVIDIA GeForce RTX 4090) has 8.9",
        ),
    ],
    ids=["memory", "major capability", "minor capability"],
)
def test_a_gpu_test_does_not_run_on_a_card_that_has_less(card, asked, reason):
    card()
    assert missing_gpu([gpu(**asked)], "cuda:0") == reason


def test_the_marks_of_a_class_and_of_its_test_both_hold(card):
    card()
    assert missing_gpu([gpu(), gpu(memory_gib=32)], "cuda:0").startswith("needs 32 GiB")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("NVIDIA GeForce RTX 5090", ""),
        ("NVIDIA H200", "needs an RTX 5090, and cuda:0 is NVIDIA H200"),
    ],
)
def test_a_test_for_the_rtx_5090_runs_there_alone(card, name, reason):
    card(name)
    assert missing_gpu([pytest.mark.rtx5090.mark], "cuda:0") == reason
