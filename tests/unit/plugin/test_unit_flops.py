"""The honest counter: what it counts, and what it says that it could not count."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from pytest_dsocr import MeasurementError, Subject
from pytest_dsocr.measure import canary
from pytest_dsocr.measure.canary import CANARIES
from pytest_dsocr.measure.flops import FlopMeasurer, count_flops
from pytest_dsocr.measure.formulas import FORMULAS, attention_flops

DEVICES = pytest.mark.parametrize("device", ["meta", "cpu"])


def count(run, *, device="cpu", formulas=FORMULAS):
    """Count what ``run`` does with tensors that it makes on ``device``."""
    with torch.device(device):
        return count_flops(run, formulas, device)


class Block(torch.nn.Module):
    """Two linears, one of them in a submodule, and a product of its own."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(3, 4)
        self.inner = torch.nn.Sequential(torch.nn.GELU(), torch.nn.Linear(4, 5, bias=False))

    def forward(self, x):
        y = self.inner(self.first(x))
        return y @ y.T


@pytest.fixture
def subject():
    """Run a :class:`Block` on two rows."""
    return Subject(Block(), lambda: ((torch.ones(2, 3),), {}))


def test_a_count_is_broken_down_by_op_and_module(subject):
    """[2, 3] @ [3, 4], [2, 4] @ [4, 5], [2, 5] @ [5, 2]: 48 + 80 + 40."""
    counted = count_flops(subject.run, {}, "cpu")
    assert [(call.op, call.module, call.shapes[-2:], call.count) for call in counted.calls] == [
        ("aten::addmm", "first", ((2, 3), (3, 4)), 48),
        ("aten::mm", "inner.1", ((2, 4), (4, 5)), 80),
        ("aten::mm", "", ((2, 5), (5, 2)), 40),
    ]
    assert (counted.value, counted.spread, counted.problem) == (48 + 80 + 40, None, "")


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.name)
@DEVICES
def test_ops_of_known_size_are_counted_right(canary, device):
    counted = count_flops(canary.prepare(device), FORMULAS, device)
    assert (counted.value, counted.problem) == (canary.flops, "")
    assert sum(call.count for call in counted.calls) == counted.value


def test_attention_on_a_cpu_is_counted_as_its_two_matmuls():
    """2 heads, 3 positions over 5 keys, 4 channels: [2, 3, 4] @ [2, 4, 5] and [2, 3, 5] @ [2, 5, 4]."""

    def run():
        key = torch.ones(1, 2, 5, 4)
        return functional.scaled_dot_product_attention(torch.ones(1, 2, 3, 4), key, key)

    counted = count(run)
    assert [call.count for call in counted.calls] == [2 * 2 * 3 * 5 * 4, 2 * 2 * 3 * 4 * 5]
    assert counted.problem == ""


@DEVICES
def test_work_without_gradients_is_all_that_is_counted(device):
    weight = torch.ones(4, 4, device=device, requires_grad=True)
    counted = count(lambda: torch.ones(2, 4) @ weight, device=device)
    assert counted.value == 2 * 2 * 4 * 4


# --- what the counter cannot count ---


def flash_on_a_cpu():
    query = torch.ones(1, 2, 8, 16)
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(query, query, query)[0]  # noqa: SLF001


def test_fused_attention_without_a_formula_is_named():
    problem = count(flash_on_a_cpu, formulas={}).problem
    assert "aten::_scaled_dot_product_flash_attention_for_cpu ran 1 times (in the top level)" in problem
    assert "does matrix work and has no FLOP formula" in problem
    assert problem.endswith("Give a formula: ini dsocr_flop_formulas, or hook pytest_dsocr_flop_formulas")


def test_fused_attention_is_counted_once_a_formula_is_given():
    """2 products of 2 heads, 8 positions, 8 keys, 16 channels."""
    counted = count(flash_on_a_cpu, formulas={"aten::_scaled_dot_product_flash_attention_for_cpu": attention_flops})
    assert (counted.value, counted.problem) == (2 * (2 * 2 * 8 * 8 * 16), "")


