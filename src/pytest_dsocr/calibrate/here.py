"""Calibrates a device of this machine, by the name that people give it, on the modules of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..errors import MeasurementError
from ..measure.device import resolve_device
from ..reference.transformers import TransformersReference
from . import calibration
from .plan import calibration_points, page_points

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsocr_cost import DeepseekOCRConfig, Execution, Workload
    from dsocr_cost.profile_json import Calibration

__all__ = ["calibrate_here"]


def calibrate_here(
    device: str,
    config: DeepseekOCRConfig,
    execution: Execution,
    *,
    pages: Sequence[Workload] = (),
    runs: int,
    tell: Callable[[str], None],
) -> Calibration:
    """Measure ``cpu``, ``cuda`` (its first card) or ``cuda:N``, at the usual sizes and at those of ``pages``.

    Raises:
        MeasurementError: the device is in use, has too little memory, or runs other kernels than are predicted.
        NotSupportedError: a module that cannot run there.
        OptionError: a device that is not there.
    """
    place = resolve_device(device)
    points = [*calibration_points(config), *page_points(config, pages)]
    try:
        return calibration.calibrate(
            place, config, execution, TransformersReference(keep=True), tell=tell, runs=runs, points=points
        )
    except torch.OutOfMemoryError as error:
        msg = f"device: {place} has too little memory free: {str(error).partition('. ')[0]}"
        raise MeasurementError(msg) from error
