"""What a run leaves to GitHub Actions: the page of a step, and files as the repository names them."""

from pathlib import Path

import pytest

from pytest_dsocr import NotRun, Results, ResultsError, Verdict
from pytest_dsocr.github import SUMMARY_BYTES, annotation_lines, append_step_summary, in_workspace


def append(path, *rows, not_run=()):
    append_step_summary(path, Results(rows, tuple(not_run)), {}, {})


def test_a_step_without_a_page_gets_one(tmp_path, make_row):
    append(tmp_path / "summary", make_row())
    assert (tmp_path / "summary").read_text(encoding="utf-8").startswith("## ✅ dsocr: 1 pass\n")


def test_a_page_that_is_there_is_continued_below_a_blank_line(tmp_path, make_row):
    path = tmp_path / "summary"
    path.write_text("# of the step before\n")
    append(path, make_row())
    append(path, make_row(verdict=Verdict.FAIL))
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# of the step before\n\n## ✅ dsocr: 1 pass\n")
    assert "\n\n## ❌ dsocr: 1 fail\n" in text


@pytest.mark.parametrize("there", [0, 500_000, SUMMARY_BYTES - 3_000], ids=["empty", "half", "nearly full"])
def test_the_page_is_never_larger_than_github_takes(tmp_path, make_row, there):
    path = tmp_path / "summary"
    path.write_bytes(b"x" * there)
    append(path, *[make_row(case=f"case {number} {'é' * 500}", verdict=Verdict.FAIL) for number in range(2000)])
    content = path.read_bytes()
    assert SUMMARY_BYTES - 2_500 < len(content) <= SUMMARY_BYTES
    assert "more rows are left out" in content.decode()


def test_a_page_that_is_full_is_left_as_it_is(tmp_path, make_row):
    path = tmp_path / "summary"
    path.write_bytes(b"x" * SUMMARY_BYTES)
    with pytest.raises(ResultsError, match="cannot be appended to: it has 1,048,576 of the 1,048,576 bytes"):
        append(path, make_row())
    assert path.stat().st_size == SUMMARY_BYTES


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere/summary", "No such file or directory"),
        (".", "is no regular file"),
        ("file/summary", "Not a directory"),
    ],
    ids=["missing folder", "a folder", "a file as folder"],
)
def test_a_page_that_cannot_be_written_is_told(tmp_path, make_row, path, why):
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match=why):
        append(tmp_path / path, make_row())


def test_a_page_of_what_did_not_run_says_so(tmp_path):
    append(tmp_path / "summary", not_run=[NotRun("tests/a.py::b", "no GPU")])
    assert "no GPU" in (tmp_path / "summary").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("root", "file", "workspace", "shown"),
    [
        ("/w/repo", "tests/a.py", "/w/repo", "tests/a.py"),
        ("/w/repo/python", "tests/a.py", "/w/repo", "python/tests/a.py"),
        ("/w/repo/python", "../shared/a.py", "/w/repo", "shared/a.py"),
        ("/w/repo", "tests/a.py", "", "tests/a.py"),
        ("/elsewhere", "tests/a.py", "/w/repo", "/elsewhere/tests/a.py"),
    ],
    ids=["its root", "a folder in it", "beside the rootdir", "no workspace", "outside of it"],
)
def test_a_file_is_named_as_the_repository_names_it(root, file, workspace, shown):
    assert in_workspace(Path(root), file, workspace) == shown


def test_an_annotation_stands_at_the_line_of_its_test(make_row):
    """pytest counts lines from 0, GitHub from 1; a test that nobody knows has neither file nor line."""
    rows = [make_row(verdict=Verdict.FAIL, test=test) for test in ("a.py::known", "a.py::lineless", "a.py::unknown")]
    places = {"a.py::known": ("a.py", 41), "a.py::lineless": ("a.py", None)}
    lines = annotation_lines(Results(tuple(rows)), {}, places, Path("/w"), "")
    assert [line.partition("title")[0] for line in lines] == [
        "::error file=a.py,line=42,",
        "::error file=a.py,",
        "::error ",
    ]
