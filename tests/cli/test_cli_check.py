"""``dsocr check``: a gate's files are read, and what cannot be used is named."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_dsocr.cli.main import dsocr

ROOT = Path(__file__).parents[2]
CARDS = '[[device]]\nname = "Bench"\narchitecture = "Ampere"\n'


@pytest.fixture
def run():
    """Run ``dsocr check`` on files; its exit code, what it printed, and its complaints."""

    def run(*files):
        done = CliRunner().invoke(dsocr, ["check", *map(str, files)])
        return done.exit_code, done.stdout, done.stderr

    return run


def test_rows_profiles_and_devices_are_told_apart(run, tmp_path):
    cards = tmp_path / "cards.toml"
    cards.write_text(CARDS, encoding="utf-8")
    rows, profile = (ROOT / "results" / f"cpu-{name}.json" for name in ("latency", "profile"))
    code, said, complaints = run(rows, profile, cards)
    assert (code, complaints) == (0, "")
    first, second, third = said.splitlines()
    assert first.startswith(f"{rows}: 66 rows of cpu AMD EPYC")
    assert second.startswith(f"{profile}: a profile of AMD EPYC")
    assert third == f"{cards}: devices"


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        ("rows.json", "{", "is no JSON: "),
        ("rows.json", "[]", "got a JSON array, allowed is a rows file"),
        ("profile.json", '{"machine": {}, "schema": 1}', "profile.json: "),
        ("cards.toml", "[[device]]", "cards.toml: "),
    ],
    ids=["truncated", "a list", "a profile without its parts", "a device without a name"],
)
def test_a_file_that_cannot_be_used_is_named_and_the_others_are_read_all_the_same(run, tmp_path, name, content, wrong):
    bad = tmp_path / name
    bad.write_text(content, encoding="utf-8")
    code, said, complaints = run(bad, ROOT / "tests/data/rows_schema_1.json")
    assert code == 1
    assert wrong in complaints
    assert complaints.startswith(str(bad))
    assert "66 rows" in said


def test_a_file_that_is_not_there_is_named(run, tmp_path):
    code, _, complaints = run(tmp_path / "none.json")
    assert code == 1
    assert "none.json: cannot be read: No such file" in complaints
