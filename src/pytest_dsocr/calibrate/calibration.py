"""One calibration: a few minutes of kernels, and the profile that they make."""

from __future__ import annotations

import platform
import statistics
import time
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING

import torch

from dsocr_cost.architecture import machine_of
from dsocr_cost.device import find_device
from dsocr_cost.errors import DeviceError
from dsocr_cost.execution import ITEM_BYTES
from dsocr_cost.profile import Profile
from dsocr_cost.profile_json import Calibration
from dsocr_cost.report import seconds_text

from ..measure.allocator import keep_freed_memory
from ..measure.cache import evictor, last_level_bytes
from ..measure.contention import others_share, usage
from ..measure.device import fingerprint
from ..measure.lock import lock_key, one_at_a_time
from ..measure.nvml import state_of
from .kernels import pooled, time_kernels
from .machine import measure_machine, ramp
from .plan import calibration_points
from .sites import host, models, sites, spread
from .stopwatch import CudaStopwatch, WallStopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from dsocr_cost import DeepseekOCRConfig, Execution
    from dsocr_cost.efficiency import Machine

    from ..reference.reference import Reference
    from .kernels import TimedRun
    from .machine import Ramp
    from .plan import Point
    from .stopwatch import Stopwatch

__all__ = ["calibrate"]

_RUNS, _PASSES = 3, 4
_LOCK_TIMEOUT_S = 60.0


def calibrate(
    device: str,
    config: DeepseekOCRConfig,
    execution: Execution,
    reference: Reference,
    *,
    tell: Callable[[str], None] = lambda text: None,
    runs: int = _RUNS,
    points: Sequence[Point] | None = None,
    stopwatch: Stopwatch | None = None,
    lock_folder: Path | None = None,
) -> Calibration:
    """Measure a machine's figures and the kernels of this model on it, and fit what a prediction needs.

    ``device`` is ``cpu`` or ``cuda:N``; nothing else measures on it meanwhile. There are four passes over ``points``,
    so that what disturbs the machine for a while does not stay: in each, a point runs ``runs`` times with marks around
    its kernels, and as often without, a long one less often; ``tell`` hears of it. Without ``points`` they are those of
    :func:`~pytest_dsocr.calibrate.plan.calibration_points`.

    Raises:
        MeasurementError: the device is in use, or a module launched other kernels than are predicted.
        NotSupportedError: a module that cannot run there.
    """
    began, before = time.perf_counter(), usage()
    points = points if points is not None else [*calibration_points(config)]
    stopwatch = stopwatch or (CudaStopwatch(device) if device.startswith("cuda") else WallStopwatch())
    with one_at_a_time(lock_key(device), timeout_s=_LOCK_TIMEOUT_S, folder=lock_folder):
        if device == "cpu":
            keep_freed_memory()
        clocks = state_of(device)
        machine, climbed = _machine(device, stopwatch)
        tell(f"{machine.name}: {_figures(machine)}")
        passes = [[*_timed(device, execution, reference, stopwatch, runs, points, tell)] for _ in range(_PASSES)]
        after = state_of(device)
    kernels = [kernel for same in zip(*passes, strict=True) for kernel in pooled(same)]
    item_bytes = ITEM_BYTES[execution.dtype]
    classes = models(kernels, machine, item_bytes)
    overlaps = device.startswith("cuda")
    profile = Profile(
        machine,
        classes,
        host(chain(*passes), overlaps=overlaps),
        f"calibrated on {machine.name}",
        sites(kernels, machine, classes, item_bytes),
    )
    measured = {
        "seconds": time.perf_counter() - began,
        "runs": runs,
        "passes": _PASSES,
        "points": [str(point.case) for point in points],
        "kernels": len(kernels),
        "repeatability": statistics.median(spread(kernel.seconds) for kernel in kernels),
        "contention": others_share(before, usage(), torch.get_num_threads()),
        "sm_clock_mhz": [clocks.sm_clock_mhz, after.sm_clock_mhz],
        "throttled": list(dict.fromkeys((*clocks.throttled, *after.throttled))),
        "ramp": {"moved_bytes": list(climbed.moved_bytes), "bytes_per_s": list(climbed.bytes_per_s)},
        "execution": asdict(execution),
    }
    return Calibration(profile, asdict(fingerprint(device)), _environment(), measured)


def _machine(device: str, stopwatch: Stopwatch) -> tuple[Machine, Ramp]:
    """Take the datasheet of a known card, and measure what it does not say, or all."""
    cache = last_level_bytes(device)
    name = fingerprint(device).name
    if device.startswith("cuda"):
        try:
            card = find_device(name)
        except DeviceError:
            return measure_machine(name, device, cache, stopwatch)
        climbed = ramp(device, cache, stopwatch)
        return machine_of(card, max(*climbed.bytes_per_s, card.bandwidth_bytes_per_s or 0.0)), climbed
    return measure_machine(name, device, cache, stopwatch)


def _timed(
    device: str,
    execution: Execution,
    reference: Reference,
    stopwatch: Stopwatch,
    runs: int,
    points: Sequence[Point],
    tell: Callable[[str], None],
) -> Iterator[TimedRun]:
    evict = evictor("cold", device)
    wait: Callable[[], None] = (lambda: torch.cuda.synchronize(device)) if device.startswith("cuda") else lambda: None
    for point in points:
        subject = reference.subject(
            point.part, point.case, device=device, dtype=execution.dtype, attention=execution.attention
        )
        ops = tuple(point.part.ops(**point.case.sizes, execution=subject.execution or execution))
        run = time_kernels(subject, ops, stopwatch, evict, runs=runs, wait=wait)
        tell(f"{point.case}: {_summary(run)}")
        yield run


def _summary(run: TimedRun) -> str:
    total = sum(kernel.median for kernel in run.kernels)
    beside = f", {seconds_text(statistics.median(run.elapsed))} with the host" if run.elapsed else ""
    return f"{seconds_text(total)} in {len(run.kernels)} kernels{beside}"


def _figures(machine: Machine) -> str:
    peaks = ", ".join(f"{peak / 1e9:,.0f} GFLOP/s in {8 * size} bits" for size, peak in machine.flops_per_s.items())
    memory, cache = machine.bandwidth_bytes_per_s / 1e9, machine.cache_bandwidth_bytes_per_s / 1e9
    return f"{peaks}, {memory:.1f} GB/s from memory, {cache:.1f} GB/s in {machine.cache_bytes / 2**20:.0f} MiB of cache"


def _environment() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "transformers", "numpy", "pytest-dsocr")
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "threads": str(torch.get_num_threads()),
        **{name: version(name) for name in packages},
    }
