"""The metrics of the trace: what is measured, from which run, and how a comparison of several tells."""

import gc
import weakref

import pytest
import torch

from dsocr_cost.kernels import Tensor, linear, pointwise
from pytest_dsocr import Case, Metric, Prediction, Subject
from pytest_dsocr.bench import Bench
from pytest_dsocr.compare import Verdict
from pytest_dsocr.comparer import Comparer
from pytest_dsocr.errors import MeasurementError, NotSupportedError, OptionError
from pytest_dsocr.measure.flops import FlopMeasurer
from pytest_dsocr.measure.formulas import FORMULAS
from pytest_dsocr.measure.traced import TRACED, TraceMeasurer, Tracer
from pytest_dsocr.registry import Registry
from pytest_dsocr.tolerances import Tolerances

TRAFFIC = ("cuda_flops", "io_bytes", "launches")


class Module(torch.nn.Module):
    """A linear from 8 to 16 channels without a bias, and an activation; it counts its runs."""

    def __init__(self):
        super().__init__()
        self.proj = torch.nn.Linear(8, 16, bias=False, device="meta", dtype=torch.bfloat16)
        self.runs = 0

    def forward(self, x):
        self.runs += 1
        return torch.sigmoid(self.proj(x))


@pytest.fixture
def module():
    return Module()


@pytest.fixture
def subject(module):
    """Run it on 4 rows, which are made by a launch of their own."""
    return Subject(module, lambda: ((torch.zeros(4, 8, device="meta", dtype=torch.bfloat16),), {}))


# 4 rows of 8, 8 x 16 weights, 4 rows of 16; then 4 rows of 16 twice; 2 bytes each
LINEAR, SIGMOID = 2 * (4 * 8 + 8 * 16 + 4 * 16), 2 * (2 * 4 * 16)


@pytest.mark.parametrize(
    ("metric", "value", "terms"),
    [
        pytest.param("cuda_flops", 64, [("aten::sigmoid", "", 64)], id="cuda_flops: of what has some"),
        pytest.param(
            "io_bytes",
            LINEAR + SIGMOID,
            [("aten::mm", "proj", LINEAR), ("aten::sigmoid", "", SIGMOID)],
            id="io_bytes",
        ),
        pytest.param(
            "launches",
            2,
            [("aten::mm", "proj", LINEAR), ("aten::sigmoid", "", SIGMOID)],
            id="launches: told apart by their bytes",
        ),
    ],
)
def test_a_metric_is_measured_launch_by_launch(subject, metric, value, terms):
    measured = TraceMeasurer(metric, Tracer()).measure(subject, device="meta")
    assert measured.value == value
    assert [(call.op, call.module, call.count) for call in measured.calls] == terms
    assert (measured.spread, measured.problem) == (None, "")


def test_each_measures_the_metric_of_its_name():
    assert [TraceMeasurer(name, Tracer()).metric.name for name in TRAFFIC] == list(TRAFFIC)


def test_all_come_from_one_run(subject, module):
    tracer = Tracer()
    for name in TRAFFIC:
        TraceMeasurer(name, tracer).measure(subject, device="meta")
    assert module.runs == 1


def test_another_subject_is_another_run(subject, module):
    measurer = TraceMeasurer("launches", Tracer())
    for one in (subject, Subject(module, subject.inputs), subject):
        measurer.measure(one, device="meta")
    assert module.runs == 3


def test_a_tracer_keeps_no_module_alive():
    """Nor does what it measured of it."""
    module = Module()
    subject = Subject(module, lambda: ((torch.zeros(4, 8, device="meta", dtype=torch.bfloat16),), {}))
    measurers = [TraceMeasurer(name, tracer) for tracer in [Tracer()] for name in TRACED]
    for measurer in measurers:
        measurer.measure(subject, device="meta")
    assert module.runs == 1
    gone = weakref.ref(module)
    del module, subject
    gc.collect()
    assert gone() is None


# --- a comparison of several metrics ---


class Fails:
    """Measures nothing."""

    def __init__(self, name, error):
        self.metric, self.error = Metric(name, name, "traffic", lambda *_: Prediction(0)), error

    def measure(self, subject, *, device):
        raise self.error


