"""Annotations, read back as GitHub's runner reads them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dsocr import Results, Verdict
from pytest_dsocr.metrics import LABELS
from pytest_dsocr.report.annotations import MOST, Annotation, annotations_of, command
from pytest_dsocr.report.text import printable
from pytest_dsocr.row import AgainstBaseline, Change


def told(*rows, complaints=()):
    return annotations_of(Results(rows, complaints=tuple(complaints)), LABELS)


def read(line):
    """Take a command apart: its name, its properties, its message; the escapes are undone last to first."""
    assert line.startswith("::")
    name_and_properties, _, message = line.removeprefix("::").partition("::")
    name, _, properties = name_and_properties.partition(" ")
    pairs = dict(one.split("=", 1) for one in properties.split(","))
    return name, {key: unescaped(unescaped(value, "%3A:", "%2C,")) for key, value in pairs.items()}, unescaped(message)


def unescaped(text, *escapes):
    for escape in escapes or ("%0D\r", "%0A\n", "%25%"):
        text = text.replace(escape[:3], escape[3:])
    return text


# --- commands ---


def test_a_command_names_file_line_title_and_message():
    one = Annotation("error", "fail: a, b", "too far\n10% more")
    line = command(one, "tests/test_a.py", 12)
    assert line == "::error file=tests/test_a.py,line=12,title=fail%3A a%2C b::too far%0A10%25 more"


@pytest.mark.parametrize(
    ("file", "line", "properties"),
    [("", None, {"title": "t"}), ("", 3, {"title": "t"}), ("a.py", None, {"file": "a.py", "title": "t"})],
    ids=["neither", "a line of no file", "a file without a line"],
)
def test_what_is_not_known_is_left_out(file, line, properties):
    assert read(command(Annotation("notice", "t", "m"), file, line)) == ("notice", properties, "m")


@given(st.data())
def test_no_text_adds_a_command_a_property_or_a_line(hostile, data):
    title, message, file = (data.draw(hostile) for _ in range(3))
    line = command(Annotation("warning", title or "t", message), file, 1)
    assert line.isprintable()
    name, properties, said = read(line)
    assert name == "warning"
    assert said == "\n".join(map(printable, message.split("\n")))
    assert properties == {
        **({"file": printable(file), "line": "1"} if file else {}),
        "title": printable(title or "t"),
    }


def test_a_title_without_end_is_cut():
    _, properties, _ = read(command(Annotation("error", "x" * 1000, "")))
    assert properties["title"] == f"{'x' * 199}…"


# --- what is told ---


def test_a_failed_row_is_an_error_at_its_test(make_row):
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
    message = "too far\npredicted 1,100, measured 1,000, difference +100\nallowed: 5%, by rule 2 (clocks drift)"
    title = "fail: vision.Attention, 1024 view, tensor FLOPs"
    assert told(row) == [Annotation("error", title, message, row.test)]


def test_a_regression_says_what_moved_and_where_it_is_stored(make_row):
    stored = AgainstBaseline(Change.REGRESSION, 1000, 0.1, source="base.json")
    (one,) = told(make_row(measured=1100, verdict=Verdict.FAIL, reason="regression", baseline=stored))
    moved = "+10% of the stored: vision.Attention, 1024 view, tensor_flops: 1,000 to 1,100"
    assert one.message.splitlines()[-1] == f"moved: {moved}, stored in base.json"


def test_each_verdict_has_its_level(make_row):
    better = AgainstBaseline(Change.IMPROVEMENT, 1000, -0.1, source="base.json")
    rows = [make_row(verdict=verdict) for verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)]
    levels = [(one.level, one.title.partition(":")[0]) for one in told(*rows, make_row(measured=900, baseline=better))]
    assert levels == [("error", "error"), ("error", "fail"), ("warning", "inconclusive"), ("notice", "improvement")]


def test_what_has_not_moved_and_passes_says_nothing(make_row):
    standings = (Change.SAME, Change.NEW, Change.UNCERTAIN)
    assert told(*(make_row(baseline=AgainstBaseline(change, 1)) for change in standings)) == []


def test_what_made_the_run_red_comes_first(make_row):
    first, second = told(make_row(verdict=Verdict.ERROR), complaints=["--dsocr-require gpu: nothing was measured"])
    assert first == Annotation("error", "dsocr", "--dsocr-require gpu: nothing was measured")
    assert second.title.startswith("error: ")


def test_the_worst_rows_come_first_and_the_last_one_says_how_many_more_there_are(make_row):
    """Off by 1 to 12 percent, in a mixed order, one unknown."""
    apart = [0.03, -0.12, 0.01, 0.05, -0.02, None, 0.04, 0.06, -0.07, 0.08, 0.09, 0.1, 0.11]
    rows = [make_row(case=str(index), relative_difference=one, verdict=Verdict.FAIL) for index, one in enumerate(apart)]
    shown = told(*rows)
    assert len(shown) == MOST == 10
    assert [apart[int(one.title.split(", ")[1])] for one in shown] == [
        *(None, -0.12, 0.11, 0.1, 0.09, 0.08, -0.07, 0.06, 0.05, 0.04)
    ]
    assert ["more" in one.message for one in shown] == [False] * 9 + [True]
    assert shown[-1].message.endswith("\nand 3 more, which GitHub does not show here")


def test_as_many_as_are_shown_say_nothing_of_more(make_row):
    assert not any("more" in one.message for one in told(*[make_row(verdict=Verdict.FAIL)] * MOST))


def test_a_level_does_not_take_the_room_of_another(make_row):
    rows = [make_row(verdict=verdict) for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE) for _ in range(15)]
    assert [one.level for one in told(*rows)] == ["error"] * 10 + ["warning"] * 10


def test_a_figure_that_is_no_number_can_be_told(make_row):
    nan = math.nan
    (one,) = told(make_row(measured=nan, difference=nan, relative_difference=nan, verdict=Verdict.ERROR))
    assert "measured nan, difference nan" in one.message
