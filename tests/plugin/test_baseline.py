"""A run against its baseline: what moved turns red, what an update stores, and what keeps it from storing anything."""

import json
import shlex
import textwrap

import pytest
from click.testing import CliRunner

from pytest_dsocr.cli.main import dsocr

TESTS = """
SIZES = [4, 8]


@pytest.mark.parametrize("tokens", SIZES)
def test_flops(dsocr, tokens):
    case = Case(f"{tokens} tokens", tokens=tokens)
    dsocr.compare(linear, case, module=LINEAR, inputs=[torch.zeros(tokens, 8, device="meta")])


def test_params(dsocr):
    dsocr.compare(lambda: 8 * 16 + 16, Case("any"), metric="params", module=LINEAR, name="user.linear")
"""

LARGER = """
LINEAR = torch.nn.Sequential(torch.nn.Linear(8, 16, device="meta"), torch.nn.Linear(16, 16, device="meta"))


def linear(tokens):
    return 2 * tokens * 8 * 16 + 2 * tokens * 16 * 16
"""


@pytest.fixture
def stored(project):
    """A project whose rows are stored in ``base.json``."""
    project.tests(TESTS)
    assert project.run("--dsocr-baseline=base.json", "--dsocr-update-baseline").ret == pytest.ExitCode.OK
    return project


def text(project, name="base.json"):
    return (project.path / name).read_text(encoding="utf-8")


def lines(project):
    return [line.strip().rstrip(",") for line in text(project).splitlines() if line.startswith("  {")]


def one_more_matmul(project):
    """Change formula and module alike: they agree, and both have grown."""
    project.tests(LARGER + TESTS.replace("8 * 16 + 16,", "8 * 16 + 16 + 16 * 16 + 16,"))


# --- what a run says ---


def test_a_run_like_the_stored_one_is_green_and_says_so(stored):
    result = stored.run("--dsocr-baseline=base.json", "--dsocr-require=baseline", "--dsocr-json=rows.json")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["dsocr: baseline: 3 rows of this device in *base.json"])
    result.stdout.fnmatch_lines(["dsocr: against the baseline: 3 same"])
    assert [row["baseline"]["change"] for row in stored.rows()] == ["same"] * 3


def test_a_regression_fails_its_test_with_what_moved_by_how_much_against_what(stored):
    """Prediction and measurement agree; 4 tokens take 2 x 4 x 16 x 16 = 2,048 FLOPs more than the stored 1,024."""
    one_more_matmul(stored)
    result = stored.run("--dsocr-baseline=base.json", "--dsocr-json=rows.json", "-k", "4")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(
        [
            "user.linear, 4 tokens, tensor FLOPs: fail, +200% of the stored",
            "  predicted   3,072",
            "  measured    3,072",
            "  stored      1,024, in base.json",
            "  moved       +2,048, +200% of the stored",
            "  if meant    --dsocr-update-baseline stores it",
            "  reason      regression: +200% of the stored",
        ]
    )
    (row,) = stored.rows()
    assert (row["verdict"], row["baseline"]["measured"]) == ("fail", 1024)


def test_a_regression_stops_the_run_and_is_the_last_failed_like_any_other(stored):
    one_more_matmul(stored)
    stored.spawn("--dsocr-baseline=base.json", "-x").assert_outcomes(failed=1)
    stored.spawn("--dsocr-baseline=base.json", "--lf").assert_outcomes(failed=1)


def test_an_improvement_is_a_notice_with_the_command_that_takes_it_over(stored):
    one_more_matmul(stored)
    stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline")
    stored.tests(TESTS)
    result = stored.run("--dsocr-baseline=base.json")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "dsocr: against the baseline: 3 improvements",
            "  improvement: -66.7% of the stored: user.linear, 4 tokens, tensor_flops: 3,072*",
            "  take over: pytest *--dsocr-baseline=base.json --dsocr-update-baseline",
        ]
    )


@pytest.mark.parametrize("path", ["none.json", "none"], ids=["file", "folder"])
def test_a_device_without_a_baseline_is_told_in_the_header_and_red_if_required(project, path):
    project.tests(TESTS)
    result = project.run(f"--dsocr-baseline={path}")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["dsocr: baseline: not run: none for meta, torch *--dsocr-update-baseline stores one"])
    required = project.run(f"--dsocr-baseline={path}", "--dsocr-require=baseline")
    assert required.ret == pytest.ExitCode.TESTS_FAILED
    required.stdout.fnmatch_lines(["dsocr: --dsocr-require baseline: 3 rows have no stored row: user.linear, 4*"])
    assert not (project.path / path).exists()


