"""The command that takes rows out of a baseline: pasted as it is written, it means the rows that it was written for."""

import json
import shlex

import pytest
from click.testing import CliRunner

from pytest_dsocr import Results
from pytest_dsocr.baseline_names import forget_command
from pytest_dsocr.cli.main import dsocr


@pytest.mark.parametrize("layer", ["user.head", "-x", "--help", "it's"], ids=["plain", "dash", "option", "quote"])
def test_the_command_removes_what_it_names(make_row, tmp_path, layer):
    file = tmp_path / "base.json"
    gone, kept = make_row(layer=layer), make_row(layer="user.other")
    file.write_text(Results((gone, kept)).to_json(), encoding="utf-8")
    program, *arguments = shlex.split(forget_command(file, [gone], [gone, kept]))
    done = CliRunner().invoke(dsocr, arguments)
    assert (program, done.exit_code) == ("dsocr", 0), done.output
    assert [row["layer"] for row in json.loads(file.read_text(encoding="utf-8"))["rows"]] == ["user.other"]
