"""What a CI gets of a run: reports, the page of a step, annotations, JUnit's properties; from the controller, once."""

import csv
import os
import stat
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt

HOSTILE = "::error file=x::y\n::error::z ##[error]w | `a` <script> @you #1 \x1b[31m"
TESTS = """
import pytest
import torch
from pytest_dsocr import Case

LINEAR = torch.nn.Linear(8, 16, device="meta")
FOUR = Case("4 tokens", tokens=4)
X = (torch.zeros(4, 8, device="meta"),)


def linear(tokens):
    return 2 * tokens * 8 * 16


def one_too_many(tokens):
    return linear(tokens) + 1


@pytest.mark.parametrize("count", [4, 8, 12, 16])
def test_passes(dsocr, count):
    case = Case(f"{count} tokens", tokens=count)
    dsocr.compare(linear, case, module=LINEAR, inputs=[torch.zeros(count, 8, device="meta")])


def test_fails(dsocr):
    dsocr.compare(one_too_many, FOUR, module=LINEAR, inputs=X)


def test_compares_twice(dsocr):
    dsocr.compare(linear, FOUR, module=LINEAR, inputs=X, name="user.first")
    dsocr.compare(144, Case("any"), metric="params", module=LINEAR, name="user.second")


def test_hostile(dsocr):
    dsocr.compare(one_too_many, Case(HOSTILE, tokens=4), module=LINEAR, inputs=X, name=HOSTILE)


@pytest.mark.skip(reason="not today")
def test_skips(dsocr):
    pass


def test_of_something_else():
    pass
""".replace("HOSTILE", repr(HOSTILE))
WITNESS = """
import os
import sys
from pathlib import Path

PAGE = os.environ["GITHUB_STEP_SUMMARY"]


def note(event, args):
    if event == "open" and str(args[0]) == PAGE and args[1] != "r":
        (Path(PAGE).parent / f"opened by {os.environ.get('PYTEST_XDIST_WORKER', 'the controller')}").touch()


sys.addaudithook(note)
"""
TEXTS = ("md", "csv", "xml")
PASSES = "def test_passes(dsocr):\n    dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)\n"


class Ran(NamedTuple):
    """What a run left: its folder, and the lines that it printed, on both channels."""

    folder: Path
    lines: list[str]

    def read(self, name):
        return (self.folder / name).read_text(encoding="utf-8")


def commands(lines):
    """The lines that GitHub's runner takes for commands."""
    return [line for line in lines if line.strip().startswith("::") or "##[" in line]


@pytest.fixture(scope="module")
def run_with(tmp_path_factory):
    """Run the tests above as a step of GitHub Actions, with every report; once for each list of arguments."""

    @cache
    def run(*args):
        folder = tmp_path_factory.mktemp("repository") / "project"
        folder.mkdir()
        (folder / "test_it.py").write_text(TESTS, encoding="utf-8")
        (folder / "conftest.py").write_text(WITNESS, encoding="utf-8")
        (folder / "page.md").write_text("# before\n", encoding="utf-8")
        reports = [f"--dsocr-report=report.{ending}" for ending in TEXTS]
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"} | {
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(folder / "page.md"),
            "GITHUB_WORKSPACE": str(folder.parent),
        }
        command = [sys.executable, "-m", "pytest", "--rootdir=.", "--junitxml=junit.xml", *reports, *args]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
        return Ran(folder, [*done.stdout.splitlines(), *done.stderr.splitlines()])

    return run


@pytest.fixture(params=[(), ("-n2",)], ids=["one process", "two workers"])
def ran(request, run_with):
    """The run in one process, and the one with two workers."""
    return run_with(*request.param)


@pytest.fixture
def on_github(project, monkeypatch):
    """Let the project be a step of GitHub Actions, whose page is this file."""
    path = project.path / "page.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


# --- a run of many tests, with workers and without ---


def test_the_page_of_a_step_gets_the_report_once_below_what_is_there(ran):
    assert ran.read("page.md") == f"# before\n\n{ran.read('report.md')}"
    assert ran.read("page.md").count("## ❌ dsocr: 2 fail, 1 not run, 6 pass\n") == 1


def test_no_worker_opens_the_page_to_write(ran):
    assert [path.name for path in ran.folder.glob("opened by *")] == ["opened by the controller"]