def test_a_baseline_of_another_device_is_told(stored):
    other = json.loads(text(stored))
    for row in other["rows"]:
        row["device"]["torch"] = "1.0"
    stored.write("base.json", json.dumps(other))
    result = stored.run("--dsocr-baseline=base.json")
    result.stdout.fnmatch_lines(["dsocr: baseline: not run: none for meta, torch *: it has rows of meta, torch 1.0;*"])


def test_a_baseline_of_another_model_is_red(stored):
    stored.write("base.json", text(stored).replace('"model": "user"', '"model": "other"'))
    result = stored.run("--dsocr-baseline=base.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["dsocr: baseline: none of its 3 rows of this device is of this run: * of other*"])


def test_stored_rows_that_a_skipped_test_did_not_measure_are_named_and_red_if_required(stored):
    stored.tests(TESTS.replace("def test_params", '@pytest.mark.skip(reason="not today")\ndef test_params'))
    result = stored.run("--dsocr-baseline=base.json")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["dsocr: stored and not measured: user.linear, any, params"])
    required = stored.run("--dsocr-baseline=base.json", "--dsocr-require=baseline")
    assert required.ret == pytest.ExitCode.TESTS_FAILED


# --- what an update stores ---


def test_an_update_stores_what_is_new_or_moved_and_keeps_the_other_lines(stored):
    before = lines(stored)
    stored.tests(TESTS.replace("[4, 8]", "[8, 16]"))
    result = stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline", "-k", "16 or params")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["dsocr: baseline: 1 stored in *base.json, 3 kept as they were"])
    assert [line for line in lines(stored) if line in before] == before
    (new,) = (json.loads(line) for line in lines(stored) if line not in before)
    assert new["case"] == "16 tokens"


def test_an_update_of_what_has_not_moved_leaves_the_file_alone(stored):
    stored.write("base.json", text(stored).replace(' "not_run": []', ' "not_run":   []'))
    before = text(stored)
    result = stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline")
    result.stdout.fnmatch_lines(["dsocr: baseline: nothing has moved, *base.json is as it was"])
    assert text(stored) == before


def test_an_update_takes_a_regression_over_and_the_next_run_is_green(stored):
    one_more_matmul(stored)
    assert stored.run("--dsocr-baseline=base.json").ret == pytest.ExitCode.TESTS_FAILED
    assert stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline").ret == pytest.ExitCode.OK
    stored.run("--dsocr-baseline=base.json").stdout.fnmatch_lines(["dsocr: against the baseline: 3 same"])


def test_what_fails_against_its_prediction_is_not_stored(stored):
    before = text(stored)
    stored.tests(TESTS + "\n\ndef linear(tokens):\n    return 1\n")
    result = stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline")
    result.assert_outcomes(failed=2, passed=1)
    assert text(stored) == before


@pytest.mark.parametrize("how", [(), ("-n2",)], ids=["plain", "xdist"])
def test_a_folder_has_a_file_for_each_device(project, how):
    project.tests(TESTS)
    result = project.spawn("--dsocr-baseline=base", "--dsocr-update-baseline", *how)
    assert result.ret == pytest.ExitCode.OK
    (file,) = (project.path / "base").iterdir()
    assert file.name.startswith("meta-torch-")
    project.spawn("--dsocr-baseline=base", *how).stdout.fnmatch_lines(["dsocr: against the baseline: 3 same"])


# --- what keeps an update from storing anything ---


def test_a_worker_that_dies_is_red_and_names_what_is_missing_and_nothing_is_stored(stored):
    before = text(stored)
    stored.tests(TESTS.replace("def test_params(dsocr):", "def test_params(dsocr):\n    __import__('os')._exit(9)"))
    result = stored.spawn("-n2", "--dsocr-baseline=base.json", "--dsocr-update-baseline")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    gone = "user.linear, any, params"
    result.stdout.fnmatch_lines(
        [
            "dsocr: --dsocr-update-baseline: nothing was stored: did not run to their end: *::test_params",
            f"*: stored and not measured: {gone}. If it was removed on purpose: dsocr forget base.json '{gone}'",
        ]
    )
    assert text(stored) == before


def test_a_run_that_was_stopped_stores_nothing(stored):
    before = text(stored)
    stored.tests("def test_breaks(dsocr):\n    raise ValueError\n" + TESTS.replace("SIZES = [4, 8]", "SIZES = [32]"))
    assert stored.run("-x", "--dsocr-baseline=base.json", "--dsocr-update-baseline").ret == pytest.ExitCode.TESTS_FAILED
    assert text(stored) == before


