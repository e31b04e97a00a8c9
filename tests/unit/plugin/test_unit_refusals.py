"""What cannot be measured op by op is refused in a sentence, and not by an error from inside of torch."""

import pytest
import torch
from torch import nn

from pytest_dsocr import Subject
from pytest_dsocr.errors import MeasurementError, NotSupportedError
from pytest_dsocr.measure.cuda_memory import allocated_on_cuda
from pytest_dsocr.measure.flops import FlopMeasurer
from pytest_dsocr.measure.formulas import FORMULAS
from pytest_dsocr.measure.params import ParameterMeasurer
from pytest_dsocr.measure.traced import TraceMeasurer, Tracer

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::UserWarning"
)  # of torch, on old features

RUNS = pytest.mark.parametrize(
    "measurer",
    [
        pytest.param(lambda: FlopMeasurer(FORMULAS), id="FLOPs"),
        pytest.param(lambda: TraceMeasurer("launches", Tracer()), id="trace"),
    ],
)


def measure(measurer, module, *inputs):
    inputs = inputs or (torch.zeros(4, 8),)
    return measurer().measure(Subject(module, lambda: (inputs, {})), device="cpu")


def with_forward(forward):
    module = nn.Sequential(nn.Linear(8, 8))
    module[0].forward = forward
    return module


def compiled_in_place():
    module = nn.Linear(8, 8)
    module.compile()
    return module


@pytest.mark.parametrize(
    ("make", "where"),
    [
        pytest.param(lambda: torch.compile(nn.Linear(8, 8)), "the module is", id="a module"),
        pytest.param(lambda: torch.compile(lambda x: x + 1), "the module is", id="a function"),
        pytest.param(compiled_in_place, "the module is", id="a module, in place"),
        pytest.param(lambda: nn.Sequential(torch.compile(nn.Linear(8, 8))), "0 is", id="a part of a module"),
        pytest.param(lambda: with_forward(torch.compile(lambda x: x + 1)), "0 is", id="the forward of a part"),
    ],
)
@RUNS
def test_what_is_compiled_is_not_measured_as_if_it_were_not(measurer, make, where):
    with pytest.raises(NotSupportedError, match=f"^{where} compiled by torch.compile, whose kernels nobody sees"):
        measure(measurer, make())


@RUNS
def test_what_torch_compile_leaves_alone_is_measured(measurer):
    assert measure(measurer, with_forward(torch.compiler.disable(lambda x: x @ x.T))).value in (1, 2 * 4 * 4 * 8)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: torch.jit.script(nn.Linear(8, 8)), id="scripted"),
        pytest.param(lambda: torch.jit.trace(nn.Linear(8, 8), torch.zeros(4, 8)), id="traced"),
    ],
)
@RUNS
def test_what_is_scripted_is_refused(measurer, make):
    with pytest.raises(NotSupportedError, match=r"^the module is scripted by torch\.jit"):
        measure(measurer, make())


@pytest.mark.parametrize(
    "measurer",
    [
        pytest.param(lambda: FlopMeasurer(FORMULAS), id="FLOPs"),
        pytest.param(lambda: TraceMeasurer("launches", Tracer()), id="trace"),
        pytest.param(lambda: ParameterMeasurer("params"), id="parameters"),
        pytest.param(lambda: ParameterMeasurer("weight_bytes"), id="bytes of weights"),
    ],
)
def test_a_lazy_module_has_to_run_once(measurer):
    module = nn.Sequential(nn.LazyLinear(4))
    with pytest.raises(
        MeasurementError, match=r"^0\.weight has no shape yet, as of a lazy module: run the module once"
    ):
        measure(measurer, module)
    module(torch.zeros(4, 8))
    assert measure(measurer, module).value > 0


def test_a_lazy_module_has_to_run_once_before_its_memory_on_a_card_is_read():
    with pytest.raises(MeasurementError, match="has no shape yet"):
        allocated_on_cuda(Subject(nn.LazyLinear(4), lambda: ((torch.zeros(4, 8),), {})), "cuda:0")


@pytest.mark.parametrize(
    ("run", "told"),
    [
        pytest.param(lambda x: x.to_sparse().to_dense(), "aten::_to_sparse: got a sparse_coo", id="sparse"),
        pytest.param(lambda x: x.to_sparse_csr() @ x.T, r"aten::_to_sparse_csr: got a sparse_csr", id="rows"),
        pytest.param(
            lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8).dequantize(),
            "aten::quantize_per_tensor: got a quantized",
            id="quantized",
        ),
        pytest.param(lambda x: torch.nested.nested_tensor([x, x]) + 1, r"aten::\w+: got a nested", id="nested"),
        pytest.param(
            lambda x: torch.nested.nested_tensor([x, x], layout=torch.jagged) + 1,
            r"aten::\w+: got a nested",
            id="nested, jagged",
        ),
    ],
)
@RUNS
def test_a_tensor_that_is_not_dense_is_named_with_the_op_that_makes_it(measurer, run, told):
    with pytest.raises(NotSupportedError, match=f"^{told} tensor, allowed are dense ones$"):
        measure(measurer, lambda x: run(x))


@RUNS
def test_an_input_that_is_not_dense_is_refused(measurer):
    with pytest.raises(NotSupportedError, match=r"got a sparse_coo tensor, allowed are dense ones$"):
        measure(measurer, nn.Linear(8, 8), torch.zeros(4, 8).to_sparse())


def sparse_weight():
    module = nn.Linear(8, 8, bias=False)
    module.weight = nn.Parameter(torch.eye(8).to_sparse())
    return module


@RUNS
def test_a_weight_that_is_not_dense_is_refused(measurer):
    with pytest.raises(NotSupportedError, match=r"^weight: got a sparse_coo tensor, allowed are dense ones$"):
        measure(measurer, sparse_weight())


def test_bytes_of_weights_are_those_of_dense_ones():
    with pytest.raises(NotSupportedError, match=r"^a parameter: got a sparse_coo tensor"):
        measure(lambda: ParameterMeasurer("weight_bytes"), sparse_weight())
