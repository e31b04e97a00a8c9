"""What a command writes, checked before it works for it; an error starts with the option's name."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from ..errors import OptionError, ResultsError
from ..files import check_writable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_file", "check_matplotlib", "check_plots", "check_tables", "make_folder", "tell_terminal"]


def check_file(option: str, path: Path) -> None:
    """Refuse a file that could not be written, and ``-``, which would be one of that name.

    Raises:
        OptionError: the path, and why.
    """
    if str(path) == "-":
        msg = f"{option}: got -, allowed is the path of a file: it cannot go to the standard output"
        raise OptionError(msg)
    try:
        check_writable(path)
    except ResultsError as error:
        msg = f"{option}: {error}"
        raise OptionError(msg) from error


def check_tables(csv: Path | None, json: Path | None) -> None:
    """Refuse files for CSV and JSON that could not be written, or that are one.

    Raises:
        OptionError: the path, and why.
    """
    for name, path in (("csv", csv), ("json", json)):
        if path is not None:
            check_file(name, path)
    if csv is not None and json is not None and csv.resolve() == json.resolve():
        msg = f"json: got {json}, which is the file of --csv; allowed is another one"
        raise OptionError(msg)


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


def check_matplotlib(option: str) -> None:
    """Refuse to draw without matplotlib.

    Raises:
        OptionError: there is none.
    """
    if find_spec("matplotlib") is None:
        msg = f"{option}: needs matplotlib: pip install matplotlib"
        raise OptionError(msg)


def check_plots(path: Path) -> None:
    """Make the folder for plots, and refuse what would keep them from being drawn.

    Raises:
        OptionError: there is no matplotlib, or the folder cannot be made or written to.
    """
    check_matplotlib("plots")
    make_folder("plots", path)
    check_file("plots", path / "flops.svg")


def tell_terminal(left_out: str, *written: Path | None) -> None:
    """Tell people who sit before a terminal what a table leaves out, and what was written."""
    if sys.stdout.isatty():
        for line in filter(None, (left_out, *(path and f"wrote {path}" for path in written))):
            click.echo(line, err=True)
