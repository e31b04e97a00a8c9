"""The HTML report as text: one file, nothing from outside, every failure told, names harmless, and small."""

import base64
import hashlib
import json
import re

import pytest
from report_rows import FAMILIES, LABELS, every_grid, make_row, make_time, mixed_run

from pytest_dsocr import NotRun, Results, Verdict
from pytest_dsocr.report.html import html_text
from pytest_dsocr.report.html_data import embedded, report_data
from pytest_dsocr.report.html_layers import grid_of, grid_states, layer_map
from pytest_dsocr.report.html_run import rules_of, unmade
from pytest_dsocr.report.html_story import MOST_TOLD
from pytest_dsocr.report.html_summary import headline
from pytest_dsocr.report.written import report_text
from pytest_dsocr.row import AgainstBaseline, Change

MOST_BYTES = 3_000_000


def page_of(*rows, **given):
    return html_text(Results(rows, **given), LABELS, FAMILIES)


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


# --- the file ---


def test_it_is_what_files_that_end_in_html_hold():
    assert report_text(mixed_run(), ".HTML", LABELS, FAMILIES) == html_text(mixed_run(), LABELS, FAMILIES)


def test_the_same_rows_are_the_same_file():
    assert html_text(mixed_run(), LABELS, FAMILIES) == html_text(mixed_run(), LABELS, FAMILIES)


def test_it_takes_nothing_from_outside():
    page = html_text(mixed_run(), LABELS, FAMILIES)
    addresses = re.findall(r'\b(?:src|href|action|data-src|srcset)="([^"]*)"', page)
    assert {one.partition(":")[0] if ":" in one else one[:1] for one in addresses} == {"#", "data"}
    assert not re.search(
        r"@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|\beval\(|innerHTML|<link(?! rel=\"icon\")", page
    )


def test_its_policy_allows_this_style_and_this_script_alone():
    page = html_text(mixed_run(), LABELS, FAMILIES)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    assert rules == {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}


def test_rows_of_all_grids_stay_small():
    results = every_grid()
    assert len(results.rows) == 90 * 5 * 7
    assert len(html_text(results, LABELS, FAMILIES).encode()) < MOST_BYTES


def test_thousands_of_failures_stay_small_and_each_is_there():
    rows = [make_row(case=f"case {n}", predicted=n, measured=n + 1, sizes={"batch": n}) for n in range(1, 4001)]
    page = page_of(*rows)
    assert len(page.encode()) < MOST_BYTES
    summary = page.partition('id="rows"')[0]
    assert summary.count('<article class="story') == MOST_TOLD
    assert all(f"case {n}<" in summary or f"case {n}," in summary for n in range(1, 4001))


# --- the data ---


def test_a_text_stands_once_and_a_column_of_one_value_is_that_value():
    data = report_data(Results(tuple(make_row(case=f"{n}") for n in range(3))), LABELS)
    assert len(data["texts"]) == len(set(data["texts"]))
    assert data["columns"]["rtol"] == {"all": 0}
    assert [data["texts"][at] for at in data["columns"]["case"]] == ["0", "1", "2"]


def test_ops_that_run_at_many_sizes_are_listed_once():
    data = report_data(every_grid(), LABELS)
    listed = [terms for terms in data["columns"]["terms"] if terms]
    assert len(listed) == 90 * 5 * 3  # the metrics that are sums
    assert len(data["shapes"]) == 3 * 2  # of vision and of the decoder, for prefill and step alike
    assert {len(terms) for terms in listed} == {2}  # as counted as predicted: once


