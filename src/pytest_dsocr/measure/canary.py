"""Ops of known size: the counter must get each of them right before it is believed on a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CANARIES", "Canary"]


@dataclass(frozen=True, slots=True)
class Canary:
    """An op, how to run it on a device, and its FLOPs by hand."""

    name: str
    flops: int
    prepare: Callable[[str], Callable[[], Any]]


def _zeros(device: str, *shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=device, dtype=torch.bfloat16)


def _matmul(device: str) -> Callable[[], Any]:
    a, b = _zeros(device, 8, 16), _zeros(device, 16, 24)
    return lambda: a @ b


def _convolution(device: str) -> Callable[[], Any]:
    image, weight = _zeros(device, 2, 3, 8, 8), _zeros(device, 4, 3, 3, 3)
    return lambda: torch.nn.functional.conv2d(image, weight, padding=1)


def _attention(device: str) -> Callable[[], Any]:
    query, key = _zeros(device, 2, 3, 8, 16), _zeros(device, 2, 3, 24, 16)
    return lambda: torch.nn.functional.scaled_dot_product_attention(query, key, key)


def _grouped_matmul(device: str) -> Callable[[], Any]:
    rows, weight = _zeros(device, 12, 16), _zeros(device, 3, 16, 32)
    ends = torch.tensor([4, 8, 12], dtype=torch.int32).to(device)
    return lambda: torch.nn.functional.grouped_mm(rows, weight, offs=ends)


CANARIES: tuple[Canary, ...] = (
    Canary("a matmul", 2 * 8 * 24 * 16, _matmul),
    Canary("a convolution", 2 * (2 * 8 * 8) * 4 * (3 * 3 * 3), _convolution),
    Canary("an attention", 2 * (2 * (2 * 3) * 8 * 24 * 16), _attention),
    Canary("a grouped matmul", 2 * 12 * 32 * 16, _grouped_matmul),
)
