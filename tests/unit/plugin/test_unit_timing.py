"""A time and its doubt, with clocks that show what they are told: rounds, repeats, retries, and the four parts."""

import gc
from itertools import chain, count, repeat

import pytest

from pytest_dsocr.measure.clock import WallClock
from pytest_dsocr.measure.timing import Attempt, Effort, Timing, median_interval, time_run

QUIET = (1.0,) * 5
RAMP = tuple(1 + step / 100 for step in range(100))


class FakeClock:
    """Shows the given times, one a run, then 1 s for ever; the wall's clock moves along."""

    captured, note = False, ""

    def __init__(self, *seconds):
        self._seconds = chain(seconds, repeat(1.0))
        self.wall = 0.0
        self.runs = 0

    def seconds(self, run):
        run()
        self.runs += 1
        shown = next(self._seconds)
        self.wall += shown
        return shown


def timed(clock, *, tolerance=0.1, others=(), before=lambda: None, faults=lambda: 0, **effort):
    """Time what does nothing: no warm-up beyond two runs, and five rounds an attempt unless said otherwise."""
    shares = chain(others, repeat(0.0))
    effort = Effort(**{"repeats": 1, "seconds": 0.0, "warm_up_seconds": 0.0, **effort})
    return time_run(
        lambda: None,
        clock,
        tolerance=tolerance,
        effort=effort,
        before=before,
        faults=faults,
        others=lambda: lambda: next(shares),
        now=lambda: clock.wall,
    )


# --- what is measured ---


def test_the_first_runs_are_not_timed():
    assert timed(FakeClock(90.0, 80.0)).seconds == QUIET


def test_the_warm_up_lasts_until_its_time_is_up():
    """0.4 + 0.4 + 0.4 s are the first above 1 s."""
    assert timed(FakeClock(0.4, 0.4, 0.4), warm_up_seconds=1.0).seconds == QUIET


def test_a_run_that_takes_all_the_time_warms_up_once_and_has_two_rounds():
    clock = FakeClock(30.0, 31.0, 32.0)
    assert timed(clock, most_seconds=10.0).seconds == (31.0, 32.0)
    assert clock.runs == 3


def test_the_warm_up_goes_on_until_a_run_has_few_page_faults():
    """A run of 1 s may have 3,000: the third is the first with so few, so three runs are not timed."""
    counted = iter((0, 90_000, 90_000, 94_000, 94_000, 97_000))
    assert timed(FakeClock(9.0, 1.0, 1.0), faults=lambda: next(counted)).seconds == QUIET


def test_memory_that_never_settles_does_not_hold_up_the_measurement():
    counted = count(step=10**6)
    clock = FakeClock(*repeat(1.5, 6))
    assert timed(clock, faults=lambda: next(counted), warm_up_runs=6, most_seconds=60.0).seconds == QUIET


def test_short_runs_have_as_many_rounds_as_fill_the_least_time():
    """64 rounds of 1/64 s are 1 s, the 65th none."""
    clock = FakeClock(*repeat(1 / 64, 100))
    assert len(timed(clock, seconds=1.0).seconds) == 64


def test_rounds_are_bounded():
    assert len(timed(FakeClock(*repeat(1e-9, 100)), seconds=1.0, most_rounds=20).seconds) == 20


def test_the_whole_is_done_as_often_as_asked():
    timing = timed(FakeClock(9, 9, *repeat(1.0, 5), *repeat(2.0, 5), *repeat(6.0, 5)), repeats=3, retries=0)
    assert [attempt.median for attempt in timing.repeats] == [1.0, 2.0, 6.0]
    assert (timing.median, timing.mean) == (2.0, 3.0)
    assert timing.standard_deviation == pytest.approx(7**0.5)  # ((-2)**2 + (-1)**2 + 3**2) / (3 - 1)


def test_one_repeat_has_no_deviation():
    assert timed(FakeClock()).standard_deviation is None


def test_inputs_are_made_before_each_run_and_not_timed():
    made = []
    timed(FakeClock(), before=lambda: made.append(1))
    assert len(made) == 2 + 5


def test_no_garbage_is_collected_in_a_round():
    class Watching(FakeClock):
        def seconds(self, run):
            self.collects = gc.isenabled()
            return super().seconds(run)

    clock = Watching()
    timed(clock)
    assert (clock.collects, gc.isenabled()) == (False, True)


