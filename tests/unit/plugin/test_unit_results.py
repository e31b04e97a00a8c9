"""Result rows, their document and their file."""

import errno
import json
import math
import os
import re
import stat
from pathlib import Path

import pytest

from pytest_dsocr import Device, NotRun, Results, ResultsError, Verdict
from pytest_dsocr.files import check_writable, write_text_atomically
from pytest_dsocr.rows_document import SCHEMA

H200 = Device("cuda", "NVIDIA H200", "9.0", "570.1", "2.13.0", "12.8")


# --- rows ---


def test_a_row_survives_a_round_trip(make_row):
    row = make_row(device=H200, verdict=Verdict.INCONCLUSIVE, spread=0.25, predicted=2**80, relative_difference=None)
    assert type(row).from_dict(row.to_dict()) == row


def test_a_prediction_with_its_doubt_survives_a_round_trip(make_row):
    row = make_row(band=(0.5, 2.0), source="a profile", notes="cold cache", details={"mean_s": 1.0})
    assert type(row).from_dict(json.loads(json.dumps(row.to_dict()))) == row


def test_a_row_that_was_written_before_times_were_measured_is_read(make_row):
    row = make_row()
    before = {key: value for key, value in row.to_dict().items() if key not in ("details", "band", "source", "notes")}
    assert type(row).from_dict(before) == row


def test_a_row_turns_into_built_in_types_only(make_row):
    content = make_row(device=H200).to_dict()
    assert content == json.loads(json.dumps(content))
    assert type(content["verdict"]) is str


@pytest.mark.parametrize(
    "given",
    [
        {"model": "other"},
        {"implementation": "vendor"},
        {"attention": "eager"},
        {"dtype": "float32"},
        {"layer": "vision.Block"},
        {"case": "640 crop"},
        {"metric": "params"},
        {"device": H200},
    ],
    ids=lambda given: next(iter(given)),
)
def test_what_a_row_is_about_is_its_key(make_row, given):
    assert make_row(**given).key != make_row().key


@pytest.mark.parametrize(
    "given",
    [{"test": "other.py::test"}, {"measured": 1}, {"verdict": Verdict.FAIL}, {"rtol": 0.5}],
    ids=lambda given: next(iter(given)),
)
def test_what_came_of_a_row_is_not_its_key(make_row, given):
    assert make_row(**given).key == make_row().key


# --- their document ---


def test_rows_are_counted_by_verdict_and_what_did_not_run_with_them(make_row):
    rows = [make_row(verdict=verdict) for verdict in (Verdict.PASS, Verdict.PASS, Verdict.FAIL, Verdict.ERROR)]
    assert Results(tuple(rows), (NotRun("a", "b"), NotRun("c", "d"))).by_verdict == {
        Verdict.PASS: 2,
        Verdict.FAIL: 1,
        Verdict.ERROR: 1,
        Verdict.INCONCLUSIVE: 0,
        Verdict.NOT_RUN: 2,
    }


def test_results_survive_a_round_trip(make_row):
    results = Results(
        (make_row(), make_row(case="Größe 640", verdict=Verdict.FAIL)),
        (NotRun("tests/a.py::b", "no GPU"),),
        ({"torch": "2.13.0"},),
        ("--dsocr-require gpu: nothing was measured",),
    )
    assert Results.from_json(results.to_json()) == results


def test_empty_results_survive_a_round_trip():
    assert Results.from_json(Results().to_json()) == Results()


def test_the_document_names_its_schema_and_its_totals(make_row):
    document = json.loads(Results((make_row(),), (NotRun("a", "b"),)).to_json())
    assert document["schema"] == SCHEMA
    assert document["totals"] == {"pass": 1, "fail": 0, "error": 0, "inconclusive": 0, "not run": 1}