@pytest.mark.parametrize(
    ("figure", "written"),
    [
        (2**53 - 1, 9007199254740991),
        (2**53, "9007199254740992"),
        (1e17, "100000000000000000"),
        (2.0, 2),
        (0.1, 0.1),
        (1e22, 1e22),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
    ids=str,
)
def test_a_figure_keeps_its_digits(figure, written):
    data = report_data(Results((make_row(measured=figure, relative_difference=None),)), LABELS)
    assert data["columns"]["measured"] == {"all": written}
    json.loads(embedded(data))


def test_nothing_in_the_data_ends_its_element():
    text = embedded({"a": "</script><!--<script>&\u2028\u2029"})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": "</script><!--<script>&\u2028\u2029"}


def test_the_page_carries_every_row():
    data = data_of(html_text(mixed_run(), LABELS, FAMILIES))
    assert data["count"] == len(mixed_run().rows)
    assert data["labels"]["io_bytes"] == "I/O bytes"


@pytest.mark.parametrize(
    ("name", "card"),
    [("NVIDIA GeForce RTX 4090", "RTX 4090"), ("NVIDIA H200", "H200"), ("Voodoo 2", "RTX 5090")],
    ids=["4090", "H200", "unknown"],
)
def test_the_roofs_are_those_of_the_measured_card(name, card):
    row = make_time(0.1, [0.1])
    device = type(row.device)("cuda", name)
    assert report_data(Results((make_time(0.1, [0.1], device=device),)), LABELS)["card"] == card


# --- the summary ---


@pytest.mark.parametrize(
    ("results", "sentence", "tone"),
    [
        (Results(), "Nothing was compared", Verdict.INCONCLUSIVE),
        (Results((make_row(),)), "The comparison passes", Verdict.PASS),
        (Results((make_row(),) * 1200), "All 1,200 comparisons pass", Verdict.PASS),
        (Results((make_row(),), complaints=("no GPU",)), "The comparison passes, and the run is red", Verdict.FAIL),
        (Results((make_row(), make_row(predicted=2, measured=1))), "Of 2 comparisons, 1 failed", Verdict.FAIL),
        (
            Results(
                (
                    make_row(verdict=Verdict.ERROR),
                    make_row(verdict=Verdict.INCONCLUSIVE),
                    make_row(predicted=2, measured=1),
                )
            ),
            "Of 3 comparisons, 1 failed, 1 went wrong and 1 inconclusive",
            Verdict.FAIL,
        ),
        (Results((make_row(verdict=Verdict.INCONCLUSIVE),)), "Of 1 comparison, 1 inconclusive", Verdict.INCONCLUSIVE),
    ],
    ids=["none", "one", "many", "complaints", "failed", "all sorts", "inconclusive"],
)
def test_the_headline_says_what_came_of_the_run(results, sentence, tone):
    head = headline(results)
    assert (head.sentence, head.tone) == (sentence, tone)


def test_one_failure_among_thousands_can_be_seen():
    passed, failed = headline(Results((make_row(),) * 4999 + (make_row(predicted=2, measured=1),))).counts
    assert (passed.count, failed.count) == (4999, 1)
    assert failed.share > 0.004
    assert passed.share + failed.share == pytest.approx(1)


def test_what_made_the_run_red_stands_before_the_rows():
    page = page_of(make_row(), complaints=("--dsocr-require gpu: nothing was measured",))
    assert page.index("nothing was measured") < page.index('id="layers"')


def test_a_failure_tells_its_whole_story():
    summary = html_text(mixed_run(), LABELS, FAMILIES).partition('id="moved"')[0]
    for said in (
        "26,071,449,600",
        "26,282,188,800",
        "-210,739,200",
        "-0.802%",
        "exact, by [default] tensor_flops",
        "the difference is larger than the rule allows",
        "aten::bmm x 2",
        "10%, by rule 3",
        "clocks move with the temperature",
        "regression: 10.00 ms stored, +25% of the stored (rank test: p = 0.0001), in baselines/h100.json",
        "12.50 ms ± 489.9 µs",
    ):
        assert said in summary


def test_the_worst_rows_are_told_first():
    rows = [make_row(case=str(verdict), verdict=verdict) for verdict in Verdict if verdict is not Verdict.NOT_RUN]
    page = page_of(*rows)
    places = [page.index(f'<article class="story {verdict}"') for verdict in ("error", "fail", "inconclusive")]
    assert places == sorted(places)
    assert 'class="story pass"' not in page


def test_what_moved_is_listed_regressions_first():
    moves = (Change.IMPROVEMENT, Change.NEW, Change.SAME, Change.REGRESSION)
    rows = [make_row(case=str(move), baseline=AgainstBaseline(move, 5, 0.5, source="base.json")) for move in moves]
    moved = page_of(*rows).partition('id="moved"')[2].partition("</section>")[0]
    assert re.findall(r'class="change (\w+)"', moved) == ["regression", "improvement"]
    assert "+50% of the stored" in moved


# --- layers, grids, the run ---


def test_the_map_counts_each_layer_and_metric_and_takes_the_worst_verdict():
    rows = [make_row(case=f"{n}", verdict=verdict) for n, verdict in enumerate((Verdict.PASS, Verdict.FAIL))]
    found = layer_map([*rows, make_row(metric="params", layer="vision.Block")], LABELS, FAMILIES)
    assert found.metrics == ("tensor FLOPs", "parameters")
    assert found.families == (("flops", 1), ("params", 1))
    (attention, none), (missing, block) = (line.states for line in found.lines)
    assert (attention.count, attention.others, attention.worst) == (2, 1, Verdict.FAIL)
    assert attention.link == "#rows?layer=vision.Attention&metric=tensor_flops"
    assert none is missing is None
    assert block.worst is Verdict.PASS


@pytest.mark.parametrize(
    ("case", "grid"),
    [
        ("2x3 crops", "2x3"),
        ("15x26 prefill", "15x26"),
        ("1x2 crops: a step over 494 keys, in time", "1x2"),
        ("2x3, each step: 5", "2x3"),
        ("640x640x3 pixels", ""),
        ("a page of 2x3 crops", ""),
        ("2xthree", ""),
    ],
)
def test_a_case_that_begins_with_a_grid_is_on_it(case, grid):
    assert grid_of(case) == grid


def test_grids_are_listed_by_their_crops():
    rows = [make_row(layer="model.Vision", case=f"{grid} crops") for grid in ("15x26", "1x2", "2x3", "1x6")]
    assert [grid for grid, _ in grid_states(rows)] == ["1x2", "1x6", "2x3", "15x26"]


def test_each_tolerance_is_told_once_with_its_reason_and_the_largest_difference():
    rows = [
        make_row(case=f"{n}"[:1], predicted=100 - n, measured=100, rtol=0.25, rule="rule 2", because="noise")
        for n in (3, 7)
    ]
    (line,) = rules_of(rows, LABELS)
    assert (line.allowed, line.largest, line.count, line.because) == ("25%", "7%", 2, "noise")


def test_what_did_not_run_is_grouped_by_its_reason():
    assert unmade([NotRun("a", "no GPU"), NotRun("b", "skipped"), NotRun("c", "no GPU")]) == (
        ("no GPU", ("a", "c")),
        ("skipped", ("b",)),
    )


def test_versions_of_several_runs_stand_side_by_side():
    page = page_of(make_row(), environments=({"torch": "2.13.0"}, {"torch": "2.12.1"}))
    assert re.search(r"<td>2\.13\.0</td><td>2\.12\.1</td>", page)


# --- names ---


def test_markup_in_a_name_is_text():
    name = "<img src=x onerror=alert(1)>\"'&"
    texts = dict.fromkeys(("layer", "case", "metric", "rule", "because", "reason", "test"), name)
    row = make_row(**texts, verdict=Verdict.FAIL)
    page = page_of(row, not_run=(NotRun(name, name),), environments=({name: name},), complaints=(name,))
    assert "<img" not in page


def test_what_would_colour_a_terminal_or_turn_a_line_is_escaped():
    page = page_of(make_row(case="\x1b[31mred\u202e\ud800", verdict=Verdict.FAIL))
    assert r"\x1b[31mred\u202e\ud800" in page
    assert not set("\x1b\u202e\ud800") & set(page)
