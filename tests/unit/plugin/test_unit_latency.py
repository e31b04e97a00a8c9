"""Measuring seconds, on a device and with a clock that do as they are told."""

import math
from types import SimpleNamespace

import pytest
import torch

from pytest_dsocr import Case, NotSupportedError, Prediction, Subject
from pytest_dsocr.measure import contention, device, latency
from pytest_dsocr.measure.allocator import keep_freed_memory
from pytest_dsocr.measure.contention import Usage
from pytest_dsocr.measure.latency import LatencyMeasurer
from pytest_dsocr.measure.lock import one_at_a_time
from pytest_dsocr.measure.nvml import GpuState
from pytest_dsocr.measure.settings import LatencySettings
from pytest_dsocr.measure.timing import Effort
from pytest_dsocr.metrics import LATENCY

KEPT = ", freed memory kept" if keep_freed_memory() else ""
EFFORT = Effort(seconds=0.0, warm_up_seconds=0.0)


class FakeClock:
    """Shows 0.25 s a run, or what it is given; runs what it times."""

    def __init__(self, *seconds, note="", captured=False):
        self._seconds = list(seconds)
        self.note, self.captured = note, captured

    def seconds(self, run):
        run()
        return self._seconds.pop(0) if self._seconds else 0.25


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """Measure a function of one tensor on a quiet machine: with its clock, settings, and tolerance."""
    monkeypatch.setattr("pytest_dsocr.measure.cache.last_level_bytes", lambda device: 64)
    monkeypatch.setattr(latency, "usage", lambda: Usage(0.0, 0.0, 0.0, 0.0))

    def run(module=lambda x: x, clock=None, *, on="cpu", rtol=0.1, **settings):
        settings = LatencySettings(**{"lock_timeout_s": 0.0, **settings})
        clock = clock or FakeClock()
        measurer = LatencyMeasurer(
            LATENCY.predict, settings, effort=EFFORT, clock_for=lambda device, run: clock, folder=tmp_path / "locks"
        )
        return measurer.within(rtol).measure(Subject(module, lambda: ((torch.zeros(3),), {})), device=on)

    run.folder = tmp_path / "locks"
    return run


@pytest.fixture
def card(monkeypatch):
    """Pretend that there is a card in a state; tensors stay on the CPU."""
    states = []
    monkeypatch.setattr(device, "card_of", lambda name: SimpleNamespace(uuid="1-2"))
    monkeypatch.setattr("pytest_dsocr.measure.cache.evictor", lambda cache, device: lambda: None)
    monkeypatch.setattr(latency, "state_of", lambda name: states.pop(0) if states else GpuState(2400))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    return states


def test_the_figure_is_the_median_and_all_rounds_stand_beside_it(measure):
    """Two runs of warm-up, then three times five rounds; their medians are 1, 2 and 3."""
    rounds = [1.0] * 5 + [2.0] * 5 + [3.0] * 5
    measured = measure(clock=FakeClock(9.0, 9.0, *rounds), rtol=9.0)
    assert measured.value == 2.0
    assert measured.samples == tuple(rounds)
    assert measured.spread == 0.5  # half of 3 - 1, over 2
    assert measured.details == {
        "mean_s": 2.0,
        "stdev_s": 1.0,
        "minimum_s": 1.0,
        "rounds": 15,
        "repeats": 3,
        "retries": 0,
        "contention": 0.0,
    }
    assert (measured.problem, measured.doubt) == ("", "")


@pytest.mark.parametrize("repeats", [1, 2, 7])
def test_it_is_repeated_as_often_as_asked(measure, repeats):
    assert measure(repeats=repeats).details["rounds"] == 5 * repeats


def test_the_tolerance_decides_what_is_tried_again(measure):
    """Half the range is 0.1 of the median."""
    rounds = (9.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.2)
    retries = [measure(clock=FakeClock(*rounds), rtol=rtol, repeats=1).details["retries"] for rtol in (0.2, 0.05)]
    assert retries == [0, 1]


def test_no_gradients_are_kept(measure):
    on = []
    measure(lambda x: on.append(torch.is_grad_enabled()))
    assert set(on) == {False}


@pytest.mark.parametrize("cache", ["cold", "warm"])
def test_caches_are_cold_or_warm_before_each_run_and_the_row_says_which(measure, monkeypatch, cache):
    asked = []
    monkeypatch.setattr("pytest_dsocr.measure.cache.evictor", lambda *given: lambda: asked.append(given))
    measured = measure(cache=cache, repeats=1)
    assert asked == [(cache, "cpu")] * (2 + 5)
    assert measured.notes == f"{cache} cache{KEPT}, eager, spread by scatter of the rounds"


def test_a_busy_machine_is_in_the_spread(measure, monkeypatch):
    """The other of two cores is busy: half of the machine, but for a tick a core."""
    readings = iter(Usage(2.0 * second, 0.0, 1.0 * second, 1.0 * second) for second in range(100))
    monkeypatch.setattr(latency, "usage", lambda: next(readings))
    monkeypatch.setattr(latency.os, "cpu_count", lambda: 2)
    measured = measure()
    assert measured.spread == measured.details["contention"] == pytest.approx(0.5 - contention.TICK)
    assert measured.details["retries"] == EFFORT.retries
    assert measured.notes == f"cold cache{KEPT}, eager, spread by others' use of the CPU"


# --- what cannot be measured ---


