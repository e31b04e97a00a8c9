"""Writes figures of matplotlib, an extra, as SVG and PNG: drawn with our settings, the same bytes each time."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from dsocr_cost import DsocrError

from ..errors import ResultsError
from ..files import check_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

__all__ = ["PlotError", "write_all", "write_figure"]

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "dsocr",
    "font.size": 10,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
}


class PlotError(DsocrError, RuntimeError):
    """A figure that cannot be drawn or written."""


def write_all(directory: Path, figures: Sequence[tuple[str, Callable[[], Figure]]]) -> list[Path]:
    """Draw each figure and write it as NAME.svg and NAME.png, after all paths were found writable.

    Raises:
        PlotError: matplotlib is missing, or the directory cannot be made.
        ResultsError: a file cannot be written.
    """
    paths = [(directory / f"{name}.svg", directory / f"{name}.png") for name, _ in figures]
    with _styled():
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"{directory}: cannot be made: {error.strerror or error}"
            raise PlotError(msg) from error
        for path in chain(*paths):
            check_writable(path)
        for both, (_, draw) in zip(paths, figures, strict=True):
            figure = draw()
            for path in both:
                _write(path, figure)
    return list(chain(*paths))


def write_figure(path: Path, draw: Callable[[], Figure]) -> None:
    """Draw one figure into an SVG or a PNG, by the ending of the path.

    Raises:
        PlotError: matplotlib is missing.
        ResultsError: the file cannot be written.
    """
    with _styled():
        _write(path, draw())


@contextmanager
def _styled() -> Iterator[None]:
    """Draw with our settings, whatever the user's are.

    Raises:
        PlotError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        msg = "plots: needs matplotlib: pip install matplotlib"
        raise PlotError(msg) from error
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def _write(path: Path, figure: Figure) -> None:
    """Write beside the file, then rename: nobody reads half a picture. The same figure gives the same bytes."""
    kind = path.suffix.removeprefix(".").lower()
    metadata = {"svg": {"Date": None}, "png": {"Software": None}}[kind]
    picture = io.BytesIO()
    figure.savefig(picture, format=kind, dpi=150, metadata=metadata)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(picture.getvalue())
        temporary.replace(path)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise ResultsError(msg) from error
    finally:
        temporary.unlink(missing_ok=True)
