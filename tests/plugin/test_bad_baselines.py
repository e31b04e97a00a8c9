"""A baseline that is none is refused before anything runs, in a line, and stays as it is."""

import json
import os

import pytest

from pytest_dsocr import Results, Row, Verdict
from pytest_dsocr.measure.device import fingerprint

TESTS = """
    def test_linear(dsocr):
        dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)
"""


@pytest.fixture
def document():
    """Make the rows file that a run of the test above writes, as a document."""
    row = Row(
        *("user", "user", "", "float32", "user.linear", "4 tokens", "tensor_flops", fingerprint("meta")),
        sizes={"tokens": 4},
        predicted=1024,
        measured=1024,
        difference=0,
        relative_difference=0.0,
        spread=None,
        rtol=0.0,
        rule="built-in default tensor_flops",
        because="",
        verdict=Verdict.PASS,
        reason="",
        test="test_it.py::test_linear",
    )
    return json.loads(Results((row,)).to_json())


def change(document, **given):
    document["rows"][0].update(given)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        pytest.param(lambda made: json.dumps(made)[:-9], ["is no JSON: "], id="cut off"),
        pytest.param(lambda made: "", ["is no JSON: Expecting value"], id="empty"),
        pytest.param(lambda made: json.dumps(made["rows"]), ["got a JSON array, allowed is a rows file"], id="a list"),
        pytest.param(
            lambda made: json.dumps({**made, "schema": 3}), ["got schema 3, allowed are", "update pytest"], id="later"
        ),
        pytest.param(
            lambda made: json.dumps({**made, "rows": made["rows"] * 2}),
            ["rows: 2 have the key of user.linear, 4 tokens, tensor_flops on meta", "allowed is one"],
            id="two rows of one key",
        ),
        pytest.param(lambda made: change(made, measured="1024"), ['rows[0].measured: "1024" is not'], id="a string"),
        pytest.param(
            lambda made: json.dumps(made).replace('"measured": 1024', '"measured": NaN'), ["NaN is no number"], id="NaN"
        ),
        pytest.param(
            lambda made: json.dumps({**made, "rows": made["rows"] * 2}).replace("4 tokens", "\\u001b[2J\\n::error::"),
            [r"user.linear, \x1b[2J\n::error::, tensor_flops"],
            id="a name that paints",
        ),
    ],
)
@pytest.mark.parametrize("updating", [(), ("--dsocr-update-baseline",)], ids=["", "to be updated"])
def test_a_baseline_that_is_no_rows_file_is_refused_and_kept(refused, project, document, broken, words, updating):
    text = broken(document)
    path = project.write("base.json", text)
    result = refused("--dsocr-baseline", "base.json", *updating, words=[str(path), *words])
    assert path.read_text(encoding="utf-8") == text.lstrip()
    assert "\x1b[2J" not in result.stdout.str() + result.stderr.str()


def test_a_baseline_that_is_too_large_is_refused_unread(refused, project, monkeypatch):
    project.write("base.json", "")
    os.truncate(project.path / "base.json", 100_000_000)
    monkeypatch.setattr("dsocr_cost.text_file._start", None)
    refused("--dsocr-baseline", "base.json", words=["base.json: is too large: allowed are at most 67,108,864 bytes"])


@pytest.mark.parametrize("name", ["base", "base.json"])
def test_a_pipe_is_refused_unread(refused, project, name):
    os.mkfifo(project.path / name)
    refused("--dsocr-baseline", name, words=["is no regular file, allowed is a text file"])


def test_a_baseline_of_another_model_is_red_with_both_named(project, document):
    project.tests(TESTS)
    document["rows"][0]["model"] = "deepseek-ocr-2"
    project.write("base.json", json.dumps(document))
    result = project.run("--dsocr-baseline", "base.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*none of its 1 rows of this device is of this run: they are of deepseek-ocr-2 by user*"]
    )


def test_a_baseline_of_this_run_is_green(project, document):
    project.tests(TESTS)
    project.write("base.json", json.dumps(document))
    result = project.run("--dsocr-baseline", "base.json")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["dsocr: against the baseline: 1 same"])


def test_a_baseline_of_schema_1_is_held_against(project, document):
    project.tests(TESTS)
    (row,) = document["rows"]
    old = {key: row[key] for key in row if key not in ("samples", "terms", "baseline")}
    project.write(
        "base.json",
        json.dumps({"schema": 1, "environment": {}, "totals": {}, "rows": [{**old, "measured": 1000}], "not_run": []}),
    )
    project.run("--dsocr-baseline", "base.json", "--dsocr-json", "rows.json").assert_outcomes(failed=1)
    (row,) = Results.read(project.path / "rows.json").rows
    assert row.baseline.change == "regression"
