"""Hooks: another model with its layers, its reference, its metric and its formulas, from a conftest.py alone."""

import pytest

TINY = '''
"""A model of stacked linears, and a metric that counts modules."""

from dataclasses import dataclass
from typing import ClassVar

from dsocr_cost import Execution, kernels
from pytest_dsocr import Measurement, Metric, NotSupportedError, Prediction, Subject


@dataclass(frozen=True)
class Stack:
    group: ClassVar[str] = "tiny"
    depth: int
    width: int

    def ops(self, rows, *, execution=Execution()):
        for index in range(self.depth):
            yield kernels.linear(str(index), execution.item_bytes, rows, self.width, self.width, bias=True)

    @property
    def params(self):
        return self.depth * kernels.linear_params(self.width, self.width, bias=True)


class TinyReference:
    name = "tiny"
    model = "tiny-ocr"
    implementation = "tiny-vendor"
    layers = (Stack,)

    def subject(self, layer, case, *, device, dtype, attention):
        import torch

        if attention == "flash":
            raise NotSupportedError("tiny has no attention at all")
        kind = getattr(torch, dtype)
        made = [torch.nn.Linear(layer.width, layer.width, device=device, dtype=kind) for _ in range(layer.depth)]
        inputs = lambda: ((torch.zeros(case["rows"], layer.width, device=device, dtype=kind),), {})
        return Subject(torch.nn.Sequential(*made), inputs)


class ModuleCounter:
    metric = Metric("modules", "modules", "params", lambda layer, case, execution: Prediction(layer.depth + 1))

    def measure(self, subject, *, device):
        if not hasattr(subject.module, "modules"):
            raise NotSupportedError("no module to look into")
        return Measurement(sum(1 for _ in subject.module.modules()))


def pytest_dsocr_layers():
    return [Stack]


def pytest_dsocr_references():
    return [TinyReference()]


def pytest_dsocr_measurers(flop_formulas):
    return [ModuleCounter()]
'''

TINY_TESTS = """
import pytest
from conftest import Stack
from pytest_dsocr import Case


@pytest.mark.parametrize("metric", ["tensor_flops", "io_bytes", "params", "modules"])
def test_stack(dsocr, metric):
    dsocr.compare(Stack(3, 8), Case("5 rows", rows=5), metric=metric)
"""


def test_another_model_is_compared_like_ours(project):
    """3 * 2 * 5 * 8 * 8 = 1,920 FLOPs, 3 * (8 * 8 + 8) = 216 parameters, 4 modules with the one around them.

    Each linear reads 5 * 8 numbers, its parameters, and writes 5 * 8, of 2 bytes: 3 * 2 * (40 + 72 + 40) = 912.
    """
    project.write("conftest.py", TINY)
    project.write("test_it.py", TINY_TESTS)
    result = project.run("--dsocr-reference=tiny", "--dsocr-json=rows.json", "--dsocr-require=tiny.Stack")
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.OK
    assert [(row["layer"], row["metric"], row["measured"]) for row in project.rows()] == [
        ("tiny.Stack", "tensor_flops", 1920),
        ("tiny.Stack", "io_bytes", 912),
        ("tiny.Stack", "params", 216),
        ("tiny.Stack", "modules", 4),
    ]
    assert {(row["model"], row["implementation"]) for row in project.rows()} == {("tiny-ocr", "tiny-vendor")}

    unasked = project.run("--dsocr-json=unasked.json", "--dsocr-require=modules")
    assert unasked.ret == pytest.ExitCode.OK
    assert project.rows("unasked.json") == project.rows()


