"""``dsocr compare``: what moved between two files, how that reads, and with what it ends."""

import json
import os
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest

from pytest_dsocr import Device, NotRun, Results, Verdict
from pytest_dsocr.baseline import gated
from pytest_dsocr.baseline_file import Baseline

SCHEMA = json.loads(files("pytest_dsocr.cli").joinpath("compare.schema.json").read_text(encoding="utf-8"))
H200 = Device("cuda", "NVIDIA H200", "9.0", "570.1", "2.13.0", "12.8")
SLOW, FAST = (tuple(base + 0.001 * number for number in range(8)) for base in (0.2, 0.1))


@pytest.fixture
def make_row(make_row):
    """Make a row of 1000 at batch 1, with a tolerance of a tenth, unless a test says otherwise."""
    return lambda **given: make_row(**{"measured": 1000, "rtol": 0.1, "sizes": {"batch": 1}, **given})


@pytest.fixture
def base(write, make_row):
    """Make a rows file of four rows of 1000, each with a tolerance of a tenth."""
    return write("base.json", *(make_row(case=case) for case in "abcd"))


@pytest.fixture
def head(write, make_row):
    """Make a rows file of cases and their figures."""
    return lambda **figures: write("head.json", *(make_row(case=case, measured=one) for case, one in figures.items()))


@pytest.fixture
def document(run):
    """Compare two files as JSON, which is what its schema says; the document and the exit code."""

    def made(*arguments):
        result = run("compare", *arguments, "--json")
        assert not result.stderr
        read = json.loads(result.stdout)
        jsonschema.validate(read, SCHEMA)
        return read, result.exit_code

    return made


# --- what it says ---


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_what_is_the_same_is_counted(run, base):
    result = run("compare", base, base)
    assert (result.exit_code, result.stdout) == (0, "4 same\ngreen: nothing regressed, no row fails\n")


