"""What a card makes of its figures where nobody calibrated it: what its architecture does in tables of others."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .efficiency import Machine, Smooth
from .errors import DeviceError
from .flash import FlashAttention, ScoreTiles, SharedKeys
from .profile import Host, Profile
from .tiled_gemm import TiledGemm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .device import Device
    from .efficiency import KernelClass, KernelModel

__all__ = ["Architecture", "architecture_of", "known_architectures", "machine_of", "profile_of"]

PACKAGED = "efficiencies.toml"
_MOST_SPLITS = 128  # of torch's own decode kernel, which shares out the keys on every card
_CALIBRATE = "measure it: dsocr calibrate --device {device} -o profile.json"


@dataclass(frozen=True, slots=True)
class Architecture:
    """Kernels of one architecture as tables have them: ``causal``, ``full`` and ``decode`` are calls of a framework.

    ``names`` and ``compute_capabilities`` are those of its devices. The parameters were fitted on the card
    ``fitted_on``; of another one nothing is surer than ``other_cards_error``, of those listed in ``farther``, which are
    of a neighbouring architecture, ``farther_error``. ``borrowed`` says of tables that the architecture does not have
    from which card they were taken. ``errors`` say by table what nine of ten kernels stayed under that were not fitted
    to, or, in ``unsure``, by class what holds at least where no table has such kernels.
    """

    name: str
    names: tuple[str, ...]
    compute_capabilities: tuple[tuple[int, int], ...]
    fitted_on: str
    other_cards_error: float
    farther: tuple[tuple[int, int], ...]
    farther_names: tuple[str, ...]
    farther_error: float
    borrowed: Mapping[str, str]
    cache_bytes_per_s_per_sm: float
    gemm: TiledGemm
    causal: ScoreTiles
    full: ScoreTiles
    decode: SharedKeys
    errors: Mapping[str, float]
    unsure: Mapping[str, float]

    def models(self, device: Device) -> dict[KernelClass, KernelModel]:
        """Say how long kernels of torch take on a device of this architecture, by class."""
        gemm, attention = self.gemm, self._attention()
        streamed = Smooth(gemm.fixed_s, 1.0, gemm.bandwidth, 4.0, gemm.error)
        made: dict[KernelClass, Any] = {
            "gemm": gemm,
            "grouped_gemm": gemm,
            "convolution": gemm,
            "attention": attention,
            "biased_attention": attention,
            "elementwise": streamed,
        }
        least = self._least_error(device)
        return {
            kind: replace(model, error=max(model.error, least, self.unsure.get(kind, 0.0)))
            for kind, model in made.items()
        }

    def _attention(self) -> FlashAttention:
        """Turn a framework's calls into kernels of torch.

        A call of a framework has more than one launch and writes keys and values to its cache; one kernel begins and
        moves bytes as a matmul does.
        """
        fixed_s, bandwidth = self.gemm.fixed_s, self.gemm.bandwidth
        causal, full = (replace(one, fixed_s=fixed_s, bandwidth=bandwidth) for one in (self.causal, self.full))
        decode = replace(self.decode, fixed_s=fixed_s, split_s=self.gemm.split_s, most_splits=_MOST_SPLITS)
        return FlashAttention(causal, full, decode, max(self.errors.values()))

    def stands_in_for(self, device: Device) -> bool:
        """Whether a device is of a neighbouring architecture, for which there is no table."""
        return device.compute_capability in self.farther

    def source(self, device: Device) -> str:
        """Say whose efficiencies a device's are."""
        said = f"efficiencies of {self.name}"
        if self.stands_in_for(device):
            said += (
                f", a neighbour: there is no table of {device.architecture or 'its architecture'} {_version(device)}"
            )
        for table, card in self.borrowed.items():
            said += f", those of {table} attention borrowed from the {card}"
        return said

    def _least_error(self, device: Device) -> float:
        if self.stands_in_for(device):
            return self.farther_error
        return 0.0 if device.name == self.fitted_on else self.other_cards_error


def profile_of(device: Device, peak_flops_per_s: float | None = None) -> Profile:
    """Predict with a card's datasheet, and what its architecture makes of that.

    ``peak_flops_per_s`` is put in the place of the dense bfloat16 and float16 peak.

    Raises:
        DeviceError: a figure that time needs is unknown, or nothing is known of the architecture. The message says what
            to do.
    """
    architecture = architecture_of(device)
    machine = machine_of(device, architecture.cache_bytes_per_s_per_sm * (device.sms or 1), peak_flops_per_s)
    source = f"datasheet of {device.name}, {architecture.source(device)} ({PACKAGED})"
    return Profile(machine, architecture.models(device), _packaged_host(), source)


