"""The command, run in this process."""

import json

import pytest
from click.testing import CliRunner

from pytest_dsocr.cli.main import dsocr


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
