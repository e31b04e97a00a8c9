"""Finds the device that was asked for, and takes its fingerprint."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..row import Device
from ..tolerances import short_device_name
from .driver import driver_version

__all__ = [
    "card_of",
    "cpu_name",
    "device_names",
    "fingerprint",
    "free_card",
    "placement",
    "require_torch",
    "resolve_device",
]


def require_torch(option: str) -> None:
    """Refuse an option that cannot be followed without torch.

    Raises:
        OptionError: torch is not installed, or cannot be loaded.
    """
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        msg = f"{option}: needs torch, which cannot be imported: {error}; install it, or leave the option out"
        raise OptionError(msg) from error


def resolve_device(asked: str) -> str:
    """Turn ``auto`` into the best device that is there, ``cuda`` into its first card, and check the others.

    Raises:
        OptionError: the device is not there.
    """
    if asked in ("meta", "cpu"):
        return asked
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "auto":
        return "cuda:0" if cards else "cpu"
    index = int(asked.removeprefix("cuda").removeprefix(":") or 0)
    if index >= cards:
        here = ", ".join(["meta", "cpu", *(f"cuda:{card}" for card in range(cards))])
        msg = f"device: got {asked!r}, which is not there; allowed on this machine are {here}"
        raise OptionError(msg)
    return f"cuda:{index}"


def free_card(worker: int) -> str:
    """Take the first card that nobody measures on, of several workers each from another one on."""
    import torch

    from .lock import first_free, lock_key

    cards = torch.cuda.device_count()
    order = [f"cuda:{(worker + step) % cards}" for step in range(cards)]
    return order[first_free([lock_key(card) for card in order])] if cards > 1 else order[0]


def card_of(device: str) -> Any:
    """Get the properties of a CUDA device: name, major, minor, total_memory (bytes)."""
    import torch

    return torch.cuda.get_device_properties(device)


def placement(module: Any, inputs: Any, default: tuple[str, str]) -> tuple[str, str]:
    """Find the device and the dtype of a module: of its parameters, else of its inputs, else the default."""
    import torch
    from torch.utils._pytree import tree_leaves

    parameters: list[torch.Tensor] = list(module.parameters()) if isinstance(module, torch.nn.Module) else []
    found = parameters or [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, torch.Tensor)]
    if not found:
        return default
    first = next((tensor for tensor in found if tensor.is_floating_point()), found[0])
    return str(first.device), str(first.dtype).removeprefix("torch.")


def fingerprint(device: str) -> Device:
    """Say what tells this device's figures from another's: on meta no build of torch is, and ``+cpu`` is left off."""
    import torch

    if not device.startswith(("cpu", "cuda")):
        return Device(type=device, torch=torch.__version__.partition("+")[0])
    if device == "cpu":
        return Device(type=device, name=cpu_name(), torch=torch.__version__)
    properties = card_of(device)
    return Device(
        type="cuda",
        name=properties.name,
        capability=f"{properties.major}.{properties.minor}",
        driver=driver_version(),
        torch=torch.__version__,
        cuda=torch.version.cuda or "",
    )


def cpu_name(told: Path = Path("/proc/cpuinfo")) -> str:
    """Name the processor and the cores that torch uses of it: times on other ones are other times."""
    import torch

    try:
        lines = told.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    model = next(models, "") or platform.processor() or platform.machine()
    return f"{model}, {torch.get_num_threads()} threads"


def device_names(device: Device) -> tuple[str, ...]:
    """List the names under which a rule can mean this device."""
    return (device.type, short_device_name(device.name)) if device.name else (device.type,)
