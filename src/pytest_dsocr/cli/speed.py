"""The options that say how fast it runs, shared by the subcommands that ask for time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsocr_cost.errors import ProfileError
from dsocr_cost.latency import LAUNCHES
from dsocr_cost.profile_json import read_profile

from ..peak import PEAK_VARIABLE, peak_of_environment
from .card import device_of, devices_option
from .options import joined, refuse_alone, refuse_together
from .types import TERAFLOPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsocr_cost.execution import Execution
    from dsocr_cost.latency import LaunchName
    from dsocr_cost.profile import Profile
    from dsocr_cost.profile_json import Calibration

__all__ = ["Speed", "speed_of", "speed_options"]

_TENSOR_CORE_BYTES = 2
"""Of an element whose peak stands in a datasheet for tensor cores."""

speed_options = joined(
    click.option(
        "--device",
        metavar="NAME",
        help="A card, by the figures of its datasheet and what kernels make of those on its architecture; its number "
        "alone will do, such as 4090.",
    ),
    click.option(
        "--profile",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A machine, as dsocr calibrate measured it, in place of a card: docs/latency.md.",
    ),
    devices_option,
    click.option(
        "--launch",
        type=click.Choice(LAUNCHES),
        default="eager",
        show_default=True,
        help="Kernels back to back, as a CUDA graph runs them, or launched one by one by the host.",
    ),
    click.option(
        "--peak-tflops",
        type=TERAFLOPS,
        metavar="X",
        help="The dense peak that MFU is a share of, in TFLOP/s, in place of the machine's; with --device, time in "
        f"16 bits is predicted from it too.  [env var: {PEAK_VARIABLE}]",
    ),
)
"""The options of a command that asks for a machine's speed: device, profile, devices, launch, peak-tflops."""


@dataclass(frozen=True, slots=True)
class Speed:
    """A machine's speed, how it is launched, and the dense peak that MFU is a share of."""

    profile: Profile
    launch: LaunchName
    peak_flops_per_s: float


def speed_of(options: Mapping[str, Any], execution: Execution, *, mfu: bool = True) -> Speed | None:
    """Take the speed from a command's options; None where neither device nor profile is given.

    Without ``mfu`` a peak of one's own counts only where times are predicted from it.

    Raises:
        DeviceError: an unknown device, a file that describes none, a device of whose speed too little is known.
        OptionError: a peak in the environment that is none.
        ProfileError: a profile that cannot be read.
        UsageError: options that exclude each other, or that say something of a machine that is not there.
    """
    refuse_together("device", "profile")
    if options["device"] is None:
        refuse_alone("devices", beside="--device")
    if options["device"] is None and options["profile"] is None:
        refuse_alone("launch", beside="--device or --profile")
        refuse_alone("peak_tflops", beside="--device or --profile")
        return None
    size = execution.item_bytes
    predicts = options["profile"] is None and size == _TENSOR_CORE_BYTES
    if not mfu and not predicts:
        refuse_alone("peak_tflops", beside="--device, in 16 bits")
    peak = options["peak_tflops"] or (peak_of_environment() if mfu or predicts else None)
    if options["profile"] is not None:
        calibration = _calibration(options["profile"])
        _warn_of_another_execution(options["profile"], calibration, execution)
        profile = calibration.profile
        _require_launch(options, profile)
    else:
        profile = _by_architecture(options, peak if predicts else None)
    return Speed(profile, options["launch"], peak or profile.machine.flops_per_s[size])


def _by_architecture(options: Mapping[str, Any], peak: float | None) -> Profile:
    from dsocr_cost.architecture import profile_of

    return profile_of(device_of(options["device"], options["devices"]), peak)


def _calibration(path: Path) -> Calibration:
    try:
        return read_profile(path)
    except ProfileError as error:
        msg = f"profile: {error}"
        raise ProfileError(msg) from error


def _warn_of_another_execution(path: Path, calibration: Calibration, execution: Execution) -> None:
    """Say on stderr that kernels of another sort were timed than those that are predicted."""
    if other := calibration.other_than(execution):
        msg = f"{path} was calibrated with {' and '.join(other)}: its band does not hold for what is asked"
        click.echo(f"warning: {msg}", err=True)


def _require_launch(options: Mapping[str, Any], profile: Profile) -> None:
    """Refuse a CUDA graph on a machine that is its own host."""
    if options["launch"] == "graph" and not profile.host.overlaps:
        where = f"{options['profile']} was calibrated on {profile.machine.name}"
        msg = f"--launch: got graph, which needs a CUDA device, and {where}; allowed is eager"
        raise click.UsageError(msg)
