"""A million workloads at once, against pricing them one by one.

Run it on a quiet machine, in one process, with the package installed::

    pytest benchmarks/bench_sweep.py

Both price vision, prefill and 100 decode steps of a page: its crop grid, its image tokens, and a prompt of text. The
first as one :func:`dsocr_cost.sweep.evaluate` on arrays of 1,000,000 points, the second as one
:meth:`dsocr_cost.DeepseekOCRModel.run` a point, on 200 of them. After the table stands what a point costs either way.
"""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dsocr_cost import MODES, DeepseekOCRModel, Grid, Workload
from dsocr_cost.sweep import evaluate

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from dsocr_cost import Stages

GROUP = "vision, prefill and 100 decode steps"
ROUNDS = 5
DECODE_STEPS = 100
SAMPLE = 200

HIGH, WIDE, TEXT = (axis.ravel() for axis in np.meshgrid(range(1, 41), range(1, 51), range(500), indexing="ij"))
"""40 x 50 grids, each with 0 to 499 tokens of text: 1,000,000 points."""

PICKED = np.linspace(0, HIGH.size - 1, SAMPLE, dtype=np.int64)
"""The points that are priced one by one, from the first to the last."""


@pytest.fixture(scope="module")
def seconds_a_point() -> dict[str, float]:
    """Keep the medians of both ways, for the comparison."""
    return {}


def at_once() -> Stages:
    """Price all points."""
    return evaluate(crops_high=HIGH, crops_wide=WIDE, text_tokens=TEXT, decode_steps=DECODE_STEPS)


def one_by_one() -> list[Stages]:
    """Price the sample."""
    model = DeepseekOCRModel()
    return [
        model.run(Workload(MODES["gundam"], Grid(int(HIGH[one]), int(WIDE[one])), int(TEXT[one]), DECODE_STEPS))
        for one in PICKED
    ]


def seconds(benchmark: BenchmarkFixture, points: int) -> float:
    """Note the median of the rounds, a point; not a number where pytest-benchmark was told to time nothing."""
    a_point = statistics.median(benchmark.stats.stats.data) / points if benchmark.stats else float("nan")
    benchmark.extra_info.update(points=points, seconds_a_point=a_point)
    return a_point


@pytest.mark.benchmark(group=GROUP)
def test_a_million_points_at_once(benchmark: BenchmarkFixture, seconds_a_point: dict[str, float]) -> None:
    """One evaluation of 1,000,000 points."""
    stages = benchmark.pedantic(at_once, rounds=ROUNDS, warmup_rounds=1)
    assert stages.total.tensor_flops.shape == HIGH.shape
    seconds_a_point["at once"] = seconds(benchmark, HIGH.size)


@pytest.mark.benchmark(group=GROUP)
def test_200_points_one_by_one(
    benchmark: BenchmarkFixture, seconds_a_point: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    """A run a point; the same figures, and how many times as long it takes."""
    runs, swept = benchmark.pedantic(one_by_one, rounds=ROUNDS), at_once()
    assert [run.total.tensor_flops for run in runs] == swept.total.tensor_flops[PICKED].tolist()
    alone, among_many = seconds(benchmark, SAMPLE), seconds_a_point.get("at once", float("nan"))
    benchmark.extra_info["times_as_long_as_at_once"] = alone / among_many
    with capsys.disabled():
        sys.stdout.write(
            f"\na point: {1e6 * among_many:.3g} us at once, {1e6 * alone:,.0f} us by itself, "
            f"{alone / among_many:,.0f} times as long\n"
        )
