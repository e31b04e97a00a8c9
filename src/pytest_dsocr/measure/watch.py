"""Watches what runs under the FLOP counter: every call that it counts, and every one that it should have."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .measurement import Call
from .memo import MetaMemo
from .op_kinds import MATRIX_WORK
from .places import innermost, places
from .refusals import refuse_tensors
from .tensors import dense_tensors, tensors_in
from .unwritten import Unwritten

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Watch", "resolve_op"]

_TORCH_NAMESPACES = ("aten", "prim", "prims", "profiler", "debugprims", "inductor", "_c10d_functional", "c10d")


def resolve_op(name: str) -> Any:
    """Find ``namespace::op`` among the ops that are registered now; None if it is not there."""
    namespace, _, op = name.partition("::")
    return getattr(getattr(torch.ops, namespace, None), op, None)


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
        self._unwritten = Unwritten()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Let the op run, then note it."""
        kwargs = kwargs or {}
        out = self._memo.run(func, args, kwargs)
        module = innermost(self._counter.mod_tracker)
        refuse_tensors(tensors_in((args, tuple(kwargs.values()), out)), func.name(), module)
        packet = func._overloadpacket  # noqa: SLF001 - the counter's registry is keyed by it
        name = func.name().split(".")[0]
        if packet in self._counter.flop_registry:
            flops = self._counter.flop_registry[packet](*args, **kwargs, out_val=out)
            shapes = tuple(tuple(tensor.shape) for tensor in dense_tensors(args))
            self.calls.append(Call(name, module, shapes, flops))
        elif self._does_matrix_work(name, args, kwargs):
            self._uncounted[name, module] += 1
        self._unwritten.follow(func, module, args, kwargs, out)
        return out

    def finish(self, result: Any) -> None:
        """Look at what the run returned."""
        self._unwritten.finish(result)

    def problem(self) -> str:
        """Name what could not be counted; empty if all could."""
        complaints = []
        for name in dict.fromkeys(op for op, _ in self._uncounted):
            modules = {module: times for (op, module), times in self._uncounted.items() if op == name}
            ran = f"{name} ran {sum(modules.values())} times (in {places(modules)})"
            complaints.append(f"{ran}, does matrix work and has no FLOP formula")
        complaints += self._unwritten.complaints()
        if not complaints:
            return ""
        return f"{'; '.join(complaints)}. Give a formula: ini dsocr_flop_formulas, or hook pytest_dsocr_flop_formulas"

    def _does_matrix_work(self, name: str, args: Any, kwargs: Any) -> bool:
        namespace, _, op = name.partition("::")
        from_outside = namespace not in _TORCH_NAMESPACES and bool(dense_tensors(args, kwargs))
        return from_outside or MATRIX_WORK.search(op) is not None
