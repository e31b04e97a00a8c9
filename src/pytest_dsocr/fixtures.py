"""The fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .metrics import FAMILIES
from .state import NOT_RUN, ROWS, USES, run_of

if TYPE_CHECKING:
    from .comparer import Comparer

__all__ = ["dsocr"]


@pytest.fixture
def dsocr(request: pytest.FixtureRequest) -> Comparer:
    """Compare predictions with measurements: ``dsocr.compare(layer, case)``.

    A test that asks for it and compares nothing fails: a measurement of nothing is never a pass.
    """
    from .comparer import Comparer

    request.node.stash[USES] = True
    rows = request.node.stash.setdefault(ROWS, [])
    families = [mark.name for mark in request.node.iter_markers() if mark.name in FAMILIES]
    not_run = request.node.stash.setdefault(NOT_RUN, [])
    return Comparer(run_of(request.config).bench, request.node.nodeid, families, rows, not_run)
