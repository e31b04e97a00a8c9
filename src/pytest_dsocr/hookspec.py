"""Hooks for layers, references, measurers and FLOP formulas of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dsocr_cost.layers import Layer

    from .measure.measurement import Measurer
    from .reference.reference import Reference

__all__ = [
    "pytest_dsocr_flop_formulas",
    "pytest_dsocr_layers",
    "pytest_dsocr_measurers",
    "pytest_dsocr_references",
]


@pytest.hookspec
def pytest_dsocr_layers() -> Iterable[type[Layer]]:  # type: ignore[empty-body]
    """Return layer classes, so that tolerance files and ``--dsocr-require`` may name them as ``group.ClassName``."""


@pytest.hookspec
def pytest_dsocr_references() -> Iterable[Reference]:  # type: ignore[empty-body]
    """Return references: what ``--dsocr-reference`` may name. Called before anything is measured; import no torch."""


@pytest.hookspec
def pytest_dsocr_measurers(  # type: ignore[empty-body]
    flop_formulas: Mapping[str, Callable[..., int]], config: pytest.Config
) -> Iterable[Measurer]:
    """Return measurers, one a metric; of two for the same metric, the one of the plugin registered later holds.

    An implementation may leave out arguments that it does not need. Called before anything is measured; import no
    torch.
    """


@pytest.hookspec
def pytest_dsocr_flop_formulas() -> Mapping[str, Callable[..., int]]:  # type: ignore[empty-body]
    """Return formulas in the form of ``torch.utils.flop_counter``, by ``namespace::op``."""
