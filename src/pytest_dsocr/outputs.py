"""What a run writes, checked before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import OptionError
from .files import check_writable, shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .baseline_file import Baseline

__all__ = ["check_outputs"]


def check_outputs(rows: Path | None, reports: Iterable[Path], baseline: Baseline | None) -> None:
    """Refuse files that could not be written, that are given twice, or that are the baseline's.

    Raises:
        OptionError: the file that is given twice, or is the baseline.
        ResultsError: the file that could not be written, and why.
    """
    outputs = [path for path in (rows, *reports) if path]
    for path in outputs:
        check_writable(path)
    resolved = [path.resolve() for path in outputs]
    for path in resolved:
        if resolved.count(path) > 1:
            msg = f"--dsocr-json, --dsocr-report: got {shown(path)} twice, allowed is each file once"
            raise OptionError(msg)
        if baseline and path in (stored.resolve() for stored in baseline.files()):
            msg = f"--dsocr-json, --dsocr-report: got {shown(path)}, the baseline; --dsocr-update-baseline writes that"
            raise OptionError(msg)
