"""Where in a module an op ran, and how that reads."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch.utils.module_tracker import ModuleTracker

__all__ = ["innermost", "place", "places"]

LONGEST = 60
"""Characters of a list of places."""


def innermost(tracker: ModuleTracker) -> str:
    """Find the innermost submodule that runs, as a path below the outermost one; empty for that one itself."""
    return max(tracker.parents, key=len, default="Global").partition(".")[2]


def place(module: str) -> str:
    """Name a submodule for people."""
    return module or "the top level"


def places(modules: Iterable[str]) -> str:
    """List submodules for people, each once, as many as fit."""
    return textwrap.shorten(", ".join(dict.fromkeys(map(place, modules))), LONGEST, placeholder=" ...")