@pytest.mark.parametrize(
    ("on", "settings", "words"),
    [
        ("meta", {}, "time needs a real device: give --dsocr-device cpu or cuda"),
        ("mps:0", {}, "time is measured on cpu and cuda, and this module is on mps:0"),
        ("cpu", {"launch": "graph"}, "--dsocr-launch graph needs a CUDA device, and this is measured on cpu"),
    ],
    ids=["meta", "another accelerator", "a graph on a CPU"],
)
def test_where_there_is_no_time_to_be_had_it_is_not_run(measure, on, settings, words):
    with pytest.raises(NotSupportedError, match=f"^{words}$"):
        measure(on=on, **settings)


def fails_in_run(number, error):
    """Fail in a run, and no more after it."""
    ran = []

    def run(x):
        ran.append(x)
        if len(ran) == number:
            raise error

    return run


@pytest.mark.parametrize("number", [1, 2, 5], ids=["first run", "warm-up", "mid-run"])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory.\nmore"), "OutOfMemoryError: CUDA out of memory."),
        (RuntimeError("CUDA error: device lost"), "RuntimeError: CUDA error: device lost"),
        (MemoryError("no memory"), "MemoryError: no memory"),
    ],
    ids=["card full", "card lost", "host full"],
)
@pytest.mark.parametrize("on", ["cpu", "cuda:0"])
def test_a_run_that_fails_is_a_problem_and_the_device_is_free_for_the_next(measure, card, on, number, error, told):
    measured = measure(fails_in_run(number, error), on=on)
    assert measured.problem == f"the module raised {told}"
    assert math.isnan(measured.value)
    assert measure(on=on).value == 0.25


def test_a_lost_card_that_refuses_to_be_cleaned_is_the_same_problem(measure, card, monkeypatch):
    def lost():
        raise RuntimeError("device lost")

    monkeypatch.setattr(torch.cuda, "empty_cache", lost)
    assert measure(fails_in_run(1, RuntimeError("gone")), on="cuda:0").problem == "the module raised RuntimeError: gone"


def test_a_device_that_others_measure_on_is_a_problem(measure):
    with one_at_a_time("cpu", timeout_s=0, folder=measure.folder):
        assert measure().problem.startswith("cpu is being measured by process ")


def test_a_mistake_in_the_test_is_no_problem_of_the_measurement(measure):
    with pytest.raises(TypeError):
        measure(lambda: None)


# --- on a card ---


def test_a_replay_says_so_and_keeps_the_inputs_that_were_captured(measure, card):
    seen = []
    measured = measure(lambda x: seen.append(id(x)), FakeClock(captured=True), on="cuda:0")
    assert measured.notes.startswith("cold cache, CUDA graph, spread by ")
    assert len(set(seen)) == 1


def test_what_the_clock_has_to_say_stands_in_the_notes(measure, card):
    measured = measure(clock=FakeClock(note="no CUDA graph, timed eager: it waits"), on="cuda:0")
    assert measured.notes.endswith(", no CUDA graph, timed eager: it waits")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_throttled_clock_makes_the_time_doubtful(measure, card, when):
    hot, cool = GpuState(900, ("power brake", "hardware slowdown")), GpuState(2400)
    card.extend([hot, cool] if when == "before" else [cool, hot])
    measured = measure(on="cuda:0")
    assert measured.doubt == "the card was throttled: power brake, hardware slowdown"
    assert measured.details["sm_clock_mhz"] == (2400 if when == "before" else 900)


def test_a_card_that_tells_no_clock_has_none_in_the_row(measure, card):
    card.extend([GpuState(), GpuState()])
    assert "sm_clock_mhz" not in measure(on="cuda:0").details


@pytest.mark.parametrize(
    ("launch", "on", "clock"),
    [
        (None, "cuda:0", "CudaGraphClock"),
        ("graph", "cuda:0", "CudaGraphClock"),
        ("eager", "cuda:0", "CudaEventClock"),
        (None, "cpu", "WallClock"),
        ("eager", "cpu", "WallClock"),
    ],
)
def test_the_launch_decides_the_clock(launch, on, clock):
    measurer = LatencyMeasurer(LATENCY.predict, LatencySettings(launch=launch))
    made = measurer._usual_clock(on, SimpleNamespace(renew=lambda: None))  # noqa: SLF001 - it runs on a card only
    assert type(made).__name__ == clock


# --- what is predicted ---


def test_what_predicts_is_passed_in():
    measurer = LatencyMeasurer(lambda layer, case, execution: Prediction(7.0, source="a profile"))
    assert measurer.within(0.2).metric.predict(None, None, None) == Prediction(7.0, source="a profile")
    assert (measurer.metric.name, measurer.metric.family, measurer.metric.one_sided) == ("latency_s", "latency", True)


@pytest.mark.parametrize(
    ("given", "predicted"),
    [
        (0.5, Prediction(0.5)),
        (lambda rows: rows / 8, Prediction(0.5)),
        (Prediction(0.5, floor=0.1), Prediction(0.5, floor=0.1)),
        (lambda rows: Prediction(rows / 8, band=(0.4, 0.6)), Prediction(0.5, band=(0.4, 0.6))),
    ],
    ids=["a figure", "of the sizes", "a prediction", "a prediction of the sizes"],
)
def test_a_figure_a_function_or_a_prediction_is_taken_as_it_is(given, predicted):
    assert LATENCY.predict(given, Case("4 rows", rows=4), None) == predicted


def test_a_layers_time_is_predicted_by_a_run_that_knows_its_device():
    with pytest.raises(NotSupportedError, match=r"^a run that knows its device predicts this; here, give a figure"):
        LATENCY.predict(SimpleNamespace(ops=lambda **sizes: ()), Case("4 rows", rows=4), None)
