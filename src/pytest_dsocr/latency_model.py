"""Predicts the seconds of a layer where this run measures: from a calibration of that machine, or its datasheet."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsocr_cost.device import find_device, load_devices
from dsocr_cost.errors import DeviceError, ProfileError
from dsocr_cost.latency import latency, op_times
from dsocr_cost.profile_json import read_profile

from .errors import NotSupportedError
from .files import shown
from .markers import NO_TIME
from .metrics import Prediction
from .peak import peak_of_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dsocr_cost import Execution, Op
    from dsocr_cost.latency import LaunchName
    from dsocr_cost.profile import Profile
    from dsocr_cost.profile_json import Calibration

    from .case import Case
    from .row import Device

__all__ = ["LatencyModel", "require_same_device"]

_CLOCKS_ABOVE_BOOST = 1.1  # a card may clock higher than its datasheet's peak is for


class LatencyModel:
    """What ``latency_s`` is predicted with; the profile is made when the first layer asks.

    ``device`` names where this run measures, by torch, and ``fingerprint`` says what that is. ``profile`` is the file
    of a calibration, ``devices`` one of datasheets, ``peak_flops_per_s`` takes the place of the datasheet's.
    """

    def __init__(
        self,
        device: Callable[[], str],
        fingerprint: Callable[[str], Device],
        launch: LaunchName | None,
        *,
        profile: Path | None = None,
        devices: Path | None = None,
        peak_flops_per_s: float | None = None,
        cold: bool = True,
    ) -> None:
        self._device = device
        self._fingerprint = fingerprint
        self._launch = launch
        self._file = profile
        self._devices = devices
        self._peak_flops_per_s = peak_flops_per_s
        self._cold = cold

    def predict(self, layer: Any, case: Case, execution: Execution) -> Prediction:
        """Time the ops of a layer at a case, its inputs and weights in memory: the caches are cold.

        Raises:
            NotSupportedError: nothing is known of the speed of this device.
        """
        if self._device() == "meta":
            raise NotSupportedError(NO_TIME)
        if not self._cold:
            msg = "layers are predicted for cold caches, and --dsocr-cache is warm: give a figure, or leave it at cold"
            raise NotSupportedError(msg)
        profile = self.profile
        ops = tuple(layer.ops(**case.sizes, execution=execution))
        launch = self._launch or ("graph" if profile.host.overlaps else "eager")
        made = latency(op_times(ops, profile, execution), profile, launch)
        first = _first_touch(layer, case, execution, profile)
        low, high = float(made.low) + first, float(made.high) + first
        return Prediction(
            float(made.seconds) + first,
            ops,
            band=(low, high),
            source=", ".join((profile.source, launch, *self._other_execution(execution))),
            floor=None if self._file else _floor(ops, profile),
        )

    def _other_execution(self, execution: Execution) -> list[str]:
        """Say of a calibration that it was made otherwise."""
        other = self.calibration.other_than(execution) if self.calibration else []
        return [f"calibrated with {' and '.join(other)}: its band does not hold"] if other else []

    @cached_property
    def calibration(self) -> Calibration | None:
        """The file's content; None without one.

        Raises:
            ProfileError: the file cannot be used.
        """
        return read_profile(shown(self._file)) if self._file is not None else None

    @cached_property
    def profile(self) -> Profile:
        """The machine's speed.

        Raises:
            NotSupportedError: an unknown card, or a CPU without a calibration.
            ProfileError: the file cannot be used, or is that of another device.
        """
        here = self._fingerprint(self._device())
        if self.calibration is not None:
            require_same_device(str(self._file), self.calibration.device, here)
            return self.calibration.profile
        if not self._device().startswith("cuda"):
            msg = f"no datasheet says how fast {here.name} is: calibrate it (dsocr calibrate --device cpu -o FILE), and"
            raise NotSupportedError(f"{msg} give --dsocr-profile FILE")
        from dsocr_cost.architecture import profile_of

        try:
            known = None if self._devices is None else load_devices(self._devices)
            return profile_of(find_device(here.name, known), self._peak_flops_per_s or peak_of_environment())
        except DeviceError as error:
            msg = f"{error}; add it to a file of your own and give --dsocr-devices FILE, or calibrate it"
            raise NotSupportedError(msg) from error


def require_same_device(source: str, calibrated: Any, here: Device) -> None:
    """Refuse a calibration of another device.

    Raises:
        ProfileError: both devices.
    """
    there = calibrated.get("type", ""), calibrated.get("name", "")
    if there != (here.type, here.name):
        got, allowed = (" ".join(filter(None, one)) for one in (there, (here.type, here.name)))
        msg = f"{source}: device: got a calibration of {got}, allowed is one of {allowed}, where this run measures"
        raise ProfileError(msg)


def _first_touch(layer: Any, case: Case, execution: Execution, profile: Profile) -> float:
    """Tell what it takes longer that inputs come from memory, which kernels in a model find in the cache."""
    if not hasattr(layer, "boundary"):
        return 0.0
    machine = profile.machine
    inputs = int(layer.boundary(**case.sizes, execution=execution).inputs)
    in_cache = inputs / (1 + (inputs / machine.cache_bytes) ** 4) if machine.cache_bytes else 0.0
    slower = 1 / machine.bandwidth_bytes_per_s - 1 / machine.cache_bandwidth_bytes_per_s
    return in_cache * max(slower, 0.0)


def _floor(ops: tuple[Op, ...], profile: Profile) -> float:
    """Tell the least that a card can take: its dense peak, at a clock above the datasheet's."""
    peak = max(profile.machine.flops_per_s.values()) * _CLOCKS_ABOVE_BOOST
    return float(sum(int(op.tensor_flops) for op in ops)) / peak
