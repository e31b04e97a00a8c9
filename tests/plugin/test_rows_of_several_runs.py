"""Rows of several runs: the same plain, under xdist and merged from shards; compared as the gate compares them."""

import json

import pytest
from click.testing import CliRunner

from pytest_dsocr import Results
from pytest_dsocr.cli.main import dsocr

TESTS = """
    @pytest.mark.parametrize("tokens", [1, 2, 3])
    @pytest.mark.parametrize("part", ["one", "two"])
    def test_linear(dsocr, part, tokens):
        case = Case(f"{part}, {tokens} tokens", tokens=tokens)
        x = (torch.zeros(tokens, 8, device="meta"),)
        dsocr.compare(linear if tokens != 2 else one_too_many, case, module=LINEAR, inputs=x)


    @pytest.mark.parametrize("part", ["one", "two"])
    def test_that_is_left_out(dsocr, part):
        pytest.skip("not today")
"""
BASELINE_TESTS = """
    import os

    MORE = int(os.environ.get("MORE", "0"))

    @pytest.mark.parametrize("tokens", [4, 8, 12])
    def test_linear(dsocr, tokens):
        tokens_now = tokens + MORE * {4: 1, 8: 0, 12: -1}[tokens]
        x = (torch.zeros(tokens_now, 8, device="meta"),)
        case = Case(f"{tokens} tokens", tokens=tokens)
        dsocr.compare(lambda tokens: linear(tokens_now), case, module=LINEAR, inputs=x)
"""


def command(*arguments):
    return CliRunner().invoke(dsocr, [str(one) for one in arguments])


def summary(path):
    """Tell of a rows file what does not depend on where a test ran: rows by key, what did not run, totals."""
    results = Results.read(path)
    rows = {row.key: (row.predicted, row.measured, row.verdict, row.reason, row.rule, row.test) for row in results.rows}
    return rows, {(one.test, one.reason) for one in results.not_run}, results.by_verdict, set(results.complaints)


def test_rows_and_verdicts_are_the_same_plain_under_xdist_and_merged_from_shards(project):
    project.tests(TESTS)
    require = ("--dsocr-require", "all,tensor_flops")
    project.run("--dsocr-json", "plain.json", *require)
    project.spawn("-n", "2", "--dsocr-json", "workers.json", *require)
    for part in ("one", "two"):
        project.run("-k", part, "--dsocr-json", f"{part}.json", *require)
    assert (
        command(
            "merge", project.path / "one.json", project.path / "two.json", "-o", project.path / "merged.json"
        ).exit_code
        == 0
    )

    rows, not_run, totals, complaints = plain = summary(project.path / "plain.json")
    assert (len(rows), len(not_run), complaints) == (6, 2, {"--dsocr-require all: 2 comparisons did not run"})
    assert [totals[verdict] for verdict in ("pass", "fail", "not run")] == [4, 2, 2]
    assert summary(project.path / "workers.json") == plain
    assert summary(project.path / "merged.json") == plain
    merged = [row.case for row in Results.read(project.path / "merged.json").rows]
    assert merged == [f"{part}, {tokens} tokens" for part in ("one", "two") for tokens in (1, 2, 3)]


@pytest.mark.parametrize("stored", ["base.json", "baselines"], ids=["a rows file", "a folder"])
def test_a_comparison_says_what_the_gate_of_the_run_says(project, monkeypatch, stored):
    project.tests(BASELINE_TESTS)
    if stored == "base.json":
        project.run("--dsocr-json", stored)
    else:
        project.run("--dsocr-baseline", stored, "--dsocr-update-baseline")
    monkeypatch.setenv("MORE", "1")
    gate = project.run("--dsocr-baseline", stored, "--dsocr-json", "gated.json")
    gate.assert_outcomes(passed=2, failed=1)
    project.run("--dsocr-json", "head.json")
    said = {row["case"]: row["baseline"] for row in project.rows("gated.json")}
    assert [one["change"] for one in said.values()] == ["regression", "same", "improvement"]

    for head in ("gated.json", "head.json"):
        result = command("compare", project.path / stored, project.path / head, "--all", "--json")
        assert result.exit_code == 1
        told = {row["case"]: row for row in json.loads(result.stdout)["rows"]}
        assert told.keys() == said.keys()
        for case, row in told.items():
            assert row["stored"] == said[case]["measured"]
            assert [row[name] for name in ("change", "relative_change", "p_value")] == [
                said[case][name] for name in ("change", "relative_change", "p_value")
            ]
            assert row["verdict"] == "pass"
