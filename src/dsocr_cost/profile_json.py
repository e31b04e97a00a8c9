"""A profile as a file: written whole, sealed, and read back only if nothing in it was changed."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .efficiency import CLASSES, Machine, Smooth
from .errors import ProfileError
from .profile import Host, Profile, Sample, Site

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from .efficiency import KernelModel

__all__ = ["SCHEMA", "Calibration", "read_profile"]

SCHEMA = 1
"""Version of the file. It grows when a reader of the version before would misread it."""

FORMS: dict[str, type[Any]] = {"smooth": Smooth}
"""The models of kernels that a file may hold, by the name of their form."""

_SEAL = "sha256"
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
    content.require("schema", content.got("schema") == SCHEMA, f"{SCHEMA}")
    missing, unknown = _KEYS - content.values.keys(), content.values.keys() - _KEYS
    if missing or unknown:
        problem = f"{', '.join(sorted(missing))}: missing" if missing else f"{', '.join(sorted(unknown))}: unknown"
        raise ProfileError(f"{path}: {problem}, allowed are {', '.join(sorted(_KEYS))}")
    seal = content.values.pop(_SEAL)
    if seal != _seal(content.values):
        raise ProfileError(f"{path}: {_SEAL}: does not fit what the file says: it was changed; calibrate anew")
    machine, host = content.section("machine"), content.section("host")
    peaks = machine.section("flops_per_s")
    profile = Profile(
        Machine(**machine.values | {"flops_per_s": {int(size): peaks.rate(size) for size in peaks.values}}),
        {kind: _model(content.section("models", kind)) for kind in CLASSES},
        Host(**host.values),
        f"calibrated, {path}",
        {key: _site(content.section("sites", key)) for key in content.section("sites").values},
    )
    return Calibration(
        profile,
        content.section("device").values,
        content.section("environment").values,
        content.section("measured").values,
    )


class _Content:
    """An object of the document, and where it stands; the seal vouches for types, this for what is there at all."""

    def __init__(self, source: str, values: Any) -> None:
        self.source = source
        self.values: dict[str, Any] = values

    def got(self, key: str) -> Any:
        return self.values.get(key)

    def require(self, key: str, holds: bool, allowed: str) -> None:
        if not holds:
            _refuse(f"{self.source}: {key}", self.got(key), allowed)

    def section(self, *keys: str) -> _Content:
        section = self
        for key in keys:
            section.require(key, isinstance(section.got(key), dict), "an object with keys")
            section = _Content(f"{section.source}: {key}", section.got(key))
        return section

    def rate(self, key: str) -> float:
        value = self.got(key)
        self.require(key, isinstance(value, int | float) and math.isfinite(value) and value > 0, "a number above 0")
        return float(value)


def _load(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{path}: is no JSON, or was cut off: {error}") from error
    if not isinstance(content, dict):
        _refuse(str(path), content, "an object with keys, as `dsocr calibrate` writes it")
    return content


def _form_of(model: KernelModel) -> dict[str, Any]:
    form = next(name for name, kind in FORMS.items() if type(model) is kind)
    return {"form": form, **asdict(model)}  # type: ignore[call-overload]


def _model(content: _Content) -> KernelModel:
    form = content.got("form")
    content.require("form", form in FORMS, ", ".join(FORMS))
    kind: Callable[..., KernelModel] = FORMS[form]
    names = {one.name for one in fields(FORMS[form])}
    content.require("form", names == content.values.keys() - {"form"}, f"one with {', '.join(sorted(names))}")
    return kind(**{name: content.values[name] for name in names})


def _site(content: _Content) -> Site:
    samples = content.got("samples")
    content.require("samples", isinstance(samples, list) and bool(samples), "a list of measured sizes")
    return Site(tuple(Sample(*sample) for sample in samples), content.values["error"])


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _refuse(where: str, got: object, allowed: str) -> NoReturn:
    shown = repr(got) if len(repr(got)) <= 60 else f"{repr(got)[:57]}..."
    raise ProfileError(f"{where}: got {shown}, allowed is {allowed}")
