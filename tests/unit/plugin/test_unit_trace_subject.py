"""The trace of a module: what is alive, what has to be moved, and what it says of a run that cannot be trusted."""

import ctypes
import gc

import numpy as np
import pytest
import torch
from torch import nn

from pytest_dsocr import Subject
from pytest_dsocr.errors import MeasurementError, NotSupportedError
from pytest_dsocr.measure.alive import Alive
from pytest_dsocr.measure.trace import trace_subject
from pytest_dsocr.measure.traced import TraceMeasurer, Tracer

ROWS = 4 * 8 * 4  # bytes of 4 rows of 8 numbers in fp32


def rows(device="meta"):
    return torch.zeros(4, 8, device=device)


def traced(module, *inputs):
    return trace_subject(Subject(module, lambda: (inputs, {})))


def running(forward, **tensors):
    """Make a module of a function, with tensors as its parameters."""

    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            for name, tensor in tensors.items():
                self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))

        def forward(self, *inputs):
            return forward(self, *inputs)

    return Module()


# --- what is alive ---


def test_inputs_are_alive_all_along():
    """x, and its square; then x, the square and their sum."""
    trace = traced(running(lambda _, x: x.square() + x), rows())
    assert (trace.activations.bytes, trace.activations.at.op) == (3 * ROWS, "aten::add.Tensor")


def test_what_nothing_holds_any_more_is_gone():
    """x, the square and its root; the square is gone when the sine is made."""
    trace = traced(running(lambda _, x: x.square().sqrt().sin()), rows())
    assert trace.activations.bytes == 3 * ROWS
    assert trace.activations.at.launch == 2


def test_of_equal_peaks_the_first_counts():
    trace = traced(running(lambda _, x: [x.exp() is None for _ in range(3)]), rows())
    assert (trace.activations.at.launch, len(trace.launches)) == (1, 3)


def test_a_view_takes_no_memory_and_holds_what_it_looks_at():
    """The whole square stays as long as its first row does."""
    trace = traced(running(lambda _, x: x.square()[0].exp()), rows())
    assert trace.activations.bytes == 2 * ROWS + 8 * 4


def test_what_is_allocated_belongs_to_the_launch_that_comes_next():
    """Before: one launch. Then 4 rows are allocated, and filled by the second."""

    def forward(_, x):
        y = x.exp()
        return torch.empty_like(x).copy_(y)

    at = traced(running(forward), rows()).activations.at
    assert (at.op, at.launch) == ("aten::empty_like", 2)


def test_weights_and_buffers_are_no_activations_and_weights_are_allocated():
    """16 x 8 weights; x and 4 rows of 16."""
    linear = nn.Linear(8, 16, bias=False, device="meta")
    linear.register_buffer("kept", torch.zeros(1000, device="meta"))
    trace = traced(linear, rows())
    assert trace.activations.bytes == 3 * ROWS
    assert trace.allocated.bytes == 3 * ROWS + 16 * 8 * 4


class Cache:
    """A cache of one layer, as transformers has them."""

    def __init__(self, keys, values):
        self.layers = [type("Layer", (), {"keys": keys, "values": values})()]


def test_a_cache_is_told_apart_and_is_allocated_twice_while_it_grows():
    """One row is put to 4, of keys alone: 4 old rows, 5 new ones, 4 of values; and the new row is an input."""

    def forward(_, x, cache):
        cache.layers[0].keys = torch.cat([cache.layers[0].keys, x])

    cache, row = Cache(rows(), rows()), torch.zeros(1, 8, device="meta")
    trace = traced(running(forward), row, cache)
    assert [part.bytes for part in trace.kv_cache] == [5 * 32, 4 * 32]
    assert trace.activations.bytes == 32
    assert trace.allocated.bytes == (4 + 5 + 4 + 1) * 32


def test_memory_that_grows_is_followed():
    """4 rows of a buffer of its own, made 12, beside x and, at last, the sum of 4."""

    def forward(_, x):
        y = x.exp()
        y.resize_(12, 8)
        return y[:4] + x

    trace = traced(running(forward), rows())
    assert trace.activations.bytes == (4 + 12 + 4) * 32
    assert [one.op for one in trace.activations.storages] == ["aten::resize_", "input", "aten::add.Tensor"]


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_an_output_that_was_empty_grows_as_it_is_written(device):
    def forward(_, x):
        out = torch.empty(0, device=x.device)
        torch.add(x, x, out=out)
        return out

    trace = traced(running(forward), rows(device))
    assert trace.activations.bytes == 2 * ROWS
    assert (trace.activations.at.op, trace.activations.at.launch) == ("aten::add.out", 1)


