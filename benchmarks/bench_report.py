"""The HTML report of all 90 grids, against writing and reading the same rows as JSON.

Run it on a quiet machine, in one process, with the package installed::

    pytest benchmarks/bench_report.py

The rows are those of vision, prefill and three decode steps of all 90 published grids, seven figures each, with their
ops: more than a run of all layers and grids has. After the table stands how many times as long as ``json.dumps`` of the
same rows the page takes, with the rows at hand and with their file read and checked first, and how large it is.
"""

from __future__ import annotations

import json
import statistics
import sys
from typing import TYPE_CHECKING

import pytest
from report_rows import FAMILIES, LABELS, every_grid

from pytest_dsocr import Results
from pytest_dsocr.report.html import html_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

GROUP = "a report of all 90 grids"
ROUNDS = 5


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """Keep the medians of all ways, for the comparison."""
    return {}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the rows to a file."""
    path: Path = tmp_path_factory.mktemp("rows") / "rows.json"
    path.write_text(every_grid().to_json(), encoding="utf-8")
    return path


def timed(benchmark: BenchmarkFixture, way: Callable[[], str]) -> tuple[float, str]:
    """Time one way to write the rows; not a number where pytest-benchmark was told to time nothing."""
    text = benchmark.pedantic(way, rounds=ROUNDS, warmup_rounds=1)
    median = statistics.median(benchmark.stats.stats.data) if benchmark.stats else float("nan")
    benchmark.extra_info.update(megabytes=len(text.encode()) / 1e6)
    return median, text


@pytest.mark.benchmark(group=GROUP)
def test_rows_as_json(benchmark: BenchmarkFixture, seconds: dict[str, float]) -> None:
    """The rows as plain JSON: what any report has to go through."""
    rows = every_grid().rows
    seconds["json"], _ = timed(benchmark, lambda: json.dumps([row.to_dict() for row in rows]))


@pytest.mark.benchmark(group=GROUP)
def test_the_page(benchmark: BenchmarkFixture, seconds: dict[str, float]) -> None:
    """The page of rows that are at hand, as at the end of a run."""
    results = every_grid()
    seconds["page"], _ = timed(benchmark, lambda: html_text(results, LABELS, FAMILIES))


@pytest.mark.benchmark(group=GROUP)
def test_the_page_of_a_file(
    benchmark: BenchmarkFixture, seconds: dict[str, float], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page of a rows file that is read and checked first."""
    seconds["file"], page = timed(benchmark, lambda: html_text(Results.read(file), LABELS, FAMILIES))
    with capsys.disabled():
        plain = seconds.get("json", float("nan"))
        sys.stdout.write(
            f"\n{len(every_grid().rows):,} rows: json.dumps takes {1000 * plain:,.0f} ms, "
            f"the page {seconds.get('page', float('nan')) / plain:.1f} times as long, "
            f"with its file read {seconds['file'] / plain:.1f} times; "
            f"{file.stat().st_size / 1e6:.1f} MB of rows make a page of {len(page.encode()) / 1e6:.2f} MB\n"
        )