@pytest.mark.parametrize(
    ("op", "run"),
    [
        pytest.param("aten::mv", lambda: torch.ones(3, 4) @ torch.ones(4), id="matrix by vector"),
        pytest.param("aten::dot", lambda: torch.ones(4) @ torch.ones(4), id="vector by vector"),
        pytest.param("aten::addr", lambda: torch.addr(torch.ones(3, 4), torch.ones(3), torch.ones(4)), id="outer sum"),
        pytest.param("aten::_grouped_mm", CANARIES[-1].prepare("cpu"), id="grouped matmul"),
        pytest.param("aten::mkldnn_rnn_layer", lambda: torch.nn.LSTM(3, 4)(torch.ones(5, 2, 3))[0], id="LSTM"),
        pytest.param(
            "aten::_trilinear",
            lambda: functional.bilinear(torch.ones(2, 3), torch.ones(2, 4), torch.ones(5, 3, 4)),
            id="bilinear layer",
        ),
    ],
)
def test_matrix_work_without_a_formula_is_named(op, run):
    assert f"{op} ran 1 times" in count(run, formulas={}).problem


def test_an_op_that_was_not_counted_is_named_once_with_the_modules_that_it_ran_in():
    class Vector(torch.nn.Module):
        def forward(self, x):
            return x @ x[0]

    model = torch.nn.ModuleDict({"one": Vector(), "two": Vector()})
    model.forward = lambda x: (model["one"](x), model["two"](x), model["two"](x), x @ x[0])
    problem = count(lambda: model(torch.ones(3, 3))).problem
    assert problem.startswith("aten::mv ran 4 times (in one, two, the top level), does matrix work and has no FLOP")
    assert problem.count("aten::mv") == 1


def test_what_can_be_counted_is_counted_beside_what_cannot():
    counted = count(lambda: (torch.ones(2, 3) @ torch.ones(3, 4), torch.ones(4) @ torch.ones(4)))
    assert counted.value == 2 * 2 * 3 * 4
    assert "aten::dot" in counted.problem


# --- the measurer proves itself first ---


@DEVICES
def test_a_measurement_is_a_count_of_one_run(subject, device):
    subject.module.to(device)
    moved = Subject(subject.module, lambda: ((torch.ones(2, 3, device=device),), {}))
    assert FlopMeasurer(FORMULAS).measure(moved, device=device).value == 48 + 80 + 40


@DEVICES
@pytest.mark.parametrize(
    ("op", "name", "by_hand"),
    [
        ("aten::mm", "a matmul", "6,144"),
        ("aten::convolution", "a convolution", "27,648"),
        ("aten::bmm", "an attention", "73,728"),
        ("aten::_grouped_mm", "a grouped matmul", "12,288"),
    ],
    ids=["matmul", "convolution", "attention", "grouped matmul"],
)
def test_a_formula_that_lies_about_an_op_of_known_size_stops_the_measurement(subject, device, op, name, by_hand):
    """2 * 8 * 24 * 16; 2 * 128 * 4 * 27; 2 * 2 * 6 * 8 * 24 * 16; 2 * 12 * 32 * 16."""
    measurer = FlopMeasurer({**FORMULAS, op: lambda *shapes, **kwargs: 1})
    with pytest.raises(
        MeasurementError, match=f"^the FLOP counter miscounts {name} on {device}: got .* it is {by_hand} by hand"
    ):
        measurer.measure(subject, device=device)


def test_an_op_of_known_size_without_a_formula_stops_the_measurement(subject):
    with pytest.raises(MeasurementError, match=r"a grouped matmul on cpu: got 0, .* aten::_grouped_mm ran 1 times"):
        FlopMeasurer({}).measure(subject, device="cpu")


def test_a_measurer_that_failed_its_proof_has_to_pass_it_again(subject):
    measurer = FlopMeasurer({})
    for _ in range(2):
        with pytest.raises(MeasurementError, match="a grouped matmul"):
            measurer.measure(subject, device="cpu")


def test_an_op_that_a_device_does_not_have_proves_nothing(subject, monkeypatch):
    def prepare(device):
        raise NotImplementedError(device)

    absent = type(CANARIES[0])("a unicorn", 7, prepare)
    monkeypatch.setattr("pytest_dsocr.measure.canary.CANARIES", (absent, CANARIES[0]))
    assert FlopMeasurer({}).measure(subject, device="cpu").value == 48 + 80 + 40


def test_a_device_on_which_no_canary_runs_is_not_believed(monkeypatch):
    def lost(device):
        raise RuntimeError(device)

    monkeypatch.setattr(canary, "CANARIES", tuple(replace(one, prepare=lost) for one in canary.CANARIES))
    with pytest.raises(MeasurementError, match="could not be proven on meta: none of 4 ops of known size ran"):
        FlopMeasurer(FORMULAS).measure(Subject(torch.nn.Identity(), lambda: ((), {})), device="meta")
