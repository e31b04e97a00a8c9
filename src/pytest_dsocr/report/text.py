"""How figures and names read in a terminal and in other reports that are text."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from dsocr_cost.report import seconds_text

if TYPE_CHECKING:
    from ..row import Row

__all__ = [
    "allowed",
    "figure",
    "figure_of",
    "is_time",
    "mean_and_deviation",
    "printable",
    "relative",
    "share",
    "shorten",
    "signed",
    "signed_of",
    "wrapped",
]


def figure(value: float) -> str:
    """Write a count in full with thousands separators, anything else with six digits."""
    if isinstance(value, float) and (abs(value) >= 1e21 or not value.is_integer()):
        return f"{value:.6g}"
    return f"{value:,.0f}" if isinstance(value, float) else f"{value:,}"


def signed(value: float) -> str:
    """Write a difference with its sign, and 0 without."""
    return f"+{figure(value)}" if value > 0 else figure(value)


def is_time(metric: str) -> bool:
    """Whether a metric is in seconds: its name ends in ``_s``."""
    return metric.endswith("_s")


def figure_of(metric: str, value: float) -> str:
    """Write a figure of a metric: a time with its unit, anything else as :func:`figure` does."""
    if not is_time(metric) or not math.isfinite(value):
        return figure(value)
    return f"-{seconds_text(-value)}" if value < 0 else seconds_text(value)


def signed_of(metric: str, value: float) -> str:
    """Write a difference in a metric with its sign, and 0 without."""
    return f"+{figure_of(metric, value)}" if value > 0 else figure_of(metric, value)


def share(part: float) -> str:
    """Write a part of a whole in percent, with three digits at most."""
    return f"{100 * part:.3g}%"


def allowed(rtol: float) -> str:
    """Write a tolerance: ``exact`` for 0, else its part of the measured in percent, with six digits at most."""
    return f"{100 * rtol:.6g}%" if rtol else "exact"


def mean_and_deviation(row: Row) -> str:
    """Write a time's mean over its repeats and their standard deviation; empty for what has none."""
    mean, deviation = row.details.get("mean_s"), row.details.get("stdev_s")
    if mean is None:
        return ""
    return seconds_text(mean) if deviation is None else f"{seconds_text(mean)} ± {seconds_text(deviation)}"


def relative(row: Row) -> str:
    """Write how far predicted is from measured, as a part of it; empty where that is no number."""
    if row.relative_difference is None or math.isnan(row.relative_difference):
        return ""
    return f"{100 * row.relative_difference:+.3g}%"


def printable(name: str) -> str:
    """Escape what would move the cursor or colour the screen, and what GitHub's runner would take for a command.

    To it, a line that starts with ``::`` is one, and so is ``##[`` anywhere in a line.
    """
    shown = name if name.isprintable() else "".join(map(_escaped, name))
    shown = shown.replace("##[", r"#\x23[")
    return shown.replace(":", r"\x3a", 1) if shown.lstrip().startswith(":") else shown


def _escaped(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


def shorten(name: str, width: int) -> str:
    """Cut a name to a width, with an ellipsis where something is missing."""
    return name if len(name) <= width else f"{name[: max(width - 1, 0)]}…"


def wrapped(name: str, width: int, first: str, rest: str) -> list[str]:
    """Break a name into lines of a width, indented by ``first`` and from the second on by ``rest``; all of it stays."""
    lines = textwrap.wrap(printable(name), width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    # what was within the name may now begin a line
    return [f"{rest}{printable(line.removeprefix(rest))}" if index else line for index, line in enumerate(lines)]
