"""Counts as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost.report import bytes_text, count_text, flops_text, gigabytes, quantity, seconds_text, tera_flops

FACTORS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


@pytest.mark.parametrize(
    ("flops", "text"),
    [
        pytest.param(None, "-", id="not predicted"),
        pytest.param(0, "0 FLOP", id="nothing"),
        pytest.param(999, "999 FLOP", id="below a thousand, in full"),
        pytest.param(1000, "1.000 kFLOP", id="a thousand"),
        pytest.param(999_949, "999.9 kFLOP", id="rounds down, below the next prefix"),
        pytest.param(999_950, "1.000 MFLOP", id="rounds up, into the next prefix"),
        pytest.param(4_676_458_385_408, "4.676 TFLOP", id="2x3, 10 text tokens, 100 steps"),
        pytest.param(2**63 - 1, "9.223 EFLOP", id="the largest that int64 holds"),
        pytest.param(10**24, "1,000,000 EFLOP", id="past the last prefix"),
    ],
)
def test_operations_read_with_four_digits_and_a_decimal_prefix(flops, text):
    assert flops_text(flops) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        pytest.param(6_672_212_480, "6.672 GB", id="weights"),
        pytest.param(61_440, "61.44 kB", id="cache of a token"),
        pytest.param(2**30, "1.074 GB", id="a GiB is more than a GB"),
        pytest.param(1536.5, "1.536 kB", id="no whole number"),
    ],
)
def test_bytes_read_in_decimal_units(size, text):
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(None, "-", id="not predicted"),
        pytest.param(12.5, "12.50 s", id="seconds"),
        pytest.param(0.0123, "12.30 ms", id="milliseconds"),
        pytest.param(0.99996, "1.000 s", id="rounds up, into seconds"),
        pytest.param(0.000_028_1, "28.10 µs", id="microseconds"),
        pytest.param(4.3e-9, "4.300 ns", id="nanoseconds"),
        pytest.param(3600.0, "3600 s", id="an hour"),
    ],
)
def test_times_read_from_nanoseconds_to_seconds(seconds, text):
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("tensor_flops", "1.234 MFLOP", id="flops"),
        pytest.param("io_bytes", "1.234 MB", id="bytes"),
        pytest.param("launches", "1,234,000", id="a count"),
        pytest.param("latency_s", "1,234,000 s", id="seconds"),
    ],
)
def test_the_name_of_a_figure_says_its_unit(name, text):
    assert quantity(name, 1_234_000) == text


def test_columns_have_their_unit_in_the_head():
    assert (tera_flops(120_677_376_000), gigabytes(61_624_320)) == ("0.121", "0.062")
    assert (tera_flops(None), gigabytes(None), count_text(None)) == ("-", "-", "-")
    assert count_text(3_336_106_240) == "3,336,106,240"


@given(st.integers(0, 2**63 - 1))
def test_what_is_read_back_is_off_by_half_a_digit_at_most(size):
    number, unit = bytes_text(size).split()
    assert float(number) * FACTORS[unit.removesuffix("B")] == pytest.approx(size, rel=5.001e-4)
    assert float(number) < 1000
