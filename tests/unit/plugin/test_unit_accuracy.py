"""How near predicted times came, in a line."""

from dataclasses import dataclass

import pytest

from pytest_dsocr.compare import Verdict
from pytest_dsocr.report.accuracy import Accuracy, accuracy_of, accuracy_text


@dataclass
class Time:
    relative_difference: float | None
    verdict: Verdict = Verdict.PASS
    metric: str = "latency_s"


def test_the_middle_and_nine_of_ten_of_the_errors_without_their_signs():
    """0 to 10 %: in the middle 5, and nine of the ten steps between them make 9; -10, -8 ... are too short."""
    times = [Time(percent / 100 * (-1 if percent % 2 == 0 else 1)) for percent in range(11)]
    assert accuracy_of(times) == (11, pytest.approx(0.05), pytest.approx(0.09), 5)


def test_what_says_nothing_of_a_prediction_is_left_out():
    good = [Time(0.1)] * 5
    noisy = [Time(9.0, Verdict.INCONCLUSIVE), Time(9.0, Verdict.ERROR), Time(None), Time(9.0, metric="io_bytes")]
    assert accuracy_of([*good, *noisy]) == accuracy_of(good)


def test_a_fail_counts_as_much_as_a_pass():
    assert accuracy_of([*[Time(0.1)] * 4, Time(0.4, Verdict.FAIL)]).nine_of_ten > 0.1


def test_of_few_times_nothing_is_said():
    assert accuracy_of([Time(0.1)] * 4) is None


def test_it_reads_as_a_sentence():
    text = accuracy_text(Accuracy(60, 0.057, 0.197, 23))
    assert text == "60 times: half within 5.7%, 9 of 10 within 19.7%, 23 faster"
