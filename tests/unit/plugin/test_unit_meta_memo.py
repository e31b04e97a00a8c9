"""What is remembered of kernels on meta, and what is not."""

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from dsocr_cost import DecoderConfig
from dsocr_cost.layers import DeepseekV2DecoderLayer
from pytest_dsocr import Case
from pytest_dsocr.measure.flops import count_flops
from pytest_dsocr.measure.formulas import FORMULAS
from pytest_dsocr.measure.memo import MetaMemo
from pytest_dsocr.reference.transformers import TransformersReference

ATEN = torch.ops.aten


UNSAFE_VIEW = ATEN._unsafe_view.default  # noqa: SLF001 - an op, private by its name only


class Memo(TorchDispatchMode):
    """Counts how often an op that a memo is asked for really runs."""

    def __init__(self):
        super().__init__()
        self.memo, self.ran = MetaMemo(), 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.ran += func is self.asked
        return func(*args, **kwargs or {})

    def run(self, func, args, kwargs):
        self.asked = func
        with self:
            return self.memo.run(func, args, kwargs)


@pytest.fixture
def memo():
    return Memo()


def same_memory(one, other):
    return StorageWeakRef(one.untyped_storage()) == StorageWeakRef(other.untyped_storage())


def meta(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


def described(tensor):
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device


def test_a_second_call_makes_a_tensor_of_its_own(memo):
    a, b = meta(3, 4), meta(4, 5)
    first, second = (memo.run(ATEN.mm.default, (a, b), {}) for _ in range(2))
    assert memo.ran == 1
    assert described(first) == described(second) == described(torch.mm(a, b))
    assert not same_memory(first, second)


def test_several_results_are_remembered_together(memo):
    x = meta(2, 8, 16)
    layer_norm = (x, [16], meta(16), meta(16), 1e-5)
    first, second = (memo.run(ATEN.native_layer_norm.default, layer_norm, {}) for _ in range(2))
    assert memo.ran == 1
    assert [described(one) for one in first] == [described(one) for one in second]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param((meta(3, 4), 1), (meta(3, 4), 1.0), id="an int and a float: the result's dtype differs"),
        pytest.param((meta(3, 4), 1), (meta(3, 4), True), id="an int and a bool"),
        pytest.param((meta(3, 4), 1), (meta(4, 3), 1), id="another shape"),
        pytest.param((meta(3, 4), 1), (meta(4, 3).t(), 1), id="other strides"),
        pytest.param((meta(3, 4), 1), (meta(3, 4, dtype=torch.int64), 1), id="another dtype"),
    ],
)
def test_other_arguments_run_anew(memo, first, second):
    memo.run(ATEN.add.Scalar, first, {})
    got = memo.run(ATEN.add.Scalar, second, {})
    assert memo.ran == 2
    assert described(got) == described(torch.add(*second))


@pytest.mark.parametrize(
    ("op", "args"),
    [
        pytest.param(ATEN.add_.Scalar, (meta(3), 1), id="one that writes its argument"),
        pytest.param(ATEN.view.default, (meta(6), [2, 3]), id="a view"),
        pytest.param(UNSAFE_VIEW, (meta(6), [2, 3]), id="a view that does not say so"),
        pytest.param(ATEN.add.Scalar, (torch.zeros(3), 1), id="one on another device"),
        pytest.param(ATEN.add.Tensor, (meta(3), torch.tensor(1.0)), id="one that reads another device too"),
        pytest.param(ATEN.mul.Scalar, (meta(3, dtype=torch.complex64).conj(), 2), id="a lazily conjugated argument"),
        pytest.param(ATEN.empty.memory_format, ([2, 3],), id="one without tensors"),
    ],
)
def test_what_is_no_pure_function_of_meta_tensors_always_runs(memo, op, args):
    kwargs = {"device": "meta"} if op is ATEN.empty.memory_format else {}
    for _ in range(3):
        memo.run(op, args, kwargs)
    assert memo.ran == 3


def test_a_view_shares_the_memory_of_its_argument(memo):
    x = meta(6)
    views = [memo.run(UNSAFE_VIEW, (x, [2, 3]), {}) for _ in range(2)]
    assert all(same_memory(view, x) for view in views)


def test_a_count_is_the_same_with_and_without(monkeypatch):
    layer = DeepseekV2DecoderLayer(DecoderConfig(), 1)
    case = Case("prefill", batch=1, q_len=20, kv_len=20)
    subject = TransformersReference().subject(layer, case, device="meta", dtype="bfloat16", attention="sdpa")

    def count():
        args, kwargs = subject.inputs()
        return count_flops(lambda: subject.module(*args, **kwargs), FORMULAS, "meta")

    remembered = count()
    monkeypatch.setattr(MetaMemo, "_key", lambda *_: None)
    assert count() == remembered