def test_each_failed_row_is_annotated_once_at_the_line_of_its_test(ran):
    """The file is named as the repository does, whose root is a folder above the project."""
    line = 1 + TESTS.splitlines().index("def test_fails(dsocr):")
    told = commands(ran.lines)
    assert len(told) == 2
    assert told[0] == (
        f"::error file=project/test_it.py,line={line},title=fail%3A user.one_too_many%2C 4 tokens%2C tensor FLOPs::"
        "the difference is larger than the rule allows%0Apredicted 1,025, measured 1,024, difference +1"
        "%0Aallowed: exact, by built-in default tensor_flops"
    )


def test_no_name_is_taken_for_a_command(ran):
    """The row itself is told by a command of ours, which holds the names as text."""
    _, told = commands(ran.lines)
    assert told.startswith("::error file=project/test_it.py,line=")
    assert told.count("::") == 2
    assert "##[" not in told


def test_no_name_is_rendered_on_the_page(ran):
    tokens = MarkdownIt("commonmark").enable("table").parse(ran.read("page.md"))
    assert {child.type for token in tokens for child in token.children or ()} == {"text", "code_inline"}


def test_no_name_breaks_a_report(ran):
    with (ran.folder / "report.csv").open(newline="", encoding="utf-8") as file:
        verdicts = [line["verdict"] for line in csv.DictReader(file, strict=True)]
    assert verdicts == ["pass"] * 4 + ["fail", "pass", "pass", "fail", "not run"]
    for name, (tests, failures, skipped) in {"report.xml": (9, 2, 1), "junit.xml": (9, 2, 1)}.items():
        suites = JUnitXml.fromstring(ran.read(name).encode())
        suites.update_statistics()
        assert (suites.tests, suites.failures, suites.skipped, suites.errors) == (tests, failures, skipped, 0)


def test_pytests_own_junit_file_has_the_figures_of_each_test_once(ran):
    figures = {
        case.get("name"): [(one.get("name"), one.get("value")) for one in case.iter("property")]
        for case in ET.fromstring(ran.read("junit.xml")).iter("testcase")
    }
    prefix = "dsocr.user.one_too_many[4 tokens].tensor_flops"
    assert figures["test_fails"] == [
        (f"{prefix}.predicted", "1025"),
        (f"{prefix}.measured", "1024"),
        (f"{prefix}.rtol", "0.0"),
        (f"{prefix}.verdict", "fail"),
    ]
    assert [name for name, _ in figures["test_compares_twice"]][::4] == [
        "dsocr.user.first[4 tokens].tensor_flops.predicted",
        "dsocr.user.second[any].params.predicted",
    ]
    assert figures["test_of_something_else"] == figures["test_skips"] == []


@pytest.mark.parametrize("ending", TEXTS)
def test_a_report_is_the_same_from_one_process_and_from_many(run_with, ending):
    one, many = (run_with(*args).read(f"report.{ending}") for args in ((), ("-n2",)))
    assert one == many


# --- on GitHub and elsewhere ---


def test_a_run_without_a_comparison_leaves_the_page_alone(project, on_github):
    project.plain_test()
    result = project.run()
    assert result.ret == pytest.ExitCode.OK
    assert not on_github.exists()
    assert commands(result.outlines) == []


def test_elsewhere_there_is_neither_page_nor_annotation(project):
    project.tests(PASSES.replace("linear", "one_too_many"))
    before = project.files()
    result = project.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert commands(result.outlines) == []
    assert project.files() == before


@pytest.mark.parametrize(
    ("page", "why"),
    [("nowhere/page.md", "No such file or directory"), (".", "is no regular file")],
    ids=["missing folder", "a folder"],
)
def test_a_page_that_cannot_be_written_is_a_warning(project, on_github, monkeypatch, page, why):
    project.tests(PASSES)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / page))
    result = project.run()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(f"dsocr: GITHUB_STEP_SUMMARY: *{why}")


def test_what_makes_a_run_red_without_a_test_is_annotated_and_on_the_page(project, on_github):
    project.tests(PASSES)
    result = project.run("--dsocr-require=params")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert commands(result.outlines) == ["::error title=dsocr::--dsocr-require params: nothing was measured"]
    assert "- `--dsocr-require params: nothing was measured`\n" in on_github.read_text(encoding="utf-8")


