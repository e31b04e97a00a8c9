"""Seconds: ops and a machine's profile in, the time of a layer, a stage or a whole run out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from .errors import SizeError
from .execution import ITEM_BYTES, Execution
from .model import Decoder, Vision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .config import DeepseekOCRConfig
    from .op import Op
    from .profile import Host, OpTime, Profile
    from .workload import Workload

__all__ = [
    "BOUNDS",
    "LAUNCHES",
    "Latency",
    "LaunchName",
    "RunLatency",
    "RunShares",
    "Share",
    "latency",
    "op_times",
    "run_latency",
    "run_shares",
    "shares",
]

LaunchName: TypeAlias = Literal["graph", "eager"]
"""``graph``: kernels back to back, as a CUDA graph runs them; ``eager``: the host launches them one by one."""

LAUNCHES: tuple[LaunchName, ...] = get_args(LaunchName)
BOUNDS = ("compute", "memory", "fixed", "host")
"""What can take most of an op's time: the machine's peak, its bandwidth, a kernel's least time, the host's launches."""

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


@dataclass(frozen=True, slots=True)
class Share:
    """What one op adds to the time of the ops that it runs among, in seconds, and which of ``BOUNDS`` takes most of it.

    With an eager launch, a wait of the device for the host is part of the op that is waited for. So the shares of a
    stage add up to its time.
    """

    op: Op
    seconds: Any
    bound: Any


class RunShares(NamedTuple):
    """The ops of a run by stage, in the order in which they run; those of ``decode`` over all its steps."""

    vision: tuple[Share, ...]
    prefill: tuple[Share, ...]
    decode: tuple[Share, ...]


def op_times(ops: Iterable[Op], profile: Profile, execution: Execution = Execution()) -> tuple[OpTime, ...]:
    """Time each op on its own, its weights in memory."""
    return tuple(profile.time(op, ITEM_BYTES[execution.dtype]) for op in ops)


def latency(times: Sequence[OpTime], profile: Profile, launch: LaunchName = "eager") -> Latency:
    """Time ops that run one after the other.

    Raises:
        SizeError: a launch mode that is none of :data:`LAUNCHES`.
    """
    _require(launch)
    return Latency(*(_elapsed(times, profile.host, launch, side) for side in (0, -1, 1)))


def shares(times: Sequence[OpTime], profile: Profile, launch: LaunchName = "eager") -> tuple[Share, ...]:
    """Share out the time of ops that run one after the other among them.

    Raises:
        SizeError: a launch mode that is none of :data:`LAUNCHES`.
    """
    _require(launch)
    done: Any = 0.0
    made = []
    for time, end in zip(times, _ends(times, profile.host, launch, 0), strict=True):
        seconds, done = end - done, end
        made.append(Share(time.op, seconds, np.where(seconds > 2 * time.seconds, "host", time.bound)))
    return tuple(made)


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

    def stage(ops: Iterable[Op]) -> Latency:
        return latency(op_times(ops, profile, execution), profile, launch)

    run = _run(config, workload, execution)
    step = stage(run.step)
    decode = Latency(*(_over_steps(run, one) for one in (step.seconds, step.low, step.high)))
    return RunLatency(stage(run.vision), stage(run.prefill), decode, workload.decode_steps)


def run_shares(
    config: DeepseekOCRConfig,
    workload: Workload,
    execution: Execution,
    profile: Profile,
    launch: LaunchName = "eager",
) -> RunShares:
    """Share out the time of a workload of ints among its ops; in sum a stage's time as :func:`run_latency` has it."""

    def stage(ops: Iterable[Op]) -> tuple[Share, ...]:
        return shares(op_times(ops, profile, execution), profile, launch)

    run = _run(config, workload, execution)
    first, second = (
        tuple(Share(one.op, float(one.seconds), str(one.bound)) for one in stage(ops))
        for ops in (run.vision, run.prefill)
    )
    return RunShares(first, second, tuple(_share_of_steps(run, one) for one in stage(run.step)))


class _Run(NamedTuple):
    """The ops of a workload; those of a decode step [..., nodes], for the steps that ``at`` counts from 1."""

    vision: tuple[Op, ...]
    prefill: tuple[Op, ...]
    step: tuple[Op, ...]
    at: Any
    steps: Any


def _run(config: DeepseekOCRConfig, workload: Workload, execution: Execution) -> _Run:
    decoder, batch, steps = Decoder(config.decoder), workload.batch, workload.decode_steps
    context = workload.context(config.sam)
    seen: Iterable[Op] = ()
    if workload.mode is not None:
        part = Vision(config, workload.mode, cropped=workload.grid is not None)
        seen = part.ops(batch, *(workload.grid or ()), execution=execution)
    # the first step attends over one position more than the prefill
    at = np.rint(1 + (np.asarray(steps)[..., None] - 1) * np.linspace(0, 1, _NODES)).astype(np.int64)
    one_step = decoder.ops(np.asarray(batch)[..., None], 1, np.asarray(context)[..., None] + at, execution=execution)
    return _Run(
        tuple(seen), tuple(decoder.ops(batch, context, context, execution=execution)), tuple(one_step), at, steps
    )


def _over_steps(run: _Run, seconds: Any) -> Any:
    """Add up all steps from the first to the last of those that were priced."""
    seconds = np.broadcast_to(seconds, np.broadcast_shapes(np.shape(seconds), run.at.shape))
    span = run.at[..., -1] - run.at[..., 0]
    under = ((seconds[..., 1:] + seconds[..., :-1]) / 2 * np.diff(run.at)).sum(axis=-1)
    mean = np.where(span > 0, under / np.maximum(span, 1), seconds[..., 0])
    return mean * run.steps


def _share_of_steps(run: _Run, step: Share) -> Share:
    by_bound = {name: float(_over_steps(run, np.where(step.bound == name, step.seconds, 0.0))) for name in BOUNDS}
    return Share(step.op, float(_over_steps(run, step.seconds)), max(by_bound, key=by_bound.__getitem__))


def _require(launch: str) -> None:
    if launch not in LAUNCHES:
        msg = f"launch: got {launch!r}, allowed are {', '.join(LAUNCHES)}"
        raise SizeError(msg)


def _elapsed(times: Sequence[OpTime], host: Host, launch: LaunchName, side: int) -> Any:
    """Tell the time of all ops; ``side`` -1, 0 or 1 is the low, the middle, the high end."""
    done: Any = 0.0
    for end in _ends(times, host, launch, side):
        done = end
    return done


def _ends(times: Sequence[OpTime], host: Host, launch: LaunchName, side: int) -> Iterator[Any]:
    """Tell when each op has ended: kernels and, where the launch is eager, the host."""
    dispatch, latency_s = (one * max(1 + side * host.error, 0.0) for one in (host.dispatch_s, host.latency_s))
    issued: Any = 0.0
    done: Any = 0.0
    for time in times:
        seconds, count = time.seconds * max(1 + side * time.error, 0.0), time.op.launches
        if launch == "graph":
            done = done + seconds
        elif not host.overlaps:
            done = done + seconds + dispatch * count
        else:
            issued = issued + dispatch * count
            done = np.where(np.asarray(count) > 0, np.maximum(done, issued + latency_s) + seconds, done)
        yield done
