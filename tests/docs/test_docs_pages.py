"""What single pages say of names and numbers is what the package has."""

import re
from dataclasses import fields

import pytest
from pages import blocks_of, text_of

import dsocr_cost
import pytest_dsocr
from pytest_dsocr import METRICS, Results, Row
from pytest_dsocr.baseline import SIGNIFICANCE
from pytest_dsocr.compare import Verdict
from pytest_dsocr.hookspec import __all__ as hooks
from pytest_dsocr.report.terminal import FOLD_ABOVE, WIDE, WIDE_WITH_TIMES
from pytest_dsocr.row import Change
from pytest_dsocr.rows_document import MOST_BYTES, SCHEMA
from pytest_dsocr.tolerances import KNOWN_DEVICES


def first_cells(page):
    """List the code at the start of each line of a page's tables."""
    return re.findall(r"^\| `([^`]+)` \|", text_of(page), re.MULTILINE)


def test_the_example_of_a_rows_file_is_one():
    (example,) = (block for block in blocks_of("docs/rows.md") if block.language == "json")
    (row,) = Results.from_json(example.text).rows
    assert set(re.findall(r'"(\w+)":', example.text)) >= {field.name for field in fields(Row)}
    assert row.measured == 2 * 913 * 1280 * 64  # a linear of 1280 to 64 experts


def test_the_page_of_rows_names_its_schema_its_changes_and_its_limit():
    page = text_of("docs/rows.md")
    assert f'`"schema": {SCHEMA}`' in page
    assert f"{MOST_BYTES // 2**20} MiB" in page
    assert all(f"`{change}`" in page for change in Change)


def test_the_page_of_counts_has_every_metric_once():
    assert sorted(first_cells("docs/counted.md")) == sorted(metric.name for metric in METRICS)


def test_the_page_of_the_table_has_every_verdict_and_its_widths():
    page = text_of("docs/table.md")
    assert first_cells("docs/table.md") == [str(verdict) for verdict in Verdict]
    assert f"From {WIDE} columns on, {WIDE_WITH_TIMES} where there are times" in page
    assert f"more than {FOLD_ABOVE} of them" in page


def test_the_page_of_tolerances_has_every_device():
    (line,) = re.findall(r"^\| `device` \|(.*)\|$", text_of("docs/tolerances.md"), re.MULTILINE)
    assert sorted(re.findall(r"`([^`]+)`", line)) == sorted(KNOWN_DEVICES)


def test_the_page_of_the_gate_has_the_significance():
    assert f"p < {SIGNIFICANCE}" in text_of("docs/gate.md")


def test_the_page_on_extending_has_every_hook():
    assert [hook for hook in hooks if hook not in text_of("docs/extending.md")] == []


def test_the_glossary_has_every_metric_by_its_label():
    _, _, glossary = text_of("docs/counted.md").partition("## Names\n")
    rows = [line.split(" | ") for line in glossary.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    named = {
        (label, name) for first, _, said in rows for label in (first[2:].partition(";")[0],) for name in said.split("`")
    }
    assert {(metric.label, metric.name) for metric in METRICS} <= named


@pytest.mark.parametrize("package", [dsocr_cost, pytest_dsocr], ids=lambda package: package.__name__)
def test_the_page_of_the_api_has_every_public_name(package):
    written = re.findall(r"^\.\. auto\w+:: (?:[\w.]+\.)?(\w+)(?:\(\))?$", text_of("docs/api.md"), re.MULTILINE)
    assert [name for name in package.__all__ if name not in written] == []
