"""What a layer takes and gives, and what is alive in between."""

from __future__ import annotations

from dataclasses import dataclass
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
    while a longer tensor of keys or values takes the place of one; less than 0 before the run has put its own there.
    """

    op: str
    bytes: Count
    cache_bytes: Count = 0


def during(module: str, held: Count, moments: Iterable[Moment], cache_bytes: Count = 0) -> Iterator[Moment]:
    """Take the moments of a submodule, while its caller holds ``held`` bytes beside that one's inputs.

    ``cache_bytes`` is how much the KV cache of other modules differs by then from what it is in the end.
    """
    for one in moments:
        yield Moment(f"{module}.{one.op}", one.bytes + held, one.cache_bytes + cache_bytes)


def activation_bytes(moments: Iterable[Moment]) -> Count:
    """Take the most that is alive beside weights and KV cache, point by point; nothing where there is no moment."""
    most: Count = largest(0, *(moment.bytes for moment in moments))
    return most


def live_bytes(moments: Iterable[Moment], kv_cache_bytes: Count) -> Count:
    """Take the most that is alive beside weights, with a KV cache that is ``kv_cache_bytes`` in the end."""
    most: Count = largest(kv_cache_bytes, *(kv_cache_bytes + moment.bytes + moment.cache_bytes for moment in moments))
    return most


def peak_launch(moments: Iterable[Moment], ops: Iterable[Op]) -> tuple[int, Op]:
    """Count the launches up to the peak of the activations; of equal moments, the first. Sizes are ints here.

    Moments stand in the order of their ops, so that one of two ops of the same name is told by its place.

    Raises:
        SizeError: a moment of which no op has the name, or that of an op that is not launched.
    """
    listed = tuple(moments)
    peak = max(range(len(listed)), key=lambda index: listed[index].bytes)
    launches, running = 0, iter(ops)
    op: Op | None = None
    for moment in listed[: peak + 1]:
        while op is None or op.name != moment.op:
            op = next(running, None)
            if op is None:
                msg = f"moments: got {moment.op!r}, allowed are the names of ops, in their order"
                raise SizeError(msg)
            launches += int(op.launches)
    if op is None or not op.launches:
        msg = f"moments: got a peak at {op.name if op else 'nothing'!r}, allowed are ops that are launched"
        raise SizeError(msg)
    return launches, op


def compulsory_bytes(boundary: Boundary, ops: Iterable[Op], kv_cache_bytes: Count = 0) -> Count:
    """Sum what any implementation has to move.

    Each input and output once, each weight that is touched once (of experts, those that get a token), the KV cache:
    old entries read, new ones written. An op of one name reads the same weight whenever it runs: its last run counts.
    """
    weights: Count = 0
    for touched in {op.name: op.weight_bytes for op in ops}.values():
        weights = weights + touched
    return boundary.inputs + boundary.outputs + weights + kv_cache_bytes
