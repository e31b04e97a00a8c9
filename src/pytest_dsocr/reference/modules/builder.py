"""What a builder is, and the pieces that all of them use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ...measure.measurement import Subject
from ..workshop import Workshop

if TYPE_CHECKING:
    import torch

__all__ = ["Builder", "Sizes", "grid", "positions", "subject", "tokens"]

Sizes: TypeAlias = Mapping[str, int]
Builder: TypeAlias = Callable[[Any, Sizes, Workshop], Subject]


def subject(module: torch.nn.Module, *make: Callable[[], Any], **make_named: Callable[[], Any]) -> Subject:
    """Join a module with what makes each of its inputs."""
    return Subject(
        module,
        lambda: (tuple(one() for one in make), {name: one() for name, one in make_named.items()}),
    )


def grid(channels: int, sizes: Sizes, shop: Workshop) -> torch.Tensor:
    """Make what SAM's layers take: [b, h, w, c]."""
    return shop.tensor(sizes["batch"], sizes["height"], sizes["width"], channels)


def tokens(channels: int, sizes: Sizes, shop: Workshop) -> torch.Tensor:
    """Make what CLIP's layers take: [b, t, c]."""
    return shop.tensor(sizes["batch"], sizes["tokens"], channels)


def positions(channels: int, sizes: Sizes, shop: Workshop) -> torch.Tensor:
    """Make what the decoder's layers take: [b, s, c]."""
    return shop.tensor(sizes["batch"], sizes["q_len"], channels)
