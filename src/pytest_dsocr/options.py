"""The plugin's options: declared here, read here, a frozen value everywhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from dsocr_cost.errors import SizeError
from dsocr_cost.execution import ATTENTIONS, DTYPES, AttentionName

from .errors import OptionError
from .grids import parse_grids
from .measure.cache import CACHES
from .measure.settings import LAUNCHES, LatencySettings
from .peak import peak_of
from .report.written import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import pytest

    from dsocr_cost import Grid

    from .measure.cache import CacheName
    from .measure.settings import LaunchName

__all__ = ["Options", "add_options"]


_SHORT_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}

_CACHE_HELP = (
    "before each timed run: cold empties the caches, so that weights come from memory, as in the whole model; warm "
    "leaves what the run before has left there; default: cold"
)
_LAUNCH_HELP = (
    "graph times kernels back to back, by a CUDA graph; eager times them as they are launched; auto is graph on CUDA, "
    "eager elsewhere; what cannot be captured is timed eager; default: auto"
)
_LATENCY_HELP = (
    "gate: a time that is too slow, or inconclusive, fails its test; advisory: either skips it; default: gate, under "
    "xdist advisory"
)
_HELP = {
    "tolerances": ("FILE", "tolerance rules; default: tolerances.toml in the rootdir, if it is there"),
    "device": ("DEVICE", "where to measure: meta, cpu, cuda, cuda:N or auto (a GPU if there is one); default: meta"),
    "dtype": ("DTYPE", "of weights and activations: bfloat16, float16 or float32; default: bfloat16"),
    "attention": ("ATTENTION", "of the layers: eager, sdpa or flash; default: sdpa"),
    "reference": ("NAME", "whose modules are measured; default: transformers"),
    "config": ("FILE", "a Hugging Face config.json with other sizes than the published 3B model's"),
    "json": ("FILE", "write all result rows there"),
    "profile": ("FILE", "predict times from this calibration of the device, made by: dsocr calibrate"),
    "devices": ("FILE", "datasheets of devices of your own, to predict times from; without one, those that are known"),
    "peak-tflops": ("TFLOPS", "dense 16-bit peak of a card that is not calibrated, in place of its datasheet's"),
    "repeats": ("N", "how often a time is measured from the start, in one run; default: 3"),
    "cache": ("CACHE", _CACHE_HELP),
    "launch": ("LAUNCH", _LAUNCH_HELP),
    "latency": ("MODE", _LATENCY_HELP),
    "lock-timeout": ("SECONDS", "how long a time waits until no other process measures on its device; default: 600"),
    "baseline": (
        "PATH",
        "hold each row against the stored one of its key and device: a rows file, or a folder of them",
    ),
    "grids": ("LIST", "what dsocr_grid runs over: published, model, or grids such as 2x3,15x26; default: published"),
}
_REQUIRE_HELP = (
    "make the run red if WHAT did not run: all, gpu, baseline, a metric family (flops), a metric (tensor_flops) or a "
    "layer (vision.Attention); several with commas, or given more than once"
)
_REPORT_HELP = (
    "write a report there, by its ending: .md, .html, .csv, .xml (JUnit) or .json (the rows); "
    "several if given more than once"
)
_UPDATE_HELP = (
    "store in the baseline what passed and is new or has moved by more than a third of its tolerance, and keep all "
    "other rows byte for byte"
)


def add_options(parser: pytest.Parser) -> None:
    """Declare each option on the command line and as an ini key."""
    group = parser.getgroup("dsocr", "predicted against measured cost of DeepSeek-OCR")
    for name, (metavar, text) in _HELP.items():
        key = _key(name)
        group.addoption(f"--dsocr-{name}", dest=key, metavar=metavar, default=None, help=text)
        parser.addini(key, text, type="string", default=None)
    group.addoption(
        "--dsocr-require", dest="dsocr_require", metavar="WHAT", action="append", default=None, help=_REQUIRE_HELP
    )
    parser.addini("dsocr_require", _REQUIRE_HELP, type="args", default=[])
    group.addoption(
        "--dsocr-report", dest="dsocr_report", metavar="FILE", action="append", default=None, help=_REPORT_HELP
    )
    parser.addini("dsocr_report", _REPORT_HELP, type="args", default=[])
    group.addoption(
        "--dsocr-update-baseline", dest="dsocr_update_baseline", action="store_true", default=False, help=_UPDATE_HELP
    )
    parser.addini(
        "dsocr_flop_formulas",
        "FLOP formulas for ops that torch has none for, a line each: 'namespace::op = package.module:function', "
        "or 'namespace::op = 0' for an op without matrix work",
        type="linelist",
        default=[],
    )


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for: command line over ini over built-in defaults, checked as far as text can be.

    ``tolerances`` is None where no file was named and the rootdir has none. ``grids`` are what ``dsocr_grid`` runs
    over, ``timing`` is how times are measured; ``profile``, ``devices`` and ``peak_flops_per_s`` are what they are
    predicted from. ``advisory`` says why times make no test fail; empty where they do.
    ``baseline`` is what rows are held against, ``update_baseline`` whether it takes over what has moved, ``reports``
    are files that are written, each by its ending.
    Paths on the command line start from the folder that pytest was started in, those of an ini file from that file's
    folder.
    """

    tolerances: Path | None
    device: str
    dtype: str
    attention: AttentionName
    reference: str
    config: Path | None
    json: Path | None
    require: tuple[str, ...]
    flop_formulas: tuple[str, ...]
    grids: tuple[Grid, ...] = ()
    timing: LatencySettings = LatencySettings()
    profile: Path | None = None
    devices: Path | None = None
    peak_flops_per_s: float | None = None
    advisory: str = ""
    baseline: Path | None = None
    update_baseline: bool = False
    reports: tuple[Path, ...] = ()

    @classmethod
    def from_pytest_config(cls, config: pytest.Config) -> Options:
        """Read pytest's config; nothing else does.

        Raises:
            OptionError: the option, what it got and what is allowed.
        """
        device = _text(config, "device", "meta")
        if not re.fullmatch(r"meta|cpu|auto|cuda(:\d+)?", device):
            _refuse("device", device, ("meta", "cpu", "cuda", "cuda:N", "auto"))
        dtype = _text(config, "dtype", "bfloat16")
        dtype = _SHORT_DTYPES.get(dtype, dtype)
        if dtype not in DTYPES:
            _refuse("dtype", dtype, DTYPES)
        usual = config.rootpath / "tolerances.toml"
        return cls(
            tolerances=_path(config, "tolerances") or (usual if usual.exists() else None),
            device=device,
            dtype=dtype,
            attention=cast("AttentionName", _one_of(config, "attention", ATTENTIONS, "sdpa")),
            reference=_text(config, "reference", "transformers"),
            config=_path(config, "config"),
            json=_path(config, "json"),
            require=_words(config.getoption("dsocr_require") or config.getini("dsocr_require")),
            flop_formulas=tuple(config.getini("dsocr_flop_formulas")),
            grids=_grids(_text(config, "grids", "published")),
            timing=_timing(config),
            profile=_path(config, "profile"),
            devices=_path(config, "devices"),
            peak_flops_per_s=_peak(config),
            advisory=_advisory(config),
            baseline=_path(config, "baseline"),
            update_baseline=_update_baseline(config),
            reports=_reports(config),
        )


