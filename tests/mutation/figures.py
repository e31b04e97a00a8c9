"""Measured figures: what the tests of layers and of the whole compare, kept so that it can be predicted anew.

A program of its own: ``python figures.py FILE`` runs the tests in each way that ``RUNS`` lists, with real
modules under the tracer, and writes every comparison that passed.
"""

from __future__ import annotations

import pickle
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from comparison import Comparison, guarded

from pytest_dsocr.bench import Bench
from pytest_dsocr.comparer import Comparer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsocr_cost import Execution
    from pytest_dsocr import Case
    from pytest_dsocr.measure.measurement import Call
    from pytest_dsocr.row import Row

TESTS = Path(__file__).parent.parent
ODD = f"--dsocr-config={TESTS / 'data' / 'odd_config.json'}"  # hardly two of its sizes are the same
LAYERS, WHOLE = str(TESTS / "layers"), str(TESTS / "e2e")
WHOLE_MEMORY = [str(TESTS / "e2e" / f"test_whole_{part}.py") for part in ("decoder", "model")]
RUNS = (
    (LAYERS, WHOLE, ODD),
    (LAYERS, WHOLE, ODD, "--dsocr-attention=eager"),
    (LAYERS, ODD, "--dsocr-attention=flash"),
    (LAYERS, ODD, "--dsocr-dtype=float32"),
    (LAYERS, ODD, "--dsocr-dtype=float32", "--dsocr-attention=eager"),
    (LAYERS, *WHOLE_MEMORY),  # as published: as many heads of keys as of queries, a large vocabulary
)
OPTIONS = (
    "-q",
    "-m",
    "not gpu and not latency",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-W",
    "ignore:Module already imported",
)
SLOW = ("--ignore-glob=*_on_cpu.py", "--ignore-glob=*_published.py", "--ignore-glob=*_assembled_modules.py")


class Recorder:
    """A pytest plugin that keeps what every test compares."""

    def __init__(self) -> None:
        self.comparisons: list[Comparison] = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Listen to all comparers."""
        compare_all, predict, judge = Comparer.compare_all, Comparer._predict, Bench.judged  # noqa: SLF001
        asked: list[tuple[Any, Case, Execution]] = []
        judged: list[tuple[Row, tuple[Call, ...]]] = []

        def predict_and_note(self: Any, measurer: Any, layer: Any, case: Any, execution: Any, name: str) -> Any:
            asked.append((layer, case, execution))
            return predict(self, measurer, layer, case, execution, name)

        def judge_and_note(*given: Any) -> Row:
            *_, measurement, _rule = given
            judged.append((judge(*given), measurement.calls))
            return judged[-1][0]

        def compare_and_keep(comparer: Any, *given: Any, **named: Any) -> Any:
            asked.clear()
            judged.clear()
            rows = compare_all(comparer, *given, **named)
            self.comparisons.append(Comparison(*asked[0], tuple(judged)))
            return rows

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Comparer, "compare_all", compare_and_keep)
            patch.setattr(Comparer, "_predict", predict_and_note)
            patch.setattr(Bench, "judged", judge_and_note)
            yield


def measured() -> list[Comparison]:
    """Run the tests in each way."""
    recorder = Recorder()
    with recorder.recording():
        for run in RUNS:
            code = pytest.main([*run, *OPTIONS, *SLOW])
            assert code == 0, f"{' '.join(run)}: exit code {code}"
    return recorder.comparisons


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(pickle.dumps([guarded(one) for one in measured()]))
