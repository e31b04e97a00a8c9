"""Follows the memory of a run: which storages are alive after each kernel, and when the most is."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .tensors import storage_key

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
    """Notes storages when they appear, when they grow, and when nothing holds them any more."""

    def __init__(self) -> None:
        self.storages: list[Storage] = []
        self._events: list[tuple[int, Storage | None]] = []
        self._numbers: dict[int, int] = {}
        self._watched: list[weakref.finalize[..., object]] = []

    def note(self, tensors: Iterable[torch.Tensor], op: str, module: str = "", launch: int = 0) -> None:
        """Note the storages that were not seen before, and those that have grown since."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key = storage_key(tensor)
            number = self._numbers.get(key)
            if number is None:
                number = self._numbers[key] = len(self.storages)
                self.storages.append(Storage(storage.nbytes(), op, module, launch, tuple(tensor.shape)))
                self._watched.append(weakref.finalize(storage, self._gone, key, number))
            elif storage.nbytes() != self.storages[number].bytes:
                self.storages[number] = Storage(storage.nbytes(), op, module, launch, tuple(tensor.shape))
            else:
                continue
            self._events.append((number, self.storages[number]))

    def numbers(self, tensors: Iterable[torch.Tensor]) -> set[int]:
        """Find the storages of tensors by their numbers in ``storages``."""
        keys = map(storage_key, tensors)
        return {self._numbers[key] for key in keys if key in self._numbers}

    def peak(self, without: Collection[int] = ()) -> Peak:
        """Find the largest sum of storages alive at one time, some of them left out."""
        alive: dict[int, Storage] = {}
        now = most = 0
        at, held = Storage(0, "", "", 0), list[Storage]()
        for number, storage in self._events:
            if number in without:
                continue
            if number in alive:
                now -= alive.pop(number).bytes
            if storage is None:
                continue
            alive[number] = storage
            now += storage.bytes
            if now > most:
                most, at, held = now, storage, list(alive.values())
        return Peak(most, at, tuple(sorted(held, key=lambda one: -one.bytes)))

    def close(self) -> None:
        """Watch no longer what is still alive: a module outlives many traces."""
        for watched in self._watched:
            watched.detach()

    def _gone(self, key: int, number: int) -> None:
        if self._numbers.get(key) == number:
            del self._numbers[key]
        self._events.append((number, None))
