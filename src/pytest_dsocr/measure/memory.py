"""Measures memory: weights as they are stored, the KV cache after a run, the most that was alive during it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import MeasurementError
from ..metrics import METRICS, Metric
from .measurement import Call, Measurement, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .memo import MetaMemo

__all__ = ["ActivationMeasurer", "KVCacheMeasurer", "WeightMeasurer", "cached_tensors"]


def _metric(name: str) -> Metric:
    return next(metric for metric in METRICS if metric.name == name)


def cached_tensors(tree: Any) -> Iterator[Any]:
    """Go through the keys and values of every cache among the inputs: objects with layers of keys and values."""
    from torch.utils._pytree import tree_leaves

    for leaf in tree_leaves(tree, is_leaf=lambda node: hasattr(node, "layers")):
        for layer in getattr(leaf, "layers", ()):
            for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None)):
                if hasattr(tensor, "untyped_storage"):
                    yield tensor


class WeightMeasurer:
    """Sums the bytes of ``module.named_parameters()``: shared ones once, buffers not."""

    metric: Metric = _metric("weight_bytes")

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Count without a run."""
        del device
        if not callable(getattr(subject.module, "named_parameters", None)):
            msg = f"weight_bytes: got {type(subject.module).__name__}, allowed is a torch.nn.Module"
            raise MeasurementError(msg)
        calls = tuple(
            Call("parameter", name, (tuple(parameter.shape),), parameter.numel() * parameter.element_size())
            for name, parameter in subject.module.named_parameters()
        )
        return Measurement(sum(call.count for call in calls), calls)


class KVCacheMeasurer:
    """Sums the keys and values that a run leaves in the caches among its inputs."""

    metric: Metric = _metric("kv_cache_bytes")

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Run once, without gradients, and look into the caches."""
        import torch

        del device
        given = subject.inputs()
        args, kwargs = given
        with torch.no_grad():
            subject.module(*args, **kwargs)
        calls = tuple(
            Call("cache", "", (tuple(tensor.shape),), tensor.numel() * tensor.element_size())
            for tensor in cached_tensors(given)
        )
        return Measurement(sum(call.count for call in calls), calls)


class ActivationMeasurer:
    """Finds the largest sum of storages alive at one time, without weights and KV cache."""

    metric: Metric = _metric("activation_bytes")

    def __init__(self) -> None:
        self._memo: MetaMemo | None = None

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Run once, without gradients; the terms are what was alive at the peak."""
        from .alive import peak
        from .memo import MetaMemo

        del device
        self._memo = self._memo or MetaMemo()
        found = peak(subject.module, subject.inputs, cached_tensors, self._memo)
        calls = tuple(Call(made_by, module, (), size) for size, made_by, module in found.storages if size)
        return Measurement(found.bytes, calls)
