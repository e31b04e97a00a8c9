"""Finds memory that was read and never written by an op that torch knows of: a kernel ran past torch."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves

from .launch import op_name

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Unwritten"]

_READS_NO_VALUES = re.compile(r"\w+_like|new_\w+|type_as")
_ALLOCATES = re.compile(r"(new_)?empty(_like|_strided|_permuted)?")


def _storage(tensor: torch.Tensor) -> int:
    """Tell storages apart; an address is used again only once nothing holds a weak reference to it."""
    return int(StorageWeakRef(tensor.untyped_storage()).cdata)


def _tensors(*trees: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(trees) if isinstance(leaf, torch.Tensor) and leaf.layout == torch.strided]


class Unwritten:
    """Follows what is allocated, written and read."""

    def __init__(self) -> None:
        self._unwritten: dict[int, tuple[StorageWeakRef, str]] = {}
        self._seen: Counter[str] = Counter()

    def follow(self, func: Any, module: str, args: Any, kwargs: Any, out: Any) -> None:
        """Note what an op did that ran in ``module``."""
        name = op_name(func)
        if _ALLOCATES.fullmatch(name):
            for tensor in _tensors(out):
                self._unwritten[_storage(tensor)] = (StorageWeakRef(tensor.untyped_storage()), module)
            return
        if not self._unwritten or _READS_NO_VALUES.fullmatch(name):
            return
        schema = func._schema  # noqa: SLF001 - the only place that says what an op writes
        if any(value.alias_info and not value.alias_info.is_write for value in schema.returns):
            return  # a view: nothing is read or written
        written = set()
        for argument, value in [*zip(schema.arguments, args, strict=False), *_named(schema, kwargs)]:
            for tensor in _tensors(value):
                if argument.alias_info and argument.alias_info.is_write:
                    written.add(_storage(tensor))
                else:
                    self._note_read(tensor)
        for storage in written | {_storage(tensor) for tensor in _tensors(out)}:
            self._unwritten.pop(storage, None)

    def finish(self, result: Any) -> None:
        """Look at what the run returned."""
        for tensor in _tensors(result):
            self._note_read(tensor)

    def complaints(self) -> Iterator[str]:
        """Say where such memory was read, a module at a time."""
        for module, times in self._seen.items():
            yield (
                f"memory allocated in {module or 'the top level'} was read {times} times and written by no op that "
                "torch knows of: a kernel ran past the counter"
            )

    def _note_read(self, tensor: torch.Tensor) -> None:
        if tensor.numel() and _storage(tensor) in self._unwritten:
            _, module = self._unwritten[_storage(tensor)]
            self._seen[module] += 1


def _named(schema: Any, kwargs: dict[str, Any]) -> list[tuple[Any, Any]]:
    return [(argument, kwargs[argument.name]) for argument in schema.arguments if argument.name in kwargs]