def test_the_garbage_collector_is_back_after_a_run_that_fails():
    def fails():
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        time_run(fails, FakeClock(), tolerance=0.1)
    assert gc.isenabled()


# --- attempts that are too wide ---


def test_a_wide_attempt_is_made_again():
    timing = timed(FakeClock(9, 9, 1, 1, 3, 3, 3))
    assert (timing.seconds, timing.retries) == (QUIET, 1)


def test_the_quietest_attempt_is_kept():
    """Half the ranges are 1, 0.25 and 0.5, of medians of 2, 1 and 1."""
    attempts = (1, 2, 2, 2, 3), (1, 1, 1, 1, 1.5), (1, 1, 1, 1, 2)
    timing = timed(FakeClock(9, 9, *chain(*attempts)), retries=2, tolerance=0.1)
    assert (timing.seconds, timing.retries) == (attempts[1], 2)


def test_retries_are_bounded_over_all_repeats():
    clock = FakeClock(9, 9, *(1, 2) * 100)
    assert timed(clock, repeats=3, retries=3).retries == 3
    assert clock.runs == 2 + (3 + 3) * 5


def test_a_wider_tolerance_takes_what_a_narrower_one_makes_again():
    """(1, 1, 1, 1, 1.2) spreads by half of 0.2 around 1."""
    rounds = (9, 9, 1, 1, 1, 1, 1.2)
    assert [timed(FakeClock(*rounds), tolerance=tolerance).retries for tolerance in (0.11, 0.09)] == [0, 1]


def test_a_busy_machine_is_tried_again():
    timing = timed(FakeClock(), others=(0.5, 0.2, 0.05))
    assert (timing.contention, timing.retries) == (0.05, 2)


# --- the spread ---


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [
        pytest.param(1, 1, 1, id="one"),
        pytest.param(2, 1, 2, id="two: the range"),
        pytest.param(5, 1, 5, id="five: the range"),
        pytest.param(10, 1, 10, id="10: 5 -+ 3.1, 1 to 8 below"),
        pytest.param(100, 40, 61, id="100: 50 -+ 9.8"),
        pytest.param(1000, 469, 532, id="1000: 500 -+ 31"),
    ],
)
def test_the_interval_of_a_median_goes_by_ranks(count, low, high):
    assert median_interval(tuple(range(count, 0, -1))) == (low, high)


def test_one_round_in_many_that_stands_out_does_not_widen_the_spread():
    assert Attempt((1.0,) * 99 + (100.0,)).spread == 0.0


def test_rounds_that_get_slower_drift():
    """Medians of 1 and of 1.5, half their distance of 0.5, of a median of 1.25."""
    attempt = Attempt((1.0,) * 20 + (1.5,) * 20)
    assert attempt.drift == pytest.approx(0.2)
    assert attempt.spread >= attempt.drift


def test_two_rounds_spread_by_half_their_distance():
    """0.2 of a median of 1.8 to 2.2."""
    assert Attempt((1.8, 2.2)).spread == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("attempts", "spread", "cause"),
    [
        pytest.param([Attempt(QUIET), Attempt(QUIET, 0.5)], 0.5, "others' use of the CPU", id="contention"),
        pytest.param([Attempt(QUIET), Attempt((0.5,) * 5)], 0.25 / 0.75, "scatter of the repeats", id="repeats"),
        pytest.param([Attempt((1, 1, 1, 1, 1.4))], 0.2, "scatter of the rounds", id="rounds"),
        pytest.param([Attempt(RAMP)], 0.25 / 1.495, "drift", id="drift: medians of 1.245 and 1.745"),
    ],
)
def test_the_widest_part_is_the_spread_and_its_cause(attempts, spread, cause):
    timing = Timing(tuple(attempts))
    assert timing.spread == pytest.approx(spread)
    assert timing.cause == cause


def test_a_clock_that_stands_still_divides_by_nothing():
    assert Timing((Attempt((0.0, 0.0)),)).spread == 0.0


def test_the_wall_clock_runs_once_and_takes_time():
    ran = []
    assert WallClock().seconds(lambda: ran.append(1)) > 0
    assert ran == [1]
