"""A profile as a file: written whole, sealed, and read back only if nothing in it was changed.

A seal says that nothing was changed since, not that it can be true: so each figure has bounds, too. They are far
outside of what any machine does, and wide enough for whatever a calibration makes of a disturbed one; inside of them no
formula overflows.

- Rates, FLOPs or bytes a second: 1e6 to 1e18.
- Times of a kernel or a launch: 0 to 1e5 s, a day; of a sample, which was measured, from 1e-12 s on.
- Shares of the peak and of the bandwidth: 1e-4 to 100; of the cache: 0 to 100.
- Sharpness: 1 to 100. Below 1 compute and memory would take longer together than one after the other.
- Errors, relative: 0 to 1e9. A sample over what its formula says: 1e-9 to 1e9.
- Sizes and the cache: whole numbers, 0 to 1e18; multiprocessors: 1 to 1e6; samples of a place: 1 to 1,000.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, NoReturn

from .efficiency import CLASSES, TILED_CLASSES, Machine, Smooth
from .errors import ProfileError
from .profile import Host, Profile, Sample, Site
from .profile_section import Between, ProfileSection, refuse
from .text_file import read_text_file
from .tiled_gemm import TiledGemm

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from .efficiency import KernelClass, KernelModel
    from .execution import Execution

__all__ = ["SCHEMA", "Calibration", "read_profile"]

SCHEMA = 1
"""Version of the file. It grows when a reader of the version before would misread it."""

FORMS: dict[str, type[Any]] = {"smooth": Smooth, "tiled_gemm": TiledGemm}
"""The models of kernels that a file may hold, by the name of their form."""

_SEAL = "sha256"
_ITEM_SIZES = (2, 4)
_MOST_BYTES = 2**26  # of a file; a calibration writes some 130 kB

_RATE, _COUNT, _SMS = Between(1e6, 1e18), Between(0, 10**18), Between(1, 10**6)
_SECONDS, _MEASURED_SECONDS = Between(0, 1e5), Between(1e-12, 1e5)
_SHARE, _KEPT, _SHARPNESS = Between(1e-4, 100), Between(0, 100), Between(1, 100)
_ERROR, _RATIO = Between(0, 1e9), Between(1e-9, 1e9)
_MOST_SAMPLES = 1000

_PARAMETERS = {
    "fixed_s": _SECONDS,
    "compute": _SHARE,
    "bandwidth": _SHARE,
    "sharpness": _SHARPNESS,
    "load_bytes_per_s": _RATE,
    "kept_weights": _KEPT,
    "kept_inputs": _KEPT,
    "split_s": _SECONDS,
    "finish_s": _SECONDS,
    "error": _ERROR,
}
"""What a parameter of a form may be."""

_KEYS = {"schema", "device", "environment", "measured", "machine", "models", "host", "sites", _SEAL}


@dataclass(frozen=True, slots=True)
class Calibration:
    """A profile and how it came about.

    ``device`` is the fingerprint of what it was measured on (type, name, capability, driver, torch, CUDA);
    ``environment`` names versions and the system; ``measured`` are figures that were seen beside: seconds spent,
    repeatability, clocks, the bandwidth ramp.
    """

    profile: Profile
    device: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)

    def other_than(self, execution: Execution) -> list[str]:
        """Say in which choices it was calibrated otherwise than what is asked: its band does not hold for that."""
        timed = self.measured.get("execution")
        if not isinstance(timed, dict):
            return []
        names = [name for name in ("dtype", "attention", "implementation") if name in timed]
        return [f"{name} {timed[name]}" for name in names if timed[name] != getattr(execution, name)]

    def to_json(self) -> str:
        """Write it as one JSON document, with a seal over all that it says."""
        profile = self.profile
        content = {
            "schema": SCHEMA,
            "device": dict(self.device),
            "environment": dict(self.environment),
            "measured": dict(self.measured),
            "machine": asdict(profile.machine)
            | {"flops_per_s": {str(size): peak for size, peak in profile.machine.flops_per_s.items()}},
            "models": {kind: _form_of(model) for kind, model in profile.models.items()},
            "host": asdict(profile.host),
            "sites": {
                key: {"error": site.error, "samples": [list(sample) for sample in site.samples]}
                for key, site in sorted(profile.sites.items())
            },
        }
        return json.dumps(content | {_SEAL: _seal(content)}, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def read_profile(path: str | os.PathLike[str]) -> Calibration:
    """Read a calibration's file.

    Raises:
        ProfileError: it cannot be read, is no JSON, of another schema, cut off, changed since it was written, lacks
            what a profile needs, or has a figure outside of its bounds. The message is one line, and names the file,
            the key, what it got and what is allowed.
    """
    content = ProfileSection(str(path), _load(path))
    content.require("schema", type(content.got("schema")) is int and content.got("schema") == SCHEMA, f"{SCHEMA}")
    content.need(_KEYS)
    content.allow(*sorted(_KEYS))
    seal = content.values.pop(_SEAL)
    if seal != _seal(content.values):
        raise ProfileError(f"{path}: {_SEAL}: does not fit what the file says: it was changed; calibrate anew")
    models = content.section("models")
    models.allow(*CLASSES)
    profile = Profile(
        _machine(content.section("machine")),
        {kind: _model(kind, models.section(kind)) for kind in CLASSES if kind in models.values},
        _host(content.section("host")),
        f"calibrated, {path}",
        {key: _site(content.section("sites", key)) for key in content.section("sites").values},
    )
    device, environment, measured = (content.section(key) for key in ("device", "environment", "measured"))
    return Calibration(profile, device.texts(), environment.texts(), measured.values)


def _machine(content: ProfileSection) -> Machine:
    content.allow(*(one.name for one in fields(Machine)))
    peaks = content.section("flops_per_s")
    peaks.allow(*(str(size) for size in _ITEM_SIZES))
    return Machine(
        name=content.text("name"),
        flops_per_s={size: peaks.number(str(size), _RATE) for size in _ITEM_SIZES},
        bandwidth_bytes_per_s=content.number("bandwidth_bytes_per_s", _RATE),
        cache_bytes=content.count("cache_bytes", _COUNT),
        cache_bandwidth_bytes_per_s=content.number("cache_bandwidth_bytes_per_s", _RATE),
        sms=content.count("sms", _SMS),
    )


def _host(content: ProfileSection) -> Host:
    content.allow(*(one.name for one in fields(Host)))
    return Host(
        dispatch_s=content.number("dispatch_s", _SECONDS),
        latency_s=content.number("latency_s", _SECONDS),
        overlaps=content.flag("overlaps"),
        error=content.number("error", _ERROR),
    )


def _load(path: str | os.PathLike[str]) -> dict[str, Any]:
    text = read_text_file(path, ProfileError, most_bytes=_MOST_BYTES)
    try:
        content = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{path}: is no JSON, or was cut off: {error}") from error
    if not isinstance(content, dict):
        refuse(str(path), content, "an object with keys, as `dsocr calibrate` writes it")
    return content


def _finite(text: str) -> float:
    number = float(text)
    if abs(number) > sys.float_info.max:
        raise ValueError(f"{text} is no finite number")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _form_of(model: KernelModel) -> dict[str, Any]:
    form = next(name for name, kind in FORMS.items() if type(model) is kind)
    return {"form": form, **asdict(model)}  # type: ignore[call-overload]


def _model(kind: KernelClass, content: ProfileSection) -> KernelModel:
    forms = [name for name, form in FORMS.items() if form is not TiledGemm or kind in TILED_CLASSES]
    content.require("form", content.got("form") in forms, f"one of {', '.join(forms)}")
    form: Callable[..., KernelModel] = FORMS[content.got("form")]
    names = [one.name for one in fields(FORMS[content.got("form")])]
    content.allow("form", *names)
    return form(**{name: content.number(name, _PARAMETERS[name]) for name in names})


def _site(content: ProfileSection) -> Site:
    content.allow("error", "samples")
    samples = content.got("samples")
    measured = isinstance(samples, list) and 1 <= len(samples) <= _MOST_SAMPLES
    content.require("samples", measured, f"a list of 1 to {_MOST_SAMPLES:,} measured sizes")
    where = f"{content.source}: samples"
    return Site(
        tuple(_sample(f"{where}: {number}", one) for number, one in enumerate(samples)), content.number("error", _ERROR)
    )


def _sample(where: str, values: Any) -> Sample:
    names = Sample._fields
    if not isinstance(values, list) or len(values) != len(names):
        refuse(where, values, f"{len(names)} numbers: {', '.join(names)}")
    sample = ProfileSection(where, dict(zip(names, values, strict=True)))
    return Sample(
        tensor_flops=sample.count("tensor_flops", _COUNT),
        weight_bytes=sample.count("weight_bytes", _COUNT),
        moved_bytes=sample.count("moved_bytes", _COUNT),
        seconds=sample.number("seconds", _MEASURED_SECONDS),
        ratio=sample.number("ratio", _RATIO),
    )


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()