def test_what_grew_and_is_held_no_longer_is_gone():
    def forward(_, x):
        torch.empty(0, device=x.device).resize_(100, 8)
        return x + x

    trace = traced(running(forward), rows())
    assert trace.activations.bytes == 100 * 32 + ROWS
    assert traced(running(lambda self, x: (forward(self, x), x.exp())[1]), rows()).activations.bytes == 104 * 32


def test_a_cache_that_is_passed_twice_is_there_once():
    cache = Cache(rows(), rows())
    trace = trace_subject(Subject(running(lambda *_: None), lambda: ((cache, [cache]), {})))
    assert [part.bytes for part in trace.kv_cache] == [ROWS, ROWS]
    assert trace.allocated.bytes == 2 * ROWS


# --- what has to be moved ---


def compulsory(trace):
    return [(part.what, part.name, part.bytes) for part in trace.compulsory]


def test_each_input_weight_and_output_has_to_be_moved_once():
    trace = traced(running(lambda self, x: (x @ self.w + x) @ self.w, w=torch.zeros(8, 8, device="meta")), rows())
    assert compulsory(trace) == [("input", "0", ROWS), ("parameter", "w", 8 * 8 * 4), ("output", "", ROWS)]


def test_of_a_table_only_what_is_looked_up_has_to_be_moved():
    """3 of 100 rows of 8, and 3 int64."""
    table = nn.Embedding(100, 8, device="meta")
    trace = traced(table, torch.zeros(3, dtype=torch.int64, device="meta"))
    assert compulsory(trace) == [("input", "0", 24), ("parameter", "weight", 3 * 32), ("output", "", 3 * 32)]


def test_what_is_not_read_need_not_be_moved():
    trace = traced(running(lambda _, x, y: x.exp(), w=torch.zeros(8, device="meta")), rows(), rows())
    assert compulsory(trace) == [("input", "0", ROWS), ("output", "", ROWS)]


def test_an_input_that_is_given_back_is_no_output():
    assert compulsory(traced(running(lambda _, x: x.view(8, 4)), rows())) == []


@pytest.mark.parametrize(
    ("run", "written"),
    [
        pytest.param(lambda x: (x + x)[0], 4, id="a part of what was made"),
        pytest.param(lambda x: (x + x, x * x), 64, id="two"),
        pytest.param(lambda x: (x + x).split(4), 32, id="two halves of one"),
        pytest.param(lambda x: (one := x + x, one[:1]), 32, id="one and a view of it"),
        pytest.param(lambda x: (x[:1], x), 0, id="views of the input"),
    ],
)
def test_outputs_that_share_memory_are_written_once(run, written):
    """8 numbers of 4 bytes."""
    parts = traced(run, torch.empty(8, device="meta")).compulsory
    assert sum(part.bytes for part in parts if part.what == "output") == written


def test_a_cache_has_to_be_moved_once():
    """4 old rows are read, 1 is written: 5, of keys, and 4 of values."""

    def forward(_, x, cache):
        cache.layers[0].keys = torch.cat([cache.layers[0].keys, x])

    trace = traced(running(forward), torch.zeros(1, 8, device="meta"), Cache(rows(), rows()))
    assert compulsory(trace) == [("input", "0", 32), ("cache", "", 5 * 32), ("cache", "", 4 * 32)]


# --- runs that cannot be trusted ---


def test_a_module_that_raises_is_no_result():
    """It says how far it came, and where."""

    def forward(_, x):
        raise ValueError("no such luck") from None

    module = nn.Sequential(nn.GELU(), running(forward))
    with pytest.raises(MeasurementError, match=r"^the module raised ValueError after 1 launches, in 1: no such luck$"):
        traced(module, rows())


def test_a_module_that_cannot_run_here_is_not_run():
    def forward(_, x):
        raise NotSupportedError("not here")

    with pytest.raises(NotSupportedError):
        traced(running(forward), rows())


def test_after_a_module_that_raised_the_next_one_is_traced():
    tracer, broken = Tracer(), Subject(running(lambda _, x: x @ x), lambda: ((rows(),), {}))
    measurer = TraceMeasurer("launches", tracer)
    for _ in range(2):
        with pytest.raises(MeasurementError):
            measurer.measure(broken, device="meta")
    assert measurer.measure(Subject(nn.GELU(), lambda: ((rows(),), {})), device="meta").value == 1


