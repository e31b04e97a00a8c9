"""Refuses what cannot be measured op by op, before it leads to a wrong figure or to an error of torch's own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import is_lazy

from ..errors import MeasurementError, NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["refuse_lazy", "refuse_module", "refuse_tensors"]

_DISABLED = "_torchdynamo_disable"
"""What marks a function that torch.compile leaves alone, beside the mark of one that it wraps."""


def refuse_module(module: Any) -> None:
    """Refuse a module, or a function, that runs other code than its own or has tensors that are not dense.

    Raises:
        NotSupportedError: it is compiled or scripted, or holds sparse, nested or quantized tensors.
        MeasurementError: it is a lazy module that has no shapes yet.
    """
    for name, part in _parts(module).items():
        where = f"{name} is " if name else "the module is "
        if _is_compiled(part):
            msg = f"{where}compiled by torch.compile, whose kernels nobody sees op by op; measure it without"
            raise NotSupportedError(msg)
        if isinstance(part, torch.jit.ScriptModule | torch.jit.ScriptFunction):
            msg = f"{where}scripted by torch.jit, whose kernels nobody sees op by op; measure what it was made of"
            raise NotSupportedError(msg)
    if isinstance(module, torch.nn.Module):
        refuse_lazy(module)
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            refuse_tensors([tensor], name)


def refuse_lazy(module: torch.nn.Module) -> None:
    """Refuse a module with parameters or buffers that get their shapes in its first run.

    Raises:
        MeasurementError: it has some.
    """
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(tensor):
            msg = f"{name} has no shape yet, as of a lazy module: run the module once, before it is measured"
            raise MeasurementError(msg)


def refuse_tensors(tensors: Iterable[torch.Tensor], what: str, module: str = "") -> None:
    """Refuse tensors of which nobody can say how many bytes a kernel moves; ``what`` has them, or takes or makes them.

    Raises:
        NotSupportedError: one is sparse, nested or quantized.
    """
    for tensor in tensors:
        if tensor.layout is torch.strided and not tensor.is_quantized and not tensor.is_nested:
            continue
        kind = "nested" if tensor.is_nested else "quantized" if tensor.is_quantized else _layout(tensor)
        msg = f"{what}{f' in {module}' if module else ''}: got a {kind} tensor, allowed are dense ones"
        raise NotSupportedError(msg)


def _layout(tensor: torch.Tensor) -> str:
    return str(tensor.layout).removeprefix("torch.")


def _parts(module: Any) -> Mapping[str, Any]:
    if not isinstance(module, torch.nn.Module):
        return {"": module}
    return dict(module.named_modules())


def _is_compiled(part: Any) -> bool:
    """Tell whether torch.compile made something, or was told to run in its place."""
    dynamo: Any = sys.modules.get("torch._dynamo.eval_frame")  # not imported: nothing is compiled
    if dynamo is None:
        return False
    if isinstance(part, dynamo.OptimizedModule) or getattr(part, "_compiled_call_impl", None) is not None:
        return True
    functions = (getattr(one, "__func__", one) for one in (part, getattr(part, "forward", None)))
    return any(hasattr(one, "_torchdynamo_orig_callable") and not hasattr(one, _DISABLED) for one in functions)
