"""The options that say which card runs it, shared by the subcommands that ask what fits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsocr_cost.device import find_device, known_devices, load_devices
from dsocr_cost.errors import DeviceError, SizeError
from dsocr_cost.fit import Room
from dsocr_cost.report import bytes_text

from .options import given, joined, refuse_together
from .types import BYTES, MARGIN, MEMORY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsocr_cost.device import Device

__all__ = ["Card", "card_of", "card_options", "device_of", "devices_option"]

devices_option = click.option(
    "--devices",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Cards of your own: a name and what you know of it, as docs/devices.md says.",
)
"""Beside each option that names a card."""

card_options = joined(
    click.option(
        "--device",
        metavar="NAME",
        help="A card, for its memory and its CUDA context; its number alone will do, such as 4090. Known are "
        f"{', '.join(device.name for device in known_devices() if device.memory_bytes is not None)}.",
    ),
    click.option(
        "--memory",
        type=MEMORY,
        metavar="SIZE",
        help="Memory for the process, such as 24GiB or 32GB, in place of a card.",
    ),
    devices_option,
    click.option(
        "--cuda-context",
        type=BYTES,
        metavar="SIZE",
        help="What a process takes beside its tensors.  [default: the card's; 0 with --memory]",
    ),
    click.option(
        "--margin",
        type=MARGIN,
        metavar="SIZE|PERCENT",
        default=0,
        show_default=True,
        help="Memory to leave free. What the allocator loses to fragmentation is not counted: it has to fit in here.",
    ),
)
"""The options of a command that asks for a card: device, memory, devices, cuda-context, margin."""


@dataclass(frozen=True, slots=True)
class Card:
    """What runs it: ``name`` is None where only its memory is known."""

    name: str | None
    room: Room

    @property
    def process_bytes(self) -> int:
        """What a process may take, its CUDA context with it."""
        return self.room.bytes + self.room.cuda_context_bytes

    def document(self) -> dict[str, Any]:
        """Write it down for JSON."""
        sizes = ("memory_bytes", "reserved_bytes", "cuda_context_bytes", "margin_bytes")
        return (
            {"name": self.name} | {size: getattr(self.room, size) for size in sizes} | {"room_bytes": self.room.bytes}
        )

    def __str__(self) -> str:
        room, gib = self.room, self.room.memory_bytes / 2**30
        whole = f"{self.name or 'memory'}: {bytes_text(room.memory_bytes)} ({gib:,.2f} GiB)"
        taken = (("the driver", room.reserved_bytes), ("the margin", room.margin_bytes))
        less = " and ".join(f"{bytes_text(size)} for {name}" for name, size in taken if size)
        left = f", less {less}: {bytes_text(self.process_bytes)}" if less else ""
        context = f"of it {bytes_text(room.cuda_context_bytes)} for the CUDA context"
        return f"{whole}{left}, {context if room.cuda_context_bytes else 'without a CUDA context'}"


def card_of(options: Mapping[str, Any]) -> Card | None:
    """Take the card from a command's options; None where neither device nor memory is given.

    Raises:
        DeviceError: an unknown device, a file that describes none, a device whose memory nobody knows, or so large that
            nothing is searched.
        SizeError: a context or a margin that leaves no room.
        UsageError: options that exclude each other, or that say something of a card that is not there.
    """
    refuse_together("device", "memory")
    context = options["cuda_context"]
    if options["device"] is not None:
        device = device_of(options["device"], options["devices"])
        name, room = device.name, _room(device, context, options["devices"])
    elif given("devices"):
        msg = "--devices: got a file, allowed is one beside --device"
        raise click.UsageError(msg)
    elif options["memory"] is not None:
        name, room = None, Room(options["memory"], cuda_context_bytes=context or 0)
    elif given("margin"):
        msg = "--margin: got one of no memory, allowed is one beside --device or --memory"
        raise click.UsageError(msg)
    else:
        return None
    margin = options["margin"]
    return Card(
        name, replace(room, margin_bytes=int(margin * room.memory_bytes) if isinstance(margin, Fraction) else margin)
    )


def device_of(name: str, file: Path | None) -> Device:
    """Find a device, among those of ``--devices`` too.

    Raises:
        DeviceError: an unknown device, a file that describes none.
    """
    try:
        devices = None if file is None else load_devices(file)
    except DeviceError as error:
        msg = f"devices: {error}"
        raise DeviceError(msg) from error
    return find_device(name, devices)


def _room(device: Device, context: int | None, file: Path | None) -> Room:
    if device.memory_bytes is None or device.reserved_bytes is None:
        what = "memory" if device.memory_bytes is None else "share of the driver"
        msg = f"device: got {device.name}, whose {what} is unknown; allowed is --memory in place of it"
        raise DeviceError(msg)
    try:
        room = Room(device.memory_bytes, device.reserved_bytes)
    except SizeError as error:
        name, _, rest = str(error).partition(": ")
        source = "device" if file is None else f"devices: {file}"
        raise DeviceError(f"{source}: {device.name}: {name}_bytes: {rest}") from error
    context = device.cuda_context_bytes if context is None else context
    if context is None:
        msg = f"device: got {device.name}, whose CUDA context is unknown; allowed is --cuda-context beside it"
        raise DeviceError(msg)
    return replace(room, cuda_context_bytes=context)