@pytest.mark.parametrize(("figure", "text"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_figures_that_json_cannot_hold_become_text(make_row, figure, text):
    def refuse(constant):
        raise AssertionError(constant)

    written = Results((make_row(measured=figure, difference=figure, verdict=Verdict.ERROR),)).to_json()
    (row,) = json.loads(written, parse_constant=refuse)["rows"]
    assert (row["measured"], row["difference"]) == (text, text)


def test_a_figure_that_json_cannot_hold_is_read_back_as_it_was(make_row):
    odd = make_row(
        measured=math.nan, verdict=Verdict.ERROR, spread=math.inf, details={"reserved_bytes": 7, "clock": math.inf}
    )
    (row,) = Results.from_json(Results((odd,)).to_json()).rows
    assert math.isnan(row.measured)
    assert row.details == {"reserved_bytes": 7, "clock": math.inf}
    assert row.spread == math.inf


# --- their file ---


def fail_with(code):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return fail


def test_a_file_is_written_and_nothing_beside_it(tmp_path):
    write_text_atomically(tmp_path / "rows.json", "größer\n")
    assert (tmp_path / "rows.json").read_text(encoding="utf-8") == "größer\n"
    assert os.listdir(tmp_path) == ["rows.json"]  # noqa: PTH208 - only the names matter


def test_an_old_file_is_replaced(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text("old")
    write_text_atomically(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    ("owner", "name", "code"),
    [(Path, "replace", errno.EACCES), (os, "fsync", errno.ENOSPC), (Path, "chmod", errno.EPERM)],
    ids=["rename", "flush", "mode"],
)
def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing(tmp_path, monkeypatch, owner, name, code):
    path = tmp_path / "rows.json"
    path.write_text("old")
    monkeypatch.setattr(owner, name, fail_with(code))
    with pytest.raises(ResultsError, match=f"^{re.escape(str(path))}: cannot be written: {os.strerror(code)}$"):
        write_text_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["rows.json"]  # noqa: PTH208 - only the names matter


def test_a_new_file_has_the_mode_that_the_user_gives_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        write_text_atomically(tmp_path / "rows.json", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "rows.json").stat().st_mode) == 0o640


def test_a_replaced_file_keeps_its_mode(tmp_path):
    path = tmp_path / "rows.json"
    path.touch()
    path.chmod(0o604)
    write_text_atomically(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_writing_leaves_the_umask_alone(tmp_path):
    before = os.umask(0o027)
    try:
        write_text_atomically(tmp_path / "rows.json", "")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_writing_through_a_link_keeps_the_link(tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)
    write_text_atomically(link, "new")
    assert (link.is_symlink(), real.read_text()) == (True, "new")


@pytest.mark.parametrize("exists", [True, False], ids=["an old file", "a new one"])
def test_a_writable_path_is_taken_and_left_as_it_is(tmp_path, exists):
    path = tmp_path / "rows.json"
    if exists:
        path.write_text("old")
    check_writable(path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == ([("rows.json", "old")] if exists else [])


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ResultsError, match=f"^{re.escape(str(tmp_path))}: is a folder, allowed is a file$"):
        check_writable(tmp_path)


@pytest.mark.parametrize("make_file", [True, False], ids=["a file", "nothing"])
def test_a_path_below_what_is_no_folder_is_refused(tmp_path, make_file):
    folder = tmp_path / "below"
    if make_file:
        folder.touch()
    path = folder / "rows.json"
    with pytest.raises(ResultsError, match=f"^{re.escape(f'{path}: cannot be written: {folder} is no folder')}$"):
        check_writable(path)


def test_a_folder_that_takes_no_file_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "rows.json"
    monkeypatch.setattr("tempfile.NamedTemporaryFile", fail_with(errno.EROFS))
    with pytest.raises(ResultsError, match=f"^{re.escape(str(path))}: cannot be written: Read-only file system$"):
        check_writable(path)


def test_a_file_that_takes_no_writing_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "rows.json"
    path.touch()
    monkeypatch.setattr(Path, "open", fail_with(errno.EACCES))
    with pytest.raises(ResultsError, match=f"^{re.escape(str(path))}: cannot be written: Permission denied$"):
        check_writable(path)
