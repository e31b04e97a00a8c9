"""The rows file is what its JSON Schema says."""

import json
import subprocess
import sys
from importlib.resources import files

import jsonschema
import pytest

from pytest_dsocr import Results
from pytest_dsocr.compare import Verdict
from pytest_dsocr.rows_document import SCHEMA

DOCUMENT = json.loads(files("pytest_dsocr").joinpath("rows.schema.json").read_text(encoding="utf-8"))
TESTS = """
import pytest
import torch
from pytest_dsocr import Case

LINEAR = torch.nn.Linear(8, 16, device="meta")
ROWS = torch.zeros(4, 8, device="meta")

@pytest.mark.parametrize("flops", [2 * 4 * 8 * 16, 1, float("nan")], ids=["right", "wrong", "nan"])
def test_linear(dsocr, flops):
    dsocr.compare(lambda tokens: flops, Case(f"{flops}", tokens=4), module=LINEAR, inputs=(ROWS,))

@pytest.mark.skip(reason="not today")
def test_skipped(dsocr):
    raise AssertionError
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    (folder / "test_rows.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--rootdir", str(folder), "--dsocr-json", "rows.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    return (folder / "rows.json").read_text(encoding="utf-8")


def test_a_run_with_every_sort_of_row_is_valid(written):
    """A pass, a fail, an error whose figure JSON cannot hold, and one that did not run."""
    document = json.loads(written)
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)
    jsonschema.validate(document, DOCUMENT)
    assert document["schema"] == SCHEMA
    assert [row["verdict"] for row in document["rows"]] == ["pass", "fail", "error"]
    assert [one["reason"] for one in document["not_run"]] == ["not today"]


def test_a_run_reads_back_as_it_was_written(written):
    results = Results.from_json(written)
    assert results.by_verdict[Verdict.NOT_RUN] == 1
    assert json.loads(results.to_json()) == json.loads(written)


@pytest.mark.parametrize("change", [{"schema": SCHEMA + 1}, {"rows": [{}]}, {"more": 1}], ids=["version", "row", "key"])
def test_the_schema_refuses_what_is_no_such_file(written, change):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(written), **change}, DOCUMENT)
