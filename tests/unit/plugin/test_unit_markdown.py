"""The Markdown report, read back by a parser of CommonMark with GitHub's tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_dsocr import Device, NotRun, Results, Verdict
from pytest_dsocr.metrics import LABELS, METRICS, families_of
from pytest_dsocr.report.blocks import code, table
from pytest_dsocr.report.markdown import markdown_text
from pytest_dsocr.report.text import printable
from pytest_dsocr.row import AgainstBaseline, Change

FAMILIES = families_of(METRICS)
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
H200 = Device("cuda", "NVIDIA H200", "9.0", "570.1", "2.13.0", "12.8")


def write(rows=(), not_run=(), *, environments=(), complaints=(), most_bytes=None):
    results = Results(tuple(rows), tuple(not_run), tuple(environments), tuple(complaints))
    return markdown_text(results, LABELS, FAMILIES, most_bytes=most_bytes)


def inline_of(text):
    """All inline tokens of a document."""
    return [child for token in PARSER.parse(text) for child in token.children or ()]


def html_of(text):
    """All lines of HTML in a document, block or inline."""
    tokens = PARSER.parse(text)
    return [line for token in tokens if token.type == "html_block" for line in token.content.splitlines()] + [
        child.content for child in inline_of(text) if child.type == "html_inline"
    ]


def tables_of(text):
    """All tables of a document by the heading, or the summary, that they stand under: rows of cells, as they read."""
    tables, title = {}, ""
    for before, token in zip([None, *(tokens := PARSER.parse(text))], tokens, strict=False):
        if before is not None and before.type == "heading_open":
            title = token.content
        if token.type == "html_block" and "<summary>" in token.content:
            title = token.content.partition("<summary>")[2].partition("</summary>")[0]
        if token.type == "tr_open":
            tables.setdefault(title, []).append([])
        if token.type == "inline" and before is not None and before.type in ("th_open", "td_open"):
            tables[title][-1].append("".join(child.content for child in token.children))
    return tables


def table_of(text, title):
    """One table, without its headers."""
    return tables_of(text)[title][1:]


def moved(change, stored=1000, relative=0.1, **given):
    return AgainstBaseline(change, stored, relative, source="base/h200.json", **given)


# --- names ---


def test_a_code_span_reads_back_as_the_printable_name(hostile):
    """Alone: no tag, link, emphasis or entity arises, however the name was chosen."""

    @given(hostile.filter(bool))
    def check(name):
        (span,) = inline_of(f"- {code(name)}")
        assert (span.type, span.content) == ("code_inline", printable(name))

    check()


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("a", "`a`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("``a", "``` ``a ```"),
        (" a ", "`  a  `"),
        (" a", "` a`"),
        ("  ", "`  `"),
        ("a\\", "`a\\`"),
        ("a\nb", r"`a\nb`"),
        ("", ""),
    ],
    ids=repr,
)
def test_a_code_span_has_a_fence_that_is_not_in_it_and_keeps_blanks(name, span):
    assert code(name) == span
    assert "".join(token.content for token in inline_of(f"- {span}")) == printable(name)


def test_a_table_keeps_its_columns_and_its_cells_read_back(hostile):
    @given(st.lists(st.tuples(hostile, hostile, hostile), min_size=1, max_size=4))
    def check(rows):
        block = table("### T", ["a", "b", "c"], [[code(name) for name in row] for row in rows], "lrl")
        text = "\n".join([block.head, *block.rows])
        assert table_of(text, "T") == [[printable(name) for name in row] for row in rows]
        assert {token.type for token in inline_of(text)} <= {"text", "code_inline"}

    check()


def test_no_name_breaks_the_report_or_is_rendered_in_it(make_row, hostile):
    """Each text of a row, of what did not run, of the environment, and a label, a family and a complaint."""

    @given(st.lists(hostile, min_size=12, max_size=12))
    def check(names):
        layer, case, reason, rule, because, test, source, why, other, key, value, complaint = names
        texts = {"layer": layer, "case": case, "reason": reason, "rule": rule, "because": because, "test": test}
        stored = AgainstBaseline(Change.REGRESSION, 1, 0.1, source=source, reason=why)
        rows = [make_row(**texts, verdict=verdict, baseline=stored) for verdict in list(Verdict)[:4]]
        results = Results(tuple(rows), (NotRun(other, why),), ({key: value},), (complaint,))
        text = markdown_text(results, {"tensor_flops": other}, {"tensor_flops": source})
        assert {token.type for token in inline_of(text)} <= {"text", "code_inline"}
        assert [line for line in html_of(text) if not line.startswith(("<details><summary>", "</details>"))] == []
        (failed, _) = table_of(text, "Failed")
        assert failed[1] == ", ".join(printable(name) for name in (layer, case, other) if name)
        assert {title: {len(row) for row in rows} for title, rows in tables_of(text).items()} == {
            "Moved against the baseline": {6},
            "Failed": {7},
            "Inconclusive": {7},
            "Not run": {3},
            "1 pass, by layer and metric family": {2},
            "Environment": {2},
            **({"Notices": {5}} if reason else {}),
        }

    check()


# --- what it says ---


def test_a_run_that_passes_is_short(make_row):
    """A headline, where it was measured, and what folds: the counts and the environment."""
    rows = [make_row(case=str(number)) for number in range(2000)] + [make_row(layer="decoder.LMHead", metric="params")]
    text = write(rows, environments=[{"python": "3.11.7"}])
    assert text.splitlines()[:4] == [
        "## ✅ dsocr: 2,001 pass",
        "",
        "Measured on `meta, torch 2.13.0, bfloat16, sdpa attention, deepseek-ocr by transformers`.",
        "",
    ]
    assert len(text.splitlines()) < 30
    assert tables_of(text)["2,001 pass, by layer and metric family"] == [
        ["layer", "flops", "params"],
        ["vision.Attention", "2,000", ""],
        ["decoder.LMHead", "", "1"],
    ]
    assert ["python", "3.11.7"] in table_of(text, "Environment")


def test_what_folds_is_open_to_a_parser_and_closed_again(make_row):
    text = write([make_row()], environments=[{"python": "3.11.7"}])
    assert html_of(text) == [
        "<details><summary>1 pass, by layer and metric family</summary>",
        "</details>",
        "<details><summary>Environment</summary>",
        "</details>",
    ]


@pytest.mark.parametrize(
    ("verdicts", "head"),
    [
        ([Verdict.PASS, Verdict.FAIL, Verdict.ERROR], "## ❌ dsocr: 1 error, 1 fail, 1 pass"),
        ([Verdict.PASS, Verdict.FAIL], "## ❌ dsocr: 1 fail, 1 pass"),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], "## ⚠️ dsocr: 1 inconclusive, 1 pass"),
        ([], "## ⚠️ dsocr: nothing was compared"),
    ],
    ids=["error", "fail", "inconclusive", "nothing"],
)
def test_the_headline_has_the_worst_first(make_row, verdicts, head):
    assert write([make_row(verdict=verdict) for verdict in verdicts]).splitlines()[0] == head


def test_a_run_that_passes_and_was_made_red_says_by_what(make_row):
    text = write([make_row()], complaints=["--dsocr-require gpu: nothing was measured"])
    head, *_ = lines = text.splitlines()
    assert head == "## ❌ dsocr: 1 pass"
    assert lines[lines.index("### What made the run red") + 2] == "- `--dsocr-require gpu: nothing was measured`"


def test_a_failed_row_is_told_in_full(make_row):
    row = make_row(
        predicted=1100,
        measured=1000,
        difference=100,
        rtol=0.05,
        rule="rule 2",
        because="clocks drift",
        verdict=Verdict.FAIL,
        reason="too far",
    )
    why = f"too far; by rule 2 because clocks drift; in {row.test}"
    assert table_of(write([row]), "Failed") == [
        ["fail", "vision.Attention, 1024 view, tensor FLOPs", "1,100", "1,000", "+100", "5%", why]
    ]


def test_a_row_that_was_allowed_nothing_says_exact(make_row):
    (row,) = table_of(write([make_row(verdict=Verdict.ERROR, measured=0, relative_difference=None)]), "Failed")
    assert row[5] == "exact"


def test_an_inconclusive_time_says_its_spread(make_row):
    time = {"metric": "latency_s", "predicted": 0.01, "measured": 0.012, "relative_difference": -1 / 6, "spread": 0.3}
    (row,) = table_of(write([make_row(**time, verdict=Verdict.INCONCLUSIVE)]), "Inconclusive")
    assert row[2:5] == ["10.00 ms", "12.00 ms ±30%", "-16.7%"]


def test_rows_of_several_devices_say_theirs(make_row):
    text = write([make_row(verdict=Verdict.FAIL), make_row(verdict=Verdict.FAIL, device=H200)])
    first, second = (row[-1] for row in table_of(text, "Failed"))
    assert "; on meta, torch 2.13.0, bfloat16" in first
    assert "; on cuda NVIDIA H200, capability 9.0" in second
    assert "Measured on" not in text


def test_what_moved_says_from_which_stored_figure_and_by_how_much(make_row):
    regression = moved(Change.REGRESSION, p_value=0.0001)
    doubt = moved(Change.UNCERTAIN, 990, 0.111, reason="the stored row has no rounds to test")
    rows = [
        make_row(case="doubt", measured=1100, baseline=doubt),
        make_row(case="slower", measured=1100, baseline=regression, verdict=Verdict.FAIL),
        make_row(case="same", baseline=moved(Change.SAME, 1100, 0.0)),
    ]
    text = write(rows)
    assert "Against the baseline: 1 same, 1 regression, 1 uncertain." in text.splitlines()
    assert [(row[0], row[1].split(", ")[1], *row[2:]) for row in table_of(text, "Moved against the baseline")] == [
        (
            "regression",
            "slower",
            "1,000",
            "1,100",
            "+10% of the stored (rank test: p = 0.0001)",
            "base/h200.json",
        ),
        (
            "uncertain",
            "doubt",
            "990",
            "1,100",
            "+11.1% of the stored",
            "the stored row has no rounds to test; base/h200.json",
        ),
    ]


def test_improvements_stand_below_what_is_no_pass_with_the_option_that_takes_them_over(make_row):
    better = make_row(case="better", measured=900, baseline=moved(Change.IMPROVEMENT, relative=-0.1))
    text = write([better, make_row(verdict=Verdict.FAIL)])
    titles = list(tables_of(text))
    assert "`--dsocr-update-baseline` takes them over into the baseline." in text.splitlines()
    assert titles.index("Failed") < titles.index("Improvements") < titles.index("1 pass, by layer and metric family")


def test_a_pass_with_a_reason_is_a_notice(make_row):
    row = make_row(relative_difference=0.25, reason="notice: faster than predicted")
    (cells,) = table_of(write([row]), "Notices")
    assert cells[-2:] == ["+25%", "notice: faster than predicted"]


def test_what_did_not_run_is_grouped_by_its_reason():
    missing = [NotRun(f"tests/a.py::t[{number}]", "no GPU") for number in range(7)]
    assert table_of(write((), [missing[0], NotRun("b", "no time"), *missing[1:]]), "Not run") == [
        ["7", "no GPU", f"{'; '.join(one.test for one in missing[:5])} and 2 more"],
        ["1", "no time", "b"],
    ]


def test_several_runs_have_their_environments_by_number(make_row):
    text = write([make_row()], environments=[{"torch": "2.13.0"}, {"torch": "2.12.0"}])
    assert table_of(text, "Environment")[1:] == [["run 1, torch", "2.13.0"], ["run 2, torch", "2.12.0"]]


# --- what fits ---


@pytest.mark.parametrize("most_bytes", [2_000, 4_000, 10_000, 25_000])
def test_rows_are_left_out_at_a_rows_end_and_counted(make_row, most_bytes):
    rows = [make_row(case=f"Größe {number}", verdict=Verdict.FAIL) for number in range(100)]
    missing = [NotRun(f"t{number}", f"reason {number}") for number in range(100)]
    whole, cut = (write(rows, missing, environments=[{"a": "b"}], most_bytes=most) for most in (None, most_bytes))
    assert len(whole.encode()) > most_bytes >= len(cut.encode())
    full, shown = tables_of(whole), tables_of(cut)
    notes = [int(token.content.split()[0]) for token in inline_of(cut) if "more rows are left out" in token.content]
    lost = [len(full[title]) - len(shown[title]) for title in full]
    assert [count for count in lost if count] == notes
    assert all(full[title][: len(rows)] == rows for title, rows in shown.items())
    assert html_of(cut) == html_of(whole)


def test_the_worst_rows_are_left_out_last(make_row):
    rows = [make_row(case=str(number), verdict=Verdict.FAIL) for number in range(3)]
    missing = [NotRun(f"t{number}", f"reason {number}") for number in range(1000)]
    shown = tables_of(write(rows, missing, most_bytes=8_000))
    assert len(shown["Failed"]) == 1 + 3
    assert 1 < len(shown["Not run"]) < 1000


def test_a_report_that_fits_loses_nothing(make_row):
    rows = [make_row(case=str(number), verdict=Verdict.FAIL) for number in range(100)]
    assert write(rows, most_bytes=2**20) == write(rows)


def test_where_not_even_the_headings_fit_there_is_nothing(make_row):
    assert write([make_row()], most_bytes=100) == ""
