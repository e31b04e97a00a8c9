"""Memory on a card, with an allocator of our own in the place of torch's: what is read of it, and what is taken off."""

import pytest
import torch
from torch import nn

from pytest_dsocr import Subject
from pytest_dsocr.errors import MeasurementError, NotSupportedError
from pytest_dsocr.measure import cuda_memory
from pytest_dsocr.measure.trace import trace
from pytest_dsocr.measure.traced import TraceMeasurer, Tracer

WEIGHTS, ROWS = 8 * 16 * 4, 4 * 8 * 4


class Card:
    """A card of 1,000,000 bytes: what is allocated, at most, and reserved; 70,000 are the context's."""

    def __init__(self):
        self.allocated, self.at_most, self.reserved = 5_000 + WEIGHTS + ROWS, 900_000, 20_000
        self.calls = []

    def run(self):
        self.at_most = self.allocated + 3_000

    def __getattr__(self, name):
        answers = {
            "memory_allocated": lambda: self.allocated,
            "max_memory_allocated": lambda: self.at_most,
            "memory_reserved": lambda: self.reserved,
            "max_memory_reserved": lambda: self.reserved + 4_000,
            "mem_get_info": lambda: (1_000_000 - 70_000 - self.reserved, 1_000_000),
        }

        def call(device=None):
            self.calls.append(name)
            if name == "reset_peak_memory_stats":
                self.at_most = self.allocated
            return answers.get(name, lambda: None)()

        return call


@pytest.fixture
def card(monkeypatch):
    trace(lambda: torch.zeros(1))  # torch looks at torch.cuda as a whole when it follows its first op
    made = Card()
    monkeypatch.setattr(cuda_memory.torch, "cuda", made)
    return made


@pytest.fixture
def subject(card):
    """Run a linear from 8 to 16 on 4 rows, which takes 3,000 bytes more on that card."""

    class Module(nn.Linear):
        def forward(self, x):
            card.run()
            return super().forward(x)

    return Subject(Module(8, 16, bias=False), lambda: ((torch.zeros(4, 8),), {}))


def test_the_most_that_was_allocated_without_what_others_hold(subject):
    """5,000 bytes are another module's: weights, input and 3,000 remain."""
    measured = TraceMeasurer("allocated_bytes", Tracer()).measure(subject, device="cuda:0")
    assert measured.value == WEIGHTS + ROWS + 3_000
    assert [(call.op, call.count) for call in measured.calls] == [
        ("parameter", WEIGHTS),
        ("input", ROWS),
        ("during the run", 3_000),
    ]


def test_what_is_reserved_and_the_context_stand_apart(subject):
    measured = cuda_memory.allocated_on_cuda(subject, "cuda:0")
    assert measured.details == {"reserved_bytes": 24_000, "cuda_context_bytes": 70_000, "memory_bytes": 1_000_000}


def test_the_peak_is_that_of_this_run_alone(subject, card):
    """Before it, 900,000 bytes had been allocated at a time."""
    cuda_memory.allocated_on_cuda(subject, "cuda:0")
    assert card.calls.index("reset_peak_memory_stats") < card.calls.index("max_memory_allocated")


def test_a_card_that_is_full_is_a_clear_error(card):
    def fails(x):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore lines")

    with pytest.raises(
        MeasurementError, match=r"^the module raised OutOfMemoryError: CUDA out of memory\. Tried .* GiB$"
    ):
        cuda_memory.allocated_on_cuda(Subject(fails, lambda: ((torch.zeros(1),), {})), "cuda:0")


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError], ids=lambda error: error.__name__)
def test_whatever_the_module_raises_is_a_clear_error(card, error):
    def fails(x):
        raise error("no such luck")

    with pytest.raises(MeasurementError, match=rf"^the module raised {error.__name__}: '?no such luck'?$"):
        cuda_memory.allocated_on_cuda(Subject(fails, lambda: ((torch.zeros(1),), {})), "cuda:0")


def test_a_module_that_cannot_run_here_is_not_run(card):
    def fails(x):
        raise NotSupportedError("not here")

    with pytest.raises(NotSupportedError, match=r"^not here$"):
        cuda_memory.allocated_on_cuda(Subject(fails, lambda: ((torch.zeros(1),), {})), "cuda:0")


def test_other_metrics_are_traced_on_a_card_too(subject):
    assert TraceMeasurer("launches", Tracer()).measure(subject, device="cuda:0").value == 1