def test_the_command_of_a_refusal_lets_the_next_update_store(stored):
    """Of two models with a row of one name each, it names the whole key of the one that is gone."""
    other = json.loads(text(stored))
    other["rows"] += [{**other["rows"][0], "dtype": "bfloat16"}]
    stored.write("base.json", json.dumps(other))
    stored.tests(TESTS.replace("[4, 8]", "[4, 16]"))
    refused = stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline")
    assert refused.ret == pytest.ExitCode.TESTS_FAILED
    (line,) = [line for line in refused.outlines if "stored and not measured" in line]
    command = shlex.split(line.partition("on purpose: ")[2])
    assert command[:3] == ["dsocr", "forget", "base.json"]
    done = CliRunner().invoke(dsocr, command[1:])
    assert done.exit_code == 0, done.output
    assert stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline").ret == pytest.ExitCode.OK
    stored.run("--dsocr-baseline=base.json").stdout.fnmatch_lines(["dsocr: against the baseline: 3 same"])


def test_a_file_of_which_all_was_forgotten_has_no_rows(stored):
    stored.write("base.json", '{"schema": 2, "environments": [], "rows": [], "not_run": []}')
    result = stored.run("--dsocr-baseline=base.json")
    result.stdout.fnmatch_lines(["dsocr: baseline: not run: none for meta, torch *: base.json has no rows; *"])


def test_an_update_without_a_baseline_is_refused(project):
    project.plain_test()
    result = project.run("--dsocr-update-baseline")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--dsocr-update-baseline: there is no baseline to update; name it with*"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "*base.json: is no JSON: *"),
        (
            '{"schema": 3}',
            "*base.json: got schema 3, allowed are rows files of schemas 1 to 2; it was written*",
        ),
        ('{"schema": 2, "environments": [], "rows": [{}], "not_run": []}', "*base.json: rows[[]0]: *"),
    ],
    ids=["truncated", "of a schema to come", "a row without fields"],
)
def test_a_baseline_that_cannot_be_read_is_refused_before_anything_runs(project, content, said):
    project.plain_test()
    project.write("base.json", content)
    result = project.run("--dsocr-baseline=base.json", "--dsocr-update-baseline")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])
    assert text(project) == content
    assert not (project.path / "ran").exists()


# --- what must not slip through ---


@pytest.mark.parametrize("end", ['pytest.skip("later")', "pass"], ids=["skipped", "passed"])
def test_a_regression_that_a_test_catches_fails_it_all_the_same(stored, end):
    one_more_matmul(stored)
    caught = "    try:\n        test_flops(dsocr, 4)\n    except BaseException:\n        pass\n"
    stored.tests(
        f"from test_it import test_flops\n\n\ndef test_catches(dsocr):\n{caught}    {end}\n", name="test_more.py"
    )
    result = stored.run("--dsocr-baseline=base.json", "-k", "catches")
    result.assert_outcomes(failed=1, deselected=5)


WAYS_OUT = {
    "an xfail in the test": """
        def test_out(dsocr):
            try:
                test_flops(dsocr, 4)
            except BaseException:
                pytest.xfail("known")
    """,
    "a marker": """
        @pytest.mark.xfail(reason="known")
        def test_out(dsocr):
            test_flops(dsocr, 4)
    """,
    "a strict marker": """
        @pytest.mark.xfail(reason="known", strict=True)
        def test_out(dsocr):
            test_flops(dsocr, 4)
    """,
    "caught in the setup, which skips": """
        @pytest.fixture
        def early(dsocr):
            try:
                test_flops(dsocr, 4)
            except BaseException:
                pytest.skip("later")

        def test_out(dsocr, early):
            pass
    """,
    "caught in the teardown": """
        @pytest.fixture
        def late(dsocr):
            yield
            try:
                test_flops(dsocr, 4)
            except BaseException:
                pass

        def test_out(dsocr, late):
            dsocr.compare(1024, FOUR, module=LINEAR, inputs=X, name="user.as_ever")
    """,
    "a hook that calls it passed": """
        def test_out(dsocr):
            test_flops(dsocr, 4)
    """,
}
CALLS_IT_PASSED = """
import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item):
    report = yield
    if item.name == "test_out":
        report.outcome = "passed"
    return report
"""


