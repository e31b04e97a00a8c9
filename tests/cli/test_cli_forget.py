"""``dsocr forget``: rows that were named leave a baseline, all others stay byte for byte."""

import pytest

from pytest_dsocr import Device, Results
from pytest_dsocr.baseline_file import Baseline

CPU = Device("cpu", "A CPU, 2 threads", torch="2.13.0")


@pytest.fixture
def stored(tmp_path, make_row):
    """A baseline as an update writes it: three comparisons, one of them with two attentions."""
    rows = (make_row(case="a"), make_row(case="b"), make_row(case="c"), make_row(case="c", attention="eager"))
    (done,) = Baseline(tmp_path / "base.json").update(Results(rows, environments=({"torch": "2.13.0"},)))
    return done.path


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def without(text, *parts):
    """Leave out the lines that have all of these parts."""
    return [line for line in text if not all(part in line for part in parts)]


def test_a_row_goes_and_all_other_lines_stay(run, stored):
    before = lines(stored)
    result = run("forget", stored, "vision.Attention, a, tensor_flops")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        f"{stored}: removed: vision.Attention, a, tensor_flops, deepseek-ocr by transformers, sdpa attention, "
        "bfloat16, on meta, torch 2.13.0\n"
    )
    assert lines(stored) == without(before, '"case": "a"')


def test_several_rows_go_at_once_and_the_last_leave_a_file_without_rows(run, stored):
    names = [f"vision.Attention, {case}, tensor_flops" for case in "ab"]
    whole = [
        f"vision.Attention, c, tensor_flops, deepseek-ocr by transformers, {attention} attention, bfloat16, on meta, "
        "torch 2.13.0"
        for attention in ("sdpa", "eager")
    ]
    assert run("forget", stored, *names, *whole).exit_code == 0
    assert Results.read(stored) == Results()


def test_a_name_of_several_rows_removes_none_and_lists_their_whole_names(run, stored):
    before = lines(stored)
    result = run("forget", stored, "vision.Attention, a, tensor_flops", "vision.Attention, c, tensor_flops")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "2 rows are named 'vision.Attention, c, tensor_flops', allowed is the whole name of one: " in result.stderr
    assert lines(stored) == before
    name = result.stderr.partition("of one: ")[2].strip().split("', '")[0].strip("'")
    assert run("forget", stored, name).exit_code == 0
    assert len(lines(stored)) == len(before) - 1


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("vision.Attention, a, params", "; near are 'vision.Attention, a, tensor_flops', "),
        ("vision.Attention, a", "; near are 'vision.Attention, a, tensor_flops', "),
        ("*", "of one of its 4 rows\n"),
        ("", "of one of its 4 rows\n"),
    ],
    ids=["another metric", "without the metric", "a pattern", "nothing"],
)
def test_a_name_of_no_row_removes_none_and_says_what_is_near(run, stored, name, near):
    before = lines(stored)
    result = run("forget", stored, "vision.Attention, b, tensor_flops", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{stored}: no row is named {name!r}, allowed is 'LAYER, CASE, METRIC'" in result.stderr
    assert near in result.stderr
    assert lines(stored) == before


def test_of_a_folder_a_row_of_two_devices_goes_from_the_one_that_is_named(run, tmp_path, make_row):
    folder = tmp_path / "baselines"
    folder.mkdir()
    Baseline(folder).update(Results((make_row(), make_row(device=CPU))))
    title = make_row().title
    assert run("forget", folder, title).exit_code == 2
    result = run("forget", folder, f"{title}, deepseek-ocr by transformers, sdpa attention, bfloat16, on {CPU}")
    assert result.exit_code == 0, result.output
    assert [len(Results.read(file).rows) for file in Baseline(folder).files()] == [0, 1]


@pytest.mark.parametrize("name", ["missing.json", "empty"])
def test_what_is_no_baseline_is_refused(run, tmp_path, name):
    (tmp_path / "empty").mkdir()
    result = run("forget", tmp_path / name, "a, b, c")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{tmp_path / name}: " in result.stderr


def test_a_name_of_control_characters_is_taken_as_it_is_printed(run, tmp_path, make_row):
    path = tmp_path / "base.json"
    Baseline(path).update(Results((make_row(case="\x1b[31m\n'x'"), make_row(case="b"))))
    result = run("forget", path, r"vision.Attention, \x1b[31m\n'x', tensor_flops")
    assert result.exit_code == 0, result.output
    assert [row.case for row in Results.read(path).rows] == ["b"]
