"""The plugin's options: declared here, read here, a frozen value everywhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from dsocr_cost.errors import SizeError
from dsocr_cost.execution import ATTENTIONS, AttentionName

from .errors import OptionError
from .grids import parse_grids

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import pytest

    from dsocr_cost import Grid

__all__ = ["Options", "add_options"]

DTYPES = {"bfloat16": "bfloat16", "bf16": "bfloat16", "float16": "float16", "fp16": "float16"}
DTYPES |= {"float32": "float32", "fp32": "float32"}

_HELP = {
    "tolerances": ("FILE", "tolerance rules; default: tolerances.toml in the rootdir, if it is there"),
    "device": ("DEVICE", "where to measure: meta, cpu, cuda, cuda:N or auto (a GPU if there is one); default: meta"),
    "dtype": ("DTYPE", "of weights and activations: bfloat16, float16 or float32; default: bfloat16"),
    "attention": ("ATTENTION", "of the layers: eager, sdpa or flash; default: sdpa"),
    "reference": ("NAME", "whose modules are measured; default: transformers"),
    "config": ("FILE", "a Hugging Face config.json with other sizes than the published 3B model's"),
    "json": ("FILE", "write all result rows there"),
    "grids": ("LIST", "what dsocr_grid runs over: published, model, or grids such as 2x3,15x26; default: published"),
}
_REQUIRE_HELP = (
    "make the run red if WHAT did not run: all, gpu, a metric family (flops), a metric (tensor_flops) or a layer "
    "(vision.Attention); several with commas, or given more than once"
)


def add_options(parser: pytest.Parser) -> None:
    """Declare each option on the command line and as an ini key."""
    group = parser.getgroup("dsocr", "predicted against measured cost of DeepSeek-OCR")
    for name, (metavar, text) in _HELP.items():
        group.addoption(f"--dsocr-{name}", dest=f"dsocr_{name}", metavar=metavar, default=None, help=text)
        parser.addini(f"dsocr_{name}", text, type="string", default=None)
    group.addoption(
        "--dsocr-require", dest="dsocr_require", metavar="WHAT", action="append", default=None, help=_REQUIRE_HELP
    )
    parser.addini("dsocr_require", _REQUIRE_HELP, type="args", default=[])
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
    over. Paths on the command line start from the folder that pytest was started in, those of an ini file from that
    file's folder.
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

    @classmethod
    def from_pytest_config(cls, config: pytest.Config) -> Options:
        """Read pytest's config; nothing else does.

        Raises:
            OptionError: the option, what it got and what is allowed.
        """
        dtype, attention = _text(config, "dtype", "bfloat16"), _text(config, "attention", "sdpa")
        device = _text(config, "device", "meta")
        if not re.fullmatch(r"meta|cpu|auto|cuda(:\d+)?", device):
            _refuse("device", device, ("meta", "cpu", "cuda", "cuda:N", "auto"))
        if dtype not in DTYPES:
            _refuse("dtype", dtype, sorted(set(DTYPES.values())))
        if attention not in ATTENTIONS:
            _refuse("attention", attention, get_args(AttentionName))
        usual = config.rootpath / "tolerances.toml"
        return cls(
            tolerances=_path(config, "tolerances") or (usual if usual.exists() else None),
            device=device,
            dtype=DTYPES[dtype],
            attention=cast("AttentionName", attention),
            reference=_text(config, "reference", "transformers"),
            config=_path(config, "config"),
            json=_path(config, "json"),
            require=_words(config.getoption("dsocr_require") or config.getini("dsocr_require")),
            flop_formulas=tuple(config.getini("dsocr_flop_formulas")),
            grids=_grids(_text(config, "grids", "published")),
        )


def _text(config: pytest.Config, name: str, default: str) -> str:
    given: Any = config.getoption(f"dsocr_{name}")
    return str(given if given is not None else config.getini(f"dsocr_{name}") or default)


def _grids(given: str) -> tuple[Grid, ...]:
    try:
        return parse_grids(given)
    except SizeError as error:
        msg = f"--dsocr-grids (ini: dsocr_grids): {str(error).removeprefix('grids: ')}"
        raise OptionError(msg) from error


def _words(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.strip() for text in given for word in text.split(",") if word.strip())


def _path(config: pytest.Config, name: str) -> Path | None:
    given = config.getoption(f"dsocr_{name}")
    if given is not None:
        return config.invocation_params.dir / Path(given).expanduser()
    written = config.getini(f"dsocr_{name}")
    folder = config.inipath.parent if config.inipath else config.rootpath
    return folder / Path(written).expanduser() if written else None


def _refuse(name: str, got: str, allowed: Collection[str]) -> None:
    msg = f"--dsocr-{name} (ini: dsocr_{name}): got {got!r}, allowed are {', '.join(allowed)}"
    raise OptionError(msg)
