"""Measures memory on a card: what torch's allocator held at most during a run, and what it costs beside."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import torch

from ..errors import MeasurementError, NotSupportedError, raised_text
from .measurement import Call, Measurement
from .refusals import refuse_lazy, refuse_tensors
from .tensors import cached_tensors, tensors_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .measurement import Subject

__all__ = ["allocated_on_cuda"]


def allocated_on_cuda(subject: Subject, device: str) -> Measurement:
    """Run once, without gradients, and read ``torch.cuda.max_memory_allocated``.

    What else this process holds on the card, such as another test's module, is taken off. The details tell apart, in
    bytes: ``reserved_bytes``, what the allocator has taken from the driver at most; ``cuda_context_bytes``, what the
    card lacks beside that: the context, the loaded kernels, and whatever other processes hold.

    Raises:
        MeasurementError: the run failed, or ran out of memory.
    """
    if isinstance(subject.module, torch.nn.Module):
        refuse_lazy(subject.module)
    gc.collect()
    args, kwargs = given = subject.inputs()
    weights = list(subject.module.parameters()) if isinstance(subject.module, torch.nn.Module) else []
    held = [*weights, *tensors_of(given), *cached_tensors(given)]
    refuse_tensors(held, "a parameter or an input")
    own = _stored(held)
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    try:
        with torch.no_grad():
            subject.module(*args, **kwargs)
        torch.cuda.synchronize(device)
    except NotSupportedError:
        raise
    except Exception as error:  # out of memory, or whatever the module raises
        raise MeasurementError(raised_text(error)) from error
    peak = torch.cuda.max_memory_allocated(device)
    reserved = torch.cuda.max_memory_reserved(device)
    free, total = torch.cuda.mem_get_info(device)
    others = max(before - own, 0)
    calls = (
        Call("parameter", "", (), _stored(weights)),
        Call("input", "", (), own - _stored(weights)),
        Call("during the run", "", (), peak - others - own),
    )
    details = {
        "reserved_bytes": reserved,
        "cuda_context_bytes": total - free - torch.cuda.memory_reserved(device),
        "memory_bytes": total,
    }
    return Measurement(peak - others, calls, details=details)


def _stored(tensors: Iterable[torch.Tensor]) -> int:
    """Sum the storages of tensors, each once."""
    return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values())
