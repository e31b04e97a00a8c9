"""``dsocr report``: a rows file as a page, by the ending of the page."""

import csv
import errno
import io
import json
import os
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pytest_dsocr import NotRun, Results, Verdict
from pytest_dsocr.metrics import LABELS
from pytest_dsocr.report import written

MODULES = {".md": "markdown", ".html": "html", ".csv": "table", ".xml": "junit"}
THERE = [ending for ending, name in MODULES.items() if find_spec(f"pytest_dsocr.report.{name}")]
READERS = {
    ".md": str,
    ".html": str,
    ".csv": lambda text: list(csv.reader(io.StringIO(text))),
    ".xml": ET.fromstring,
    ".json": json.loads,
}


@pytest.fixture
def rows(write, make_row):
    """Make a rows file of a pass, a failure, and a comparison that did not run."""
    failed = make_row(layer="decoder.LMHead", verdict=Verdict.FAIL, reason="the difference is larger than allowed")
    return write("rows.json", make_row(), failed, not_run=(NotRun("tests/a.py::b", "out of memory"),))


@pytest.mark.parametrize("ending", [*THERE, ".json"])
def test_a_report_of_each_ending_has_the_rows(run, rows, tmp_path, ending):
    out = tmp_path / f"report{ending}"
    result = run("report", rows, "-o", out)
    assert (result.exit_code, result.stdout) == (0, f"wrote {out}\n"), result.output
    text = out.read_text(encoding="utf-8")
    assert "decoder.LMHead" in text
    assert READERS[ending](text) is not None


@pytest.mark.parametrize("ending", [*THERE, ".json"])
def test_a_report_shows_both_rows_of_one_key(run, write, make_row, tmp_path, ending):
    failed = {"verdict": Verdict.FAIL, "reason": "the difference is larger than the rule allows"}
    twice = write("rows.json", *(make_row(measured=figure, **failed) for figure in (123_001, 123_002)))
    out = tmp_path / f"report{ending}"
    assert run("report", twice, "-o", out).exit_code == 0
    text = out.read_text(encoding="utf-8").replace(",", "")
    assert "123001" in text
    assert "123002" in text


@pytest.mark.parametrize("ending", [*THERE, ".json"])
def test_a_report_takes_whatever_figures_and_names_a_row_has(run, write, make_row, tmp_path, ending):
    odd = [
        make_row(case="huge", measured=10**308, predicted=0, rtol=1e300),
        make_row(case="nan", measured=float("nan"), difference=float("inf"), verdict=Verdict.ERROR),
        make_row(case="", layer="", metric="", test="", model="", rule=""),
        make_row(case="<script>alert(1)</script>\x1b[2J\n::error::|`", because="]]>\x00"),
    ]
    path = write("rows.json", *odd, complaints=("<b>\n",))
    out = tmp_path / f"report{ending}"
    result = run("report", path, "-o", out)
    assert result.exit_code == 0, result.output
    assert READERS[ending](out.read_text(encoding="utf-8")) is not None


def test_json_is_the_rows_in_the_newest_schema(run, tmp_path, pytestconfig):
    old = pytestconfig.rootpath / "tests/data/rows_schema_1.json"
    assert run("report", old, "-o", tmp_path / "new.json").exit_code == 0
    assert Results.read(tmp_path / "new.json") == Results.read(old)


def test_a_renderer_gets_rows_labels_and_families(run, rows, tmp_path, monkeypatch):
    got = []

    class Page:
        @staticmethod
        def markdown_text(results, labels, families):
            got.append((results, labels, families))
            return "größer\n"

    monkeypatch.setattr(written, "import_module", lambda name, package: Page)
    assert run("report", rows, "-o", tmp_path / "page.MD").exit_code == 0
    ((results, labels, families),) = got
    assert results == Results.read(rows)
    assert labels == LABELS
    assert families["latency_s"] == "latency"
    assert (tmp_path / "page.MD").read_text(encoding="utf-8") == "größer\n"


def test_several_reports_are_written_at_once(run, rows, tmp_path):
    outs = [tmp_path / name for name in ("a.json", "b.json")]
    result = run("report", rows, "-o", outs[0], "-o", outs[1])
    assert result.stdout == "".join(f"wrote {out}\n" for out in outs)
    assert outs[0].read_bytes() == outs[1].read_bytes() == rows.read_bytes()


