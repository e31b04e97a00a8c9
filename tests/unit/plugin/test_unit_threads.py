"""Work in other threads than the one that is watched: it makes a figure an error, and leaves nothing behind."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pytest_dsocr import Subject
from pytest_dsocr.measure.flops import FlopMeasurer
from pytest_dsocr.measure.formulas import FORMULAS
from pytest_dsocr.measure.threads import Threads
from pytest_dsocr.measure.traced import TRACED, TraceMeasurer, Tracer

START, SUBMIT = threading.Thread.start, ThreadPoolExecutor.submit


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def in_a_thread_of_a_thread(work):
    in_a_thread(lambda: in_a_thread(work))


def in_a_thread_of_its_own_class(work):
    class Worker(threading.Thread):
        def run(self):
            work()

    worker = Worker()
    worker.start()
    worker.join()


def in_a_new_executor(work):
    with ThreadPoolExecutor(2) as executor:
        executor.submit(work).result()


@pytest.fixture(scope="module")
def executor():
    """Start one before any run; its thread is there already."""
    with ThreadPoolExecutor(1) as made:
        made.submit(int).result()
        yield made


@pytest.fixture(
    params=[
        pytest.param(in_a_thread, id="a thread"),
        pytest.param(in_a_thread_of_a_thread, id="a thread of a thread"),
        pytest.param(in_a_thread_of_its_own_class, id="a thread of its own class"),
        pytest.param(in_a_new_executor, id="a new executor"),
        pytest.param("submit", id="an executor from before"),
        pytest.param("map", id="an executor from before, by map"),
    ]
)
def elsewhere(request, executor):
    """Run work somewhere else than here, and wait for it."""
    by_hand = {
        "submit": lambda work: executor.submit(work).result(),
        "map": lambda work: list(executor.map(lambda _: work(), [None])),
    }
    return by_hand.get(request.param, request.param)


def problems(run):
    subject, tracer = Subject(run, lambda: ((torch.zeros(4, 8),), {})), Tracer()
    measurers = [FlopMeasurer(FORMULAS), *(TraceMeasurer(name, tracer) for name in TRACED)]
    return {one.metric.name: one.measure(subject, device="cpu").problem for one in measurers}


def test_ops_in_other_threads_make_every_figure_an_error(elsewhere):
    told = problems(lambda x: (elsewhere(lambda: x.exp()), x + x)[1])
    told.pop("kv_cache_bytes")  # it is what the cache holds after the run, whoever filled it
    assert set(told.values()) == {"1 ops ran in other threads that the module works in (aten::exp) and were not seen"}


def test_a_thread_that_runs_no_op_is_nobodys_business(elsewhere):
    assert set(problems(lambda x: (elsewhere(lambda: sum([1, 2])), x + x)[1]).values()) == {""}


def test_what_ran_before_is_not_held_against_a_run(elsewhere):
    run = problems(lambda x: (elsewhere(lambda: x + 1), x + x)[1])
    assert any(run.values())
    elsewhere(lambda: torch.zeros(4) + 1)
    assert set(problems(lambda x: x + x).values()) == {""}


def test_another_thread_may_start_what_it_likes():
    """Such as a progress bar's, or a test runner's."""
    begin, seen = threading.Event(), []

    def stranger():
        begin.wait()
        in_a_thread(lambda: seen.append(torch.zeros(4) + 1))

    other = threading.Thread(target=stranger)
    other.start()
    with Threads() as threads:
        begin.set()
        other.join()
    assert seen
    assert threads.problem() == ""


def test_all_is_put_back_even_after_an_error():
    def fail():
        with Threads():
            assert threading.Thread.start is not START
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == (START, SUBMIT)


def test_a_thread_that_raises_raises_as_ever(executor):
    def fail():
        raise ValueError("as ever")

    with Threads(), pytest.raises(ValueError, match="as ever"):
        executor.submit(fail).result()
