"""Follows the memory of a run: which storages are alive after each kernel, and when the most is."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.multiprocessing.reductions import StorageWeakRef

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import torch

__all__ = ["Alive", "Peak", "Storage"]


@dataclass(frozen=True, slots=True)
class Storage:
    """Memory that a run holds: its bytes, the kernel that made it, the module, and how many were launched by then.

    Inputs are made by ``input``, before the first launch; what is allocated and not yet written belongs to the launch
    that comes next. ``shape`` is that of the first tensor that was seen to hold it.
    """

    bytes: int
    op: str
    module: str
    launch: int
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that was alive at one time, what had made it so, and all that was there, the largest first."""

    bytes: int
    at: Storage
    storages: tuple[Storage, ...]


class Alive:
    """Notes storages when they appear and when nothing holds them any more."""

    def __init__(self) -> None:
        self.storages: list[Storage] = []
        self._events: list[tuple[int, int]] = []
        self._numbers: dict[int, int] = {}
        self._watched: list[weakref.finalize[..., object]] = []

    def note(self, tensors: Iterable[torch.Tensor], op: str, module: str = "", launch: int = 0) -> None:
        """Note the storages that were not seen before."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key = StorageWeakRef(storage).cdata
            if key in self._numbers:
                continue
            number = self._numbers[key] = len(self.storages)
            self.storages.append(Storage(storage.nbytes(), op, module, launch, tuple(tensor.shape)))
            self._events.append((number, 1))
            self._watched.append(weakref.finalize(storage, self._gone, key, number))

    def numbers(self, tensors: Iterable[torch.Tensor]) -> set[int]:
        """Find the storages of tensors by their numbers in ``storages``."""
        keys = (StorageWeakRef(tensor.untyped_storage()).cdata for tensor in tensors)
        return {self._numbers[key] for key in keys if key in self._numbers}

    def peak(self, without: Collection[int] = ()) -> Peak:
        """Find the largest sum of storages alive at one time, some of them left out."""
        alive: set[int] = set()
        now = most = 0
        at, held = Storage(0, "", "", 0), frozenset[int]()
        for number, change in self._events:
            if number in without:
                continue
            now += change * self.storages[number].bytes
            if change < 0:
                alive.remove(number)
                continue
            alive.add(number)
            if now > most:
                most, at, held = now, self.storages[number], frozenset(alive)
        storages = sorted((self.storages[number] for number in held), key=lambda one: -one.bytes)
        return Peak(most, at, tuple(storages))

    def close(self) -> None:
        """Watch no longer what is still alive: a module outlives many traces."""
        for watched in self._watched:
            watched.detach()

    def _gone(self, key: int, number: int) -> None:
        if self._numbers.get(key) == number:
            del self._numbers[key]
        self._events.append((number, -1))