@pytest.mark.parametrize("how", [(), ("-n1",)], ids=["plain", "xdist"])
@pytest.mark.parametrize("way", WAYS_OUT)
def test_a_regression_is_red_however_its_test_ends(stored, way, how):
    one_more_matmul(stored)
    names = "from test_it import test_flops\n\ntest_flops.__test__ = False\n"
    stored.tests(f"{names}{textwrap.dedent(WAYS_OUT[way])}", name="test_out.py")
    if "hook" in way:
        stored.write("conftest.py", CALLS_IT_PASSED)
    result = (stored.spawn if how else stored.run)("--dsocr-baseline=base.json", "-k", "test_out", *how)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["dsocr: against the baseline: *1 regression*"])


def test_an_expected_failure_that_grew_says_both(stored):
    one_more_matmul(stored)
    marked = '@pytest.mark.xfail(reason="known")\n@pytest.mark.parametrize'
    stored.tests(LARGER + TESTS.replace("@pytest.mark.parametrize", marked))
    result = stored.run("--dsocr-baseline=base.json", "-k", "4")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(
        [
            "an expected failure does not excuse it: user.linear, 4 tokens, tensor_flops: regression: +200% of the *",
            "  if meant    --dsocr-update-baseline stores it",
        ]
    )


def test_a_prediction_that_is_expected_not_to_hold_is_green_where_nothing_grew(stored):
    marked = '@pytest.mark.xfail(reason="known")\n@pytest.mark.parametrize'
    stored.tests(TESTS.replace("@pytest.mark.parametrize", marked) + "\n\ndef linear(tokens):\n    return 1\n")
    result = stored.run("--dsocr-baseline=base.json")
    result.assert_outcomes(xfailed=2, passed=1)
    assert result.ret == pytest.ExitCode.OK


CALLS_IT_EXPECTED = """
import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.failed:
        report.outcome, report.wasxfail = "skipped", "known"
    return report
"""


def test_another_plugin_that_calls_a_regression_an_expected_failure_does_not_make_the_run_green(stored):
    one_more_matmul(stored)
    stored.write("conftest.py", CALLS_IT_EXPECTED)
    result = stored.run("--dsocr-baseline=base.json", "-k", "4")
    result.assert_outcomes(xfailed=1, deselected=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["dsocr: 1 row fails, and its test did not: user.linear, 4 tokens, tensor_flops"])


def test_a_test_that_is_expected_to_fail_and_never_run_keeps_no_update_back(stored):
    stored.tests(
        TESTS.replace("SIZES = [4, 8]", "SIZES = [4, 8, 16]")
        + '\n\n@pytest.mark.xfail(run=False, reason="crashes")\ndef test_never(dsocr):\n    pass\n'
    )
    result = stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline")
    assert result.ret == pytest.ExitCode.OK
    assert len(lines(stored)) == 4
    result.stdout.fnmatch_lines(["*expected to fail: *crashes*"])


CALLS_AGAIN = """
import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call" and report.failed and not hasattr(item, "again"):
        item.again = True
        second = pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_call(item=item), "call")
        report = item.ihook.pytest_runtest_makereport(item=item, call=second)
    return report
"""


