"""Rows as CSV, read back by the csv module."""

import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dsocr import Device, NotRun, Results, Verdict
from pytest_dsocr.metrics import METRICS, families_of
from pytest_dsocr.report.table import COLUMNS, csv_text
from pytest_dsocr.report.text import printable
from pytest_dsocr.row import AgainstBaseline, Change

FAMILIES = families_of(METRICS)


def written(*rows, not_run=()):
    return csv_text(Results(rows, tuple(not_run)), {}, FAMILIES)


def read(text):
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_row_is_a_line_that_ends_as_rfc_4180_says(make_row):
    text = written(make_row(), make_row(case="640 crop"))
    assert text.count("\r\n") == text.count("\n") == 3
    assert text.startswith("verdict,layer,case,metric,family,model,")


def test_every_field_is_a_column(make_row):
    row = make_row(
        device=Device("cuda", "NVIDIA H200", "9.0", "570.1", "2.13.0", "12.8"),
        band=(1.5, 2.5),
        spread=0.25,
        details={"mean_s": 0.1, "rounds": 5},
        source="a profile",
        notes="cold cache",
        because="clocks drift",
        reason="too far",
        verdict=Verdict.FAIL,
        baseline=AgainstBaseline(Change.REGRESSION, 1000, 0.1, 0.001, "base.json", "why"),
    )
    (line,) = read(written(row))
    assert tuple(line) == COLUMNS
    assert line == {
        "verdict": "fail",
        "layer": "vision.Attention",
        "case": "1024 view",
        "metric": "tensor_flops",
        "family": "flops",
        "model": "deepseek-ocr",
        "implementation": "transformers",
        "attention": "sdpa",
        "dtype": "bfloat16",
        "predicted": "71672266752",
        "measured": "71672266752",
        "difference": "0",
        "relative_difference": "0.0",
        "spread": "0.25",
        "rtol": "0.0",
        "band_low": "1.5",
        "band_high": "2.5",
        "rule": "[default] tensor_flops",
        "because": "clocks drift",
        "reason": "too far",
        "test": row.test,
        "sizes": "batch=1, height=64, width=64",
        "details": "mean_s=0.1, rounds=5",
        "source": "a profile",
        "notes": "cold cache",
        "device_type": "cuda",
        "device_name": "NVIDIA H200",
        "device_capability": "9.0",
        "device_driver": "570.1",
        "device_torch": "2.13.0",
        "device_cuda": "12.8",
        "baseline_change": "regression",
        "baseline_measured": "1000",
        "baseline_relative_change": "0.1",
        "baseline_p_value": "0.001",
        "baseline_source": "base.json",
        "baseline_reason": "why",
    }


def test_what_a_row_has_not_is_empty(make_row):
    (line,) = read(written(make_row()))
    assert {name for name, value in line.items() if name.startswith(("baseline", "band", "spread")) and value} == set()


@pytest.mark.parametrize("figure", [2**80, -(2**80), 0.1 + 0.2, 1e-300, 7, math.inf], ids=repr)
def test_a_figure_keeps_every_digit(make_row, figure):
    (line,) = read(written(make_row(measured=figure)))
    assert type(figure)(line["measured"]) == figure


def test_a_negative_number_is_none_that_a_spreadsheet_would_run(make_row):
    (line,) = read(written(make_row(difference=-5, relative_difference=-0.5)))
    assert (line["difference"], line["relative_difference"]) == ("-5", "-0.5")


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\t=1"),
        ("\r=1", "'\\r=1"),
        ("\n=1", "'\\n=1"),
        ("＝1", "'＝1"),  # noqa: RUF001 - a spreadsheet runs it, too
        ("a=1", "a=1"),
        ('say "a, b"', 'say "a, b"'),
    ],
    ids=repr,
)
def test_a_text_that_a_spreadsheet_would_run_is_defused(make_row, name, cell):
    (line,) = read(written(make_row(case=name, reason=name)))
    assert (line["case"], line["reason"]) == (cell, cell)


def test_what_did_not_run_is_a_line_too(make_row):
    _, line = read(written(make_row(), not_run=[NotRun("tests/a.py::b", "no GPU")]))
    assert {name: value for name, value in line.items() if value} == {
        "verdict": "not run",
        "test": "tests/a.py::b",
        "reason": "no GPU",
    }


def test_no_name_breaks_a_line_or_a_column(make_row, hostile):
    @given(st.lists(hostile, min_size=5, max_size=5))
    def check(names):
        layer, case, reason, size, test = names
        text = written(make_row(layer=layer, case=case, reason=reason, sizes={size: 1}), not_run=[NotRun(test, reason)])
        assert text.count("\n") == 3
        first, second = read(text)
        assert first["layer"].removeprefix("'") == printable(layer).removeprefix("'")
        assert first["case"].removeprefix("'") == printable(case).removeprefix("'")
        assert second["test"].removeprefix("'") == printable(test).removeprefix("'")
        assert not [value for value in first.values() if value.startswith(("=", "+", "-", "@", "\t", "\r"))]

    check()
