"""Calibrates a device of this machine, by the name that people give it, on the modules of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..errors import MeasurementError
from ..measure.device import resolve_device
from ..reference.transformers import TransformersReference
from . import calibration

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsocr_cost import DeepseekOCRConfig, Execution
    from dsocr_cost.profile_json import Calibration

__all__ = ["calibrate_here"]


def calibrate_here(
    device: str, config: DeepseekOCRConfig, execution: Execution, *, runs: int, tell: Callable[[str], None]
) -> Calibration:
    """Measure ``cpu``, ``cuda`` (its first card) or ``cuda:N``.

    Raises:
        MeasurementError: the device is in use, has too little memory, or runs other kernels than are predicted.
        NotSupportedError: a module that cannot run there.
        OptionError: a device that is not there.
    """
    place = resolve_device(device)
    try:
        return calibration.calibrate(place, config, execution, TransformersReference(), tell=tell, runs=runs)
    except torch.OutOfMemoryError as error:
        msg = f"device: {place} has too little memory free: {str(error).partition('. ')[0]}"
        raise MeasurementError(msg) from error
