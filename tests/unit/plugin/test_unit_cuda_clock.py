"""Clocks of a card, with calls in the place of torch's: what is called, in which order, and what comes of it."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from pytest_dsocr.measure import cuda_clock
from pytest_dsocr.measure.cuda_clock import LEAD_CYCLES, WARM_UP_RUNS, CudaEventClock, CudaGraphClock


class Card:
    """Stands for ``torch.cuda``: notes the calls; its time moves by 2 ms a run and by 1 ms a replay."""

    def __init__(self):
        self.calls = []
        self.milliseconds = 0.0
        self.refuses = ""
        self.stream_now = "usual"

    def run(self):
        self.calls.append("run")
        self.milliseconds += 2.0
        return "made"

    def synchronize(self):
        self.calls.append("synchronize")

    def _sleep(self, cycles):
        assert cycles == LEAD_CYCLES
        self.calls.append("lead")
        self.milliseconds += 500.0

    def current_stream(self):
        return SimpleNamespace(name=self.stream_now, wait_stream=lambda other: None)

    def set_stream(self, stream):
        self.stream_now = stream.name

    @contextmanager
    def device(self, name):
        self.on = name
        yield

    @contextmanager
    def stream(self, stream):
        before, self.stream_now = self.stream_now, stream.name
        yield
        self.stream_now = before

    @contextmanager
    def graph(self, graph):
        """Leave the stream of the capture current when it fails, as torch does."""
        self.calls.append("capture")
        before, self.stream_now = self.stream_now, "capture"
        yield
        if self.refuses:
            raise RuntimeError(self.refuses)
        self.stream_now = before

    def Stream(self):  # noqa: N802 - torch's name
        return SimpleNamespace(name="side", wait_stream=lambda other: None)

    def CUDAGraph(self):  # noqa: N802 - torch's name
        def replay():
            self.calls.append("replay")
            self.milliseconds += 1.0

        return SimpleNamespace(replay=replay)

    def Event(self, *, enable_timing):  # noqa: N802 - torch's name
        assert enable_timing
        event = SimpleNamespace(at=None)

        def record():
            self.calls.append("event")
            event.at = self.milliseconds

        event.record = record
        event.synchronize = lambda: self.calls.append("wait")
        event.elapsed_time = lambda other: other.at - event.at
        return event


@pytest.fixture
def card(monkeypatch):
    made = Card()
    monkeypatch.setattr(cuda_clock, "torch", SimpleNamespace(cuda=made))
    return made


def test_events_stand_around_a_run_on_a_device_that_is_idle(card):
    assert CudaEventClock("cuda:1").seconds(card.run) == pytest.approx(0.002)
    assert card.calls == ["synchronize", "event", "run", "event", "wait"]
    assert card.on == "cuda:1"


def test_a_lead_is_no_part_of_the_time(card):
    assert CudaEventClock("cuda:0", lead_cycles=LEAD_CYCLES).seconds(card.run) == pytest.approx(0.002)
    assert card.calls == ["synchronize", "lead", "event", "run", "event", "wait"]


def test_a_run_is_captured_once_after_its_warm_up_and_replayed(card):
    clock = CudaGraphClock("cuda:0", lambda: card.calls.append("renew"))
    assert [clock.seconds(card.run) for _ in range(2)] == [pytest.approx(0.001)] * 2
    timed = ["synchronize", "lead", "event", "replay", "event", "wait"]
    assert card.calls == ["renew", "run"] * WARM_UP_RUNS + ["renew", "capture", "run"] + timed * 2
    assert (clock.captured, clock.note) == (True, "")


def test_another_run_is_captured_anew(card):
    clock = CudaGraphClock("cuda:0")
    for run in (card.run, lambda: None):
        clock.seconds(run)
    assert card.calls.count("capture") == 2


def test_what_cannot_be_captured_is_timed_as_it_comes_and_says_so(card):
    card.refuses = "operation not permitted when stream is capturing\nmore lines"
    clock = CudaGraphClock("cuda:0", lambda: card.calls.append("renew"))
    assert clock.seconds(card.run) == pytest.approx(0.002)
    assert clock.note == "no CUDA graph, timed eager: operation not permitted when stream is capturing"
    assert not clock.captured
    assert card.calls[-6:] == ["renew", "synchronize", "event", "run", "event", "wait"]


def test_a_failed_capture_leaves_the_stream_that_was_current(card):
    card.refuses = "no"
    CudaGraphClock("cuda:0").seconds(card.run)
    assert card.stream_now == "usual"


def test_a_failed_capture_is_not_tried_again(card):
    card.refuses = "no"
    clock = CudaGraphClock("cuda:0")
    for _ in range(3):
        clock.seconds(card.run)
    assert card.calls.count("capture") == 1


def test_a_run_that_fails_in_the_warm_up_fails(card):
    def fails():
        raise RuntimeError("CUDA out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        CudaGraphClock("cuda:0").seconds(fails)