def test_its_names_are_known_to_tolerances_and_requirements(project, refused):
    project.write("conftest.py", TINY.replace("layer.depth + 1)", "layer.depth)"))
    project.write("test_it.py", TINY_TESTS)
    project.write(
        "tolerances.toml",
        '[[rule]]\nlayer = "tiny.Stack"\nmetric = "modules"\nrtol = 0.25\nbecause = "the one around them"\n',
    )
    result = project.run("--dsocr-json=rows.json", "--dsocr-require=modules", "--dsocr-require=tiny.Stack")
    result.assert_outcomes(passed=4)
    assert [row["rule"] for row in project.rows() if row["metric"] == "modules"] == ["rule 1"]
    project.write("bad.toml", '[[rule]]\nlayer = "tiny.Stock"\nrtol = 0.25\nbecause = "a slip"\n')
    refused("--dsocr-tolerances=bad.toml", words=["'tiny.Stock'", "tiny.Stack"])
    refused("--dsocr-reference=small", words=["'small'", "tiny", "transformers"])


def test_without_the_hook_its_names_are_unknown(refused):
    refused("--dsocr-require=tiny.Stack", words=["'tiny.Stack'"])


def test_what_it_cannot_do_is_not_run_with_its_reason(project):
    project.write("conftest.py", TINY)
    project.write(
        "test_it.py",
        TINY_TESTS + "\n\ndef test_function(dsocr):\n"
        '    dsocr.compare(Stack(3, 8), Case("any"), metric="modules", module=abs, inputs=[1])\n',
    )
    result = project.run("--dsocr-attention=flash", "--dsocr-json=rows.json")
    result.assert_outcomes(skipped=5)
    reasons = [one["reason"] for one in project.document()["not_run"]]
    assert reasons == ["tiny has no attention at all"] * 4 + ["tiny.Stack, any, modules: no module to look into"]


def test_a_measurer_of_the_user_replaces_ours(project):
    project.write(
        "conftest.py",
        """
        from pytest_dsocr import METRICS, Measurement


        class Always7:
            metric = METRICS[0]

            def measure(self, subject, *, device):
                return Measurement(7)


        def pytest_dsocr_measurers():
            return [Always7()]
        """,
    )
    project.tests(
        "def test_seven(dsocr):\n    assert dsocr.compare(lambda: 7, Case('any'), module=LINEAR, name='user.x')\n"
    )
    project.run("--dsocr-json=rows.json").assert_outcomes(passed=1)
    assert [(row["metric"], row["measured"]) for row in project.rows()] == [("tensor_flops", 7)]


