"""Finds memory that was read and never written by an op that torch knows of: a kernel ran past torch."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from torch.multiprocessing.reductions import StorageWeakRef

from .op_kinds import Kind, op_of
from .places import place
from .tensors import dense_tensors, storage_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch

__all__ = ["Unwritten"]

_ALLOCATED = "memory allocated in {}"
_TAKEN_IN = "memory from outside of torch (numpy's), taken in by torch.from_numpy or the like in {},"
_PAST = "a kernel ran past the counter"


class Unwritten:
    """Follows what is allocated, written and read, and memory that comes in from numpy, which nobody saw written."""

    def __init__(self) -> None:
        self._unwritten: dict[int, tuple[StorageWeakRef, str]] = {}
        self._seen: Counter[str] = Counter()

    def follow(self, func: Any, module: str, args: Any, kwargs: Any, out: Any) -> None:
        """Note what an op did that ran in ``module``."""
        op = op_of(func)
        if op.kind is Kind.ALLOCATION:
            if not op.writes:  # what is resized keeps what was written
                self._add(dense_tensors(out), _ALLOCATED.format(place(module)))
            return
        if op.name == "lift_fresh":
            self._add(filter(_is_from_outside, dense_tensors(out)), _TAKEN_IN.format(place(module)))
        if not self._unwritten or op.kind is Kind.VIEW:
            return  # of a view nothing is read or written
        for argument, value in [*zip(func._schema.arguments, args, strict=False), *_named(func._schema, kwargs)]:  # noqa: SLF001 - the only place that says what an op writes
            first = argument is func._schema.arguments[0]  # noqa: SLF001 - as above
            if not (argument.alias_info and argument.alias_info.is_write) and (op.reads_first or not first):
                for tensor in dense_tensors(value):
                    self._note_read(tensor)
        for tensor in dense_tensors(out, op.written(args, kwargs)):
            self._unwritten.pop(storage_key(tensor), None)

    def finish(self, result: Any) -> None:
        """Look at what the run returned."""
        for tensor in dense_tensors(result):
            self._note_read(tensor)

    def complaints(self) -> Iterator[str]:
        """Say where such memory came from, and how often it was read."""
        for origin, times in self._seen.items():
            yield f"{origin} was read {times} times and written by no op that torch knows of: {_PAST}"

    def _add(self, tensors: Iterable[torch.Tensor], origin: str) -> None:
        for tensor in tensors:
            self._unwritten[storage_key(tensor)] = (StorageWeakRef(tensor.untyped_storage()), origin)

    def _note_read(self, tensor: torch.Tensor) -> None:
        if tensor.numel() and storage_key(tensor) in self._unwritten:
            _, origin = self._unwritten[storage_key(tensor)]
            self._seen[origin] += 1


def _is_from_outside(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor looks at memory that torch did not allocate, and so cannot resize."""
    return tensor.device.type == "cpu" and not tensor.untyped_storage().resizable()


def _named(schema: Any, kwargs: dict[str, Any]) -> list[tuple[Any, Any]]:
    return [(argument, kwargs[argument.name]) for argument in schema.arguments if argument.name in kwargs]