def _key(name: str) -> str:
    """Name an option as an ini key, and as pytest's config has it."""
    return f"dsocr_{name.replace('-', '_')}"


def _text(config: pytest.Config, name: str, default: str) -> str:
    given: Any = config.getoption(_key(name))
    return str(given if given is not None else config.getini(_key(name)) or default)


def _one_of(config: pytest.Config, name: str, allowed: Collection[str], default: str) -> str:
    given = _text(config, name, default)
    if given not in allowed:
        _refuse(name, given, allowed)
    return given


def _timing(config: pytest.Config) -> LatencySettings:
    repeats, timeout = _text(config, "repeats", "3"), _text(config, "lock-timeout", "600")
    if not re.fullmatch(r"0*[1-9]\d{0,3}", repeats, re.ASCII):
        _refuse("repeats", repeats, ("whole numbers from 1 to 9999",))
    if not re.fullmatch(r"\d{1,9}(\.\d+)?", timeout, re.ASCII):
        _refuse("lock-timeout", timeout, ("seconds", "0 for not at all"))
    launch = _one_of(config, "launch", (*LAUNCHES, "auto"), "auto")
    return LatencySettings(
        repeats=int(repeats),
        cache=cast("CacheName", _one_of(config, "cache", CACHES, "cold")),
        launch=None if launch == "auto" else cast("LaunchName", launch),
        lock_timeout_s=float(timeout),
    )


