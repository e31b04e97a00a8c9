"""The plugin's markers: what they are called, what they take, and what a GPU test needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import OptionError
from .metrics import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

__all__ = ["MARKERS", "NO_GPU", "NO_TIME", "bad_marks", "check_marks", "missing_gpu"]

MARKERS: dict[str, str] = {
    "gpu(memory_gib=None, capability=None)": "needs a CUDA device, with at least this memory and compute capability",
    "rtx5090": "needs an RTX 5090",
    **{family: f"compares {what}" for family, what in FAMILIES.items()},
}
"""Signature to description, as ``pytest --markers`` prints them."""

NO_GPU = "needs a GPU, and this run measures on"
"""How the reason begins of a GPU test that did not run on another kind of device."""

NO_TIME = "time needs a real device: give --dsocr-device cpu or cuda"
"""The reason of a time that was not measured on meta."""


def bad_marks(node: pytest.Item) -> str:
    """Say what is wrong with a test's markers; empty if nothing."""
    try:
        check_marks(node.iter_markers())
    except OptionError as error:
        return f"{node.nodeid}: {error}"
    return ""


def check_marks(marks: Iterable[pytest.Mark]) -> None:
    """Check the arguments of the marks that are ours.

    Raises:
        OptionError: the marker, what it got and what is allowed.
    """
    for mark in marks:
        if mark.name in ("rtx5090", *FAMILIES) and (mark.args or mark.kwargs):
            got = ", ".join([*map(repr, mark.args), *(f"{key}={value!r}" for key, value in mark.kwargs.items())])
            msg = f"marker {mark.name}: got ({got}), allowed are no arguments"
            raise OptionError(msg)
        if mark.name == "gpu":
            _check_gpu(mark)


def _check_gpu(mark: pytest.Mark) -> None:
    if mark.args or mark.kwargs.keys() - {"memory_gib", "capability"}:
        msg = f"marker gpu: got {mark.args or mark.kwargs}, allowed are memory_gib=NUMBER and capability=(MAJOR, MINOR)"
        raise OptionError(msg)
    memory, capability = mark.kwargs.get("memory_gib"), mark.kwargs.get("capability")
    if memory is not None and (isinstance(memory, bool) or not isinstance(memory, int | float) or not memory > 0):
        msg = f"marker gpu: memory_gib: got {memory!r}, allowed is a number above 0"
        raise OptionError(msg)
    if capability is not None and not _is_pair(capability):
        msg = f"marker gpu: capability: got {capability!r}, allowed is a pair of whole numbers such as (8, 0)"
        raise OptionError(msg)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(type(one) is int and one >= 0 for one in value)


def missing_gpu(marks: Iterable[pytest.Mark], device: str) -> str:
    """Say what a test's marks ask of the GPU that is not there; empty if nothing."""
    asked = [mark for mark in marks if mark.name in ("gpu", "rtx5090")]
    if not asked:
        return ""
    if not device.startswith("cuda"):
        return f"{NO_GPU} {device}: give --dsocr-device cuda or auto"
    from .measure.device import card_of

    card = card_of(device)
    for mark in asked:
        if mark.name == "rtx5090" and "RTX 5090" not in card.name:
            return f"needs an RTX 5090, and {device} is {card.name}"
        memory, capability = mark.kwargs.get("memory_gib", 0), mark.kwargs.get("capability", (0, 0))
        if card.total_memory < (memory or 0) * 2**30:
            return f"needs {memory} GiB, and {device} ({card.name}) has {card.total_memory / 2**30:.1f}"
        if (card.major, card.minor) < (capability or (0, 0)):
            return f"needs compute capability {capability}, and {device} ({card.name}) has {card.major}.{card.minor}"
    return ""
