"""Rows and verdicts do not depend on how pytest ran: in one process, in many, in part, or until a worker died."""

import pytest

EVERYTHING = """
import numpy as np


@pytest.mark.parametrize("count", [4, 8, 12])
def test_passes(dsocr, count):
    case = Case(f"{count} tokens", tokens=count)
    dsocr.compare(linear, case, module=LINEAR, inputs=[torch.zeros(count, 8, device="meta")])


def test_passes_twice_with_numpy(dsocr):
    dsocr.compare(lambda tokens: np.int64(linear(tokens)), FOUR, module=LINEAR, inputs=X, name="user.numpy")
    dsocr.compare(lambda: np.float64(144), Case("any"), metric="params", module=LINEAR, name="user.numpy")


def test_fails(dsocr):
    dsocr.compare(one_too_many, FOUR, module=LINEAR, inputs=X)


def test_measures_nothing(dsocr):
    dsocr.compare(linear, FOUR, module=torch.nn.ReLU(), inputs=X)


def test_compares_nothing(dsocr):
    pass


def test_skips(dsocr):
    pytest.skip("not today")


def test_breaks(dsocr):
    raise ValueError("broken")


def test_of_something_else():
    pass
"""

WITNESS = """
from pathlib import Path

import pytest


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput") and Path("many.json").exists():
        Path("written_by_a_worker").touch()
"""


def without_environment(document):
    return {key: value for key, value in document.items() if key != "environments"}


def test_one_process_and_many_say_the_same(project):
    """Also without xdist installed; only the process that sees all writes, and it leaves nothing beside its file."""
    project.tests(EVERYTHING)
    project.write("tolerances.toml", '[[rule]]\nlayer = "vision.Block"\nrtol = 0.1\nbecause = "unused"\n')
    project.write("conftest.py", WITNESS)
    project.ini("testpaths = .")
    before = project.files()
    outcomes = {"passed": 5, "failed": 4, "skipped": 1}

    alone = project.run("--dsocr-json=alone.json")
    without_xdist = project.run("-p", "no:xdist", "--dsocr-json=without.json")
    many = project.spawn("-n2", "--dsocr-json=many.json")
    for result in (alone, without_xdist, many):
        result.assert_outcomes(**outcomes)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines("dsocr: 5 pass, 1 fail, 1 error, 3 not run")

    document = project.document("alone.json")
    assert [row["verdict"] for row in document["rows"]] == ["pass"] * 5 + ["fail", "error"]
    assert [one["test"].partition("::")[2] for one in document["not_run"]] == [
        "test_compares_nothing",
        "test_skips",
        "test_breaks",
    ]
    assert without_environment(project.document("without.json")) == without_environment(document)
    assert without_environment(project.document("many.json")) == without_environment(document)
    assert project.files() == sorted([*before, "alone.json", "without.json", "many.json"])


