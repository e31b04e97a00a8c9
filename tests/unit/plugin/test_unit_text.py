"""How figures and names read."""

import math

import pytest
from hypothesis import given

from pytest_dsocr.report.text import figure, printable, shorten, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (71_672_266_752, "71,672,266,752"),
        (2**80, "1,208,925,819,614,629,174,706,176"),
        (-1234, "-1,234"),
        (0.0123456789, "0.0123457"),
        (1234.5, "1234.5"),
        (2.0, "2"),
        (1e20, "100,000,000,000,000,000,000"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
    ids=str,
)
def test_a_count_is_written_in_full_and_a_fraction_with_six_digits(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1234, "+1,234"), (-1234, "-1,234"), (0, "0"), (0.5, "+0.5"), (0.0, "0")], ids=str
)
def test_a_difference_has_its_sign(value, text):
    assert signed(value) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("1024 view, Größe 2", "1024 view, Größe 2", id="ordinary"),
        pytest.param("a\nb\r\tc", "a\\nb\\r\\tc", id="newlines and tabs"),
        pytest.param("\x1b[31mred", "\\x1b[31mred", id="ANSI colour"),
        pytest.param("a\x00\x07\x7f", "a\\x00\\x07\\x7f", id="control characters"),
        pytest.param("a\u202eb", "a\\u202eb", id="right-to-left override"),
        pytest.param("a\ud800", "a\\ud800", id="lone surrogate"),
    ],
)
def test_what_would_move_the_cursor_is_escaped(name, text):
    assert printable(name) == text


@pytest.mark.parametrize(
    ("width", "text"), [(6, "abcdef"), (7, "abcdef"), (5, "abcd…"), (1, "…")], ids=["fits", "room", "cut", "one"]
)
def test_a_name_is_cut_to_a_width_with_an_ellipsis(width, text):
    assert shorten("abcdef", width) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("::error::x", "\\x3a:error::x", id="command"),
        pytest.param("  ::error::x", "  \\x3a:error::x", id="command after blanks"),
        pytest.param(":", "\\x3a", id="half of a sign, which the next text may end"),
        pytest.param("a ##[error]x ###[y", "a #\\x23[error]x ##\\x23[y", id="command of old"),
        pytest.param("tests/a.py::b, c: d #1 ##", "tests/a.py::b, c: d #1 ##", id="ordinary"),
    ],
)
def test_what_github_would_take_for_a_command_is_escaped(name, text):
    assert printable(name) == text


def test_a_name_that_is_printable_stays_as_it_is(hostile):
    @given(hostile)
    def check(name):
        assert printable(printable(name)) == printable(name)

    check()