def test_a_measurement_says_its_own_trouble(project):
    """A problem is an error, a spread wider than the tolerance inconclusive, a MeasurementError a failed test."""
    project.write(
        "conftest.py",
        """
        from pytest_dsocr import Measurement, MeasurementError, Metric, Prediction


        class Clock:
            metric = Metric("wall_s", "wall", "latency", lambda layer, case, execution: Prediction(1.0), tolerance=0.1)

            def measure(self, subject, *, device):
                return subject.run()


        def pytest_dsocr_measurers(flop_formulas):
            return [Clock()]
        """,
    )
    project.tests(
        """
        from pytest_dsocr import Measurement, MeasurementError


        def raises():
            raise MeasurementError("the clock stands still")


        @pytest.mark.parametrize(
            "measure",
            [
                lambda: Measurement(1.05, spread=0.01),
                lambda: Measurement(1.0, spread=0.5),
                lambda: Measurement(1.0, problem="the fan was off"),
                lambda: Measurement(2.0, spread=0.01),
                raises,
            ],
            ids=["quiet", "noisy", "hot", "slow", "broken"],
        )
        def test_wall(dsocr, measure):
            dsocr.compare(linear, Case("any"), metric="wall_s", module=measure)
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(passed=1, failed=4)
    assert [row["verdict"] for row in project.rows()] == ["pass", "inconclusive", "error", "fail"]
    assert project.rows()[1]["spread"] == 0.5
    assert project.rows()[2]["reason"] == "the fan was off"
    (not_run,) = project.document()["not_run"]
    assert "the clock stands still" in not_run["reason"]


CUSTOM_OP = """
import torch


@torch.library.custom_op("mylib::matmul", mutates_args=())
def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a @ b


@matmul.register_fake
def _(a, b):
    return a.new_empty(a.shape[0], b.shape[1])


@torch.library.custom_op("mylib::scale", mutates_args=())
def scale(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a * b


@scale.register_fake
def _(a, b):
    return torch.empty_like(a)
"""

CUSTOM_TESTS = """
import pytest
import torch
from pytest_dsocr import Case
import mylib

A, B = torch.zeros(4, 8, device="meta"), torch.zeros(8, 16, device="meta")


class Head(torch.nn.Module):
    def forward(self, a, b):
        return mylib.matmul(a, b)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()

    def forward(self, a, b):
        return self.head(a, b)


def test_matmul(dsocr):
    dsocr.compare(lambda: 2 * 4 * 8 * 16, Case("4 rows"), module=Model(), inputs=(A, B), name="user.matmul")


def test_scale(dsocr):
    dsocr.compare(lambda: 0, Case("4 rows"), module=mylib.scale, inputs=(A, A), name="user.scale")
"""

FORMULAS = """
def matmul(a_shape, b_shape, *args, out_shape=None, **kwargs):
    return 2 * a_shape[0] * a_shape[1] * b_shape[1]


def nothing(*args, **kwargs):
    return 0
"""


def test_an_op_without_a_formula_is_an_error_until_it_has_one(project):
    """By ini key or by hook; the ops are registered after the formulas were read, when the test module is imported."""
    project.write("mylib.py", CUSTOM_OP)
    project.write("formulas.py", FORMULAS)
    project.write("test_it.py", CUSTOM_TESTS)
    project.ini("pythonpath = .")
    before = project.spawn("--dsocr-json=before.json")
    before.assert_outcomes(failed=2)
    matmul, scale = project.rows("before.json")
    assert (matmul["verdict"], scale["verdict"]) == ("error", "error")
    assert "mylib::matmul ran 1 time" in matmul["reason"]
    assert "in head" in matmul["reason"]
    assert "dsocr_flop_formulas" in matmul["reason"]
    assert "mylib::scale" in scale["reason"]

    project.ini(
        "pythonpath = .", "dsocr_flop_formulas =", "    mylib::matmul = formulas:matmul", "    mylib::scale = 0"
    )
    project.spawn("--dsocr-json=ini.json").assert_outcomes(passed=2)
    assert [row["measured"] for row in project.rows("ini.json")] == [1024, 0]

    project.ini("pythonpath = .")
    project.write(
        "conftest.py",
        """
        import formulas


        def pytest_dsocr_flop_formulas():
            return {"mylib::matmul": formulas.matmul, "mylib::scale": formulas.nothing}
        """,
    )
    project.spawn("--dsocr-json=hook.json").assert_outcomes(passed=2)
    assert project.rows("hook.json") == project.rows("ini.json")


def test_a_formula_of_the_user_does_not_bend_the_canaries(project):
    """A wrong formula for one of torch's own ops is found out before anything is compared."""
    project.write("formulas.py", FORMULAS)
    project.ini("pythonpath = .", "dsocr_flop_formulas =", "    aten::mm = formulas:nothing")
    project.tests("def test_linear(dsocr):\n    dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)\n")
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(failed=1)
    assert "the FLOP counter miscounts a matmul on meta" in result.stdout.str()
    assert "miscounts" in project.document()["not_run"][0]["reason"]


@pytest.mark.parametrize(
    ("hook", "returned"),
    [
        pytest.param("pytest_dsocr_flop_formulas", "['mylib::matmul']", id="no mapping of formulas"),
        pytest.param("pytest_dsocr_layers", "[int]", id="no layer"),
        pytest.param("pytest_dsocr_references", "[1]", id="no reference"),
        pytest.param("pytest_dsocr_measurers", "[1]", id="no measurer"),
    ],
)
def test_a_hook_that_returns_nonsense_is_named(project, refused, hook, returned):
    project.write("conftest.py", f"def {hook}():\n    return {returned}\n")
    refused("--dsocr-require=flops", words=[hook])
