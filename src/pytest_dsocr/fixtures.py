"""The fixtures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from .metrics import FAMILIES
from .state import NOT_RUN, ROWS, USES, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .comparer import Comparer

__all__ = ["dsocr"]


@pytest.fixture
def dsocr(request: pytest.FixtureRequest) -> Iterator[Comparer]:
    """Compare predictions with measurements: ``dsocr.compare(layer, case)``.

    A test that asks for it and compares nothing fails: a measurement of nothing is never a pass. It serves that test
    alone, since rows are the test's; whoever keeps it longer gets an error.
    """
    from .benchmark import tell_benchmark
    from .comparer import Comparer

    request.node.stash[USES] = True
    rows = request.node.stash.setdefault(ROWS, [])
    families = [mark.name for mark in request.node.iter_markers() if mark.name in FAMILIES]
    run = run_of(request.config)
    comparer = Comparer(
        run.bench,
        request.node.nodeid,
        families,
        rows,
        request.node.stash.setdefault(NOT_RUN, []),
        device=run.device_for_test(),
        tell=partial(tell_benchmark, request),
    )
    yield comparer
    comparer.end()
