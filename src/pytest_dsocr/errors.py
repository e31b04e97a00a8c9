"""The plugin's own errors, under the one tree of :mod:`dsocr_cost.errors`."""

from __future__ import annotations

from dsocr_cost import DsocrError

__all__ = [
    "MeasurementError",
    "NotSupportedError",
    "OptionError",
    "ResultsError",
    "ToleranceError",
    "first_line",
    "raised_text",
]


class OptionError(DsocrError, ValueError):
    """An option, an ini key or a marker argument that cannot be."""


class ToleranceError(DsocrError, ValueError):
    """A tolerance file that is missing, malformed, or contradicts itself."""


class ResultsError(DsocrError, ValueError):
    """A results file that cannot be written, or that is none."""


class MeasurementError(DsocrError, RuntimeError):
    """A measurement that could not be made, or that cannot be trusted."""


class NotSupportedError(DsocrError):
    """This reference or measurer cannot do this here; the comparison is *not run*, with this reason."""


def first_line(error: BaseException) -> str:
    """Take the line of an error that says what is wrong: torch writes stacks and advice below it."""
    return str(error).partition("\n")[0]


def raised_text(error: BaseException) -> str:
    """Say in a line what a module raised."""
    return f"the module raised {type(error).__name__}: {first_line(error)}"
