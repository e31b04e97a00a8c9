"""A machine's speed: its figures, how near kernels come to them, where those were measured, what its host takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .efficiency import KernelClass, KernelModel, Limits, Machine, kernel_class, limits
from .errors import ProfileError
from .interpolation import Interpolation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .op import Op

__all__ = ["Host", "OpTime", "Profile", "Sample", "Site", "features", "site_key", "work"]

_MOST = 0.5
_FARTHEST = math.log(1e9)  # between samples, as of a sample itself: a sum of steep cones is no time
_FUSED = {"attention", "biased_attention"}


@dataclass(frozen=True, slots=True)
class Host:
    """What Python and the driver take.

    ``dispatch_s`` is the host's time for one launch, with the views and the module calls around it; ``latency_s`` what
    passes from there to the kernel's start. ``overlaps``: the device runs while the host goes on, as a GPU does; a CPU
    is both, so its times add up. ``error`` is the relative error of both.
    """

    dispatch_s: float
    latency_s: float
    overlaps: bool
    error: float


class Sample(NamedTuple):
    """A measured op: what it does, its median time, and that over what its class's formula says."""

    tensor_flops: int
    weight_bytes: int
    moved_bytes: int
    seconds: float
    ratio: float


@dataclass(frozen=True)
class Site:
    """One place in the model where kernels were measured, at several sizes.

    ``error`` is the relative error to be expected between those: the repeatability of the measurement and, where it is
    wider, what each sample is off if the others alone predict it.
    """

    samples: tuple[Sample, ...]
    error: float

    @cached_property
    def log_ratio(self) -> Interpolation:
        """The logarithm of measured over formula, between the samples."""
        return Interpolation.through((features(*sample[:3]), math.log(sample.ratio)) for sample in self.samples)


@dataclass(frozen=True, slots=True)
class OpTime:
    """The time of one op; arrays where its sizes are arrays.

    ``seconds`` of the kernel, 0 where it is not launched; ``error`` relative; ``measured`` says whether its site was
    calibrated. ``bound`` names what takes longest: ``compute``, ``memory``, or the ``fixed`` time of a small kernel.
    """

    op: Op
    seconds: Any
    error: float
    measured: bool
    bound: Any


@dataclass(frozen=True)
class Profile:
    """A machine's speed. ``source`` says where it comes from: a calibration, or a datasheet and an architecture."""

    machine: Machine
    models: Mapping[KernelClass, KernelModel]
    host: Host
    source: str
    sites: Mapping[str, Site] = field(default_factory=dict)

    def time(self, op: Op, item_bytes: int) -> OpTime:
        """Predict one op in isolation, its weights in memory; ``item_bytes`` are those of the model's dtype.

        Raises:
            ProfileError: nothing like it was calibrated. The message says what to do.
        """
        kind = kernel_class(op)
        if kind not in self.models:
            raise ProfileError(f"{self.source}: models: has no {kind}, which {op.site} is; {_remedy(kind)}")
        model = self.models[kind]
        seconds = model.seconds(op, self.machine, item_bytes)
        bound = _bound(limits(op, self.machine, item_bytes), model.fixed_s > seconds * _MOST)
        site = self.sites.get(site_key(op))
        if site is not None:
            seconds = seconds * np.exp(np.clip(site.log_ratio.at(features(*work(op))), -_FARTHEST, _FARTHEST))
        error = model.error if site is None else site.error
        return OpTime(op, seconds * op.launches, error, site is not None, bound)


def site_key(op: Op) -> str:
    """Name the place of an op and, for a linear, its weight: ``llama.LlamaAttention.q_proj 1280x1280``."""
    if op.matmul is None or op.kind == "bmm":
        return op.site
    return f"{op.site} {op.matmul.n}x{op.matmul.k}"


def features(tensor_flops: Any, weight_bytes: Any, moved_bytes: Any) -> tuple[Any, Any, Any]:
    """Say where among all sizes an op stands: the logarithms of its work, its weights and its traffic."""
    logs = (np.log(np.maximum(one, 1)) for one in (tensor_flops, weight_bytes, moved_bytes))
    return next(logs), next(logs), next(logs)


def work(op: Op) -> tuple[Any, Any, Any]:
    """Tell an op's size: tensor FLOPs, bytes of weights, other bytes."""
    return op.tensor_flops, op.weight_bytes, op.read_bytes + op.write_bytes


def _remedy(kind: KernelClass) -> str:
    """Say how a profile comes to have a class of kernels."""
    if kind in _FUSED:
        return "eager attention has none: calibrate with --attention sdpa or flash, or predict --attention eager"
    return "every calibration of this model has it: calibrate anew"


def _bound(at_best: Limits, small: Any) -> Any:
    """Name what takes longest; of a ``small`` kernel, most of whose time is the least one, neither does."""
    return np.select([small, at_best.compute_s > at_best.memory_s], ["fixed", "compute"], "memory")
