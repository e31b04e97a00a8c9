"""Turns timed kernels into what a profile holds: an efficiency a class, samples a site, what the host takes."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from dsocr_cost.efficiency import TILED_CLASSES, kernel_class, limits
from dsocr_cost.interpolation import Interpolation
from dsocr_cost.profile import Host, Sample, Site, features, site_key, work

from .fit import fit_smooth
from .fit_tiles import fit_gemm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dsocr_cost.efficiency import KernelClass, KernelModel, Machine

    from .kernels import Kernel, TimedRun

__all__ = ["host", "models", "sites", "spread"]

_SMALL_S = 0.5e-3  # runs in which the host's share can be told from the kernels'
_FEWEST_KERNELS = 5  # of fewer, what the module itself takes is not shared out
_FEW_RUNS, _FEW_RUNS_ERROR = 3, 0.5
_HOST_BOUND = 1.5
_SHARE = 0.9


def models(kernels: Iterable[Kernel], machine: Machine, item_bytes: int) -> dict[KernelClass, KernelModel]:
    """Fit each class to its kernels; where a machine has multiprocessors, matmuls as tiles over those."""
    by_class = defaultdict["KernelClass", list["Kernel"]](list)
    for kernel in kernels:
        by_class[kernel_class(kernel.op)].append(kernel)
    made: dict[KernelClass, KernelModel] = {}
    for kind, members in by_class.items():
        ops, seconds = [kernel.op for kernel in members], [kernel.median for kernel in members]
        if machine.sms > 1 and kind in TILED_CLASSES:
            made[kind] = fit_gemm(ops, seconds, machine, item_bytes)
        else:
            made[kind] = fit_smooth([limits(op, machine, item_bytes) for op in ops], seconds)
    return made


def sites(
    kernels: Iterable[Kernel], machine: Machine, classes: Mapping[KernelClass, KernelModel], item_bytes: int
) -> dict[str, Site]:
    """Gather the kernels of each place in the model, as what the formula of their class leaves over."""
    by_site = defaultdict[str, dict[tuple[int, int, int], list["Kernel"]]](lambda: defaultdict(list))
    for kernel in kernels:
        flops, weights, moved = work(kernel.op)
        by_site[site_key(kernel.op)][int(flops), int(weights), int(moved)].append(kernel)
    made = {}
    for key, by_size in by_site.items():
        samples = []
        for size, same in by_size.items():
            seconds = statistics.median(second for kernel in same for second in kernel.seconds)
            formula = float(classes[kernel_class(same[0].op)].seconds(same[0].op, machine, item_bytes))
            samples.append(Sample(*size, seconds, seconds / formula))
        noise = statistics.median(spread(kernel.seconds) for same in by_size.values() for kernel in same)
        made[key] = Site(tuple(samples), max(noise, _between_samples(samples)))
    return made


def host(runs: Iterable[TimedRun], *, overlaps: bool) -> Host:
    """Tell what the host takes for a launch, the middle of what runs say; ``runs`` are of one pass each.

    On a CPU, from short runs: their time less that of their kernels. On a card, from runs that wait for the host: those
    that take far longer than their kernels. Without such runs it takes nothing, with an error of all of it.
    """
    shares = []
    for run in runs:
        if not run.elapsed:
            continue
        elapsed, kernels = statistics.median(run.elapsed), sum(kernel.median for kernel in run.kernels)
        if overlaps and elapsed > _HOST_BOUND * kernels:
            shares.append(elapsed / len(run.kernels))
        elif not overlaps and elapsed < _SMALL_S and len(run.kernels) >= _FEWEST_KERNELS:
            shares.append((elapsed - kernels) / len(run.kernels))
    dispatch = max(statistics.median(shares), 0.0) if shares else 0.0
    error = float(np.quantile([abs(one - dispatch) for one in shares], _SHARE)) / dispatch if dispatch else 1.0
    error = max(error, _FEW_RUNS_ERROR) if len(shares) < _FEW_RUNS else error
    return Host(dispatch, 0.0, overlaps=overlaps, error=error)


def spread(seconds: Sequence[float]) -> float:
    """Half the distance between the quartiles, over the median."""
    low, middle, high = np.quantile(seconds, (0.25, 0.5, 0.75))
    return float((high - low) / 2 / middle) if middle else 0.0


def _between_samples(samples: Sequence[Sample]) -> float:
    """Predict each sample from the others, and say how far nine of ten are off at most."""
    if len(samples) < 3:
        return 0.0
    off = []
    for sample in samples:
        others = ((features(*one[:3]), math.log(one.ratio)) for one in samples if one is not sample)
        off.append(
            abs(math.expm1(float(Interpolation.through(others).at(features(*sample[:3]))) - math.log(sample.ratio)))
        )
    return float(np.quantile(off, _SHARE))
