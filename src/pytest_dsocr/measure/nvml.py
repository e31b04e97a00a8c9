"""What a card's driver says of its clocks. Where NVML is missing or does not answer, there is nothing to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["GpuState", "gpu_state", "state_of"]

THROTTLES = {
    0x08: "hardware slowdown",
    0x20: "thermal slowdown by the driver",
    0x40: "thermal slowdown by the hardware",
    0x80: "power brake",
}
"""Bits of NVML's clock event reasons that make a time worthless; a power cap under full load is not among them."""


@dataclass(frozen=True, slots=True)
class GpuState:
    """The clock of the multiprocessors in MHz, and why the card holds its clocks down; None for what is not told."""

    sm_clock_mhz: int | None = None
    throttled: tuple[str, ...] = ()


def state_of(device: str) -> GpuState:
    """Ask for the clocks of a device by torch's name; a CPU tells none."""
    if not device.startswith("cuda"):
        return GpuState()
    from .device import card_of

    return gpu_state(str(card_of(device).uuid))


def gpu_state(uuid: str) -> GpuState:
    """Ask NVML for a card by its UUID, as torch or NVML writes it."""
    try:
        import pynvml
    except ImportError:
        return GpuState()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return GpuState()
    try:
        return _state(pynvml, uuid)
    except pynvml.NVMLError:
        return GpuState()
    finally:
        pynvml.nvmlShutdown()


def _state(pynvml: Any, uuid: str) -> GpuState:
    """Read what this card tells: a virtual one has no clocks, and an old driver knows the reasons by an old name."""

    def told(name: str, *arguments: Any) -> int | None:
        try:
            return int(getattr(pynvml, name)(handle, *arguments))
        except (AttributeError, pynvml.NVMLError):
            return None

    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}")
    clock = told("nvmlDeviceGetClockInfo", pynvml.NVML_CLOCK_SM)
    reasons = (told(f"nvmlDeviceGetCurrentClocks{name}Reasons") for name in ("Event", "Throttle"))
    bits = next((one for one in reasons if one is not None), 0)
    return GpuState(clock, tuple(name for bit, name in THROTTLES.items() if bits & bit))
