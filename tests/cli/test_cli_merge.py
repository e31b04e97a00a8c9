"""``dsocr merge``: one file of several, or nothing."""

import errno
import os

import pytest

from pytest_dsocr import NotRun, Results, Verdict


def test_rows_of_all_files_are_written_as_one(run, write, make_row, tmp_path):
    first = write("a.json", make_row(case="a"), make_row(case="b", verdict=Verdict.FAIL), not_run=(NotRun("x", "why"),))
    second = write("b.json", make_row(case="c"), environments=({"torch": "2.13.0"},), complaints=("something",))
    result = run("merge", first, second, "-o", tmp_path / "all.json")
    assert result.exit_code == 0
    assert result.stdout == f"wrote {tmp_path / 'all.json'}: 2 pass, 1 fail, 1 not run\ncomplaint: something\n"
    whole = Results.read(tmp_path / "all.json")
    assert [row.case for row in whole.rows] == ["a", "b", "c"]
    assert (whole.not_run, whole.environments) == ((NotRun("x", "why"),), ({"torch": "2.13.0"},))
    assert whole.complaints == ("something",)


@pytest.mark.parametrize("again", [0, 1, 2], ids=["once", "twice", "three times"])
def test_one_file_is_itself_however_often_it_is_given(run, write, make_row, tmp_path, again):
    path = write("a.json", make_row(case="a"), make_row(case="b"), not_run=(NotRun("x", "why"),))
    assert run("merge", path, *[path] * again, "-o", tmp_path / "b.json").exit_code == 0
    assert (tmp_path / "b.json").read_bytes() == path.read_bytes()


def test_what_is_written_may_be_one_of_those_that_are_read(run, write, make_row):
    first, second = write("a.json", make_row(case="a")), write("b.json", make_row(case="b"))
    assert run("merge", first, second, "-o", first).exit_code == 0
    assert [row.case for row in Results.read(first).rows] == ["a", "b"]


def test_a_file_of_schema_1_is_taken(run, write, make_row, tmp_path, pytestconfig):
    old = pytestconfig.rootpath / "tests/data/rows_schema_1.json"
    result = run("merge", old, write("a.json", make_row()), "-o", tmp_path / "all.json")
    assert result.exit_code == 0, result.output
    assert len(Results.read(tmp_path / "all.json").rows) == 67


def test_rows_that_disagree_write_nothing_and_name_row_and_files(run, write, make_row, tmp_path):
    first, second = write("a.json", make_row(measured=1)), write("b.json", make_row(measured=2))
    out = write("all.json", text="old")
    result = run("merge", first, second, "-o", out)
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: {second}: vision.Attention, 1024 view, tensor_flops: stands in {first}, too, and differs: predicted 1 "
        "there, 2 here, measured 1 there, 2 here; allowed are rows that agree\n"
    )
    assert out.read_text(encoding="utf-8") == "old"


def test_what_moves_the_cursor_is_escaped(run, write, make_row, tmp_path):
    one = {"case": "\x1b[2J\n::error::"}
    paths = (write(f"{figure}.json", make_row(measured=figure, **one)) for figure in (1, 2))
    result = run("merge", *paths, "-o", tmp_path / "all.json")
    (line,) = result.stderr.splitlines()
    assert r"vision.Attention, \x1b[2J\n::error::, tensor_flops" in line


def test_complaints_are_escaped(run, write, tmp_path):
    result = run("merge", write("a.json", complaints=("\x1b[2J\n::error::x",)), "-o", tmp_path / "all.json")
    assert result.stdout.splitlines()[1:] == [r"complaint: \x1b[2J\n::error::x"]


def fail_with(code):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    return fail


def test_a_full_disk_keeps_the_old_file(run, write, make_row, tmp_path, monkeypatch):
    path, out = write("a.json", make_row()), write("all.json", text="old")
    monkeypatch.setattr(os, "fsync", fail_with(errno.ENOSPC))
    result = run("merge", path, "-o", out)
    assert (result.exit_code, result.stderr) == (2, f"Error: {out}: cannot be written: No space left on device\n")
    assert out.read_text(encoding="utf-8") == "old"
    assert {one.name for one in tmp_path.iterdir()} == {"a.json", "all.json"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("-o", "all.json"), "Missing argument 'ROWS...'", id="no file"),
        pytest.param(("a.json",), "Missing option '-o' / '--output'", id="no output"),
        pytest.param(("a.json", "-o", "-"), "--output: got -, allowed is the path of a file", id="standard output"),
        pytest.param(("a.json", "-o", "missing/all.json"), "missing is no folder", id="a folder that is missing"),
        pytest.param(("a.json", "-o", "."), ": is a folder, allowed is a file", id="a folder"),
        pytest.param(
            ("a.json", "missing.json", "-o", "all.json"), "missing.json: cannot be read: No such", id="missing"
        ),
        pytest.param(("a.json", "twice.json", "-o", "all.json"), "twice.json: rows: 2 have the key of", id="two rows"),
        pytest.param(("a.json", "cut.json", "-o", "all.json"), "cut.json: is no JSON: ", id="cut off"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(run, write, make_row, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    write("a.json", make_row(case="a"))
    write("twice.json", make_row(case="b"), make_row(case="b"))
    write("cut.json", text=Results((make_row(),)).to_json()[:100])
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    result = run("merge", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
    assert not result.stdout
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before
