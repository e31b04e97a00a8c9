"""Which device is meant, and what it is called."""

import re
from types import SimpleNamespace

import pytest
import torch

from pytest_dsocr import Device, OptionError
from pytest_dsocr.measure.device import cpu_name, device_names, fingerprint, resolve_device


@pytest.fixture
def cards(monkeypatch):
    """Pretend that this machine has so many GPUs."""

    def pretend(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


@pytest.mark.parametrize(
    ("asked", "count", "device"),
    [
        ("meta", 0, "meta"),
        ("meta", 2, "meta"),
        ("cpu", 2, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cuda", 1, "cuda:0"),
        ("cuda:0", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
    ids=lambda value: str(value),
)
def test_a_device_that_is_there_is_found(cards, asked, count, device):
    cards(count)
    assert resolve_device(asked) == device


@pytest.mark.parametrize(
    ("asked", "count", "here"),
    [
        ("cuda", 0, "meta, cpu"),
        ("cuda:0", 0, "meta, cpu"),
        ("cuda:1", 1, "meta, cpu, cuda:0"),
        ("cuda:9", 2, "meta, cpu, cuda:0, cuda:1"),
    ],
    ids=lambda value: str(value),
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(cards, asked, count, here):
    cards(count)
    message = f"device: got '{asked}', which is not there; allowed on this machine are {here}"
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        resolve_device(asked)


def test_cards_that_torch_cannot_use_are_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("auto") == "cpu"


def test_meta_is_its_type_and_torchs_version_whatever_its_build():
    assert fingerprint("meta") == Device(type="meta", torch=torch.__version__.partition("+")[0])


def test_a_cpu_is_told_from_others_by_its_model_and_the_threads_that_torch_uses(tmp_path):
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nprocessor\t: 1\nmodel name\t: Other\n")
    assert cpu_name(told) == f"Some CPU @ 3 GHz, {torch.get_num_threads()} threads"
    assert fingerprint("cpu") == Device(type="cpu", name=cpu_name(), torch=torch.__version__)


def test_a_cpu_that_does_not_tell_its_model_is_named_by_the_platform(tmp_path):
    assert cpu_name(tmp_path / "missing").endswith(f", {torch.get_num_threads()} threads")


@pytest.fixture
def h200(monkeypatch):
    """Pretend that ``cuda:1`` is an H200."""
    properties = SimpleNamespace(name="NVIDIA H200", major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", {"cuda:1": properties}.__getitem__)
    monkeypatch.setattr(torch.version, "cuda", "12.8")


def test_a_card_is_told_by_name_capability_driver_and_versions(monkeypatch, h200):
    monkeypatch.setattr("pytest_dsocr.measure.device.driver_version", lambda: "570.86.10")
    assert fingerprint("cuda:1") == Device("cuda", "NVIDIA H200", "9.0", "570.86.10", torch.__version__, "12.8")


@pytest.mark.parametrize(
    ("device", "names"),
    [
        (Device("meta"), ("meta",)),
        (Device("cpu"), ("cpu",)),
        (Device("cuda", "NVIDIA GeForce RTX 5090"), ("cuda", "RTX 5090")),
    ],
    ids=["meta", "cpu", "a card"],
)
def test_a_rule_may_mean_a_device_by_its_type_or_its_card(device, names):
    assert device_names(device) == names
