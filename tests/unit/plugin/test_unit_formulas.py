"""FLOP formulas: those that the plugin brings, and how users name theirs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dsocr import OptionError
from pytest_dsocr.measure.formulas import attention_flops, grouped_mm_flops, no_flops, parse_formulas

SOURCE = "ini dsocr_flop_formulas"
HERE = "pytest_dsocr.measure.formulas"


def test_a_grouped_matmul_is_its_rows_through_one_matrix_each():
    """12 rows of 16 numbers to 32, whichever of the 3 matrices they meet."""
    assert grouped_mm_flops((12, 16), (3, 16, 32), out_shape=(12, 32)) == 2 * 12 * 16 * 32


@pytest.mark.parametrize(
    ("a_shape", "b_shape"),
    [((3, 4, 16), (3, 16, 32)), ((12, 16), (16, 32))],
    ids=["batched rows", "one matrix"],
)
def test_a_grouped_matmul_of_another_form_is_refused(a_shape, b_shape):
    message = f"grouped matmul: got shapes {list(a_shape)} and {list(b_shape)}, allowed are [s, k] and [g, k, n]"
    with pytest.raises(NotImplementedError, match=f"^{re.escape(message)}$"):
        grouped_mm_flops(a_shape, b_shape)


def test_attention_is_scores_and_weighted_sum():
    """2 sequences, 3 heads, 5 queries over 7 keys, 4 channels."""
    assert attention_flops((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 4)) == 2 * 2 * 2 * 3 * 5 * 7 * 4


def test_an_op_may_be_declared_without_matrix_work():
    assert no_flops((2, 3), (3, 4), out_shape=(2, 4), scale=1.0) == 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"mine::mm = {HERE}:grouped_mm_flops", {"mine::mm": grouped_mm_flops}),
        (f"  mine::mm={HERE}:grouped_mm_flops  ", {"mine::mm": grouped_mm_flops}),
        ("mine::norm = 0", {"mine::norm": no_flops}),
    ],
    ids=["a function", "without and with blanks", "no work"],
)
def test_a_line_names_an_op_and_its_formula(line, expected):
    assert parse_formulas([line], SOURCE) == expected


def test_no_lines_are_no_formulas():
    assert parse_formulas([], SOURCE) == {}


def test_of_two_lines_about_an_op_the_later_one_holds():
    lines = ["mine::mm = 0", f"mine::mm = {HERE}:attention_flops"]
    assert parse_formulas(lines, SOURCE) == {"mine::mm": attention_flops}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "mine::mm",
        "mine::mm =",
        "mm = 0",
        "mine::mm = 1",
        "mine::mm = module.function",
        "mine::mm: a:b",
        "a::b = c:",
    ],
    ids=["empty", "no formula", "empty formula", "no namespace", "a number", "no colon", "no equals", "no function"],
)
def test_a_line_of_another_form_is_refused_with_what_is_allowed(line):
    message = f"{SOURCE}: got {line!r}, allowed is 'namespace::op = package.module:function' or 'namespace::op = 0'"
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        parse_formulas([line], SOURCE)


@pytest.mark.parametrize(
    ("formula", "named"),
    [
        ("no_such_module_anywhere:formula", "No module named 'no_such_module_anywhere'"),
        (f"{HERE}:no_such_formula", "no_such_formula"),
        (f"{HERE}:FORMULAS", f"{HERE}:FORMULAS is no function"),
        (".relative:formula", "relative"),
    ],
    ids=["no module", "no function", "not callable", "relative module"],
)
def test_a_formula_that_cannot_be_imported_is_refused(formula, named):
    line = f"mine::mm = {formula}"
    with pytest.raises(OptionError, match=f"^{re.escape(f'{SOURCE}: got {line!r}: ')}.*{re.escape(named)}"):
        parse_formulas([line], SOURCE)


@given(st.text())
def test_any_line_is_read_or_refused_as_an_option_error(line):
    try:
        formulas = parse_formulas([line], SOURCE)
    except OptionError as error:
        assert str(error).startswith(f"{SOURCE}: got ")  # noqa: PT017 - either outcome is right
    else:
        assert len(formulas) == 1
