"""The one record of the cost model, and its sum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from .errors import SizeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Cost", "Count", "Matmul", "Op", "OpKind", "total", "under"]

Count: TypeAlias = "int | NDArray[np.int64]"
"""A size or a sum of sizes: a Python int, or an integer array with one entry a point of a sweep."""

OpKind: TypeAlias = Literal["linear", "grouped_linear", "bmm", "conv2d", "attention"]


class Matmul(NamedTuple):
    """The sizes of ``batch`` products of an m x k by a k x n matrix."""

    batch: Count
    m: Count
    n: Count
    k: Count


@dataclass(frozen=True, slots=True)
class Op:
    """One kernel that does matrix work.

    ``name`` is its path inside the layer, spelled as in the implementation's ``named_modules()``, and after it the
    step for what is no module of its own. ``tensor_flops`` counts a multiply-add as 2 and no bias, norm, softmax,
    activation, interpolation or look-up. ``matmul`` holds the sizes that a GEMM library is called with; it is None
    for a fused attention, whose two products never stand in memory.
    """

    name: str
    kind: OpKind
    tensor_flops: Count
    matmul: Matmul | None = None

    def __post_init__(self) -> None:
        """Refuse arrays whose product left int64: it wraps in silence."""
        if self.matmul is not None and hasattr(self.tensor_flops, "dtype"):
            batch, m, n, k = self.matmul
            _refuse_overflow(self.name, 2.0 * batch * m * n * k)


@dataclass(frozen=True, slots=True)
class Cost:
    """What is additive over ops. Counts, not rates; arrays where the sizes were arrays."""

    tensor_flops: Count = 0

    def __add__(self, other: Cost) -> Cost:
        """Field by field."""
        if hasattr(self.tensor_flops, "dtype") or hasattr(other.tensor_flops, "dtype"):
            _refuse_overflow("the sum", 1.0 * self.tensor_flops + other.tensor_flops)
        return Cost(tensor_flops=self.tensor_flops + other.tensor_flops)


def _refuse_overflow(name: str, estimate: Any) -> None:
    if (estimate >= 2.0**63).any():
        msg = f"{name}: {estimate.max():.3g} FLOPs do not fit into int64; price such sizes one by one, as Python ints"
        raise SizeError(msg)


def total(ops: Iterable[Op]) -> Cost:
    """Sum the ops of a layer, a stage or a model."""
    return sum((Cost(tensor_flops=op.tensor_flops) for op in ops), Cost())


def under(module: str, ops: Iterable[Op]) -> Iterator[Op]:
    """Put the ops of a submodule under its name."""
    for op in ops:
        yield replace(op, name=f"{module}.{op.name}")
