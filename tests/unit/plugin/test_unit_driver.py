"""The driver's version is part of a card's fingerprint: asked of three, who write it alike, and never guessed."""

import subprocess
from types import SimpleNamespace

import pynvml
import pytest

from pytest_dsocr import Device, MeasurementError
from pytest_dsocr.baseline_run import check_identity
from pytest_dsocr.measure import driver

CARD = Device("cuda", "NVIDIA H200", "9.0", "", "2.13.0", "12.8")
CLOSED = """NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.10  Fri Jan 10 05:10:32 UTC 2025
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@U22-I3)\n"


@pytest.fixture(autouse=True)
def _nobody_was_asked_before():
    driver.driver_version.cache_clear()
    yield
    driver.driver_version.cache_clear()


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Let NVML, the kernel's module and nvidia-smi tell a version each, or fail where it is None; count the asked."""

    def make(nvml, module, tool):
        asked = []

        def library():
            asked.append("NVML")
            if nvml is None:
                raise pynvml.NVMLError_Unknown
            return nvml

        def run(*_, **__):
            asked.append("nvidia-smi")
            if tool is None:
                raise subprocess.TimeoutExpired("nvidia-smi", 10)
            return SimpleNamespace(stdout=f"{tool}\n{tool}\n")

        path = tmp_path / "version"
        if module is not None:
            path.write_text(module, encoding="utf-8")
        for name in ("nvmlInit", "nvmlShutdown"):
            monkeypatch.setattr(pynvml, name, lambda: None)
        monkeypatch.setattr(pynvml, "nvmlSystemGetDriverVersion", library)
        monkeypatch.setattr(driver.subprocess, "run", run)
        monkeypatch.setattr(driver.kernel_module_version, "__defaults__", (path,))
        return asked

    return make


@pytest.mark.parametrize(
    ("answers", "version"),
    [
        pytest.param(("570.86.10", None, None), "570.86.10", id="NVML"),
        pytest.param((None, CLOSED, None), "570.86.10", id="the kernel's module"),
        pytest.param((None, OPEN, None), "580.95.05", id="the open one"),
        pytest.param((None, None, "570.86.10"), "570.86.10", id="nvidia-smi"),
        pytest.param((None, "another text\n", "570.86.10"), "570.86.10", id="a file of another kind"),
        pytest.param((None, None, None), "", id="nobody"),
    ],
)
def test_whoever_knows_the_version_tells_it(told, answers, version):
    told(*answers)
    assert driver.driver_version() == version


def test_a_tool_that_fails_later_changes_no_fingerprint(told):
    """As it did when nvidia-smi alone was asked, each time."""
    asked = told("570.86.10", CLOSED, "570.86.10")
    assert driver.driver_version() == "570.86.10"
    told(None, None, None)
    assert driver.driver_version() == "570.86.10"
    assert asked == ["NVML"]


def test_a_card_without_a_known_driver_is_held_against_no_baseline():
    with pytest.raises(MeasurementError, match=r"^baseline: cuda NVIDIA H200, .*: the version of its driver cannot be"):
        check_identity(CARD)


@pytest.mark.parametrize(
    "device",
    [
        Device("meta", torch="2.13.0"),
        Device("cpu", "A CPU, 2 threads", torch="2.13.0"),
        Device("cuda", "NVIDIA H200", "9.0", "570.86.10", "2.13.0", "12.8"),
        Device("cuda", "AMD Instinct MI300X", "9.4", "", "2.13.0+rocm6.4", ""),
    ],
    ids=["meta", "a CPU", "a card with its driver", "a card of ROCm, which has no such driver"],
)
def test_any_other_device_is_known_by_what_it_tells(device):
    check_identity(device)
