"""What a command writes, checked before it works for it; an error starts with the option's name."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import OptionError, ResultsError
from ..results import check_writable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_file", "check_plots", "make_folder"]


def check_file(option: str, path: Path) -> None:
    """Refuse a file that could not be written.

    Raises:
        OptionError: the path, and why.
    """
    try:
        check_writable(path)
    except ResultsError as error:
        msg = f"{option}: {error}"
        raise OptionError(msg) from error


def make_folder(option: str, path: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises:
        OptionError: the path, and why.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{option}: {path}: cannot be made: {error.strerror or error}"
        raise OptionError(msg) from error


def check_plots(path: Path) -> None:
    """Make the folder for plots, and refuse what would keep them from being drawn.

    Raises:
        OptionError: there is no matplotlib, or the folder cannot be made or written to.
    """
    if find_spec("matplotlib") is None:
        msg = 'plots: needs matplotlib: pip install "pytest-dsocr[plots]"'
        raise OptionError(msg)
    make_folder("plots", path)
    check_file("plots", path / "flops.svg")
