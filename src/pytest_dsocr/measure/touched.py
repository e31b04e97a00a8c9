"""How many elements an op writes that puts values into a part of a tensor."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PARTIAL", "elements_written"]


def elements_written(name: str, args: tuple[Any, ...]) -> int | None:
    """Count what an op writes of its first argument; None of one that writes all of it.

    Where a mask has no data, as many elements count as there can be.
    """
    count = PARTIAL.get(name)
    return count(args) if count else None


def _of_the_values(args: tuple[Any, ...]) -> int:
    return int(args[3].numel())  # self, dim, index, source


def _of_the_indices(args: tuple[Any, ...]) -> int:
    return int(args[2].numel())  # self, dim, index


def _of_the_places(args: tuple[Any, ...]) -> int:
    return int(args[1].numel())  # self, index


def _of_whole_slices(args: tuple[Any, ...]) -> int:
    into, dim, index = args[:3]
    return int(index.numel()) * (into.numel() // into.shape[dim] if into.numel() else 0)


def _of_a_mask(args: tuple[Any, ...]) -> int:
    into, mask = args[:2]
    return _chosen(mask) * (into.numel() // mask.numel()) if into.numel() and mask.numel() else 0


def _of_a_mask_at_most_the_values(args: tuple[Any, ...]) -> int:
    return min(_of_a_mask(args), int(args[2].numel()))  # self, mask, source


def _of_an_index_expression(args: tuple[Any, ...]) -> int:
    """Count what ``self[indices]`` shows: the indices' common shape, and whole what no index is of."""
    into, indices, values = args[:3]
    shape, taken = list(into.shape), [one for one in indices if one is not None]
    place = 0
    for index in indices:
        ranks = index.ndim if index is not None and _is_mask(index) else 1
        if index is not None:
            shape[place : place + ranks] = [1] * ranks
        place += ranks
    whole = prod(shape)
    masks = [one for one in taken if _is_mask(one)]
    if any(mask.is_meta for mask in masks) and values.numel() > whole:
        return int(values.numel())
    if masks:
        return int(whole * max(_chosen(mask) for mask in masks))
    return int(whole * prod(torch.broadcast_shapes(*(one.shape for one in taken))))


def _is_mask(index: torch.Tensor) -> bool:
    return index.dtype in (torch.bool, torch.uint8)


def _chosen(mask: torch.Tensor) -> int:
    return int(mask.numel() if mask.is_meta else torch.count_nonzero(mask))


PARTIAL: dict[str, Callable[[tuple[Any, ...]], int]] = {
    "index_put_": _of_an_index_expression,
    "_index_put_impl_": _of_an_index_expression,
    "index_copy_": _of_the_values,
    "index_add_": _of_the_values,
    "index_reduce_": _of_the_values,
    "index_fill_": _of_whole_slices,
    "scatter_": _of_the_indices,
    "scatter_add_": _of_the_indices,
    "scatter_reduce_": _of_the_indices,
    "put_": _of_the_places,
    "masked_fill_": _of_a_mask,
    "masked_scatter_": _of_a_mask_at_most_the_values,
}
"""The ops that write a part of their first argument, and how many elements that is."""