def test_more_failures_than_github_shows_are_counted_and_the_worst_are_first(project, on_github):
    project.tests(
        """
        @pytest.mark.parametrize("number", range(1, 13))
        def test_fails(dsocr, number):
            case = Case(f"off by {number}", tokens=4)
            dsocr.compare(lambda tokens: linear(tokens) + number, case, module=LINEAR, inputs=X)
        """
    )
    told = commands(project.run().outlines)
    assert len(told) == 10
    assert "off by 12" in told[0]
    assert "off by 3%2C" in told[-1]
    assert told[-1].endswith("%0Aand 2 more, which GitHub does not show here")
    assert on_github.read_text(encoding="utf-8").count("| fail ") == 12


def test_a_regression_says_what_moved_from_which_stored_figure(project, on_github):
    """8 x 16 weights and 16 biases are stored, 8 x 18 and 18 measured: 144 and 162, +12.5%."""
    test = """
        MODULE = torch.nn.Linear(8, {0}, device="meta")


        def test_size(dsocr):
            dsocr.compare(9 * {0}, Case("any"), metric="params", module=MODULE, name="user.size")
        """
    project.tests(test.format(16))
    assert project.run("--dsocr-baseline=base.json", "--dsocr-update-baseline").ret == pytest.ExitCode.OK
    project.tests(test.format(18))
    on_github.unlink()
    result = project.run("--dsocr-baseline=base.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (told,) = commands(result.outlines)
    assert "%0Amoved: +12.5%25 of the stored: user.size, any, params: 144 to 162, stored in " in told
    (moved,) = [line for line in on_github.read_text(encoding="utf-8").splitlines() if line.startswith("| regression")]
    cells = [cell.strip() for cell in moved.strip("|").split("|")]
    assert cells[1:5] == ["`user.size`, `any`, `parameters`", "144", "162", "+12.5% of the stored"]
    assert cells[5].endswith("base.json`")


# --- JUnit's properties ---


def test_a_test_that_is_run_again_has_its_figures_once(project):
    """By a plugin that runs each test twice, as those for flaky tests do."""
    project.tests(PASSES)
    project.write(
        "conftest.py",
        """
        from _pytest.runner import runtestprotocol


        def pytest_runtest_protocol(item, nextitem):
            runtestprotocol(item, nextitem=nextitem, log=False)
            for report in runtestprotocol(item, nextitem=nextitem, log=False):
                item.ihook.pytest_runtest_logreport(report=report)
            return True
        """,
    )
    assert project.run("--junitxml=junit.xml").ret == pytest.ExitCode.OK
    names = [one.get("name") for one in ET.parse(project.path / "junit.xml").iter("property")]
    assert len(names) == len(set(names)) == 4


# --- reports that cannot be written ---


@pytest.mark.parametrize("ending", TEXTS)
@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("nowhere/report.{0}", ["nowhere is no folder"], id="missing folder"),
        pytest.param("folder.{0}", ["is a folder", "allowed is a file"], id="a folder"),
        pytest.param("/proc/report.{0}", ["cannot be written"], id="a folder where nobody may write"),
    ],
)
def test_a_report_that_could_not_be_written_is_refused_before_the_run(project, refused, ending, path, words):
    (project.path / f"folder.{ending}").mkdir()
    old = project.write(f"old.{ending}", "old\n")
    asked = path.format(ending)
    refused("--dsocr-report", f"old.{ending}", "--dsocr-report", asked, words=[asked, *words])
    assert old.read_text(encoding="utf-8") == "old\n"


def test_a_report_that_may_not_be_written_any_more_keeps_the_old_one(project):
    """The test takes the folder away while it runs: red, with the reason; the rows are written all the same."""
    project.tests(
        """
        import shutil


        def test_passes(dsocr):
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)
            shutil.move("reports", "elsewhere")
        """
    )
    project.write("reports/report.md", "old\n")
    result = project.run("--dsocr-report=reports/report.md", "--dsocr-json=rows.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("dsocr: *reports/report.md: cannot be written: No such file or directory")
    assert (project.path / "elsewhere/report.md").read_text(encoding="utf-8") == "old\n"
    assert len(project.rows()) == 1


def test_a_report_is_replaced_and_keeps_its_mode(project):
    project.tests(PASSES)
    path = project.write("report.md", "old\n")
    path.chmod(0o604)
    project.run("--dsocr-report=report.md")
    assert path.read_text(encoding="utf-8").startswith("## ✅ dsocr: 1 pass\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_an_ending_that_no_report_has_is_refused(refused):
    refused(
        "--dsocr-report=report.pdf", words=["--dsocr-report", "report.pdf", ".md", ".html", ".csv", ".xml", ".json"]
    )
