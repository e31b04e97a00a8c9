"""tolerances.toml at work: which rule judges a row, what the row says of it, and rules that judge nothing."""

import pytest

TESTS = """
from dsocr_cost import ProjectorConfig
from dsocr_cost.layers import MlpProjector


class Optimist(MlpProjector):
    __slots__ = ()

    def ops(self, **sizes):
        return list(super().ops(**sizes)) * 2

    @property
    def params(self):
        return 2 * super().params


Optimist.__name__ = "MlpProjector"  # twice the truth, under the name of a known layer
PROJECTOR = Optimist(ProjectorConfig("linear", 8, 16))
MODULE = torch.nn.Linear(8, 16, device="meta")


@pytest.mark.parametrize("tokens", [4, 6])
def test_flops(dsocr, tokens):
    case = Case(f"{tokens} tokens", batch=1, tokens=tokens)
    inputs = [torch.zeros(1, tokens, 8, device=dsocr.device)]
    dsocr.compare(PROJECTOR, case, module=MODULE.to_empty(device=dsocr.device), inputs=inputs)


def test_params(dsocr):
    dsocr.compare(PROJECTOR, Case("any"), metric="params", module=MODULE)
"""


def rule(rtol=1.0, **names):
    lines = [f'{key} = "{name}"' for key, name in names.items()]
    return "\n".join(["[[rule]]", *lines, f"rtol = {rtol}", f'because = "up to {rtol}"', ""])


def test_a_rule_lets_a_difference_pass_and_the_row_says_so(project):
    project.tests(TESTS)
    project.write("tolerances.toml", rule(layer="vision.MlpProjector"))
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(passed=3)
    for row in project.rows():
        assert row["layer"] == "vision.MlpProjector"
        assert (row["verdict"], row["relative_difference"]) == ("pass", 1.0)
        assert (row["rtol"], row["rule"], row["because"]) == (1.0, "rule 1", "up to 1.0")


def test_a_failure_names_the_rule_and_its_reason(project):
    project.tests(TESTS)
    project.write("tolerances.toml", rule(0.25, metric="params"))
    result = project.run("-k", "params")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines("*allowed*25%*rule 1*up to 0.25*")


def test_defaults_of_the_file_hold_where_no_rule_does(project):
    project.tests(TESTS)
    project.write("tolerances.toml", "[default]\nparams = 1.5\n")
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(passed=1, failed=2)
    assert [(row["metric"], row["rtol"], row["rule"]) for row in project.rows()] == [
        ("tensor_flops", 0.0, "built-in default tensor_flops"),
        ("tensor_flops", 0.0, "built-in default tensor_flops"),
        ("params", 1.5, "[default] params"),
    ]


def test_the_rule_that_names_most_wins(project):
    """Written from the least specific to the most and back, so that the order in the file decides nothing."""
    project.tests(TESTS)
    names = {"layer": "vision.MlpProjector", "metric": "tensor_flops", "case": "4 tokens"}
    rules = [rule(1 + count, **dict(list(names.items())[:count])) for count in (1, 2, 3)]
    expected = [("4 tokens", 4.0), ("6 tokens", 3.0), ("any", 2.0)]
    for written in (rules, rules[::-1]):
        project.write("tolerances.toml", "".join(written))
        project.run("--dsocr-json=rows.json").assert_outcomes(passed=3)
        assert [(row["case"], row["rtol"]) for row in project.rows()] == expected


def test_a_rule_of_one_device_holds_there_only(project):
    project.tests(TESTS)
    project.write(
        "tolerances.toml", rule(device="cpu") + rule(device="RTX 5090") + rule(device="cuda", metric="params")
    )
    project.run("--dsocr-device=meta").assert_outcomes(failed=3)
    result = project.run("--dsocr-device=cpu", "--dsocr-dtype=float32", "--dsocr-json=rows.json")
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.OK
    assert {row["rule"] for row in project.rows()} == {"rule 1"}


UNUSED = rule(layer="vision.MlpProjector") + rule(layer="vision.Attention")


@pytest.mark.parametrize("args", [[], ["-p", "no:cacheprovider"], ["-v"]], ids=["plain", "without cache", "-v"])
def test_a_rule_that_judges_nothing_makes_a_full_run_red(project, args):
    project.tests(TESTS)
    project.ini("testpaths = .")
    project.write("tolerances.toml", UNUSED)
    result = project.run(*args, "--dsocr-json=rows.json")
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("dsocr: *tolerances.toml: rule 2 (layer = vision.Attention) judged no row*")
    result.stdout.no_fnmatch_line("*rule 1 (*")
    assert len(project.rows()) == 3


def test_workers_do_not_change_which_rules_are_unused(project):
    project.tests(TESTS)
    project.ini("testpaths = .")
    project.write("tolerances.toml", UNUSED)
    result = project.spawn("-n2")
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("dsocr: *rule 2 (layer = vision.Attention) judged no row*")


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["-k", "flops"], id="-k"),
        pytest.param(["-m", "not slow"], id="-m"),
        pytest.param(["test_it.py"], id="a file"),
        pytest.param(["test_it.py::test_params"], id="a test"),
        pytest.param(["--deselect=test_it.py::test_params"], id="--deselect"),
        pytest.param(["--ignore=test_plain.py"], id="--ignore"),
        pytest.param(["--ignore-glob=*_plain.py"], id="--ignore-glob"),
    ],
)
def test_a_part_of_the_tests_blames_no_rule(project, args):
    project.tests(TESTS)
    project.plain_test()
    project.ini("testpaths = .", "markers = slow")
    project.write("tolerances.toml", UNUSED)
    result = project.run(*args)
    assert result.ret == pytest.ExitCode.OK
    assert "judged no row" not in result.stdout.str()


def test_only_the_last_failures_blame_no_rule(project):
    project.tests(
        TESTS + "\n\ndef test_wrong(dsocr):\n    dsocr.compare(one_too_many, FOUR, module=LINEAR, inputs=X)\n"
    )
    project.ini("testpaths = .")
    project.write("tolerances.toml", UNUSED)
    assert "judged no row" in project.run().stdout.str()
    result = project.run("--lf")
    result.assert_outcomes(failed=1)
    assert "judged no row" not in result.stdout.str()


def test_a_run_with_skips_blames_no_rule(project):
    project.tests(TESTS + "\n\ndef test_skips(dsocr):\n    pytest.skip('no card')\n")
    project.ini("testpaths = .")
    project.write("tolerances.toml", UNUSED)
    result = project.run()
    result.assert_outcomes(passed=3, skipped=1)
    assert result.ret == pytest.ExitCode.OK


def test_a_full_run_on_another_device_blames_no_rule_of_this_one(project):
    project.tests(TESTS)
    project.ini("testpaths = .")
    project.write("tolerances.toml", rule(layer="vision.MlpProjector") + rule(device="H200", metric="params"))
    result = project.run()
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.OK
