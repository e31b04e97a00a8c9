"""--dsocr-require: a run that did not measure what it had to is red, and says why."""

import pytest

GREEN = """
from dsocr_cost import ProjectorConfig
from dsocr_cost.layers import MlpProjector

PROJECTOR = MlpProjector(ProjectorConfig("linear", 8, 16))
MODULE = torch.nn.Linear(8, 16, device="meta")


def test_flops(dsocr):
    case = Case("4 tokens", batch=1, tokens=4)
    dsocr.compare(PROJECTOR, case, module=MODULE, inputs=[torch.zeros(1, 4, 8, device="meta")])


def test_params(dsocr):
    dsocr.compare(PROJECTOR, Case("any"), metric="params", module=MODULE)
"""
SKIPPED = """

@pytest.mark.gpu
def test_on_a_gpu(dsocr):
    pass
"""


def test_what_was_measured_is_enough(project):
    project.tests(GREEN)
    met = ("all", "flops", "params", "tensor_flops", "vision.MlpProjector")
    result = project.run(*(f"--dsocr-require={what}" for what in met))
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("dsocr: --dsocr-require*")


@pytest.mark.parametrize("what", ["gpu", "latency", "memory", "traffic", "vision.Attention"])
def test_what_was_not_measured_makes_a_green_run_red(project, what):
    project.tests(GREEN)
    result = project.run(f"--dsocr-require={what}", "--dsocr-require=flops", "--dsocr-json=rows.json")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(f"dsocr: --dsocr-require {what}: nothing was measured")
    result.stdout.no_fnmatch_line("dsocr: --dsocr-require flops*")
    assert len(project.rows()) == 2


@pytest.mark.parametrize("what", ["params", "tensor_flops"])
def test_one_metric_does_not_stand_for_another(project, what):
    project.tests(GREEN)
    other = {"params": "flops", "tensor_flops": "params"}[what]
    result = project.run(f"--dsocr-require={what}", "-k", f"test_{other}")
    result.assert_outcomes(passed=1, deselected=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(f"dsocr: --dsocr-require {what}: nothing was measured")


def test_all_wants_that_nothing_was_skipped(project):
    project.tests(GREEN + SKIPPED)
    assert project.run("--dsocr-require=flops").ret == pytest.ExitCode.OK
    result = project.run("--dsocr-require=all")
    result.assert_outcomes(passed=2, skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("dsocr: --dsocr-require all: 1 comparison* did not run")


def test_a_row_that_failed_was_measured(project):
    project.tests("def test_wrong(dsocr):\n    dsocr.compare(one_too_many, FOUR, module=LINEAR, inputs=X)\n")
    result = project.run("--dsocr-require=flops")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("dsocr: --dsocr-require*")


def test_a_run_without_tests_is_red_when_something_is_required(project):
    result = project.run("--dsocr-require=all")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("dsocr: --dsocr-require all: nothing was measured")


def test_the_ini_file_may_require_too(project):
    project.tests(GREEN)
    project.ini("dsocr_require = gpu latency")
    result = project.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["dsocr: --dsocr-require gpu: *", "dsocr: --dsocr-require latency: *"])


@pytest.mark.parametrize("quiet", ["-q", "-qq", "--no-summary", "--tb=no"])
def test_a_quiet_red_run_says_why_all_the_same(project, quiet):
    project.plain_test()
    result = project.run(quiet, "--dsocr-require=gpu")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "--dsocr-require gpu: nothing was measured" in result.stdout.str() + result.stderr.str()


def test_workers_do_not_change_what_is_required(project):
    """A GPU test is skipped on a worker with the same reason as anywhere, and missing at the end."""
    project.write("test_it.py", "import pytest\n" + SKIPPED)
    project.plain_test()
    result = project.spawn("-n2", "--dsocr-require=gpu", "--dsocr-require=all", "--dsocr-json=rows.json")
    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["dsocr: --dsocr-require gpu: nothing was measured", "dsocr: --dsocr-require all: 1 comparison* did not run"]
    )
    (not_run,) = project.document()["not_run"]
    assert not_run["test"] == "test_it.py::test_on_a_gpu"
    assert "measures on meta" in not_run["reason"]