def _peak(config: pytest.Config) -> float | None:
    """Read the dense peak, which takes the place of a datasheet's."""
    given = _text(config, "peak-tflops", "")
    if not given:
        return None
    peak = peak_of(given)
    if peak is None:
        _refuse("peak-tflops", given, ("numbers above 0, in TFLOP/s",))
    if _path(config, "profile") is not None:
        msg = (
            "--dsocr-peak-tflops (ini: dsocr_peak_tflops): got one beside a profile, whose times were measured; "
            "allowed is one for a card that is not calibrated: leave out either"
        )
        raise OptionError(msg)
    return peak


def _update_baseline(config: pytest.Config) -> bool:
    asked = bool(config.getoption("dsocr_update_baseline"))
    if asked and _path(config, "baseline") is None:
        msg = "--dsocr-update-baseline: there is no baseline to update; name it with --dsocr-baseline PATH"
        raise OptionError(msg)
    return asked


def _reports(config: pytest.Config) -> tuple[Path, ...]:
    """Read the reports, of which each has an ending that is known."""
    given = config.getoption("dsocr_report")
    paths = tuple(_resolved(config, one, by_ini=not given) for one in given or config.getini("dsocr_report"))
    for path in paths:
        if path.suffix.lower() not in ENDINGS:
            _refuse("report", str(path), [f"files that end in {ending}" for ending in ENDINGS])
    return paths


def _advisory(config: pytest.Config) -> str:
    on_worker = hasattr(config, "workerinput")
    if _one_of(config, "latency", ("gate", "advisory"), "advisory" if on_worker else "gate") == "gate":
        return ""
    return "advisory under xdist" if on_worker else "advisory"


def _grids(given: str) -> tuple[Grid, ...]:
    try:
        return parse_grids(given)
    except SizeError as error:
        msg = f"--dsocr-grids (ini: dsocr_grids): {str(error).removeprefix('grids: ')}"
        raise OptionError(msg) from error


def _words(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.strip() for text in given for word in text.split(",") if word.strip())


def _path(config: pytest.Config, name: str) -> Path | None:
    given = config.getoption(_key(name))
    if given is not None:
        return _resolved(config, given, by_ini=False)
    written = config.getini(_key(name))
    return _resolved(config, written, by_ini=True) if written else None


def _resolved(config: pytest.Config, path: str, *, by_ini: bool) -> Path:
    """Let a path start from the folder of the ini file that names it, or from where pytest was started."""
    started, ini = config.invocation_params.dir, config.inipath.parent if config.inipath else config.rootpath
    return (ini if by_ini else started) / Path(path).expanduser()


def _refuse(name: str, got: str, allowed: Collection[str]) -> NoReturn:
    msg = f"--dsocr-{name} (ini: {_key(name)}): got {got!r}, allowed are {', '.join(allowed)}"
    raise OptionError(msg)
