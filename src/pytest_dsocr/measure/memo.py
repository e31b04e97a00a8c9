"""Remembers what kernels return on the meta device, where that is all that they do.

A kernel on ``meta`` works out the shape, strides and dtype of its result, in Python and slowly; a model calls the same
one with the same arguments in each of its blocks. Nothing that is counted comes from here: every call is still seen.
"""

from __future__ import annotations

from typing import Any

import torch

from .tensors import storage_key

__all__ = ["MetaMemo"]

_MOST = 20_000


class MetaMemo:
    """Runs an op, or makes its result anew from an earlier call with arguments of the same description."""

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}
        self._pure: dict[Any, bool] = {}

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what ``func(*args, **kwargs)`` does."""
        key = self._key(func, args, kwargs)
        if key is None:
            return func(*args, **kwargs)
        made = self._made.get(key)
        if made is None:
            out = func(*args, **kwargs)
            if _aliases(out, args, kwargs):
                self._pure[func] = False
                return out
            if len(self._made) >= _MOST:
                self._made.clear()
            self._made[key] = _recipe(out)
            return out
        return _empty(*made) if made[0] is not tuple else tuple(_empty(*one) for one in made[1])

    def _key(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Describe a call; None for one that has to run: it is no pure function of tensors on meta."""
        pure = self._pure.get(func)
        if pure is None:
            pure = self._pure[func] = _is_pure(func)
        if not pure:
            return None
        tensors: list[torch.Tensor] = []
        try:
            key = (func, _describe(args, tensors), _describe(tuple(kwargs.items()), tensors))
            hash(key)
        except TypeError:
            return None
        return key if tensors and all(tensor.is_meta for tensor in tensors) else None


def _is_pure(func: Any) -> bool:
    """Tell whether an op of torch's own writes none of its arguments and returns new tensors only."""
    schema = func._schema  # noqa: SLF001 - the only place that says what an op writes
    values = [*schema.arguments, *schema.returns]
    return func.namespace == "aten" and bool(schema.returns) and not any(value.alias_info for value in values)


def _describe(value: Any, tensors: list[torch.Tensor]) -> Any:
    """Make a key of an argument, and gather its tensors; 1, 1.0 and True are not the same."""
    if isinstance(value, torch.Tensor):
        plain = type(value) in (torch.Tensor, torch.nn.Parameter) and value.layout == torch.strided
        if not plain or value.is_conj() or value.is_neg():
            raise TypeError
        tensors.append(value)
        return value.shape, value.stride(), value.storage_offset(), value.dtype
    if isinstance(value, (list, tuple)):
        return tuple(_describe(one, tensors) for one in value)
    return type(value), value


def _aliases(out: Any, args: Any, kwargs: Any) -> bool:
    """Tell whether a result shares memory, or is anything but a tensor of its own or a tuple of such."""
    tensors: list[torch.Tensor] = []
    _describe(args, tensors)
    _describe(tuple(kwargs.items()), tensors)
    outs = out if isinstance(out, tuple) else (out,)
    if not all(type(one) is torch.Tensor and one.is_meta and one.storage_offset() == 0 for one in outs):
        return True
    storages = [storage_key(tensor) for tensor in (*tensors, *outs)]
    return any(storages.count(one) > 1 for one in storages[len(tensors) :])


def _recipe(out: Any) -> Any:
    if isinstance(out, tuple):
        return tuple, tuple(_recipe(one) for one in out)
    return out.shape, out.stride(), out.dtype


def _empty(shape: Any, stride: Any, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty_strided(shape, stride, dtype=dtype, device="meta")