def machine_of(device: Device, cache_bandwidth: float, peak_flops_per_s: float | None = None) -> Machine:
    """Take a card's figures from its datasheet; ``peak_flops_per_s`` is put in the place of its 16-bit peak.

    Raises:
        DeviceError: a figure that time needs is unknown.
    """
    needed = {
        "bf16_flops_per_s": peak_flops_per_s or device.bf16_flops_per_s,
        "fp32_flops_per_s": device.fp32_flops_per_s,
        "bandwidth_bytes_per_s": device.bandwidth_bytes_per_s,
        "l2_bytes": device.l2_bytes,
        "sms": device.sms,
    }
    unknown = [key for key, figure in needed.items() if figure is None]
    if unknown:
        are = "is" if len(unknown) == 1 else "are"
        ways = f"give it in a file of devices, or {_calibrate(device)}"
        raise DeviceError(f"device {device.name}: {', '.join(unknown)} {are} unknown, and time needs that: {ways}")
    bf16, fp32, bandwidth, cache_bytes, sms = needed.values()
    return Machine(device.name, {2: bf16, 4: fp32}, bandwidth, cache_bytes, cache_bandwidth, sms)  # type: ignore[arg-type,dict-item]


def architecture_of(device: Device) -> Architecture:
    """Find the architecture of a device: by its compute capability, or by name where that is unknown.

    Raises:
        DeviceError: nothing is known of it, or its name alone does not say which one it is.
    """
    known = known_architectures()
    if device.compute_capability is not None:
        fitting = [one for one in known if device.compute_capability in (*one.compute_capabilities, *one.farther)]
        what = f"compute capability {_version(device)}"
    else:
        fitting = [one for one in known if device.architecture in (*one.names, *one.farther_names)]
        what = f"architecture {device.architecture!r}"
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        which = ", ".join(f"{one.name} {list(map(list, one.compute_capabilities))}" for one in fitting)
        raise DeviceError(f"device {device.name}: {what} is one of {which}: give its compute_capability too")
    names = ", ".join(one.name for one in known)
    raise DeviceError(
        f"device {device.name}: nothing is known of {what}, allowed are {names}; else {_calibrate(device)}"
    )


@cache
def known_architectures() -> tuple[Architecture, ...]:
    """List the architectures that come with the package, read once."""
    content = _packaged()
    return tuple(_architecture(table, content["unsure"]) for table in content["architecture"])


@cache
def _packaged() -> dict[str, Any]:
    return tomllib.loads(files("dsocr_cost").joinpath(PACKAGED).read_text(encoding="utf-8"))


def _packaged_host() -> Host:
    host = _packaged()["host"]
    return Host(host["dispatch_s"], host["latency_s"], overlaps=True, error=host["error"])


def _architecture(table: Mapping[str, Any], unsure: Mapping[str, float]) -> Architecture:
    forms = {"causal": ScoreTiles, "full": ScoreTiles, "decode": SharedKeys}
    errors = {name: table[name]["error"] for name in forms}
    attention: dict[str, Any] = {
        name: form(**{key: value for key, value in table[name].items() if key != "error"})
        for name, form in forms.items()
    }
    return Architecture(
        name=table["name"],
        names=tuple(table["names"]),
        compute_capabilities=_capabilities(table["compute_capabilities"]),
        fitted_on=table["fitted_on"],
        other_cards_error=table["other_cards_error"],
        farther=_capabilities(table.get("farther", ())),
        farther_names=tuple(table.get("farther_names", ())),
        farther_error=table.get("farther_error", 0.0),
        borrowed=table.get("borrowed", {}),
        cache_bytes_per_s_per_sm=table["cache_bytes_per_s_per_sm"],
        gemm=TiledGemm(**table["gemm"]),
        errors=errors,
        unsure={kind: error for kind, error in unsure.items() if isinstance(error, float)},
        **attention,
    )


def _capabilities(listed: Any) -> tuple[tuple[int, int], ...]:
    return tuple((major, minor) for major, minor in listed)


def _version(device: Device) -> str:
    return ".".join(map(str, device.compute_capability or ()))


def _calibrate(device: Device) -> str:
    return _CALIBRATE.format(device="cpu" if device.name == "CPU" else "cuda:0")
