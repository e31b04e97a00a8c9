"""The time of ten thousand pages at once, against timing them one by one.

Run it on a quiet machine, in one process, with the package installed::

    pytest benchmarks/bench_latency.py

Both predict the time of vision, prefill and 100 decode steps of a page on a made-up card. The first as one
:func:`dsocr_cost.latency.run_latency` on arrays of 10,000 grids, the second as one a grid, on 20 of them. After the
table stands what a page costs either way.
"""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dsocr_cost import MODES, DeepseekOCRConfig, Execution, Grid, Workload
from dsocr_cost.efficiency import CLASSES, Machine, Smooth
from dsocr_cost.latency import run_latency
from dsocr_cost.profile import Host, Profile

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from dsocr_cost.latency import RunLatency

GROUP = "seconds of vision, prefill and 100 decode steps"
ROUNDS = 3
SAMPLE = 20
CONFIG, EXECUTION = DeepseekOCRConfig(), Execution()
CARD = Profile(
    Machine("made up", {2: 2e14, 4: 1e14}, 1.8e12, 96_000_000, 6e12, 170),
    {kind: Smooth(2e-6, 0.7, 0.8, 2.0, 0.1) for kind in CLASSES},
    Host(dispatch_s=5e-6, latency_s=3e-6, overlaps=True, error=0.2),
    "made up",
)
HIGH, WIDE = (axis.ravel() for axis in np.meshgrid(range(1, 101), range(1, 101), indexing="ij"))
"""100 x 100 grids."""

PICKED = np.linspace(0, HIGH.size - 1, SAMPLE, dtype=np.int64)


@pytest.fixture(scope="module")
def seconds_a_page() -> dict[str, float]:
    """Keep the medians of both ways, for the comparison."""
    return {}


def timed(grid: Grid) -> RunLatency:
    """Predict pages of a grid, or of arrays of them."""
    return run_latency(CONFIG, Workload(MODES["gundam"], grid, 10, 100), EXECUTION, CARD, "eager")


def at_once() -> RunLatency:
    """Predict all pages."""
    return timed(Grid(HIGH, WIDE))


def one_by_one() -> list[RunLatency]:
    """Predict the sample."""
    return [timed(Grid(int(HIGH[one]), int(WIDE[one]))) for one in PICKED]


def seconds(benchmark: BenchmarkFixture, pages: int) -> float:
    """Note the median of the rounds, a page; not a number where pytest-benchmark was told to time nothing."""
    a_page = statistics.median(benchmark.stats.stats.data) / pages if benchmark.stats else float("nan")
    benchmark.extra_info.update(pages=pages, seconds_a_page=a_page)
    return a_page


@pytest.mark.benchmark(group=GROUP)
def test_ten_thousand_grids_at_once(benchmark: BenchmarkFixture, seconds_a_page: dict[str, float]) -> None:
    """One prediction of 10,000 pages."""
    run = benchmark.pedantic(at_once, rounds=ROUNDS, warmup_rounds=1)
    assert run.total.seconds.shape == HIGH.shape
    seconds_a_page["at once"] = seconds(benchmark, HIGH.size)


@pytest.mark.benchmark(group=GROUP)
def test_20_grids_one_by_one(
    benchmark: BenchmarkFixture, seconds_a_page: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    """A prediction a page; the same seconds, and how many times as long it takes."""
    runs, together = benchmark.pedantic(one_by_one, rounds=ROUNDS), at_once()
    assert [float(run.total.seconds) for run in runs] == pytest.approx(together.total.seconds[PICKED].tolist())
    alone, among_many = seconds(benchmark, SAMPLE), seconds_a_page.get("at once", float("nan"))
    benchmark.extra_info["times_as_long_as_at_once"] = alone / among_many
    with capsys.disabled():
        sys.stdout.write(
            f"\na page: {1e6 * among_many:,.0f} us at once, {1e6 * alone:,.0f} us by itself, "
            f"{alone / among_many:,.0f} times as long\n"
        )
