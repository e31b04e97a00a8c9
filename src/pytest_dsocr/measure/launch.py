"""What one kernel moves, and what work it does that is no matrix work: decision 5, op by op."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch

from .op_kinds import Kind
from .tensors import storage_key, stored_bytes, tensors_in
from .touched import elements_written

if TYPE_CHECKING:
    from .op_kinds import Op

__all__ = [
    "Launch",
    "Ran",
    "Touched",
    "bytes_read",
    "bytes_written",
    "cuda_flops",
    "is_launch",
]

Touched: TypeAlias = Callable[[int, int], int]
"""Says how many of so many experts get one of so many rows, where the data cannot."""

_GROUPED = {"_grouped_mm", "grouped_mm_fallback"}
_MAY_ADD = {"index_put_", "_index_put_impl_", "put_"}
_TAKES_OF_VALUES = {"scatter_", "scatter_add_", "scatter_reduce_", "masked_scatter_"}
_NO_WORK = {Kind.VIEW, Kind.ALLOCATION, Kind.FILL, Kind.MOVE, Kind.LOOKUP, Kind.MATRIX}


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel as it ran."""

    name: str
    module: str
    shapes: tuple[tuple[int, ...], ...]
    cuda_flops: int
    read_bytes: int
    write_bytes: int

    @property
    def io_bytes(self) -> int:
        """All that it moves."""
        return self.read_bytes + self.write_bytes


class Ran(NamedTuple):
    """An op as it ran: the tensors that it was given to read, and those that it made or changed.

    ``elements`` is how many it writes of one that it puts values into; None of an op that writes all.
    """

    op: Op
    args: tuple[Any, ...]
    given: list[torch.Tensor]
    made: list[torch.Tensor]
    elements: int | None

    @classmethod
    def of(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Ran:
        """Sort the tensors of a call."""
        named = [one for name, one in kwargs.items() if name not in op.outs] if op.outs else kwargs.values()
        changed = op.written(args, kwargs) if op.writes and not op.returns_them else ()
        given, made = [*tensors_in(args), *tensors_in(named)], [*tensors_in((out, changed))]
        return cls(op, args, given, made, elements_written(op.name, args))


def is_launch(ran: Ran) -> bool:
    """Tell whether a kernel ran: an op that makes or changes tensors, and neither allocates nor only looks at them."""
    if ran.op.kind is Kind.VIEW or ran.op.kind is Kind.ALLOCATION or not ran.made:
        return False
    if ran.op.writes:
        return True
    there = {storage_key(tensor) for tensor in ran.given}
    return any(storage_key(tensor) not in there for tensor in ran.made)


def bytes_read(ran: Ran, touched: Touched | None) -> list[int]:
    """Count what is read of each tensor that came in."""
    op, read = ran.op, [stored_bytes(tensor) for tensor in ran.given]
    if not op.reads_first:
        firsts = sum(1 for _ in tensors_in(ran.args[:1]))
        read[:firsts] = [0] * firsts
    elif op.kind is Kind.LOOKUP:
        read[0] = sum(map(stored_bytes, ran.made))
    elif op.kind is Kind.MOVE and op.name.endswith("_copy") and op.name != "_to_copy":
        read[0] = min(read[0], sum(map(stored_bytes, ran.made)))
    elif op.name in _GROUPED:
        read[1] = _experts_used(ran.args, touched) * (read[1] // int(ran.args[1].shape[0]))
    if ran.elements is not None:
        part = ran.elements * ran.given[0].element_size()
        read[0] = part if _adds(ran) else 0
        if op.name in _TAKES_OF_VALUES:
            read[-1] = min(read[-1], ran.elements * ran.given[-1].element_size())
    return read


def bytes_written(ran: Ran) -> int:
    """Count what is written: of a tensor that values are put into, the places where they are put."""
    if ran.elements is not None:
        return ran.elements * ran.made[0].element_size()
    return sum(map(stored_bytes, ran.made))


def cuda_flops(ran: Ran) -> int | None:
    """Count one an input element of a reduction, one an output element of pointwise work; None where nobody knows."""
    op = ran.op
    if _adds(ran):
        return ran.elements
    if op.kind in _NO_WORK:
        return 0
    if op.kind is Kind.UNKNOWN:
        return None
    worked_on = ran.given if op.kind is Kind.REDUCTION else ran.made
    return sum(one.numel() for one in (worked_on if op.name.startswith("_foreach_") else worked_on[:1]))


def _adds(ran: Ran) -> bool:
    """Tell whether values are combined with what is there: by the op, or by its fourth argument, ``accumulate``."""
    return ran.op.adds or (ran.op.name in _MAY_ADD and len(ran.args) > 3 and bool(ran.args[3]))


def _experts_used(args: tuple[Any, ...], touched: Touched | None) -> int:
    """Count the experts that got rows: by their ends where there is data, else as expected."""
    rows, weights, ends = args[0], args[1], args[2]
    if not ends.is_meta:
        return int((torch.diff(ends, prepend=ends.new_zeros(1)) > 0).sum())
    experts, count = int(weights.shape[0]), int(rows.shape[0])
    return min(experts, count) if touched is None else touched(experts, count)
