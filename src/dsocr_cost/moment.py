"""What a layer takes and gives, and what is alive in between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from .errors import SizeError
from .polynomial import largest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .op import Count, Op

__all__ = ["Boundary", "Moment", "activation_bytes", "compulsory_bytes", "during", "live_bytes", "peak_launch"]


class Boundary(NamedTuple):
    """Bytes of a layer's inputs and of its outputs, as stored; the KV cache is neither."""

    inputs: Count
    outputs: Count


@dataclass(frozen=True, slots=True)
class Moment:
    """A kernel that has written its output, by its name in the layer's ops, and what is alive then.

    ``bytes`` are activations: the layer's inputs, what it still holds, what the kernel read and wrote. Weights stand
    apart, and so does the KV cache as the run leaves it; ``cache_bytes`` is what it takes beyond that for the moment,
    while a longer tensor of keys or values takes the place of one.
    """

    op: str
    bytes: Count
    cache_bytes: Count = 0


def during(module: str, held: Count, moments: Iterable[Moment]) -> Iterator[Moment]:
    """Take the moments of a submodule, while its caller holds ``held`` bytes beside that one's inputs."""
    for moment in moments:
        yield replace(moment, op=f"{module}.{moment.op}", bytes=moment.bytes + held)


def activation_bytes(moments: Iterable[Moment]) -> Count:
    """Take the most that is alive beside weights and KV cache, point by point; nothing where there is no moment."""
    most: Count = largest(0, *(moment.bytes for moment in moments))
    return most


def live_bytes(moments: Iterable[Moment], kv_cache_bytes: Count) -> Count:
    """Take the most that is alive beside weights, with a KV cache that is ``kv_cache_bytes`` in the end."""
    most: Count = largest(kv_cache_bytes, *(kv_cache_bytes + moment.bytes + moment.cache_bytes for moment in moments))
    return most


def peak_launch(moments: Iterable[Moment], ops: Iterable[Op]) -> tuple[int, Op]:
    """Count the launches up to the peak of the activations; of equal moments, the first.

    Sizes are ints here.

    Raises:
        SizeError: a moment of which no launched op has the name.
    """
    peak = max(moments, key=lambda moment: moment.bytes)
    launches = 0
    for op in ops:
        launches += int(op.launches)
        if op.launches and op.name == peak.op:
            return launches, op
    msg = f"moments: got {peak.op!r}, allowed are ops that are launched"
    raise SizeError(msg)


def compulsory_bytes(boundary: Boundary, ops: Iterable[Op], kv_cache_bytes: Count = 0) -> Count:
    """Sum what any implementation has to move.

    Each input and output once, each weight that is touched once (of experts, those that get a token), the KV cache:
    old entries read, new ones written.
    """
    weights: Count = 0
    for op in ops:
        weights = weights + op.weight_bytes
    return boundary.inputs + boundary.outputs + weights + kv_cache_bytes