def right(rows):
    yield linear("proj", 2, rows, 8, 16)
    yield pointwise("sigmoid", Tensor(rows * 16, 2), Tensor(rows * 16, 2))


def forgetful(rows):
    """Take the activation to be in place of nothing: it reads no bytes."""
    yield linear("proj", 2, rows, 8, 16)
    yield pointwise("sigmoid", Tensor(rows * 16, 2))


@pytest.fixture
def rows():
    return []


@pytest.fixture
def not_run():
    return []


@pytest.fixture
def compare_all(subject, module, rows, not_run):
    """Compare a prediction with the module above, in a test that may compare some families of metrics only."""
    tracer = Tracer()
    measurers = (
        FlopMeasurer(FORMULAS),
        *(TraceMeasurer(name, tracer) for name in TRAFFIC),
        Fails("broken", MeasurementError("the scales are broken")),
        Fails("bent", MeasurementError("the scales are bent")),
        Fails("elsewhere", NotSupportedError("no scales here")),
        Fails("wrong", ValueError("no such luck")),
    )
    defaults = {measurer.metric.name: 0.0 for measurer in measurers}
    options = type("Options", (), {"dtype": "bfloat16", "attention": "sdpa", "advisory": ""})
    registry = Registry({}, {one.metric.name: one for one in measurers}, {})
    bench = Bench(options, registry, Tolerances.builtin(defaults), "meta", width=160)

    def run(layer, *metrics, families=()):
        comparer = Comparer(bench, "test_it.py::test_it", families, rows, not_run)
        return comparer.compare_all(
            layer, Case("4 rows", rows=4), metrics=metrics, module=module, inputs=lambda: subject.inputs()[0]
        )

    return run


def test_several_metrics_are_compared_in_one_run_and_each_is_a_row(compare_all, module, rows):
    compared = compare_all(right, *TRAFFIC)
    assert [(row.metric, row.predicted, row.measured) for row in compared] == [
        ("cuda_flops", 64, 64),
        ("io_bytes", LINEAR + SIGMOID, LINEAR + SIGMOID),
        ("launches", 2, 2),
    ]
    assert list(compared) == rows
    assert module.runs == 1


def test_tensor_flops_are_counted_in_a_run_of_their_own(compare_all, module):
    assert [row.measured for row in compare_all(right, "tensor_flops", *TRAFFIC)] == [2 * 4 * 8 * 16, 64, 704, 2]
    assert module.runs == 2


def test_a_failure_is_told_after_the_last_metric_and_names_the_op(compare_all, rows):
    """128 bytes of 704 are not predicted: those that the activation reads."""
    with pytest.raises(pytest.fail.Exception) as failure:
        compare_all(forgetful, *TRAFFIC)
    told = str(failure.value)
    assert told.startswith("user.forgetful, 4 rows, I/O bytes: fail, -18.182%")
    assert told.count("user.forgetful") == 1
    (marked,) = (line for line in told.splitlines() if " != " in line)
    assert marked.split() == ["sigmoid", "pointwise", "128", "!=", "256", "aten::sigmoid", "4x16"]
    assert [row.verdict for row in rows] == [Verdict.PASS, Verdict.FAIL, Verdict.PASS]


def test_every_metric_that_differs_is_told(compare_all):
    with pytest.raises(pytest.fail.Exception) as failure:
        compare_all(lambda rows: [linear("proj", 2, rows, 8, 16)], *TRAFFIC)
    told = [line.partition(", 4 rows, ")[2] for line in str(failure.value).splitlines() if ", 4 rows, " in line]
    assert told == ["CUDA FLOPs: fail, -100.000%", "I/O bytes: fail, -36.364%", "launches: fail, -50.000%"]


def test_a_test_compares_only_what_it_is_marked_with(compare_all, rows):
    """CUDA FLOPs are of the family flops, bytes and launches of the family traffic."""
    with pytest.raises(OptionError, match=r"^metric: got 'cuda_flops' of the family flops, allowed are .*traffic"):
        compare_all(right, *TRAFFIC, families=("traffic",))
    with pytest.raises(OptionError, match=r"^metric: got 'io_bytes' of the family traffic, allowed are .*flops"):
        compare_all(right, *TRAFFIC, families=("flops",))
    assert rows == []
    assert len(compare_all(right, *TRAFFIC, families=("flops", "traffic"))) == 3


