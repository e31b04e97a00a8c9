"""What the driver says of a card's clocks, and that it need not say anything."""

import sys
from types import SimpleNamespace

import pytest

from pytest_dsocr.measure.nvml import GpuState, gpu_state


class NVMLError(Exception):
    """Stands for pynvml's."""


def fails(*arguments):
    raise NVMLError


@pytest.fixture
def driver(monkeypatch):
    """Put a driver in NVML's place that answers as given; without, it runs at 2,400 MHz for no reason to slow down."""

    def put(**given):
        asked = []
        answers = {
            "NVMLError": NVMLError,
            "NVML_CLOCK_SM": 1,
            "nvmlInit": lambda: None,
            "nvmlShutdown": lambda: asked.append("shutdown"),
            "nvmlDeviceGetHandleByUUID": lambda uuid: asked.append(uuid),
            "nvmlDeviceGetClockInfo": lambda handle, kind: 2400,
            "nvmlDeviceGetCurrentClocksEventReasons": lambda handle: 0,
            "nvmlDeviceGetCurrentClocksThrottleReasons": lambda handle: 0,
            **given,
        }
        monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(**{k: v for k, v in answers.items() if v}))
        return asked

    return put


@pytest.mark.parametrize("uuid", ["1234-ab", "GPU-1234-ab"], ids=["as torch writes it", "as NVML does"])
def test_a_card_is_asked_by_its_uuid(driver, uuid):
    asked = driver()
    assert gpu_state(uuid) == GpuState(2400)
    assert asked == ["GPU-1234-ab", "shutdown"]


@pytest.mark.parametrize(
    ("bits", "throttled"),
    [
        pytest.param(0x1, (), id="idle"),
        pytest.param(0x4, (), id="at its power cap, as under every full load"),
        pytest.param(0x8, ("hardware slowdown",), id="hardware slowdown"),
        pytest.param(0x20 | 0x4, ("thermal slowdown by the driver",), id="too hot for the driver"),
        pytest.param(0x40, ("thermal slowdown by the hardware",), id="too hot for the hardware"),
        pytest.param(0x80 | 0x8, ("hardware slowdown", "power brake"), id="power brake"),
    ],
)
def test_a_card_that_is_held_back_says_why(driver, bits, throttled):
    driver(nvmlDeviceGetCurrentClocksEventReasons=lambda handle: bits)
    assert gpu_state("1").throttled == throttled


@pytest.mark.parametrize("event_reasons", [fails, None], ids=["the driver is old", "the package is old"])
def test_the_old_name_of_the_reasons_is_asked_too(driver, event_reasons):
    driver(
        nvmlDeviceGetCurrentClocksEventReasons=event_reasons,
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda handle: 0x80,
    )
    assert gpu_state("1").throttled == ("power brake",)


@pytest.mark.parametrize("what", ["nvmlInit", "nvmlDeviceGetHandleByUUID"], ids=["no driver", "no such card"])
def test_a_driver_that_does_not_answer_is_no_error(driver, what):
    driver(**{what: fails})
    assert gpu_state("1") == GpuState()


def test_a_virtual_card_that_tells_no_clock_tells_its_reasons(driver):
    driver(nvmlDeviceGetClockInfo=fails, nvmlDeviceGetCurrentClocksEventReasons=lambda handle: 0x8)
    assert gpu_state("1") == GpuState(None, ("hardware slowdown",))


def test_no_nvml_is_no_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu_state("1") == GpuState()
