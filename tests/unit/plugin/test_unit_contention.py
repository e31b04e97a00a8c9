"""How much of the machine others used: arithmetic on counters that move by ticks."""

from types import SimpleNamespace

import psutil
import pytest

from pytest_dsocr.measure.contention import TICK, Usage, others_share, usage

START = Usage(1000.0, 10.0, 50.0, 7.0)


def after(*, busy=0.0, stolen=0.0, own=0.0, wall=1.0):
    return Usage(START.busy_s + busy, START.stolen_s + stolen, START.own_s + own, START.wall_s + wall)


@pytest.mark.parametrize(
    ("end", "share"),
    [
        pytest.param(after(), 0.0, id="idle"),
        pytest.param(after(busy=1.0, own=1.0), 0.0, id="one core, our own"),
        pytest.param(after(busy=2.0, own=2.0), 0.0, id="both cores, our own"),
        pytest.param(after(busy=2.0, own=1.0), 0.5 - TICK, id="the other core, others"),
        pytest.param(after(busy=1.0, own=0.5, stolen=0.2), (0.5 + 0.2) / 2 - TICK, id="others and the hypervisor"),
        pytest.param(after(busy=0.9, own=1.0, stolen=0.2), 0.2 / 2 - TICK, id="stolen time is not made up for"),
        pytest.param(after(busy=1.02, own=1.0), 0.0, id="a tick a core is doubt"),
        pytest.param(after(busy=1.0, own=1.1), 0.0, id="counters out of step"),
        pytest.param(after(busy=5.0), 1.0, id="no more than all"),
        pytest.param(after(busy=1.0, wall=0.0), 0.0, id="no time"),
    ],
)
def test_what_others_took_is_a_share_of_all_cores(end, share):
    """Of two cores in a second."""
    assert others_share(START, end, cores=2) == pytest.approx(share)


def test_a_short_span_sees_only_what_fills_it():
    """In 30 ms of two cores, one tick of somebody else is within the doubt of two."""
    assert others_share(START, after(busy=0.04, own=0.03, wall=0.03), cores=2) == 0.0
    assert others_share(START, after(busy=0.06, own=0.03, wall=0.03), cores=2) == pytest.approx(0.01 / 0.06)


def test_waiting_and_guests_are_not_counted_as_busy(monkeypatch):
    """The time of guests stands in that of users already."""
    times = SimpleNamespace(
        user=1.0, nice=2.0, system=4.0, irq=8.0, softirq=16.0, steal=32.0, idle=1e3, iowait=1e4, guest=1e5
    )
    monkeypatch.setattr(psutil, "cpu_times", lambda: times)
    assert (usage().busy_s, usage().stolen_s) == (31.0, 32.0)


def test_a_system_that_knows_less_is_read_as_far_as_it_goes(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(user=1.0, nice=2.0, system=4.0, idle=8.0))
    assert (usage().busy_s, usage().stolen_s) == (7.0, 0.0)
