"""Seconds: ops and a machine's profile in, the time of a layer, a stage or a whole run out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from .errors import SizeError
from .execution import ITEM_BYTES, Execution
from .model import Decoder, Vision

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .config import DeepseekOCRConfig
    from .op import Op
    from .profile import Host, OpTime, Profile
    from .workload import Workload

__all__ = ["LAUNCHES", "Latency", "LaunchName", "RunLatency", "latency", "op_times", "run_latency"]

LaunchName: TypeAlias = Literal["graph", "eager"]
"""``graph``: kernels back to back, as a CUDA graph runs them; ``eager``: the host launches them one by one."""

LAUNCHES: tuple[LaunchName, ...] = get_args(LaunchName)
_NODES = 9  # decode steps that are priced of many; between two of them time is a straight line


@dataclass(frozen=True, slots=True)
class Latency:
    """A time and the band around it that its source allows, in seconds; arrays where the sizes were arrays."""

    seconds: Any
    low: Any
    high: Any

    def __add__(self, other: Latency) -> Latency:
        """One after the other: the errors of one machine's figures do not cancel."""
        return Latency(self.seconds + other.seconds, self.low + other.low, self.high + other.high)

    def times(self, factor: Any) -> Latency:
        """So many of them."""
        return Latency(self.seconds * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class RunLatency:
    """The time of a run by stage; ``decode`` is all its ``decode_steps``."""

    vision: Latency
    prefill: Latency
    decode: Latency
    decode_steps: Any

    @property
    def total(self) -> Latency:
        """All three stages."""
        return self.vision + self.prefill + self.decode

    @property
    def time_to_first_token(self) -> Latency:
        """Vision and prefill, which gives the first token."""
        return self.vision + self.prefill

    @property
    def time_per_output_token(self) -> Latency:
        """One decode step, on average."""
        return self.decode.times(1 / np.maximum(self.decode_steps, 1))


def op_times(ops: Iterable[Op], profile: Profile, execution: Execution = Execution()) -> tuple[OpTime, ...]:
    """Time each op on its own, its weights in memory."""
    return tuple(profile.time(op, ITEM_BYTES[execution.dtype]) for op in ops)


def latency(times: Sequence[OpTime], profile: Profile, launch: LaunchName = "eager") -> Latency:
    """Time ops that run one after the other.

    Raises:
        SizeError: a launch mode that is none of :data:`LAUNCHES`.
    """
    if launch not in LAUNCHES:
        msg = f"launch: got {launch!r}, allowed are {', '.join(LAUNCHES)}"
        raise SizeError(msg)
    return Latency(*(_elapsed(times, profile.host, launch, side) for side in (0, -1, 1)))


def run_latency(
    config: DeepseekOCRConfig,
    workload: Workload,
    execution: Execution,
    profile: Profile,
    launch: LaunchName = "eager",
) -> RunLatency:
    """Time vision, prefill and decode of a workload; its sizes may be integer arrays that broadcast.

    Of more than a few decode steps some are priced, evenly spread, and those between them by a straight line.
    """

    def stage(part: Vision | Decoder, *sizes: Any) -> Latency:
        return latency(op_times(part.ops(*sizes, execution=execution), profile, execution), profile, launch)

    decoder, batch, steps = Decoder(config.decoder), workload.batch, workload.decode_steps
    context = workload.context(config.sam)
    seen = Latency(0.0, 0.0, 0.0)
    if workload.mode is not None:
        vision = Vision(config, workload.mode, cropped=workload.grid is not None)
        seen = stage(vision, batch, *(workload.grid or ()))
    # [..., nodes]: the first step attends over one position more than the prefill
    at = np.rint(1 + (np.asarray(steps)[..., None] - 1) * np.linspace(0, 1, _NODES)).astype(np.int64)
    step = stage(decoder, np.asarray(batch)[..., None], 1, np.asarray(context)[..., None] + at)
    decode = Latency(*(_mean_over(at, one) * steps for one in (step.seconds, step.low, step.high)))
    return RunLatency(seen, stage(decoder, batch, context, context), decode, steps)


def _mean_over(at: Any, seconds: Any) -> Any:
    """Average over all steps from the first to the last of those that were priced."""
    span = at[..., -1] - at[..., 0]
    return np.where(span > 0, np.trapezoid(seconds, at, axis=-1) / np.maximum(span, 1), seconds[..., 0])


def _elapsed(times: Sequence[OpTime], host: Host, launch: LaunchName, side: int) -> Any:
    """Add up kernels and, where it is eager, the host; ``side`` -1, 0 or 1 is the low, the middle, the high end."""
    kernels = [time.seconds * max(1 + side * time.error, 0.0) for time in times]
    if launch == "graph":
        return sum(kernels)
    dispatch, latency_s = (one * max(1 + side * host.error, 0.0) for one in (host.dispatch_s, host.latency_s))
    launches = [time.op.launches for time in times]
    if not host.overlaps:
        return sum(kernels) + dispatch * sum(launches)
    issued: Any = 0.0
    done: Any = 0.0
    for seconds, count in zip(kernels, launches, strict=True):
        issued = issued + dispatch * count
        done = np.where(np.asarray(count) > 0, np.maximum(done, issued + latency_s) + seconds, done)
    return done
