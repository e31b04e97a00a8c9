"""Sees every kernel that a run launches: the bytes that it moves, and the work that is no matrix work.

What is counted of an op, and what not, is decision 5. Beyond torch's own account of an op (is it a view, what does it
write, is it pointwise or a reduction) it needs to know three things: which ops look elements up, which only move
bytes, and which combine elements without torch saying so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.module_tracker import ModuleTracker

from .memo import MetaMemo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["FusedOnMeta", "Launch", "Trace", "trace"]

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


class Trace(TorchDispatchMode):
    """Records each launch. ``touched(experts, rows)`` says how many experts got rows, where the data cannot."""

    def __init__(
        self, tracker: ModuleTracker, touched: Callable[[int, int], int] | None, memo: MetaMemo | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.launches: list[Launch] = []
        self._tracker = tracker
        self._touched = touched
        self._memo = memo or MetaMemo()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Let the op run, then note what it moved."""
        kwargs = kwargs or {}
        out = self._memo.run(func, args, kwargs)
        op = func.name().partition("::")[2].split(".")[0]
        given, made = _tensors((args, kwargs)), _tensors(out)
        if op in _ALLOCATIONS or not made or _is_view(func, given, made):
            return out
        self.launches.append(self._launch(func, op, args, given, made))
        return out

    def _launch(self, func: Any, op: str, args: tuple[Any, ...], given: list[Any], made: list[Any]) -> Launch:
        read, written = sum(map(_stored, given)), sum(map(_stored, made))
        if op in _LOOKUPS:
            read = written + sum(map(_stored, given[1:]))
        elif op == "index_put_":
            read = sum(map(_stored, given[1:]))
            written = _stored(given[-1])
        elif op in _WRITES_ONLY:
            read = sum(map(_stored, given[1:]))
        elif op == "_grouped_mm":
            read += self._experts_read(args) - _stored(args[1])
        shapes = tuple(tuple(tensor.shape) for tensor in given)
        return Launch(func.name(), self._module(), shapes, _cuda_flops(func, op, given, made), read, written)

    def _experts_read(self, args: tuple[Any, ...]) -> int:
        """Count the weights of the experts that got rows: by their ends where there is data, else as expected."""
        rows, weights, ends = args[0], args[1], args[2]
        experts = int(weights.shape[0])
        if not ends.is_meta:
            sizes = torch.diff(ends, prepend=ends.new_zeros(1))
            used = int((sizes > 0).sum())
        else:
            count = int(rows.shape[0])
            used = min(experts, count) if self._touched is None else self._touched(experts, count)
        return used * (_stored(weights) // experts)

    def _module(self) -> str:
        return max(self._tracker.parents, key=len, default="Global").partition(".")[2]


class FusedOnMeta(TorchFunctionMode):
    """Keeps a fused attention whole on meta, where torch takes it apart: as what a CPU runs."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Redirect the one function."""
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention and args[0].is_meta:
            return _attend(*args, **kwargs)
        return func(*args, **kwargs)


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        seen, unseen = (torch.scalar_tensor(one, dtype=query.dtype, device=query.device) for one in (0.0, -torch.inf))
        attn_mask = torch.where(attn_mask, seen, unseen)
    attend: Any = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001 - it has no public name
    return attend(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]  # type: ignore[no-any-return]


def trace(
    run: Callable[[], Any], touched: Callable[[int, int], int] | None = None, memo: MetaMemo | None = None
) -> tuple[Launch, ...]:
    """Run once, without gradients, and list what was launched."""
    tracker = ModuleTracker()
    mode = Trace(tracker, touched, memo)
    with torch.no_grad(), tracker, mode, FusedOnMeta():
        run()
    return tuple(mode.launches)


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _is_view(func: Any, given: Iterable[torch.Tensor], made: Iterable[torch.Tensor]) -> bool:
    """Tell whether an op only looks at memory that was there, by its schema or by what it returned."""
    returns = func._schema.returns  # noqa: SLF001 - the only place that says what an op writes
    if any(value.alias_info for value in returns):
        return not any(value.alias_info and value.alias_info.is_write for value in returns)
    there = {StorageWeakRef(tensor.untyped_storage()).cdata for tensor in given}
    return all(StorageWeakRef(tensor.untyped_storage()).cdata in there for tensor in made)


def _stored(tensor: torch.Tensor) -> int:
    """Count the bytes of a tensor as they are stored: an expanded dimension is there once; random states are none."""
    if tensor.dtype == torch.uint64:
        return 0
    elements = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        elements *= size if stride or size == 0 else 1
    return elements * tensor.element_size()


def _cuda_flops(func: Any, op: str, given: list[torch.Tensor], made: list[torch.Tensor]) -> int:
    if op in _MOVES or op in _LOOKUPS:
        return 0
    if torch.Tag.reduction in func.tags or op in _COMBINES:
        return given[0].numel()
    return made[0].numel() if torch.Tag.pointwise in func.tags or op in _COMPUTES else 0