# --- what keeps a report from being written ---


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("-o", "page.json"), "Missing argument 'ROWS'", id="no rows"),
        pytest.param(("rows.json",), "Missing option '-o' / '--output'", id="no output"),
        pytest.param(
            ("rows.json", "-o", "page.json", "-o", "page.pdf"),
            "--output: got page.pdf, which ends in .pdf, allowed are .md, .html, .csv, .xml, .json",
            id="an unknown ending",
        ),
        pytest.param(("rows.json", "-o", "page"), "--output: got page, which ends in nothing", id="no ending"),
        pytest.param(("rows.json", "-o", "-"), "--output: got -, which ends in nothing", id="standard output"),
        pytest.param(("rows.json", "-o", "missing/page.json"), "missing is no folder", id="a folder that is missing"),
        pytest.param(("rows.json", "-o", "folder.json"), "folder.json: is a folder, allowed is a file", id="a folder"),
        pytest.param(("rows.json", "-o", "x.json", "-o", "./x.json"), "--output: got a file twice", id="a file twice"),
        pytest.param(("missing.json", "-o", "page.json"), "missing.json: cannot be read: No such file", id="missing"),
        pytest.param(("cut.json", "-o", "page.json"), "cut.json: is no JSON: ", id="cut off"),
        pytest.param(("folder.json", "-o", "page.json"), "folder.json: is a folder, allowed is a text", id="no file"),
        pytest.param(("later.json", "-o", "page.json"), "written by a later version: update pytest-dsocr", id="later"),
        pytest.param(("large.json", "-o", "page.json"), "large.json: is too large: allowed are at most", id="100 MB"),
        pytest.param(("bytes.json", "-o", "page.json"), "bytes.json: is no UTF-8: ", id="no UTF-8"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(run, rows, write, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.json").mkdir()
    write("cut.json", text=rows.read_text(encoding="utf-8")[:300])
    write("later.json", text='{"schema": 3}')
    write("large.json", text="")
    os.truncate("large.json", 100_000_000)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe{}")
    before = sorted(tmp_path.iterdir())
    result = run("report", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
    assert not result.stdout
    assert sorted(tmp_path.iterdir()) == before


def fail_with(code):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("name", "code"),
    [("fsync", errno.ENOSPC), ("fsync", errno.EDQUOT), ("fsync", errno.EIO)],
    ids=["a full disk", "a full quota", "a broken disk"],
)
def test_what_cannot_be_written_keeps_the_old_report(run, rows, tmp_path, monkeypatch, name, code):
    out = tmp_path / "page.json"
    out.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, name, fail_with(code))
    result = run("report", rows, "-o", out)
    assert (result.exit_code, result.stderr) == (2, f"Error: {out}: cannot be written: {os.strerror(code)}\n")
    assert out.read_text(encoding="utf-8") == "old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["page.json", "rows.json"]


@pytest.mark.parametrize("file", ["page.json", "new.json"], ids=["an old report", "a new one"])
def test_a_folder_that_takes_no_file_is_refused_before_the_rows_are_read(run, tmp_path, monkeypatch, file):
    (tmp_path / "page.json").write_text("old", encoding="utf-8")
    monkeypatch.setattr("tempfile.NamedTemporaryFile", fail_with(errno.EROFS))
    result = run("report", "missing.json", "-o", tmp_path / file)
    said = f"Error: --output: {tmp_path / file}: cannot be written: Read-only file system\n"
    assert (result.exit_code, result.stderr) == (2, said)
    assert (tmp_path / "page.json").read_text(encoding="utf-8") == "old"


def test_a_file_that_may_only_be_read_is_refused_and_kept(run, rows, tmp_path, monkeypatch):
    out = tmp_path / "page.json"
    out.write_text("old", encoding="utf-8")
    monkeypatch.setattr(Path, "open", fail_with(errno.EACCES))  # as for anybody but root
    result = run("report", rows, "-o", out)
    monkeypatch.undo()
    assert (result.exit_code, result.stderr) == (2, f"Error: --output: {out}: cannot be written: Permission denied\n")
    assert out.read_text(encoding="utf-8") == "old"


def test_a_report_that_cannot_be_made_keeps_all_old_ones(run, rows, tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    outs = [tmp_path / name for name in ("a.json", "b.json")]
    for out in outs:
        out.write_text("old", encoding="utf-8")
    monkeypatch.setattr("pytest_dsocr.cli.report.report_text", fail)
    assert run("report", rows, "-o", outs[0], "-o", outs[1]).exit_code == 130
    assert [out.read_text(encoding="utf-8") for out in outs] == ["old", "old"]
