"""What the watch finds under the counter: kernels from outside of torch, and kernels that run past it."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from pytest_dsocr.measure.flops import count_flops
from pytest_dsocr.measure.formulas import FORMULAS, no_flops
from pytest_dsocr.measure.watch import resolve_op

DEVICES = pytest.mark.parametrize("device", ["meta", "cpu"])
PAST_THE_COUNTER = "written by no op that torch knows of: a kernel ran past the counter"


@torch.library.custom_op("dsocr_unit::join", mutates_args=())
def external_join(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Multiply [m, k] @ [k, n] by a kernel that is not torch's."""
    return torch.from_numpy(a.numpy() @ b.numpy())


@external_join.register_fake
def _(a, b):
    return a.new_empty(a.shape[0], b.shape[1])


@torch.library.custom_op("dsocr_unit::double", mutates_args=())
def external_double(a: torch.Tensor) -> torch.Tensor:
    """Double [m] by a kernel that is not torch's."""
    return a + a


def count(run, *, device="cpu", formulas=FORMULAS):
    """Count what ``run`` does with tensors that it makes on ``device``."""
    with torch.device(device):
        return count_flops(run, formulas, device)


# --- kernels from outside of torch ---


@DEVICES
def test_an_external_op_on_two_float_tensors_is_named(device):
    problem = count(lambda: external_join(torch.ones(2, 3), torch.ones(3, 4)), device=device).problem
    assert problem.startswith(
        "dsocr_unit::join ran 1 times (in the top level), does matrix work and has no FLOP formula"
    )


@DEVICES
def test_an_external_op_is_counted_once_a_formula_is_given(device):
    """2 * 2 * 3 * 4."""

    def formula(a_shape, b_shape, out_shape=None, **kwargs):
        return 2 * a_shape[0] * a_shape[1] * b_shape[1]

    counted = count(
        lambda: external_join(torch.ones(2, 3), torch.ones(3, 4)),
        device=device,
        formulas={"dsocr_unit::join": formula},
    )
    assert (counted.value, counted.problem) == (2 * 2 * 3 * 4, "")
    assert [(call.op, call.shapes) for call in counted.calls] == [("dsocr_unit::join", ((2, 3), (3, 4)))]


def test_an_external_op_without_matrix_work_can_be_declared_so():
    counted = count(lambda: external_join(torch.ones(2, 3), torch.ones(3, 4)), formulas={"dsocr_unit::join": no_flops})
    assert (counted.value, counted.problem) == (0, "")


def test_an_external_op_on_one_tensor_is_named_until_a_formula_of_0_clears_it():
    """It may hold a weight that nobody sees."""
    assert "dsocr_unit::double ran 1 times" in count(lambda: external_double(torch.ones(3))).problem
    assert count(lambda: external_double(torch.ones(3)), formulas={"dsocr_unit::double": no_flops}).problem == ""


def test_a_formula_for_an_op_that_is_not_there_is_left_out():
    counted = count(lambda: torch.ones(2, 3) @ torch.ones(3, 4), formulas={"nobody::knows": no_flops})
    assert (counted.value, counted.problem) == (2 * 2 * 3 * 4, "")


def test_an_op_is_found_by_its_name():
    assert resolve_op("aten::mm") is torch.ops.aten.mm


@pytest.mark.parametrize("name", ["nobody::knows", "aten::no_such_op", "mm", ""])
def test_an_op_that_is_not_there_is_not_found(name):
    assert resolve_op(name) is None


# --- kernels that run past torch ---


def multiply_past_torch():
    """Leave a product in memory that torch allocated and did not write."""
    out = torch.empty(2, 4)
    np.matmul(np.ones((2, 3), np.float32), np.ones((3, 4), np.float32), out=out.numpy())
    return out


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(multiply_past_torch, id="returned"),
        pytest.param(lambda: {"logits": [multiply_past_torch()]}, id="returned inside a structure"),
        pytest.param(lambda: multiply_past_torch() + 1, id="read"),
        pytest.param(lambda: multiply_past_torch().T[1:] + 1, id="read through a view"),
        pytest.param(lambda: torch.ones(2, 4) + multiply_past_torch(), id="read as the second input"),
        pytest.param(lambda: torch.add(input=torch.ones(2, 4), other=multiply_past_torch()), id="read by name"),
    ],
)
def test_a_kernel_that_runs_past_torch_is_found(run):
    assert f"memory allocated in the top level was read 1 times and {PAST_THE_COUNTER}" in count(run).problem


