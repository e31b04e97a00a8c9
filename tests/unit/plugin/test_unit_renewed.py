"""Inputs for many runs: the same tensors in new containers, unless a run writes into them."""

import threading
import weakref

import pytest
import torch
from transformers import DynamicCache

from pytest_dsocr import Subject
from pytest_dsocr.measure.renewed import RenewedRun


class Counted:
    """Makes inputs, and counts how often."""

    def __init__(self, make):
        self.make, self.made = make, 0

    def __call__(self):
        self.made += 1
        return self.make(), {}


def three_runs(module, inputs):
    run = RenewedRun(Subject(module, inputs))
    results = [run()]
    for _ in range(2):
        run.renew()
        results.append(run())
    return results


def cache_of(keys):
    cache = DynamicCache()
    cache.update(torch.ones(1, 2, keys, 4), torch.ones(1, 2, keys, 4), 0)
    return cache


def test_a_cache_that_grows_is_as_long_before_each_run():
    """Filled once with 5 keys; each run adds one."""

    def decode(cache):
        cache.update(torch.ones(1, 2, 1, 4), torch.ones(1, 2, 1, 4), 0)
        return cache.get_seq_length()

    inputs = Counted(lambda: (cache_of(5),))
    assert three_runs(decode, inputs) == [6, 6, 6]
    assert inputs.made == 1


def test_tensors_are_the_same_in_each_run():
    inputs = Counted(lambda: (torch.zeros(3),))
    first, second, third = three_runs(lambda x: x.data_ptr(), inputs)
    assert first == second == third
    assert inputs.made == 1


def test_what_a_run_writes_into_is_made_anew():
    inputs = Counted(lambda: (torch.zeros(3),))
    assert three_runs(lambda x: float(x.add_(1).sum()), inputs) == [3.0, 3.0, 3.0]
    assert inputs.made == 3


def test_a_list_that_a_run_empties_is_full_again():
    assert three_runs(lambda batches: len([batches.pop()]), Counted(lambda: ([torch.zeros(1)],))) == [1, 1, 1]


def test_what_cannot_be_copied_is_made_anew():
    inputs = Counted(lambda: (threading.Lock(),))
    assert three_runs(lambda lock: lock.acquire(blocking=False), inputs) == [True, True, True]


def test_tensors_stay_alive_for_a_replay():
    """A replay reads what the cache held when it was captured, after the cache has let go of it."""
    kept = []

    def make():
        cache = cache_of(5)
        kept.append(weakref.ref(cache.layers[0].keys))
        return (cache,), {}

    run = RenewedRun(Subject(lambda cache: cache.update(torch.ones(1, 2, 1, 4), torch.ones(1, 2, 1, 4), 0), make))
    run()
    assert kept[0]() is not None


@pytest.mark.parametrize("kwargs", [{}, {"scale": 2.0}], ids=["by place", "by name"])
def test_inputs_reach_the_module(kwargs):
    run = RenewedRun(Subject(lambda x, scale=1.0: float(x.sum()) * scale, lambda: ((torch.ones(3),), kwargs)))
    assert run() == 3.0 * kwargs.get("scale", 1.0)
