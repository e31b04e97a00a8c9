"""How figures and names read in a terminal."""

from __future__ import annotations

__all__ = ["figure", "printable", "shorten", "signed"]


def figure(value: float) -> str:
    """Write a count in full with thousands separators, anything else with six digits."""
    if isinstance(value, float) and (abs(value) >= 1e21 or not value.is_integer()):
        return f"{value:.6g}"
    return f"{value:,.0f}" if isinstance(value, float) else f"{value:,}"


def signed(value: float) -> str:
    """Write a difference with its sign, and 0 without."""
    return f"+{figure(value)}" if value > 0 else figure(value)


def printable(name: str) -> str:
    """Escape what would move the cursor or colour the screen."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in name)


def shorten(name: str, width: int) -> str:
    """Cut a name to a width, with an ellipsis where something is missing."""
    return name if len(name) <= width else f"{name[: max(width - 1, 0)]}…"
