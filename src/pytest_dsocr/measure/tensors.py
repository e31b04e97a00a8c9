"""The tensors of a call: which there are, which share memory, and how many bytes they take as they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["cached_tensors", "dense_tensors", "storage_key", "stored_bytes", "tensors_in", "tensors_of"]


def tensors_of(tree: Any) -> list[torch.Tensor]:
    """List the tensors of a tree."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def dense_tensors(*trees: Any) -> list[torch.Tensor]:
    """List those of them that are dense."""
    return [tensor for tensor in tensors_of(trees) if tensor.layout == torch.strided]


def tensors_in(arguments: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Go through the tensors among an op's arguments, which hold nothing but lists; :func:`tensors_of` is slower."""
    for one in arguments:
        if isinstance(one, torch.Tensor):
            yield one
        elif isinstance(one, list | tuple):
            yield from tensors_in(one)


def cached_tensors(tree: Any) -> Iterator[torch.Tensor]:
    """Go through the keys and values of every cache among the inputs, once: objects with layers of keys and values."""
    caches = tree_leaves(tree, is_leaf=lambda node: hasattr(node, "layers"))
    for layer in {id(layer): layer for cache in caches for layer in getattr(cache, "layers", ())}.values():
        for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None)):
            if isinstance(tensor, torch.Tensor):
                yield tensor


def storage_key(tensor: torch.Tensor) -> int:
    """Tell storages apart: by an address, which is used again only once nothing holds a weak reference to it."""
    return int(StorageWeakRef(tensor.untyped_storage()).cdata)


def stored_bytes(tensor: torch.Tensor) -> int:
    """Count the bytes of a tensor as they are stored: an expanded dimension is there once; random states are none."""
    if tensor.dtype == torch.uint64:
        return 0
    elements = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        elements *= size if stride or size == 0 else 1
    return elements * tensor.element_size()
