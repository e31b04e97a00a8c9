"""A team's day with the gate, from no baseline to a red build to a green one, as docs/gate.md tells it.

The project is one layer with its formula and its module. Its time is a clock that the project brings itself, so that a
tenth more is a tenth more on any machine. The change makes it slower and adds a matmul, in formula and module alike:
what it predicts still holds, and what it costs has grown.
"""

import csv
import io
import json
import subprocess
import sys

import pytest

CLOCK = """
from pytest_dsocr import Measurement
from pytest_dsocr.metrics import LATENCY




class Clock:
    metric = LATENCY

    def measure(self, subject, *, device):
        seconds = getattr(subject.module, "seconds", 0.010)
        rounds = tuple(seconds * (1 + noise / 1000) for noise in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5))
        return Measurement(seconds, spread=0.005, samples=rounds)


def pytest_dsocr_measurers():
    return [Clock()]
"""

LAYERS = """
import torch


def head_flops(tokens):
    return 2 * tokens * 64 * 256


def body_flops(tokens):
    return 2 * tokens * 64 * 64


class Head(torch.nn.Linear):
    seconds = 0.020

    def __init__(self):
        super().__init__(64, 256, bias=False, device="meta")


class Body(torch.nn.Linear):
    def __init__(self):
        super().__init__(64, 64, bias=False, device="meta")
"""

CHANGED = """
def body_flops(tokens):
    return 2 * tokens * 64 * 64 + 2 * tokens * 64 * 64


class Body(torch.nn.Linear):
    seconds = 0.011

    def __init__(self):
        super().__init__(64, 64, bias=False, device="meta")

    def forward(self, x):
        return super().forward(x) @ self.weight
"""

TESTS = """
import pytest
import torch
from layers import Body, Head, body_flops, head_flops
from pytest_dsocr import Case

LAYERS = {"head": (Head, head_flops, 64 * 256, 0.020), "body": (Body, body_flops, 64 * 64, 0.0108)}


@pytest.mark.parametrize("tokens", [4, 16])
@pytest.mark.parametrize("layer", LAYERS)
def test_costs(dsocr, layer, tokens):
    module, flops, params, seconds = LAYERS[layer]
    case = Case(f"{tokens} tokens", tokens=tokens)
    costs = {"tensor_flops": flops, "params": lambda tokens: params, "latency_s": seconds}
    inputs = [torch.zeros(tokens, 64, device="meta")]
    dsocr.compare_all(costs, case, metrics=list(costs), module=module(), inputs=inputs, name=f"user.{layer}")
"""

TOLERANCES = """
[[rule]]
metric = "latency_s"
rtol = 0.05
because = "what a reader of this example can follow"
"""

MOVED = {("user.body", f"{tokens} tokens", metric) for tokens in (4, 16) for metric in ("tensor_flops", "latency_s")}
BASELINE = ("--dsocr-baseline=baseline", "--dsocr-latency=gate")


@pytest.fixture
def team(project):
    """The project with its baseline taken."""
    project.write("conftest.py", CLOCK)
    project.write("layers.py", LAYERS)
    project.write("test_costs.py", TESTS)
    project.write("tolerances.toml", TOLERANCES)
    project.ini("pythonpath = .")
    result = project.spawn(*BASELINE, "--dsocr-update-baseline", "--dsocr-json=base.json")
    assert result.ret == pytest.ExitCode.OK, result.stdout
    return project


def dsocr(project, *args):
    return subprocess.run(
        [sys.executable, "-c", "from pytest_dsocr.cli.main import main; main()", *args],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=False,
    )


def about(rows):
    """What rows are about, and what came of them."""
    return {(row["layer"], row["case"], row["metric"], row["verdict"], row["measured"]) for row in rows}


def test_a_layer_that_grew_goes_red_alone_is_reported_and_taken_over(team):
    team.write("layers.py", LAYERS + CHANGED)

    red = team.spawn(*BASELINE, "--dsocr-json=head.json", "--dsocr-report=report.html", "--dsocr-report=report.csv")
    assert red.ret == pytest.ExitCode.TESTS_FAILED
    red.assert_outcomes(passed=2, failed=2)
    failed = [row for row in team.rows("head.json") if row["verdict"] != "pass"]
    assert {(row["layer"], row["case"], row["metric"]) for row in failed} == MOVED
    assert {round(row["baseline"]["relative_change"], 6) for row in failed} == {1.0, 0.1}
    red.stdout.fnmatch_lines(["dsocr: against the baseline: 8 same, 4 regressions"])

    compared = dsocr(team, "compare", "base.json", "head.json", "--json")
    assert compared.returncode == 1
    regressions = [row for row in json.loads(compared.stdout)["rows"] if row["change"] == "regression"]
    assert {(row["layer"], row["case"], row["metric"]) for row in regressions} == MOVED

    page = (team.path / "report.html").read_text(encoding="utf-8")
    assert "user.body" in page
    assert "regression" in page
    table = list(csv.DictReader(io.StringIO((team.path / "report.csv").read_text(encoding="utf-8"))))
    assert {(row["layer"], row["case"], row["metric"]) for row in table if row["verdict"] == "fail"} == MOVED

    assert team.spawn(*BASELINE, "--dsocr-update-baseline").ret == pytest.ExitCode.OK
    green = team.spawn(*BASELINE, "--dsocr-require=baseline")
    assert green.ret == pytest.ExitCode.OK
    green.stdout.fnmatch_lines(["dsocr: against the baseline: 12 same"])


def test_rows_and_verdicts_are_the_same_plain_with_workers_and_merged_from_shards(team):
    team.write("layers.py", LAYERS + CHANGED)
    team.spawn(*BASELINE, "--dsocr-json=plain.json")
    team.spawn(*BASELINE, "--dsocr-json=many.json", "-n2")
    for shard in ("head", "body"):
        team.spawn(*BASELINE, f"--dsocr-json={shard}.json", "-k", shard)
    assert dsocr(team, "merge", "head.json", "body.json", "-o", "merged.json").returncode == 0

    plain = about(team.rows("plain.json"))
    assert len(plain) == 12
    assert about(team.rows("many.json")) == plain
    assert about(team.rows("merged.json")) == plain


def test_a_worker_killed_in_mid_run_is_red_names_what_is_missing_and_leaves_the_baseline(team):
    (file,) = (team.path / "baseline").iterdir()
    before = file.read_bytes()
    killer = 'if layer == "head" and tokens == 16:\n        __import__("os").kill(__import__("os").getpid(), 9)\n    '
    team.write("test_costs.py", TESTS.replace("    module, flops", f"    {killer}module, flops"))
    result = team.spawn(*BASELINE, "--dsocr-update-baseline", "-n2", "--dsocr-json=rows.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["dsocr: --dsocr-update-baseline: nothing was stored: *user.head, 16 tokens, latency_s*"]
    )
    assert file.read_bytes() == before
    assert [one["test"] for one in team.document("rows.json")["not_run"]] == ["test_costs.py::test_costs[head-16]"]
