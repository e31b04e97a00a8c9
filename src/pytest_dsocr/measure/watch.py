"""Watches what runs under the FLOP counter: every call that it counts, and every one that it should have."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .measurement import Call
from .memo import MetaMemo

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Watch", "resolve_op"]

_TORCH_NAMESPACES = ("aten", "prim", "prims", "profiler", "debugprims", "inductor", "_c10d_functional", "c10d")
_MATRIX_WORK = re.compile(
    r"(^|_)(mm|bmm|addmm|baddbmm|addbmm|matmul|mv|addmv|dot|vdot|addr|ger|linear|bilinear|trilinear|einsum|gemm|cdist|euclidean"
    r"|attention|transformer|lstm|gru|rnn|cholesky|qr|geqrf|ormqr|householder|lu(?!_unpack)|ldl|svd|inv|solve|eig|eigh"
    r"|lstsq|pinv|det|slogdet|matrix_exp|hspmm|smm|sspaddmm)(?=_|$)"
    r"|(^|_)conv(olution)?(\d\w*|_\w+)?$"
)
_READS_NO_VALUES = re.compile(r"\w+_like|new_\w+|type_as")
_ALLOCATES = re.compile(r"(new_)?empty(_like|_strided|_permuted)?")


def resolve_op(name: str) -> Any:
    """Find ``namespace::op`` among the ops that are registered now; None if it is not there."""
    namespace, _, op = name.partition("::")
    return getattr(getattr(torch.ops, namespace, None), op, None)


def _storage(tensor: torch.Tensor) -> int:
    """Tell storages apart; an address is used again only once nothing holds a weak reference to it."""
    return int(StorageWeakRef(tensor.untyped_storage()).cdata)


def _tensors(*trees: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(trees) if isinstance(leaf, torch.Tensor) and leaf.layout == torch.strided]


class Watch(TorchDispatchMode):
    """Records each op that the counter has a formula for, and finds matrix work that it has none for.

    Three signs of such work: an op whose name speaks of it; any op from outside of torch that takes a tensor (a formula
    of 0 clears one that does none); and memory that some op read or the run returned, although no op that torch knows
    of wrote it, as a kernel leaves behind that was launched past torch.
    """

    def __init__(self, counter: FlopCounterMode, memo: MetaMemo | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []
        self._counter = counter
        self._memo = memo or MetaMemo()
        self._uncounted: Counter[tuple[str, str]] = Counter()
        self._unwritten: dict[int, tuple[StorageWeakRef, str]] = {}
        self._unseen: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Let the op run, then note it."""
        kwargs = kwargs or {}
        out = self._memo.run(func, args, kwargs)
        packet = func._overloadpacket  # noqa: SLF001 - the counter's registry is keyed by it
        name = func.name().split(".")[0]
        module = self._module()
        if packet in self._counter.flop_registry:
            flops = self._counter.flop_registry[packet](*args, **kwargs, out_val=out)
            shapes = tuple(tuple(tensor.shape) for tensor in _tensors(args))
            self.calls.append(Call(name, module, shapes, flops))
        elif self._does_matrix_work(name, args, kwargs):
            self._uncounted[name, module] += 1
        self._follow_memory(func, name, module, args, kwargs, out)
        return out

    def finish(self, result: Any) -> None:
        """Look at what the run returned."""
        for tensor in _tensors(result):
            self._note_if_unwritten(tensor)

    def problem(self) -> str:
        """Name what could not be counted; empty if all could."""
        complaints = []
        for name in dict.fromkeys(op for op, _ in self._uncounted):
            modules = {
                module or "the top level": times for (op, module), times in self._uncounted.items() if op == name
            }
            times, where = sum(modules.values()), textwrap.shorten(", ".join(modules), 60, placeholder=" ...")
            complaints.append(f"{name} ran {times} times (in {where}), does matrix work and has no FLOP formula")
        complaints += [
            f"memory allocated in {module or 'the top level'} was read {times} times and written by no op that torch "
            "knows of: a kernel ran past the counter"
            for module, times in self._unseen.items()
        ]
        if not complaints:
            return ""
        return f"{'; '.join(complaints)}. Give a formula: ini dsocr_flop_formulas, or hook pytest_dsocr_flop_formulas"

    def _module(self) -> str:
        """Find the innermost submodule that runs, as a path below the outermost one."""
        path = max(self._counter.mod_tracker.parents, key=len, default="Global")
        return path.partition(".")[2]

    def _does_matrix_work(self, name: str, args: Any, kwargs: Any) -> bool:
        namespace, _, op = name.partition("::")
        from_outside = namespace not in _TORCH_NAMESPACES and bool(_tensors(args, kwargs))
        return from_outside or _MATRIX_WORK.search(op) is not None

    def _follow_memory(self, func: Any, name: str, module: str, args: Any, kwargs: Any, out: Any) -> None:
        if _ALLOCATES.fullmatch(name.partition("::")[2]):
            for tensor in _tensors(out):
                self._unwritten[_storage(tensor)] = (StorageWeakRef(tensor.untyped_storage()), module)
            return
        if _READS_NO_VALUES.fullmatch(name.partition("::")[2]):
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
                    self._note_if_unwritten(tensor)
        for storage in written | {_storage(tensor) for tensor in _tensors(out)}:
            self._unwritten.pop(storage, None)

    def _note_if_unwritten(self, tensor: torch.Tensor) -> None:
        if tensor.numel() and _storage(tensor) in self._unwritten:
            _, module = self._unwritten[_storage(tensor)]
            self._unseen[module] += 1


def _named(schema: Any, kwargs: dict[str, Any]) -> list[tuple[Any, Any]]:
    return [(argument, kwargs[argument.name]) for argument in schema.arguments if argument.name in kwargs]
