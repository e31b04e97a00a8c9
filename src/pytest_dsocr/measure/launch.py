"""What one kernel moves, and what work it does that is no matrix work.

What is counted of an op, and what not, is decision 5. Beyond torch's own account of an op (is it a view, what does it
write, is it pointwise or a reduction) it needs to know three things: which ops look elements up, which only move
bytes, and which combine elements without torch saying so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Launch",
    "Touched",
    "bytes_read",
    "bytes_written",
    "cuda_flops",
    "is_launch",
    "op_name",
    "stored_bytes",
    "tensors_in",
    "tensors_of",
]

Touched: TypeAlias = Callable[[int, int], int]
"""Says how many of so many experts get one of so many rows, where the data cannot."""

_ALLOCATIONS = {"empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided"}
_LOOKUPS = {"index", "embedding", "gather", "index_select"}
_WRITES_ONLY = {"copy_", "fill_", "zero_", "index_put_", "index_copy_", "scatter_"}
_MOVES = {"clone", "_to_copy", "copy_", "cat", "constant_pad_nd", "index_put_", "fill_", "zero_", "where_"}
_COMBINES = {"_softmax", "_safe_softmax", "native_layer_norm", "topk", "sort", "cumsum", "histc"}
_COMPUTES = {"floor_divide", "upsample_linear1d", "upsample_bicubic2d", "_upsample_bicubic2d_aa"}


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


def tensors_of(tree: Any) -> list[torch.Tensor]:
    """List the tensors of a tree."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def tensors_in(arguments: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Go through the tensors among an op's arguments, which hold nothing but lists; :func:`tensors_of` is slower."""
    for one in arguments:
        if isinstance(one, torch.Tensor):
            yield one
        elif isinstance(one, list | tuple):
            yield from tensors_in(one)


@functools.cache
def op_name(func: Any) -> str:
    """Name an op without its namespace and its overload."""
    return str(func.name()).partition("::")[2].split(".")[0]


@functools.cache
def _returns(func: Any) -> tuple[bool, bool]:
    """Say of an op whether its schema returns what was there, and whether it writes there."""
    aliases = [value.alias_info for value in func._schema.returns if value.alias_info]  # noqa: SLF001 - nothing else says it
    return bool(aliases), any(alias.is_write for alias in aliases)


def is_launch(func: Any, given: Iterable[torch.Tensor], made: list[torch.Tensor]) -> bool:
    """Tell whether a kernel ran: an op that returns tensors, and neither allocates nor only looks at what was there."""
    if op_name(func) in _ALLOCATIONS or not made:
        return False
    aliases, writes = _returns(func)
    if aliases:
        return writes
    there = {StorageWeakRef(tensor.untyped_storage()).cdata for tensor in given}
    return any(StorageWeakRef(tensor.untyped_storage()).cdata not in there for tensor in made)


def bytes_read(
    func: Any, args: tuple[Any, ...], given: list[torch.Tensor], made: list[torch.Tensor], touched: Touched | None
) -> list[int]:
    """Count what is read of each tensor that came in."""
    op, read = op_name(func), [stored_bytes(tensor) for tensor in given]
    if op in _LOOKUPS:
        read[0] = sum(map(stored_bytes, made))
    elif op in _WRITES_ONLY:
        read[0] = 0
    elif op == "_grouped_mm":
        read[1] = _experts_used(args, touched) * (read[1] // int(args[1].shape[0]))
    return read


def bytes_written(func: Any, given: list[torch.Tensor], made: list[torch.Tensor]) -> int:
    """Count what is written: by indices, as much as the values are."""
    return stored_bytes(given[-1]) if op_name(func) == "index_put_" else sum(map(stored_bytes, made))


def cuda_flops(func: Any, given: list[torch.Tensor], made: list[torch.Tensor]) -> int:
    """Count one an input element of a reduction, one an output element of pointwise arithmetic."""
    op = op_name(func)
    if op in _MOVES or op in _LOOKUPS:
        return 0
    if torch.Tag.reduction in func.tags or op in _COMBINES:
        return given[0].numel()
    return made[0].numel() if torch.Tag.pointwise in func.tags or op in _COMPUTES else 0


def stored_bytes(tensor: torch.Tensor) -> int:
    """Count the bytes of a tensor as they are stored: an expanded dimension is there once; random states are none."""
    if tensor.dtype == torch.uint64:
        return 0
    elements = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        elements *= size if stride or size == 0 else 1
    return elements * tensor.element_size()


def _experts_used(args: tuple[Any, ...], touched: Touched | None) -> int:
    """Count the experts that got rows: by their ends where there is data, else as expected."""
    rows, weights, ends = args[0], args[1], args[2]
    if not ends.is_meta:
        return int((torch.diff(ends, prepend=ends.new_zeros(1)) > 0).sum())
    experts, count = int(weights.shape[0]), int(rows.shape[0])
    return min(experts, count) if touched is None else touched(experts, count)
