"""Follows the memory of a run: which storages are alive after each kernel, and when the most is."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.module_tracker import ModuleTracker

from .memo import MetaMemo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Peak", "peak"]


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that was alive at one time, the kernel after which it was, and what it was made of.

    ``storages`` are (bytes, the kernel that made it, its module), the largest first; inputs are made by ``input``.
    """

    bytes: int
    op: str
    module: str
    storages: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class _Event:
    """A storage that appears after a kernel (bytes > 0), or is gone before the next one (bytes < 0)."""

    storage: int
    bytes: int
    op: str
    module: str


class _Alive(TorchDispatchMode):
    def __init__(self, tracker: ModuleTracker, memo: MetaMemo | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.events: list[_Event] = []
        self._tracker = tracker
        self._memo = memo or MetaMemo()
        self._known: dict[int, StorageWeakRef] = {}
        self._names: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Let the op run, then note what it made."""
        out = self._memo.run(func, args, kwargs or {})
        module = max(self._tracker.parents, key=len, default="Global").partition(".")[2]
        self.note(out, func.name(), module)
        return out

    def note(self, tree: Any, op: str, module: str) -> None:
        """Note the storages that were not seen before."""
        for tensor in storages_of(tree):
            storage = tensor.untyped_storage()
            key = StorageWeakRef(storage).cdata
            if key in self._names:
                continue
            name = self._names[key] = len(self.events)
            self.events.append(_Event(name, storage.nbytes(), op, module))
            weakref.finalize(storage, self._gone, key, name, storage.nbytes())

    def _gone(self, key: int, name: int, size: int) -> None:
        if self._names.get(key) == name:
            del self._names[key]
        self.events.append(_Event(name, -size, "", ""))

    def names(self, tree: Any) -> set[int]:
        """Find the storages of tensors by the names that they have here."""
        keys = (StorageWeakRef(tensor.untyped_storage()).cdata for tensor in storages_of(tree))
        return {self._names[key] for key in keys if key in self._names}


def storages_of(tree: Any) -> list[torch.Tensor]:
    """List the tensors of a tree that hold memory of their own."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def peak(
    module: Any,
    inputs: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]],
    apart: Callable[[Any], Iterable[torch.Tensor]] = lambda given: (),
    memo: MetaMemo | None = None,
) -> Peak:
    """Run once, without gradients, and find the largest sum of storages alive at one time.

    Parameters and buffers do not count, nor do the tensors that ``apart`` finds in the inputs, before the run or after
    it: a KV cache.
    """
    from .trace import FusedOnMeta

    tracker = ModuleTracker()
    mode = _Alive(tracker, memo)
    mode.note([*module.parameters(), *module.buffers()] if isinstance(module, torch.nn.Module) else [], "weight", "")
    weights = {event.storage for event in mode.events}
    given = inputs()
    mode.note([given, list(apart(given))], "input", "")
    left_out = weights | mode.names(list(apart(given)))
    with torch.no_grad(), tracker, mode, FusedOnMeta():
        args, kwargs = given
        module(*args, **kwargs)
    left_out |= mode.names(list(apart(given)))
    return _largest([event for event in mode.events if event.storage not in left_out])


def _largest(events: list[_Event]) -> Peak:
    alive: dict[int, _Event] = {}
    now = most = 0
    at = _Event(0, 0, "", "")
    held: tuple[_Event, ...] = ()
    for event in events:
        now += event.bytes
        if event.bytes < 0:
            del alive[event.storage]
            continue
        alive[event.storage] = event
        if now > most:
            most, at, held = now, event, tuple(alive.values())
    largest = sorted(((one.bytes, one.op, one.module) for one in held), reverse=True)
    return Peak(most, at.op, at.module, tuple(largest))