def test_the_module_is_named_that_a_kernel_ran_past_torch_in():
    class Fast(torch.nn.Module):
        def forward(self, x):
            return multiply_past_torch() + x

    model = torch.nn.ModuleDict({"fast": Fast()})
    model.forward = lambda x: model["fast"](x)
    assert f"memory allocated in fast was read 1 times and {PAST_THE_COUNTER}" in count(lambda: model(1.0)).problem


def written(write):
    """Make memory without content, have ``write`` fill it, and read it."""
    memory = torch.empty(4, 3)
    write(memory)
    return memory + 1


@DEVICES
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda: functional.layer_norm(torch.ones(2, 3), (3,)), id="layer norm"),
        pytest.param(lambda: functional.rms_norm(torch.ones(2, 3), (3,)), id="RMS norm"),
        pytest.param(lambda: functional.group_norm(torch.ones(2, 4, 3), 2), id="group norm"),
        pytest.param(lambda: torch.ones(2, 3).softmax(-1), id="softmax"),
        pytest.param(lambda: functional.gelu(functional.silu(torch.ones(3))), id="activations"),
        pytest.param(lambda: functional.interpolate(torch.ones(1, 2, 4), 7, mode="linear"), id="linear"),
        pytest.param(lambda: functional.interpolate(torch.ones(1, 2, 4, 4), (7, 6), mode="bilinear"), id="bilinear"),
        pytest.param(
            lambda: functional.interpolate(torch.ones(1, 2, 4, 4), (7, 6), mode="bicubic", antialias=True), id="bicubic"
        ),
        pytest.param(lambda: functional.interpolate(torch.ones(1, 2, 4, 4, 4), 5, mode="trilinear"), id="trilinear"),
        pytest.param(lambda: functional.embedding(torch.zeros(2, dtype=torch.long), torch.ones(4, 3)), id="embedding"),
        pytest.param(lambda: functional.pad(torch.ones(1, 2, 3), (1, 1)), id="pad"),
        pytest.param(lambda: torch.cat([torch.ones(2, 3), torch.ones(2, 3)]), id="cat"),
        pytest.param(lambda: torch.ones(2, 5).topk(2), id="topk"),
        pytest.param(lambda: torch.randn(3) + 1, id="random numbers"),
        pytest.param(lambda: torch.empty(0) + torch.empty(0), id="memory of nothing"),
        pytest.param(lambda: written(lambda memory: memory.zero_()), id="zeroed"),
        pytest.param(lambda: written(lambda memory: memory.copy_(torch.ones(4, 3))), id="copied into"),
        pytest.param(
            lambda: written(lambda memory: memory.index_put_((torch.arange(4),), torch.ones(3))), id="index_put"
        ),
        pytest.param(lambda: written(lambda memory: memory[:2].fill_(1.0)), id="filled through a view"),
        pytest.param(lambda: written(lambda memory: torch.ones(4, 3, out=memory)), id="written as an output"),
        pytest.param(
            lambda: written(lambda memory: torch.add(torch.ones(4, 3), 1, out=memory)), id="written as a sum's output"
        ),
    ],
)
def test_ordinary_ops_raise_no_complaint_and_count_nothing(device, run):
    counted = count(run, device=device)
    assert (counted.value, counted.calls, counted.problem) == (0, (), "")


def test_memory_from_before_the_run_raises_no_complaint():
    weight = torch.empty(3, 4)
    assert count(lambda: torch.ones(2, 3) @ weight).problem == ""


def test_memory_that_is_used_again_raises_no_complaint():
    """What was allocated and dropped unwritten may come back under the same address with other content."""

    def run():
        for _ in range(20):
            torch.empty(3)
            torch.tensor([1.0, 2.0, 3.0]) + 1

    assert count(run).problem == ""


def test_complaints_of_both_sorts_stand_side_by_side():
    problem = count(lambda: multiply_past_torch() @ torch.ones(4)).problem
    assert "aten::mv ran 1 times" in problem
    assert PAST_THE_COUNTER in problem
    assert problem.count("Give a formula: ") == 1
