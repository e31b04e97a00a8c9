"""The command, run in this process."""

import json

import pytest
from click.testing import CliRunner

from dsocr_cost.efficiency import CLASSES, Machine, Smooth
from dsocr_cost.profile import Host, Profile
from dsocr_cost.profile_json import Calibration
from pytest_dsocr import Results
from pytest_dsocr.cli.main import dsocr

BENCH = Profile(
    Machine("Bench 16", {2: 1e14, 4: 5e13}, 1e12, 40_000_000, 4e12, 80),
    {kind: Smooth(2e-6, 0.7, 0.8, 2.0, 0.1) for kind in CLASSES},
    Host(dispatch_s=5e-6, latency_s=3e-6, overlaps=True, error=0.2),
    "made up",
)


@pytest.fixture
def run(monkeypatch):
    """Run ``dsocr`` on arguments, on a terminal of 80 columns; what it exits with and prints."""
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *arguments: CliRunner().invoke(dsocr, [str(one) for one in arguments])


@pytest.fixture
def cost(run):
    """Run ``dsocr cost --json`` on arguments; the document."""

    def document(*arguments):
        result = run("cost", "--json", *arguments)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return document


@pytest.fixture
def bench():
    """A made-up machine: 100 TFLOP/s and 1 TB/s, of which every kernel makes 70 and 80 %, with a band of 10 %."""
    return BENCH


@pytest.fixture
def profile(tmp_path):
    """The same machine as a file, as a calibration in bfloat16 with sdpa attention writes it."""
    path = tmp_path / "bench.json"
    measured = {"seconds": 100.0, "execution": {"dtype": "bfloat16", "attention": "sdpa"}}
    path.write_text(Calibration(BENCH, {"type": "cuda", "name": "Bench 16"}, {}, measured).to_json(), encoding="utf-8")
    return path


@pytest.fixture
def write(tmp_path):
    """Write a rows file of rows, or of text as it stands; its path."""

    def written(name, *rows, text=None, **given):
        path = tmp_path / name
        path.write_text(Results(rows, **given).to_json() if text is None else text, encoding="utf-8")
        return path

    return written