def test_each_metric_of_ones_own_module_may_have_a_prediction_of_its_own(compare_all):
    """A figure, a function of the sizes, ops; the rows are named after the module."""
    predictions = {"launches": 2, "cuda_flops": lambda rows: rows * 16, "io_bytes": right}
    rows = compare_all(predictions, *predictions)
    assert [(row.layer, row.metric, row.verdict) for row in rows] == [
        ("user.Module", metric, Verdict.PASS) for metric in predictions
    ]


def test_a_metric_that_nothing_predicts_is_named(compare_all):
    with pytest.raises(OptionError, match=r"^layer: got predictions of launches, allowed is one of io_bytes, too$"):
        compare_all({"launches": 2}, "launches", "io_bytes")


# --- metrics that cannot be measured ---


def reasons(not_run):
    assert {one.test for one in not_run} == {"test_it.py::test_it"}
    return [one.reason.removeprefix("user.right, 4 rows, ") for one in not_run]


def test_a_metric_that_cannot_be_measured_keeps_no_other_from_it(compare_all, rows, not_run):
    """Alone, its error is that of the test."""
    with pytest.raises(MeasurementError, match=r"^the scales are broken$"):
        compare_all(right, "cuda_flops", "broken", "io_bytes", "launches")
    assert [row.metric for row in rows] == list(TRAFFIC)
    assert reasons(not_run) == ["broken: the scales are broken"]


def test_a_metric_that_cannot_be_measured_here_skips_the_test_and_keeps_no_other_from_it(compare_all, rows, not_run):
    with pytest.raises(pytest.skip.Exception, match=r"^no scales here$"):
        compare_all(right, "elsewhere", *TRAFFIC)
    assert [row.metric for row in rows] == list(TRAFFIC)
    assert reasons(not_run) == ["elsewhere: no scales here"]


def test_of_errors_and_what_cannot_be_measured_here_the_error_counts(compare_all, rows, not_run):
    with pytest.raises(MeasurementError, match=r"^the scales are broken$"):
        compare_all(right, "elsewhere", "broken", "launches")
    assert [row.metric for row in rows] == ["launches"]
    assert reasons(not_run) == ["elsewhere: no scales here", "broken: the scales are broken"]


def test_several_errors_are_told_side_by_side_with_what_differs(compare_all, rows, not_run):
    with pytest.raises(pytest.fail.Exception) as failure:
        compare_all(forgetful, "bent", "io_bytes", "broken")
    told = [line for line in str(failure.value).splitlines() if line.startswith("user.")]
    assert told == [
        "user.forgetful, 4 rows, I/O bytes: fail, -18.182%",
        "user.forgetful, 4 rows, bent: not measured",
        "user.forgetful, 4 rows, broken: not measured",
    ]
    assert "the scales are bent" in str(failure.value)
    assert [row.verdict for row in rows] == [Verdict.FAIL]
    assert len(not_run) == 2


def test_what_ends_a_test_at_once_lists_what_was_still_to_come(compare_all, rows, not_run):
    with pytest.raises(ValueError, match=r"^no such luck$"):
        compare_all(right, "cuda_flops", "wrong", "io_bytes", "launches")
    assert [row.metric for row in rows] == ["cuda_flops"]
    assert reasons(not_run) == [f"{metric}: ValueError: no such luck" for metric in ("wrong", "io_bytes", "launches")]


def test_a_module_that_raises_keeps_all_of_its_metrics_and_is_one_error(compare_all, module, rows, not_run):
    module.proj = torch.nn.Linear(9, 16, device="meta", dtype=torch.bfloat16)
    with pytest.raises(MeasurementError, match=r"^the module raised RuntimeError after 0 launches, in proj: "):
        compare_all(right, *TRAFFIC)
    assert rows == []
    assert [reason.partition(":")[0] for reason in reasons(not_run)] == list(TRAFFIC)