MEMORY = ["activation_bytes", "peak_launch", "allocated_bytes", "compulsory_bytes"]
ALL = [*MEMORY, "launches", "io_bytes", "cuda_flops"]


def problems(module, *inputs):
    """Measure everything, and list the metrics that have a problem, with the one that it is."""
    subject, tracer = Subject(module, lambda: (inputs, {})), Tracer()
    found = {name: TraceMeasurer(name, tracer).measure(subject, device="cpu").problem for name in ALL}
    return [name for name, problem in found.items() if problem], max(found.values())


def test_memory_that_torch_did_not_make_is_a_problem_of_memory():
    """32 bytes that a bytearray holds: nobody knows when they are alive."""
    metrics, problem = problems(
        running(lambda _, x: x + torch.frombuffer(bytearray(32), dtype=torch.float32)), rows("cpu")
    )
    assert metrics == MEMORY
    assert problem.startswith("32 bytes were read (in the top level) that are no input, parameter or buffer")


def test_a_tensor_that_a_module_keeps_as_a_plain_attribute_is_one_too():
    module = running(lambda self, x: x + self.kept)
    module.kept = torch.zeros(8)
    metrics, problem = problems(module, rows("cpu"))
    assert metrics == MEMORY
    assert problem.startswith("32 bytes were read")


def test_a_kernel_that_ran_past_torch_is_a_problem_of_all():
    """C wrote what torch allocated."""

    def forward(_, x):
        y = torch.empty(4, 8)
        ctypes.memset(y.data_ptr(), 0, y.nbytes)
        return x + y

    metrics, problem = problems(running(forward), rows("cpu"))
    assert metrics == ALL
    assert problem.startswith("memory allocated in the top level was read 1 times and written by no op")


@pytest.mark.parametrize(
    "take",
    [
        pytest.param(torch.from_numpy, id="from_numpy"),
        pytest.param(torch.as_tensor, id="as_tensor"),
        pytest.param(torch.tensor, id="a copy"),
        pytest.param(lambda array: torch.from_numpy(array)[None].view(8), id="from_numpy, through views"),
    ],
)
def test_what_numpy_worked_out_is_a_problem_of_all(take):
    """Nobody saw how its memory was filled."""
    metrics, problem = problems(running(lambda _, x: x + take(np.zeros(8, np.float32))), rows("cpu"))
    assert metrics == ALL
    assert problem.startswith("memory from outside of torch (numpy's), taken in by torch.from_numpy or the like in the")


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda x: x + torch.tensor([1.0] * 8, device=x.device), id="tensor"),
        pytest.param(lambda x: x + torch.tensor([1.0] * 8).to(x.device), id="tensor, brought to the device"),
        pytest.param(lambda x: x + torch.tensor(1.0), id="tensor of one number, on the CPU"),
        pytest.param(lambda x: x + torch.as_tensor([1.0] * 8, device=x.device), id="as_tensor"),
        pytest.param(lambda x: x + x.new_tensor([1.0] * 8), id="new_tensor"),
        pytest.param(lambda x: x + torch.arange(8, device=x.device), id="arange"),
        pytest.param(lambda x: x[[0, 2]], id="a list of indices"),
        pytest.param(lambda x: x[:, [0, 2]], id="a list of indices after a slice"),
    ],
)
def test_tensors_of_numbers_are_seen_where_they_come_in(run, device):
    assert problems(running(lambda _, x: run(x)), rows(device)) == ([], "")


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_tensors_of_numbers_are_alive_as_long_as_any(device):
    """x, 8 numbers, and their sum."""
    module = running(lambda _, x: x + x.new_tensor([1.0] * 8))
    assert traced(module, rows(device)).activations.bytes == 2 * ROWS + 32


# --- what a trace leaves behind ---


def test_a_trace_lets_go_of_what_it_watched():
    """A module outlives its traces: nothing of them hangs on its weights."""
    linear = nn.Linear(8, 16, device="meta")
    traced(linear, rows())
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) is Alive]


def test_attention_may_be_called_by_keywords():
    query = torch.zeros(1, 2, 3, 16, device="meta")
    attend = torch.nn.functional.scaled_dot_product_attention
    by_name = traced(running(lambda _, q: attend(query=q, key=q, value=q)), query)
    assert by_name.launches == traced(running(lambda _, q: attend(q, q, q)), query).launches
    assert len(by_name.launches) == 1