def test_what_moved_stands_on_a_line_on_a_wide_terminal(run, base, head, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    result = run("compare", base, head(a=1000, b=1250, c=800, e=7))
    assert result.exit_code == 1
    assert result.stdout == (
        "layer             case    metric          stored    measured    change    allowed  came to\n"
        "----------------  ------  ------------  --------  ----------  --------  ---------  -----------\n"
        "vision.Attention  b       tensor FLOPs     1,000       1,250      +25%        10%  regression\n"
        "vision.Attention  c       tensor FLOPs     1,000         800      -20%        10%  improvement\n"
        "\n"
        "missing from HEAD:\n"
        "  vision.Attention, d, tensor_flops\n"
        "\n"
        "1 same, 1 regression, 1 improvement, 1 new, 1 missing from HEAD\n"
        "red: 1 regression\n"
    )


def test_what_moved_stands_on_two_lines_on_80_columns(run, base, head):
    result = run("compare", base, head(a=1000, b=1250, c=800, d=1000))
    assert result.stdout.splitlines()[:6] == [
        "    stored    measured    change    allowed  came to",
        "  --------  ----------  --------  ---------  -----------",
        "vision.Attention, b, tensor FLOPs",
        "     1,000       1,250      +25%        10%  regression",
        "vision.Attention, c, tensor FLOPs",
        "     1,000         800      -20%        10%  improvement",
    ]


@pytest.mark.parametrize("columns", [80, 100, 120, 160])
def test_it_is_as_wide_as_the_terminal(run, write, make_row, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    given = {"layer": "decoder.DeepseekV2DecoderLayer", "case": "MoE, prefill of 913, in time", "device": H200}
    times = {"metric": "latency_s", "verdict": Verdict.FAIL, "reason": "slower than predicted by more " * 9}
    rows = (make_row(measured=123_456_789_012_345, **given), make_row(measured=0.2, samples=SLOW, **given, **times))
    moved = (replace(rows[0], measured=10**20), replace(rows[1], measured=0.1, samples=FAST))
    result = run("compare", write("base.json", *rows), write("head.json", *moved), "--all")
    assert max(map(len, result.stdout.splitlines())) <= columns
    assert "100,000,000,000,000,000,000" not in result.stdout
    assert ("p = 7.8e-05" in result.stdout) is (columns > 80)


def test_json_keeps_the_order_of_head(document, base, head):
    read, _ = document(base, head(a=1000, b=800, c=1250, e=1), "--all")
    changes = [(row["case"], row["change"]) for row in read["rows"]]
    assert changes == [("a", "same"), ("b", "improvement"), ("c", "regression"), ("e", "new")]


def test_what_is_red_comes_first_and_what_has_not_moved_last(run, base, head):
    output = run("compare", base, head(a=1000, b=800, c=1250, e=1), "--all").stdout
    words = [
        word for word in output.partition("\n\n")[0].split() if word in ("same", "improvement", "regression", "new")
    ]
    assert words == ["regression", "improvement", "new", "same"]


def test_json_has_the_figures_in_full(document, base, head):
    read, code = document(base, head(a=1000, b=1250, c=1000))
    assert code == 1
    counted = {"same": 2, "regression": 1, "missing": 1}
    assert read["counts"] == dict.fromkeys(SCHEMA["properties"]["counts"]["required"], 0) | counted
    (row,) = read["rows"]
    figures = ("case", "stored", "measured", "relative_change", "p_value", "rtol", "change", "verdict", "reason")
    assert [row[name] for name in figures] == [
        *("b", 1000, 1250, 0.25, None, 0.1, "regression", "pass", "regression: +25% of the stored")
    ]
    assert [(one["case"], one["stored"]) for one in read["missing"]] == [("d", 1000)]


def test_a_time_that_is_slower_says_how_sure_that_is(document, write, make_row):
    stored, slower = (make_row(metric="latency_s", measured=one[4], samples=one) for one in (FAST, SLOW))
    read, code = document(write("base.json", stored), write("head.json", slower))
    (row,) = read["rows"]
    assert code == 1
    # one of the 16 choose 8 ways to rank the rounds
    assert row["p_value"] == pytest.approx(1 / 12870)


def test_a_time_whose_rounds_do_not_differ_is_uncertain_and_says_why(run, write, make_row):
    stored, slower = (make_row(metric="latency_s", measured=one, samples=FAST) for one in (0.1, 0.2))
    result = run("compare", write("base.json", stored), write("head.json", slower))
    assert result.exit_code == 0
    assert "uncertain" in result.stdout
    assert "  beyond the tolerance, and its rounds do not differ from the stored" in result.stdout


@pytest.mark.parametrize(
    ("verdict", "code", "came_to"),
    [
        pytest.param(Verdict.FAIL, 1, "same, fail", id="a row that fails"),
        pytest.param(Verdict.ERROR, 1, "error", id="an error"),
        pytest.param(Verdict.INCONCLUSIVE, 0, "inconclusive", id="a row that is inconclusive"),
    ],
)
def test_what_is_no_pass_by_itself_is_listed_with_its_reason(run, write, make_row, base, verdict, code, came_to):
    row = make_row(case="a", verdict=verdict, reason="the experts were skewed")
    result = run("compare", base, write("head.json", row))
    assert result.exit_code == code
    assert any(line.endswith(f"  {came_to}") for line in result.stdout.splitlines())
    assert "the experts were skewed" in result.stdout
    red = "red: 1 row fails without a baseline" if code else "green: nothing regressed, no row fails"
    assert result.stdout.splitlines()[-1] == red


def test_what_is_missing_is_red_only_when_all_is_required(run, base, head):
    path = head(a=1000)
    assert run("compare", base, path).exit_code == 0
    result = run("compare", base, path, "--require-all")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "red: 3 missing from HEAD"


def test_why_a_row_is_missing_is_told_where_it_is_known(run, base, write, make_row):
    test = make_row(case="d").test
    rows = [make_row(case=case) for case in "abc"]
    result = run("compare", base, write("head.json", *rows, not_run=(NotRun(test, "out of memory"),)))
    assert "  vision.Attention, d, tensor_flops\n    not run: out of memory\n" in result.stdout
    assert "3 same, 1 missing from HEAD, 1 not run in HEAD" in result.stdout


def test_of_much_that_is_missing_the_first_is_listed(run, write, make_row, base):
    many = write("many.json", *(make_row(case=f"case {number}") for number in range(50)), make_row(case="a"))
    lines = run("compare", many, base).stdout.splitlines()
    assert lines.count("  and 30 more") == 1
    assert sum("case " in line for line in lines) == 20


def test_what_head_complains_of_is_told_and_not_red(run, write, make_row, base):
    path = write("head.json", make_row(case="a"), complaints=("--dsocr-require gpu: nothing was measured",))
    result = run("compare", base, path)
    assert result.exit_code == 0
    assert "HEAD complains: --dsocr-require gpu: nothing was measured\n" in result.stdout


# --- as the gate of a run ---


@pytest.mark.parametrize("advisory", ["", "advisory under xdist"], ids=["a gate", "advice"])
def test_rows_that_a_run_held_against_another_baseline_are_what_they_are_by_themselves(
    document, write, make_row, base, advisory
):
    """The run's own baseline had half: a regression there, none here."""
    rows = (make_row(case="a"), make_row(case="b", metric="latency_s", measured=0.2, samples=SLOW))
    older = (make_row(case="a", measured=500), make_row(case="b", metric="latency_s", measured=0.1, samples=FAST))
    stood = [gated(row, old, "old.json", advisory=advisory) for row, old in zip(rows, older, strict=True)]
    assert not any(row.verdict is Verdict.PASS for row in stood)
    read, code = document(write("base.json", *rows), write("head.json", *stood), "--all")
    assert (code, [row["change"] for row in read["rows"]]) == (0, ["same", "same"])
    assert [row["verdict"] for row in read["rows"]] == ["pass", "pass"]


@pytest.mark.parametrize("measured", [500, 1000, 1100, 1101, 2000])
def test_it_says_what_the_gate_says(document, write, make_row, base, measured):
    row = make_row(case="a", measured=measured)
    stood = gated(row, make_row(case="a"), str(base))
    read, code = document(base, write("head.json", row), "--all")
    (one,) = read["rows"]
    assert one["change"] == stood.baseline.change
    assert (code == 1) is (stood.verdict is Verdict.FAIL)


# --- BASE ---


@pytest.fixture
def folder(tmp_path, make_row):
    """Make a folder of baselines of two devices."""
    path = tmp_path / "baselines"
    Baseline(path).check_writable()
    rows = (make_row(case=case, device=device) for case in "ab" for device in (Device("meta", torch="2.13.0"), H200))
    Baseline(path).update(Results(tuple(rows)))
    return path


def test_base_may_be_a_folder_of_baselines(document, folder, head):
    read, code = document(folder, head(a=2000), "--all")
    assert (code, read["counts"]["regression"]) == (1, 1)
    assert [one["case"] for one in read["missing"]] == ["b"]


def test_rows_of_base_on_other_devices_are_not_missing(document, folder, head):
    read, _ = document(folder, head(a=1000, b=1000))
    assert read["missing"] == []


def test_rows_of_head_on_a_device_that_base_has_none_of_are_counted(run, base, write, make_row):
    result = run("compare", base, write("head.json", make_row(case="a"), make_row(case="a", device=H200)), "--all")
    assert result.exit_code == 0
    assert "1 same, 1 no baseline, 3 missing from HEAD" in result.stdout


def test_a_row_of_other_sizes_is_new(document, base, write, make_row):
    read, code = document(base, write("head.json", make_row(case="a", sizes={"batch": 9})), "--all")
    (row,) = read["rows"]
    assert (code, row["change"], row["stored"]) == (0, "new", None)
    assert row["reason"] == "the stored row is of other sizes: batch=1"


# --- what cannot be compared ---


@pytest.mark.parametrize(
    ("given", "has"),
    [
        pytest.param(
            {"model": "deepseek-ocr-2"}, "1 row of deepseek-ocr-2 by transformers, sdpa attention", id="another model"
        ),
        pytest.param({"device": Device("meta", torch="2.14.0")}, "on meta, torch 2.14.0", id="another torch"),
        pytest.param({"device": H200}, "on cuda NVIDIA H200, capability 9.0, driver 570.1", id="another device"),
        pytest.param({"attention": "flash"}, "flash attention", id="another attention"),
        pytest.param({"dtype": "float32"}, "sdpa attention, float32, on meta", id="another dtype"),
        pytest.param({"case": "z"}, "1 row of deepseek-ocr by transformers", id="other cases"),
    ],
)
def test_rows_of_something_else_are_refused_with_both_sides(run, base, write, make_row, given, has):
    path = write("head.json", make_row(**given))
    for one, other in ((base, path), (path, base)):
        result = run("compare", one, other)
        (line,) = result.stderr.splitlines()
        assert result.exit_code == 2
        assert line.startswith(f"Error: {one}, {other}: nothing can be compared: no row of the one has the key and the")
        assert has in line
        assert "4 rows of deepseek-ocr by transformers, sdpa attention, bfloat16, on meta, torch 2.13.0" in line


def test_a_folder_without_this_device_says_what_it_has(run, folder, write, make_row):
    (folder / "notes.json").write_text("{}", encoding="utf-8")
    result = run("compare", folder, write("head.json", make_row(device=Device("cpu", "Bench", torch="2.13.0"))))
    assert result.exit_code == 2
    assert "on cuda NVIDIA H200, capability 9.0" in result.stderr
    assert "on cpu Bench, torch 2.13.0" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("base.json",), "Missing argument 'HEAD'", id="no head"),
        pytest.param(("missing.json", "base.json"), "missing.json: cannot be read: No such file", id="no base"),
        pytest.param(("missing", "base.json"), "missing: cannot be read: No such file", id="no folder"),
        pytest.param(("empty", "base.json"), "empty: is a folder without a file that ends in .json", id="empty folder"),
        pytest.param(("base.json", "empty"), "empty: is a folder, allowed is a text file", id="a folder for a head"),
        pytest.param(("pipe", "base.json"), "pipe: is no regular file", id="a pipe"),
        pytest.param(("base.json", "none.json"), "none.json has no rows", id="no rows in head"),
        pytest.param(("none.json", "base.json"), "none.json has no rows", id="no rows in base"),
        pytest.param(("twice.json", "base.json"), "twice.json: rows: 2 have the key of", id="two rows in base"),
        pytest.param(("base.json", "twice.json"), "twice.json: rows: 2 have the key of", id="two rows in head"),
        pytest.param(("cut.json", "base.json"), "cut.json: is no JSON: ", id="base cut off"),
        pytest.param(("base.json", "cut.json"), "cut.json: is no JSON: ", id="head cut off"),
    ],
)
def test_bad_input_exits_with_2_in_a_line(run, base, write, make_row, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "empty").mkdir()
    write("none.json")
    write("twice.json", make_row(case="a"), make_row(case="a"))
    write("cut.json", text=Results((make_row(),)).to_json()[:100])
    result = run("compare", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
    assert not result.stdout


def test_names_neither_move_the_cursor_nor_command_a_runner(run, write, make_row, monkeypatch):
    odd = {
        "layer": "::error::\x1b[31m",
        "case": "::stop-commands::x\r\n##[error]",
        "metric": "\u202eevil",
        "test": "t\n",
    }
    rows = [make_row(**odd, measured=figure) for figure in (1000, 2000)]
    gone = make_row(case="\x1b[2Jgone")
    paths = (
        write("base.json", rows[0], gone),
        write("head.json", replace(rows[1], verdict=Verdict.FAIL, reason="\x07::")),
    )
    for columns in ("80", "160"):
        monkeypatch.setenv("COLUMNS", columns)
        output = run("compare", *paths).stdout
        assert all(char.isprintable() or char == "\n" for char in output)
        assert not any(line.lstrip().startswith("::") or "##[" in line for line in output.splitlines())
        assert r"\x1b[2Jgone" in output
