"""How near kernels come to what a machine can do: what a model of them is, and the one smooth form for most of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

import numpy as np

from .op import MATRIX_WORK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .op import Op

__all__ = [
    "CLASSES",
    "TILED_CLASSES",
    "KernelClass",
    "KernelModel",
    "Limits",
    "Machine",
    "Smooth",
    "item_bytes_of",
    "joined",
    "kernel_class",
    "limits",
]

KernelClass: TypeAlias = Literal["gemm", "grouped_gemm", "convolution", "attention", "biased_attention", "elementwise"]
"""Kernels that one model describes."""

CLASSES: tuple[KernelClass, ...] = get_args(KernelClass)

TILED_CLASSES: frozenset[KernelClass] = frozenset({"gemm", "grouped_gemm", "convolution"})
"""Those that are matmuls, whose output a card makes tile by tile."""

_OF_KIND: dict[str, KernelClass] = {
    "linear": "gemm",
    "bmm": "gemm",
    "grouped_linear": "grouped_gemm",
    "conv2d": "convolution",
    "attention": "attention",
}
_BIASED = "vision.Attention."  # SAM's, which adds relative positions


@dataclass(frozen=True, slots=True)
class Machine:
    """What a device can do at most, as far as time is concerned.

    ``flops_per_s`` is the dense peak by the bytes of an input element (2: bfloat16 and float16, 4: float32), on a
    multiply-add as 2 FLOPs. ``cache_bytes`` is its last-level cache; what fits there moves at
    ``cache_bandwidth_bytes_per_s``, the rest at ``bandwidth_bytes_per_s``. ``sms`` share out the tiles of a matmul; 1
    where there is no such thing.
    """

    name: str
    flops_per_s: Mapping[int, float]
    bandwidth_bytes_per_s: float
    cache_bytes: int
    cache_bandwidth_bytes_per_s: float
    sms: int = 1


class KernelModel(Protocol):
    """Says how long kernels of one class take, each in isolation, its weights in memory.

    ``error`` is the relative error that nine of ten of the kernels stay under that it was fitted to.
    """

    @property
    def error(self) -> float:
        """Relative."""
        ...

    @property
    def fixed_s(self) -> float:
        """What the smallest takes."""
        ...

    def seconds(self, op: Op, machine: Machine, item_bytes: int) -> Any:
        """Time one launch; an array where the op's sizes are. ``item_bytes`` are those of the model's dtype."""
        ...


@dataclass(frozen=True, slots=True)
class Smooth:
    """``fixed + (compute ** p + memory ** p) ** (1 / p)``.

    ``fixed_s`` is what the smallest takes; ``compute`` and ``bandwidth`` are shares of the machine's figures;
    ``sharpness`` is p, how well the two overlap: 1 is one after the other, infinity is the roofline.
    """

    fixed_s: float
    compute: float
    bandwidth: float
    sharpness: float
    error: float

    def seconds(self, op: Op, machine: Machine, item_bytes: int) -> Any:
        """Time one launch."""
        return self.at(limits(op, machine, item_bytes))

    def at(self, limits: Limits) -> Any:
        """Join what compute and memory would take at the machine's own figures."""
        parts = limits.compute_s / self.compute, limits.memory_s / self.bandwidth
        return self.fixed_s + joined(self.sharpness, *parts)


def joined(sharpness: float, *parts: Any) -> Any:
    """Take ``(a ** p + b ** p + ...) ** (1 / p)``, in a form that no power overflows."""
    most = np.maximum.reduce(np.broadcast_arrays(*parts)).astype(np.float64)
    scale = np.where(most > 0, most, 1.0)
    return scale * sum((part / scale) ** sharpness for part in parts) ** (1 / sharpness)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an op takes at a machine's own figures: its matrix work, and its traffic."""

    compute_s: Any
    memory_s: Any


def limits(op: Op, machine: Machine, item_bytes: int) -> Limits:
    """Take an op at the peak and the bandwidth of a machine.

    Weights come from memory; what else goes in and out, from the cache as far as it holds that.
    """
    compute: Any = 0.0
    if op.kind in MATRIX_WORK:
        compute = op.tensor_flops / machine.flops_per_s[item_bytes_of(op, item_bytes)]
    moved = np.asarray(op.read_bytes + op.write_bytes, dtype=np.float64)
    cached = 1 / (1 + (moved / machine.cache_bytes) ** 4) if machine.cache_bytes else 0.0
    per_byte = cached / machine.cache_bandwidth_bytes_per_s + (1 - cached) / machine.bandwidth_bytes_per_s
    return Limits(compute, op.weight_bytes / machine.bandwidth_bytes_per_s + moved * per_byte)


def kernel_class(op: Op) -> KernelClass:
    """Say which model describes an op."""
    if op.kind == "attention" and op.site.startswith(_BIASED):
        return "biased_attention"
    return _OF_KIND.get(op.kind, "elementwise")


def item_bytes_of(op: Op, otherwise: int) -> int:
    """Say how many bytes an element has that a matmul computes with: of its output, which is stored."""
    if op.matmul is None:
        return otherwise
    elements = op.matmul.batch * op.matmul.m * op.matmul.n
    return int(np.max(op.write_bytes // np.maximum(elements, 1), initial=0)) or otherwise
