"""Devices: the dense peaks, the bandwidth and the memory of a card, from ``devices.toml`` or a file of one's own."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from .errors import DeviceError, quoted
from .int64 import INT64_END
from .text_file import read_text_file

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["Device", "find_device", "known_devices", "load_devices"]

PACKAGED = "devices.toml"


@dataclass(frozen=True, slots=True)
class Device:
    """A card by its published figures; None where nobody published one, or its file does not say.

    ``name`` is what people say, ``names`` what ``torch.cuda.get_device_name`` and NVML say. Peaks are dense, never
    sparse, at the vendor's boost clock, which a card can pass: ``bf16``, ``fp16`` and ``tf32`` inputs on tensor cores
    that add up in fp32, ``fp16_fp16_accumulate`` the same in fp16, ``fp32`` on CUDA cores. A multiply-add is 2 FLOPs.
    ``sms`` are streaming multiprocessors. ``bandwidth_bytes_per_s`` is that of the device's own memory.

    Of ``memory_bytes``, the total of nvidia-smi, the driver keeps ``reserved_bytes`` from every process, and a process
    of torch spends ``cuda_context_bytes`` on its context, kernels and cuBLAS, beside its tensors. Each group of figures
    has its source, which is empty where nobody gave it.

    Raises:
        DeviceError: figures that no device can have. The message names each, what it got and what is allowed.
    """

    name: str
    names: tuple[str, ...]
    architecture: str
    compute_capability: tuple[int, int] | None
    sms: int | None
    l2_bytes: int | None
    chip_source: str
    bf16_flops_per_s: float | None
    fp16_flops_per_s: float | None
    fp16_fp16_accumulate_flops_per_s: float | None
    tf32_flops_per_s: float | None
    fp32_flops_per_s: float | None
    peaks_source: str
    bandwidth_bytes_per_s: float | None
    bandwidth_source: str
    memory_bytes: int | None
    reserved_bytes: int | None
    memory_source: str
    cuda_context_bytes: int | None
    context_source: str

    def __post_init__(self) -> None:
        """Refuse what no device can have."""
        problems = _problems({key: getattr(self, key) for key in _FORMS})
        if problems:
            raise DeviceError("; ".join(problems))
        if self.usable_bytes is not None and self.usable_bytes <= 0:
            taken = f"reserved_bytes and cuda_context_bytes: got {self.reserved_bytes} and {self.cuda_context_bytes}"
            raise DeviceError(f"{taken}, allowed is less than memory_bytes ({self.memory_bytes}) together")

    @property
    def usable_bytes(self) -> int | None:
        """What one process has for its tensors; None where memory or what is taken of it is unknown."""
        if self.memory_bytes is None or self.reserved_bytes is None or self.cuda_context_bytes is None:
            return None
        return self.memory_bytes - self.reserved_bytes - self.cuda_context_bytes


@cache
def known_devices() -> tuple[Device, ...]:
    """List the devices that come with the package, read once."""
    return _parse(f"dsocr_cost/{PACKAGED}", files("dsocr_cost").joinpath(PACKAGED).read_text(encoding="utf-8"))


def load_devices(path: str | os.PathLike[str]) -> tuple[Device, ...]:
    """Read a file in the form of ``devices.toml``, and add the known devices to its own.

    A device of the file needs a name alone: ``names`` are then that, a text is empty, a figure unknown, and of a memory
    that is known, nothing is reserved. It replaces every known device with which it shares a name.

    Raises:
        DeviceError: the file cannot be read, is no regular one, is too large, is no TOML, has an unknown key, lacks a
            name, or has a value of a wrong type or size. The message names the file, the device, each key that is
            wrong, what it got and what is allowed.
    """
    own = _parse(str(path), read_text_file(path, DeviceError))
    taken = set[str]().union(*(_keys(device) for device in own))
    return (*own, *(device for device in known_devices() if not taken & _keys(device)))


def find_device(name: str, devices: Sequence[Device] | None = None) -> Device:
    """Find a device by its name or by one of those that the driver gives it, in ``devices`` or the known ones.

    Case, spaces and punctuation do not matter, and ``NVIDIA`` and ``GeForce`` may be left out before a name; the rest
    of it may not, but before a number with which the name of one device alone ends: ``4090``.

    Raises:
        DeviceError: no device has this name, or several begin with it or end with this number. The message lists them,
            the closest first.
    """
    if devices is None:
        devices = known_devices()
    key = _key(name)
    for device in devices:
        if key in _keys(device):
            return device
    numbered = [
        device for device in devices if key.isdecimal() and key in map(_last_word, (device.name, *device.names))
    ]
    if len(numbered) == 1:
        return numbered[0]
    begun = [device for device in devices if key and any(other.startswith(key) for other in _keys(device))]
    if len(candidates := numbered or begun) > 1:
        raise _refused("device", name, f"one of {', '.join(device.name for device in candidates)}")
    listed = ", ".join(device.name for device in sorted(devices, key=lambda device: _distance(key, device)))
    raise _refused("device", name, f"one of {listed}; or one of a file of your own in the form of {PACKAGED}")


def _key(name: str) -> str:
    """Reduce a name to what tells devices apart."""
    letters = "".join(letter for letter in name.casefold() if letter.isalnum())
    return letters.removeprefix("nvidia").removeprefix("geforce")


def _keys(device: Device) -> set[str]:
    return {_key(name) for name in (device.name, *device.names)}


def _last_word(name: str) -> str:
    return _key(name.rpartition(" ")[2])


def _distance(key: str, device: Device) -> float:
    return min(1 - SequenceMatcher(None, key, other).ratio() for other in _keys(device))


def _parse(source: str, text: str) -> tuple[Device, ...]:
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeviceError(f"{source}: is no TOML: {error}") from error
    for key in content:
        if key != "device":
            raise DeviceError(f"{source}: {_unknown([key], ['device'])}")
    tables = content.get("device")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise _refused(f"{source}: device", tables, "at least one [[device]] table")
    devices = [_device(source, number, table) for number, table in enumerate(tables, start=1)]
    owners: dict[str, Device] = {}
    for device in devices:
        for name in (device.name, *device.names):
            owner = owners.setdefault(_key(name), device)
            if owner is not device:
                where = f"{source}: {device.name}: name or names"
                raise _refused(where, name, f"what names no other device of the file, as it does {owner.name}")
    return tuple(devices)


def _device(source: str, number: int, table: Mapping[str, object]) -> Device:
    name = table.get("name")
    where = f"{source}: {name if _is_name(name) else f'device {number}'}: "
    figures = [key for key, form in _FORMS.items() if form.may_be_unknown]
    unknown = table.get("unknown", [])
    if not isinstance(unknown, list) or not all(key in figures for key in unknown):
        raise _refused(f"{where}unknown", unknown, f"a list of some of {', '.join(figures)}")
    others = [key for key in table if key not in _FORMS and key != "unknown"]
    problems = [_unknown(others, [*_FORMS, "unknown"])] if others else []
    problems += [
        str(_refused(key, table[key], "no figure, as it is listed in unknown")) for key in unknown if key in table
    ]
    if "name" not in table:
        problems.append(f"name: is missing, allowed is {_FORMS['name'].allowed}")
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items() if key in _FORMS}
    problems += _problems(given)
    if problems:
        raise DeviceError(f"{where}{'; '.join(problems)}")
    values: dict[str, object] = {key: None if form.may_be_unknown else "" for key, form in _FORMS.items()}
    values["names"] = (name,)
    if "memory_bytes" in table and "reserved_bytes" not in unknown:
        values["reserved_bytes"] = 0
    try:
        return Device(**(values | given))  # type: ignore[arg-type]
    except DeviceError as error:
        raise DeviceError(f"{where}{error}") from error


def _problems(values: Mapping[str, object]) -> list[str]:
    """Say of each value that no device can have what is allowed."""
    return [
        str(_refused(key, value, _FORMS[key].allowed))
        for key, value in values.items()
        if not (_FORMS[key].holds(value) or (value is None and _FORMS[key].may_be_unknown))
    ]


class _Form(NamedTuple):
    """What a value must be, in code and in words."""

    holds: Callable[[object], bool]
    allowed: str
    may_be_unknown: bool = False


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and not value.isspace()


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and _key(value) != ""


def _are_names(value: object) -> bool:
    return isinstance(value, tuple) and all(_is_name(one) for one in value)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < INT64_END


def _is_capability(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(_is_whole(one, 0) for one in value)


def _is_rate(value: object) -> bool:
    # far outside of what any device does; inside of that no time overflows
    return isinstance(value, int | float) and not isinstance(value, bool) and 1e6 <= value <= 1e18


_TEXT = _Form(_is_text, "a line of text")
_COUNT = _Form(lambda value: _is_whole(value, 1), "a whole number of at least 1, in 64 bits", may_be_unknown=True)
_SHARE = _Form(lambda value: _is_whole(value, 0), "a whole number of at least 0, in 64 bits", may_be_unknown=True)
_RATE = _Form(_is_rate, "a number from 1e6 to 1e18", may_be_unknown=True)
_FORMS: dict[str, _Form] = {
    "name": _Form(_is_name, "a line of text that names a device"),
    "names": _Form(_are_names, "a list of lines of text that name a device"),
    "architecture": _TEXT,
    "compute_capability": _Form(_is_capability, "two whole numbers of at least 0", may_be_unknown=True),
    "sms": _COUNT,
    "l2_bytes": _COUNT,
    "chip_source": _TEXT,
    "bf16_flops_per_s": _RATE,
    "fp16_flops_per_s": _RATE,
    "fp16_fp16_accumulate_flops_per_s": _RATE,
    "tf32_flops_per_s": _RATE,
    "fp32_flops_per_s": _RATE,
    "peaks_source": _TEXT,
    "bandwidth_bytes_per_s": _RATE,
    "bandwidth_source": _TEXT,
    "memory_bytes": _COUNT,
    "reserved_bytes": _SHARE,
    "memory_source": _TEXT,
    "cuda_context_bytes": _SHARE,
    "context_source": _TEXT,
}


def _refused(where: str, got: object, allowed: str) -> DeviceError:
    return DeviceError(f"{where}: got {quoted(got)}, allowed is {allowed}")


def _unknown(keys: Sequence[str], allowed: Iterable[str]) -> str:
    are = "is" if len(keys) == 1 else "are"
    return f"{', '.join(map(quoted, keys))}: {are} unknown, allowed are {', '.join(allowed)}"