def test_a_dead_worker_takes_no_rows_of_others_with_it(project):
    project.tests(
        """
        import os


        def test_dies(dsocr):
            os._exit(9)


        @pytest.mark.parametrize("number", range(4))
        def test_lives(dsocr, number):
            dsocr.compare(linear, Case(f"case {number}", tokens=4), module=LINEAR, inputs=X)
        """
    )
    result = project.spawn("-n2", "--dsocr-json=rows.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=4, failed=1)
    document = project.document()
    assert [row["case"] for row in document["rows"]] == [f"case {number}" for number in range(4)]
    (dead,) = document["not_run"]
    assert dead["test"] == "test_it.py::test_dies"
    assert "crashed" in dead["reason"]
    result.stdout.fnmatch_lines(["not run:*", "*test_dies*", "dsocr: 4 pass, 1 not run"])


def test_a_worker_that_dies_before_its_first_word_leaves_its_test_listed(project):
    project.write(
        "test_it.py",
        """
        import os
        import pytest


        @pytest.fixture
        def weights():
            os._exit(9)


        def test_dies(dsocr, weights):
            pass
        """,
    )
    result = project.spawn("-n1", "--max-worker-restart=0", "--dsocr-json=rows.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [one["test"] for one in project.document()["not_run"]] == ["test_it.py::test_dies"]


THREE = """
def test_right(dsocr):
    dsocr.compare(linear, FOUR, module=LINEAR, inputs=X, name="user.right")


def test_wrong(dsocr):
    dsocr.compare(one_too_many, FOUR, module=LINEAR, inputs=X, name="user.wrong")


def test_last(dsocr):
    dsocr.compare(linear, FOUR, module=LINEAR, inputs=X, name="user.last")
"""


def layers(document):
    return [row["layer"] for row in document["rows"]]


def test_a_run_that_stops_lists_what_it_never_reached(project):
    project.tests(THREE)
    result = project.run("-x", "--dsocr-json=rows.json")
    result.assert_outcomes(passed=1, failed=1)
    document = project.document()
    assert layers(document) == ["user.right", "user.wrong"]
    assert document["not_run"] == [{"test": "test_it.py::test_last", "reason": "the run ended before it"}]


def test_a_part_of_the_tests_is_a_part_of_the_rows(project):
    project.tests(THREE)
    project.run("-k", "right or last", "--dsocr-json=k.json").assert_outcomes(passed=2, deselected=1)
    assert layers(project.document("k.json")) == ["user.right", "user.last"]
    assert project.document("k.json")["not_run"] == []

    project.run().assert_outcomes(passed=2, failed=1)
    project.run("--lf", "--dsocr-json=lf.json").assert_outcomes(failed=1)
    assert layers(project.document("lf.json")) == ["user.wrong"]
    assert project.document("lf.json")["not_run"] == []


def test_collecting_only_measures_and_writes_nothing(project):
    project.tests(THREE)
    before = project.files()
    result = project.run("--co", "--dsocr-json=rows.json", "--dsocr-require=all")
    assert result.ret == pytest.ExitCode.OK
    assert "dsocr: predicted" not in result.stdout.str()
    assert project.files() == before


def test_a_quiet_run_prints_what_is_no_pass_and_writes_all(project):
    project.tests(THREE)
    quiet = project.run("-q", "--tb=no", "--dsocr-json=rows.json")
    quiet.stdout.fnmatch_lines(["user.wrong*", "dsocr: 2 pass, 1 fail"])
    quiet.stdout.no_fnmatch_line("user.right*")
    assert layers(project.document()) == ["user.right", "user.wrong", "user.last"]


def test_a_run_without_summary_or_terminal_writes_all(project):
    project.tests(THREE)
    result = project.run("--no-summary", "--dsocr-json=rows.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert layers(project.document()) == ["user.right", "user.wrong", "user.last"]
    assert project.run("-p", "no:terminal", "--dsocr-json=dumb.json").ret == pytest.ExitCode.TESTS_FAILED
    assert project.document("dumb.json") == project.document()


@pytest.mark.parametrize(
    ("tests", "options", "code"),
    [
        pytest.param("", [], pytest.ExitCode.NO_TESTS_COLLECTED, id="nothing to run"),
        pytest.param("import no_such_module\n", [], pytest.ExitCode.INTERRUPTED, id="a file that cannot be imported"),
        pytest.param("", ["missing.py"], pytest.ExitCode.USAGE_ERROR, id="a file that is not there"),
    ],
)
def test_a_run_that_ran_no_test_leaves_older_rows_alone(project, tests, options, code):
    project.tests(tests)
    project.write("rows.json", "older")
    result = project.run("--dsocr-json=rows.json", *options)
    assert result.ret == code
    assert (project.pytester.path / "rows.json").read_text(encoding="utf-8") == "older"


def test_a_run_that_is_broken_off_keeps_rows_and_exit_code(project):
    project.tests(
        THREE.replace("def test_last(dsocr):", "def test_last(dsocr):\n    pytest.exit('enough', returncode=7)")
    )
    result = project.run("--dsocr-json=rows.json", "--dsocr-require=all")
    assert result.ret == 7
    document = project.document()
    assert layers(document) == ["user.right", "user.wrong"]
    assert [one["test"] for one in document["not_run"]] == ["test_it.py::test_last"]


def test_an_old_results_file_is_replaced_whole(project):
    project.tests(THREE)
    project.write("rows.json", "old" * 100_000)
    project.run("--dsocr-json=rows.json", "-k", "right")
    assert layers(project.document()) == ["user.right"]


def test_a_results_file_that_becomes_unwritable_makes_the_run_red(project):
    (project.path / "out").mkdir()
    project.tests(
        """
        import shutil


        def test_right(dsocr):
            dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)
            shutil.rmtree("out")
        """
    )
    result = project.run("--dsocr-json=out/rows.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("dsocr: *rows.json: cannot be written*")


def test_two_runs_in_one_process_share_no_rows(project):
    project.tests(THREE)
    project.run("-k", "right", "--dsocr-json=first.json").assert_outcomes(passed=1, deselected=2)
    project.run("-k", "last", "--dsocr-json=second.json").assert_outcomes(passed=1, deselected=2)
    assert layers(project.document("first.json")) == ["user.right"]
    assert layers(project.document("second.json")) == ["user.last"]


def test_an_interrupted_run_keeps_its_rows(project):
    interrupted = THREE.replace("def test_last(dsocr):", "def test_last(dsocr):\n    raise KeyboardInterrupt")
    project.tests(interrupted)
    result = project.spawn("--dsocr-json=rows.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert layers(project.document()) == ["user.right", "user.wrong"]
    assert [one["test"] for one in project.document()["not_run"]] == ["test_it.py::test_last"]


def test_a_run_that_stops_before_its_first_comparison_lists_it(project):
    project.tests("def test_other():\n    assert False\n\n\ndef test_linear(dsocr):\n    raise AssertionError\n")
    project.run("-x", "--dsocr-json=rows.json").assert_outcomes(failed=1)
    assert project.document()["not_run"] == [{"test": "test_it.py::test_linear", "reason": "the run ended before it"}]
