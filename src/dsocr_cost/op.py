"""The one record of the cost model, and its sum."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from .int64 import refuse_beyond_int64

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MATRIX_WORK", "Cost", "Count", "Matmul", "Op", "OpKind", "total", "under"]

Count: TypeAlias = "int | NDArray[np.int64]"
"""A size or a sum of sizes, as a Python int or as an integer array with one entry a point of a sweep."""

OpKind: TypeAlias = Literal[
    "linear", "grouped_linear", "bmm", "conv2d", "attention", "pointwise", "reduction", "copy", "lookup", "fill"
]

MATRIX_WORK: frozenset[OpKind] = frozenset({"linear", "grouped_linear", "bmm", "conv2d", "attention"})
"""The kinds that run on tensor cores."""


class Matmul(NamedTuple):
    """The sizes of ``batch`` products of an m x k by a k x n matrix."""

    batch: Count
    m: Count
    n: Count
    k: Count


@dataclass(frozen=True, slots=True)
class Op:
    """One kernel that the implementation launches; ``launches`` 0 where the sizes at hand make it needless.

    ``name`` is its path inside the layer, spelled as in the implementation's ``named_modules()``, and after it the
    step for what is no module of its own. ``tensor_flops`` counts a multiply-add as 2 and no bias, norm, softmax,
    activation, interpolation or look-up; ``cuda_flops`` one FLOP an output element of pointwise arithmetic and one an
    input element of a reduction. ``read_bytes``, ``weight_bytes`` (read too, from parameters) and ``write_bytes`` are
    those of its tensors, as stored, each once. ``matmul`` holds the sizes that a GEMM library is called with; it is
    None for a fused attention, whose two products never stand in memory: ``scores`` holds the sizes of the first,
    batch * heads matrices of q_len x head_dim by head_dim x kv_len. ``site`` is where in the model it stands: the
    innermost layer and its name in there (``decoder.DeepseekV2MLP.act_fn``), whichever module holds that layer.
    """

    name: str
    kind: OpKind
    tensor_flops: Count = 0
    cuda_flops: Count = 0
    read_bytes: Count = 0
    weight_bytes: Count = 0
    write_bytes: Count = 0
    launches: Count = 1
    matmul: Matmul | None = None
    scores: Matmul | None = None
    site: str = ""

    def __post_init__(self) -> None:
        """Refuse arrays whose product left int64: it wraps in silence."""
        if self.matmul is not None and hasattr(self.tensor_flops, "dtype"):
            batch, m, n, k = self.matmul
            refuse_beyond_int64(self.name, 2.0 * batch * m * n * k)

    @property
    def io_bytes(self) -> Count:
        """All that it reads and writes."""
        return self.read_bytes + self.weight_bytes + self.write_bytes

    def times(self, count: Count) -> Op:
        """Launch it ``count`` times: 0 where it is not needed, an array where that depends on the point."""
        counts = {field.name: getattr(self, field.name) * count for field in fields(Cost) if field.name != "io_bytes"}
        moved = {name: getattr(self, name) * count for name in ("read_bytes", "weight_bytes", "write_bytes")}
        return replace(self, **counts, **moved)


@dataclass(frozen=True, slots=True)
class Cost:
    """What is additive over ops. Counts, not rates; arrays where the sizes were arrays."""

    tensor_flops: Count = 0
    cuda_flops: Count = 0
    io_bytes: Count = 0
    launches: Count = 0

    def __add__(self, other: Cost) -> Cost:
        """Field by field."""
        return Cost(
            **{field.name: _add(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        )


def _add(left: Any, right: Any) -> Any:
    if hasattr(left, "dtype") or hasattr(right, "dtype"):
        refuse_beyond_int64("the sum", 1.0 * left + right)
    return left + right


def total(ops: Iterable[Op]) -> Cost:
    """Sum the ops of a layer, a stage or a model."""
    return sum((Cost(op.tensor_flops, op.cuda_flops, op.io_bytes, op.launches) for op in ops), Cost())


def under(module: str, ops: Iterable[Op]) -> Iterator[Op]:
    """Put the ops of a submodule under its name."""
    for op in ops:
        yield replace(op, name=f"{module}.{op.name}")