def test_a_test_of_which_the_call_alone_is_made_again_keeps_the_rows_of_its_setup_and_of_the_last_call(project):
    project.write("conftest.py", CALLS_AGAIN)
    project.tests(
        """
        CALLS = []

        @pytest.fixture
        def early(dsocr):
            dsocr.compare(1024, Case("setup"), module=LINEAR, inputs=X)

        def test_twice(dsocr, early):
            CALLS.append(1)
            dsocr.compare(1023 + len(CALLS) - 1, Case("call"), module=LINEAR, inputs=X)
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    assert [(row["case"], row["verdict"]) for row in project.rows()] == [("setup", "pass"), ("call", "pass")]


def test_a_hook_that_skips_before_ours_begins_skips_one_test_alone(project):
    project.write(
        "conftest.py",
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_setup(item):
            if item.name == "test_skipped":
                pytest.skip("not here")
        """,
    )
    project.tests(
        """
        def test_skipped(dsocr):
            pass

        def test_run(dsocr):
            dsocr.compare(1024, FOUR, module=LINEAR, inputs=X)
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, skipped=1)


@pytest.mark.parametrize("ends", ["pass", "pytest.xfail()"], ids=["passes", "xfails"])
def test_an_expected_failure_that_compared_nothing_is_red_or_no_pass(project, ends):
    project.tests(f"@pytest.mark.xfail\ndef test_nothing(dsocr):\n    {ends}\n")
    result = project.run()
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if ends == "pass" else pytest.ExitCode.OK)


RERUN = """
import pytest
from _pytest.runner import runtestprotocol


def pytest_runtest_protocol(item, nextitem):
    for again in (False, True):
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            if report.failed and not again:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
    return True


def pytest_report_teststatus(report):
    return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None
"""


@pytest.mark.parametrize(
    ("second", "ret", "verdicts", "not_run"),
    [
        pytest.param("test_flops(dsocr, 4)", 1, ["fail"], 0, id="regresses again"),
        pytest.param('pytest.skip("later")', 0, [], 1, id="is skipped"),
        pytest.param("raise ValueError", 1, [], 1, id="breaks before it compares"),
        pytest.param("small(dsocr)", 0, ["pass"], 0, id="is as stored"),
    ],
)
def test_of_a_test_that_is_run_again_the_last_run_holds(stored, second, ret, verdicts, not_run):
    """The first time it regresses."""
    small = (
        TESTS.partition("@pytest")[0]
        + """
RUNS = []


def small(dsocr):
    dsocr.compare(lambda tokens: 1024, FOUR, module=LINEAR, inputs=X, name="user.linear")


def test_twice(dsocr):
    RUNS.append(1)
    if len(RUNS) == 1:
        test_flops(dsocr, 4)
    else:
        SECOND
"""
    )
    one_more_matmul(stored)
    stored.write("conftest.py", RERUN)
    names = "from test_it import test_flops\n\ntest_flops.__test__ = False\n"
    stored.tests(names + small.replace("SECOND", second), name="test_twice.py")
    result = stored.run("--dsocr-baseline=base.json", "--dsocr-json=rows.json", "-k", "twice")
    assert result.ret == ret
    document = stored.document()
    assert [row["verdict"] for row in document["rows"]] == verdicts
    assert len(document["not_run"]) == not_run


def test_rows_that_vanished_are_named_although_something_else_was_skipped(stored):
    without = TESTS.partition("def test_params")[0]
    stored.tests(without + '\n\ndef test_other(dsocr):\n    pytest.skip("no weights")\n')
    result = stored.run("--dsocr-baseline=base.json", "--dsocr-require=baseline")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["dsocr: --dsocr-require baseline: stored and not measured: user.linear, any, params"])


def test_rows_are_named_where_none_is_left(stored):
    before = text(stored)
    stored.tests('def test_skips(dsocr):\n    pytest.skip("no weights")\n')
    result = stored.run("--dsocr-baseline=base.json")
    result.stdout.fnmatch_lines(["dsocr: stored and not measured: user.linear, 4 tokens, tensor_flops; *"])
    assert stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline").ret == pytest.ExitCode.TESTS_FAILED
    assert text(stored) == before


def test_a_test_that_stopped_half_way_stores_nothing(stored):
    before = text(stored)
    grown = LARGER + TESTS.replace("8 * 16 + 16,", "8 * 16 + 16 + 16 * 16 + 16,")
    stored.tests(grown + "    assert 0, 'half way'\n")
    result = stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline", "-k", "params")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["dsocr: --dsocr-update-baseline: nothing was stored: *test_params"])
    assert text(stored) == before


def test_a_new_test_run_alone_is_green(stored):
    stored.tests(TESTS.replace("[4, 8]", "[32]"), name="test_new.py")
    assert stored.run("--dsocr-baseline=base.json", "test_new.py", "-k", "32").ret == pytest.ExitCode.OK


def test_a_run_in_a_subfolder_misses_only_what_is_there(stored):
    stored.tests(TESTS.replace("[4, 8]", "[32]").partition("def test_params")[0], name="below/test_below.py")
    stored.run("--dsocr-baseline=base.json", "--dsocr-update-baseline")
    below = stored.path / "below"
    stored.pytester.chdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(below)
        result = stored.run("--dsocr-baseline=../base.json", "--dsocr-require=baseline")
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (("--dsocr-json=base.json",), "*: got base.json, the baseline; --dsocr-update-baseline writes that"),
        (("--dsocr-json=x.html", "--dsocr-report=x.html"), "*: got x.html twice, allowed is each file once"),
    ],
    ids=["the baseline", "one file twice"],
)
def test_outputs_that_would_overwrite_each_other_or_the_baseline_are_refused(stored, outputs, said):
    before = text(stored)
    result = stored.run("--dsocr-baseline=base.json", *outputs)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])
    assert text(stored) == before
