"""A profile as a file: written whole, sealed, and read back only if nothing in it was changed."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .efficiency import CLASSES, Machine, Smooth
from .errors import ProfileError
from .profile import Host, Profile, Sample, Site
from .tiled_gemm import TiledGemm

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from .efficiency import KernelModel
    from .execution import Execution

__all__ = ["SCHEMA", "Calibration", "read_profile"]

SCHEMA = 1
"""Version of the file. It grows when a reader of the version before would misread it."""

FORMS: dict[str, type[Any]] = {"smooth": Smooth, "tiled_gemm": TiledGemm}
"""The models of kernels that a file may hold, by the name of their form."""

_SEAL = "sha256"
_ITEM_SIZES = (2, 4)
_ABOVE_0 = {"compute", "bandwidth", "sharpness", "load_bytes_per_s"}  # what a form divides by; others may be 0
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
        ProfileError: it cannot be read, is no JSON, of another schema, cut off, changed since it was written, or lacks
            what a profile needs. The message names the file, the key, what it got and what is allowed.
    """
    content = _Content(str(path), _load(path))
    content.require("schema", type(content.got("schema")) is int and content.got("schema") == SCHEMA, f"{SCHEMA}")
    missing = _KEYS - content.values.keys()
    if missing:
        raise ProfileError(f"{path}: {', '.join(sorted(missing))}: missing; calibrate anew")
    content.allow(*sorted(_KEYS))
    seal = content.values.pop(_SEAL)
    if seal != _seal(content.values):
        raise ProfileError(f"{path}: {_SEAL}: does not fit what the file says: it was changed; calibrate anew")
    models = content.section("models")
    models.allow(*CLASSES)
    profile = Profile(
        _machine(content.section("machine")),
        {kind: _model(models.section(kind)) for kind in CLASSES if kind in models.values},
        _host(content.section("host")),
        f"calibrated, {path}",
        {key: _site(content.section("sites", key)) for key in content.section("sites").values},
    )
    device, environment, measured = (content.section(key) for key in ("device", "environment", "measured"))
    return Calibration(profile, device.texts(), environment.texts(), measured.values)


class _Content:
    """An object of the document, and where it stands: every value is looked at before it is used."""

    def __init__(self, source: str, values: Any) -> None:
        self.source = source
        self.values: dict[str, Any] = values

    def got(self, key: str) -> Any:
        if key not in self.values:
            raise ProfileError(f"{self.source}: {key}: missing")
        return self.values[key]

    def require(self, key: str, holds: bool, allowed: str) -> None:
        if not holds:
            _refuse(f"{self.source}: {key}", self.got(key), allowed)

    def allow(self, *keys: str) -> None:
        unknown = self.values.keys() - {*keys}
        if unknown:
            raise ProfileError(f"{self.source}: {', '.join(sorted(unknown))}: unknown, allowed are {', '.join(keys)}")

    def section(self, *keys: str) -> _Content:
        section = self
        for key in keys:
            section.require(key, isinstance(section.got(key), dict), "an object with keys")
            section = _Content(f"{section.source}: {key}", section.got(key))
        return section

    def rate(self, key: str) -> float:
        self.require(key, _is_number(self.got(key)) and self.got(key) > 0, "a number above 0")
        return float(self.got(key))

    def share(self, key: str) -> float:
        self.require(key, _is_number(self.got(key)) and self.got(key) >= 0, "a number of at least 0")
        return float(self.got(key))

    def count(self, key: str, least: int) -> int:
        value = self.got(key)
        whole = isinstance(value, int) and not isinstance(value, bool)
        self.require(key, whole and value >= least, f"a whole number of at least {least}")
        return int(value)

    def flag(self, key: str) -> bool:
        self.require(key, isinstance(self.got(key), bool), "true or false")
        return bool(self.got(key))

    def text(self, key: str) -> str:
        self.require(key, isinstance(self.got(key), str), "a text")
        return str(self.got(key))

    def texts(self) -> dict[str, str]:
        return {key: self.text(key) for key in self.values}


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # an int may be beyond any float; not a number compares as false


def _machine(content: _Content) -> Machine:
    content.allow(*(one.name for one in fields(Machine)))
    peaks = content.section("flops_per_s")
    peaks.allow(*(str(size) for size in _ITEM_SIZES))
    return Machine(
        name=content.text("name"),
        flops_per_s={size: peaks.rate(str(size)) for size in _ITEM_SIZES},
        bandwidth_bytes_per_s=content.rate("bandwidth_bytes_per_s"),
        cache_bytes=content.count("cache_bytes", 0),
        cache_bandwidth_bytes_per_s=content.rate("cache_bandwidth_bytes_per_s"),
        sms=content.count("sms", 1),
    )


def _host(content: _Content) -> Host:
    content.allow(*(one.name for one in fields(Host)))
    times = content.share("dispatch_s"), content.share("latency_s")
    return Host(*times, overlaps=content.flag("overlaps"), error=content.share("error"))


def _load(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_no_constant, parse_float=_finite)
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{path}: is no JSON, or was cut off: {error}") from error
    if not isinstance(content, dict):
        _refuse(str(path), content, "an object with keys, as `dsocr calibrate` writes it")
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


def _model(content: _Content) -> KernelModel:
    form = content.got("form")
    content.require("form", isinstance(form, str) and form in FORMS, f"one of {', '.join(FORMS)}")
    kind: Callable[..., KernelModel] = FORMS[form]
    names = [one.name for one in fields(FORMS[form])]
    content.allow("form", *names)
    return kind(**{name: content.rate(name) if name in _ABOVE_0 else content.share(name) for name in names})


def _site(content: _Content) -> Site:
    content.allow("error", "samples")
    samples = content.got("samples")
    content.require("samples", isinstance(samples, list) and bool(samples), "a list of measured sizes")
    return Site(tuple(_sample(f"{content.source}: samples", one) for one in samples), content.share("error"))


def _sample(where: str, values: Any) -> Sample:
    if not isinstance(values, list) or len(values) != len(Sample._fields) or not all(map(_is_number, values)):
        _refuse(where, values, f"{len(Sample._fields)} numbers: {', '.join(Sample._fields)}")
    sample = Sample(*values)
    if min(sample[:3]) < 0 or sample.seconds <= 0 or sample.ratio <= 0:
        _refuse(where, values, "sizes of at least 0, and seconds and a ratio above 0")
    return sample


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _refuse(where: str, got: object, allowed: str) -> NoReturn:
    shown = repr(got) if len(repr(got)) <= 60 else f"{repr(got)[:57]}..."
    raise ProfileError(f"{where}: got {shown}, allowed is {allowed}")
