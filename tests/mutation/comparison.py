"""What a test compares, kept so that it can be predicted anew."""

import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from dsocr_cost import Execution
from pytest_dsocr import Case
from pytest_dsocr.compare import Verdict
from pytest_dsocr.measure.measurement import Call
from pytest_dsocr.metrics import METRICS, Prediction
from pytest_dsocr.report.failure import failure_text
from pytest_dsocr.row import Row

WIDTH = 240  # columns of a failure: each term as predicted beside that as counted
TERMS = {"tensor_flops", "cuda_flops", "io_bytes", "launches", "params"}
METRIC = {metric.name: metric for metric in METRICS}


class Once:
    """A layer at one case, whose ops and moments are made once for all metrics."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._made: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._layer, name)
        if not callable(own):
            return own

        def once(**sizes: Any) -> Any:
            if name not in self._made:
                made = own(**sizes)
                self._made[name] = tuple(made) if isinstance(made, Iterator) else made
            return self._made[name]

        return once


class Comparison(NamedTuple):
    """What one test compares of a layer at one case: for each metric, its row and the terms that were counted."""

    layer: Any
    case: Case
    execution: Execution
    measured: tuple[tuple[Row, tuple[Call, ...]], ...]

    def predictions(self) -> Iterator[tuple[Row, tuple[Call, ...], Prediction]]:
        """Predict each figure anew."""
        layer = Once(self.layer)
        for row, calls in self.measured:
            yield row, calls, METRIC[row.metric].predict(layer, self.case, self.execution)

    @property
    def marks_terms(self) -> bool:
        """Whether its failure shows predicted terms beside counted ones."""
        return any(row.metric in TERMS for row, _ in self.measured)

    def holds(self) -> bool:
        """Say whether all that is predicted is what was measured."""
        try:
            return all(prediction.value == row.measured for row, _, prediction in self.predictions())
        except Exception:
            return False

    def failure(self) -> str:
        """Say what the test does of a wrong formula; empty if nothing is wrong."""
        try:
            wrong = [one for one in self.predictions() if one[2].value != one[0].measured]
        except Exception:
            return f"{self.case}: {traceback.format_exc()}"
        texts = []
        for row, calls, prediction in wrong:
            failed = replace(row, predicted=prediction.value, verdict=Verdict.FAIL)
            texts.append(failure_text(failed, METRIC[row.metric].label, prediction.ops, calls, WIDTH))
        return "\n\n".join(texts)


class Guard(NamedTuple):
    """A comparison, the functions that it calls to predict, and how many calls it takes to."""

    comparison: Comparison
    functions: frozenset[tuple[str, str]]
    calls: int


def guarded(comparison: Comparison) -> Guard:
    """See what a comparison calls."""
    called: Counter[tuple[str, str]] = Counter()

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            called[frame.f_code.co_filename, frame.f_code.co_qualname] += 1

    sys.setprofile(note)
    try:
        assert comparison.holds()
    finally:
        sys.setprofile(None)
    return Guard(comparison, frozenset(called), called.total())
