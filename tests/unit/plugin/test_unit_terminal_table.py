"""The summary table in the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dsocr import NotRun, Results, Verdict
from pytest_dsocr.metrics import LABELS, METRICS, families_of
from pytest_dsocr.report.terminal import FOLD_ABOVE, Line, summary_lines, totals

FAMILIES = families_of(METRICS)
WIDTHS = pytest.mark.parametrize("width", [80, 100, 131, 132, 160], ids=lambda width: f"{width} columns")


def lines(rows=(), not_run=(), *, width=80, verbosity=0):
    return summary_lines(Results(tuple(rows), tuple(not_run)), LABELS, FAMILIES, width=width, verbosity=verbosity)


def texts(*args, **kwargs):
    return [line.text for line in lines(*args, **kwargs)]


def position(text, wanted):
    return next(index for index, line in enumerate(text) if wanted in line)


@pytest.fixture
def ordinary(make_row):
    """Rows as a run of this project makes them, one of each verdict, and one that did not run."""
    rows = [
        make_row(layer=layer, case=case, metric=metric, verdict=verdict, measured=976_909_172_736)
        for layer, case, metric, verdict in [
            ("vision.ImageEncoderViT", "six 640 crops", "tensor_flops", Verdict.PASS),
            ("decoder.DeepseekV2DecoderLayer", "MoE, three decodes over 945 keys", "tensor_flops", Verdict.PASS),
            ("vision.CLIPVisionEmbeddings", "224 pixels, its own convolution", "tensor_flops", Verdict.FAIL),
            ("vision.NoTPTransformerBlock", "any size", "params", Verdict.ERROR),
            ("llama.LlamaFlashAttention2", "prefill of 913", "tensor_flops", Verdict.INCONCLUSIVE),
        ]
    ]
    test = "tests/layers/test_decoder.py::test_moe_layer_flops[MoE, three decodes over 945 keys]"
    return rows, [NotRun(test, "experts in float32 on meta: torch's grouped matmul takes only bfloat16 there; " * 2)]


@WIDTHS
@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_every_line_fits_the_terminal(ordinary, width, verbosity):
    too_long = [text for text in texts(*ordinary, width=width, verbosity=verbosity) if len(text) > width]
    assert too_long == []


@WIDTHS
def test_long_names_are_cut_to_fit_the_terminal(make_row, width):
    rows = [make_row(case="x" * 300), make_row(layer="vision." + "y" * 30, verdict=Verdict.FAIL)]
    written = texts(rows, [NotRun("t" * 300, "r" * 300)], width=width)
    assert [text for text in written if len(text) > width] == []
    assert any("xxx…" in text for text in written)


@WIDTHS
def test_a_row_says_both_figures_and_its_verdict(make_row, width):
    written = texts([make_row(predicted=12_345, measured=67_890, relative_difference=None)], width=width)
    (row,) = [text for text in written if "12,345" in text]
    assert "67,890" in row
    assert row.endswith("fail")
    assert "1024 view" in row
    assert any("vision" in text and "Attention" in text and "tensor FLOPs" in text for text in written)


@pytest.mark.parametrize(("rtol", "allowed"), [(0.0, "exact"), (0.155, "15.5%")])
def test_a_wide_row_says_difference_and_tolerance(make_row, rtol, allowed):
    row = make_row(predicted=110, measured=100, difference=10, rtol=rtol, verdict=Verdict.FAIL)
    (text,) = [text for text in texts([row], width=160) if "110" in text]
    assert text.split() == (
        ["vision", "Attention", "1024", "view", "tensor", "FLOPs", "110", "100", "+10", allowed, "fail"]
    )


def test_a_narrow_table_names_layer_and_metric_once_above_their_rows(make_row):
    rows = [make_row(case="a"), make_row(case="b"), make_row(case="c", metric="params")]
    body = [text.split()[0] if text.startswith(" ") else text for text in texts(rows, width=80)[2:-2]]
    assert body == ["vision.Attention: tensor FLOPs", "a", "b", "vision.Attention: parameters", "c"]


@WIDTHS
def test_what_is_no_pass_comes_after_the_passes_and_what_did_not_run_last(make_row, width):
    rows = [make_row(case="wrong", verdict=Verdict.FAIL), make_row(case="right")]
    written = texts(rows, [NotRun("tests/a.py::b", "no GPU")], width=width)
    order = [position(written, wanted) for wanted in ("right", "wrong", "not run:", "tests/a.py::b", "no GPU")]
    assert order == sorted(order)


@WIDTHS
@pytest.mark.parametrize(
    ("given", "escaped"),
    [
        ({"case": "a\nb"}, "a\\nb"),
        ({"case": "\x1b[31mred"}, "\\x1b[31mred"),
        ({"layer": "vision.\x1b[2J"}, "\\x1b[2J"),
        ({"layer": "user.a\rb"}, "a\\rb"),
    ],
    ids=["newline in a case", "colour in a case", "erasure in a layer", "return in a layer"],
)
def test_names_cannot_move_the_cursor(make_row, width, given, escaped):
    written = texts([make_row(**given)], width=width)
    assert all(text.isprintable() for text in written)
    assert any(escaped in text for text in written)


def test_tests_that_did_not_run_for_one_reason_share_it():
    written = texts(not_run=[NotRun("a", "no GPU"), NotRun("b", "no GPU"), NotRun("c", "no time")])
    assert written[:6] == ["not run:", "  a", "  b", "    no GPU", "  c", "    no time"]


@WIDTHS
def test_nothing_is_cut_of_what_did_not_run_and_why(width):
    test = f"tests/layers/test_a.py::test_{'x' * 60}[prefill of 493, in time, and a name that goes on]"
    reason = "time needs a real device: give --dsocr-device cpu or cuda, " * 5
    written = texts(not_run=[NotRun(test, reason)], width=width)
    told = written[1 : written.index("")]
    assert max(map(len, told)) <= width
    assert "".join("".join(told).split()) == "".join(f"{test}{reason}".split())


def test_what_did_not_run_cannot_move_the_cursor():
    written = texts((), [NotRun("tests/a.py::b[\x1b[2J]", "a\nb")])
    assert all(text.isprintable() for text in written)
    assert "  tests/a.py::b[\\x1b[2J]" in written
    assert "    a\\nb" in written


@pytest.mark.parametrize("width", [80, 160])
def test_a_layer_without_a_group_has_its_row_too(make_row, width):
    assert any("lonely" in text for text in texts([make_row(layer="lonely")], width=width))


# --- folding, quiet, verbose ---


def many(make_row, count):
    return [make_row(case=f"case {number}") for number in range(count)]


def test_as_many_passes_as_fit_stand_one_by_one(make_row):
    assert sum("case " in text and text.endswith("pass") for text in texts(many(make_row, FOLD_ABOVE))) == FOLD_ABOVE


def folding(make_row):
    return [*many(make_row, FOLD_ABOVE), make_row(metric="params"), make_row(layer="decoder.LMHead")]


def test_more_passes_fold_to_a_line_for_each_layer(make_row):
    assert [text.split() for text in texts(folding(make_row), width=80)[:4]] == [
        ["tensor"],
        ["cases", "that", "pass", "FLOPs", "parameters"],
        ["vision.Attention", str(FOLD_ABOVE), "1"],
        ["decoder.LMHead", "1", "-"],
    ]


def test_on_a_terminal_too_narrow_for_that_they_are_counted_by_family(make_row):
    rows = [*folding(make_row), make_row(metric="cuda_flops"), make_row(metric="io_bytes")]
    assert [text.split() for text in texts(rows, width=46)[:3]] == [
        ["comparisons", "that", "pass", "flops", "params", "traffic"],
        ["vision.Attention", str(FOLD_ABOVE + 1), "1", "1"],
        ["decoder.LMHead", "1", "-", "-"],
    ]


def test_on_one_too_narrow_for_that_as_well_by_layer_alone(make_row):
    assert [text.split() for text in texts(folding(make_row), width=30)[:4]] == [
        ["all"],
        ["comparisons", "that", "pass", "metrics"],
        ["vision.Attention", str(FOLD_ABOVE + 1)],
        ["decoder.LMHead", "1"],
    ]


def test_what_is_no_pass_is_never_folded(make_row):
    rows = [*many(make_row, FOLD_ABOVE + 1), *[make_row(case=f"bad {n}", verdict=Verdict.FAIL) for n in range(3)]]
    assert sum("bad " in text for text in texts(rows)) == 3


def test_a_verbose_run_folds_nothing(make_row):
    written = texts(many(make_row, FOLD_ABOVE + 1), verbosity=1)
    assert sum(text.endswith("pass") for text in written if "case " in text) == FOLD_ABOVE + 1


def test_a_quiet_run_says_only_what_is_no_pass(make_row):
    written = texts([make_row(case="right"), make_row(case="wrong", verdict=Verdict.FAIL)], verbosity=-1)
    assert not any("right" in text for text in written)
    assert any("wrong" in text for text in written)
    assert written[-1] == "dsocr: 1 pass, 1 fail"


def test_a_quiet_run_of_passes_is_its_totals(make_row):
    assert texts([make_row()], verbosity=-1) == ["dsocr: 1 pass"]


# --- totals and colours ---


@pytest.mark.parametrize(
    ("verdicts", "not_run", "expected"),
    [
        pytest.param([], 0, Line("dsocr: nothing was compared", "yellow", bold=True), id="nothing"),
        pytest.param([Verdict.PASS] * 2, 0, Line("dsocr: 2 pass", "green", bold=True), id="passes"),
        pytest.param([Verdict.FAIL, Verdict.PASS], 0, Line("dsocr: 1 pass, 1 fail", "red", bold=True), id="one fail"),
        pytest.param(
            [Verdict.PASS, Verdict.ERROR], 0, Line("dsocr: 1 pass, 1 error", "red", bold=True), id="one error"
        ),
        pytest.param(
            [Verdict.PASS, Verdict.INCONCLUSIVE],
            0,
            Line("dsocr: 1 pass, 1 inconclusive", "yellow", bold=True),
            id="one inconclusive",
        ),
        pytest.param([Verdict.PASS], 1, Line("dsocr: 1 pass, 1 not run", "yellow", bold=True), id="one not run"),
        pytest.param(
            [Verdict.INCONCLUSIVE, Verdict.FAIL],
            1,
            Line("dsocr: 1 fail, 1 inconclusive, 1 not run", "red", bold=True),
            id="the worst colours",
        ),
    ],
)
def test_totals_count_by_verdict_in_the_worst_ones_colour(make_row, verdicts, not_run, expected):
    rows = tuple(make_row(verdict=verdict) for verdict in verdicts)
    assert totals(Results(rows, (NotRun("a", "b"),) * not_run)) == expected


def test_totals_are_the_last_line(ordinary):
    assert lines(*ordinary)[-1] == totals(Results(tuple(ordinary[0]), tuple(ordinary[1])))


@WIDTHS
@pytest.mark.parametrize(
    ("verdict", "colour"),
    [(Verdict.PASS, ""), (Verdict.FAIL, "red"), (Verdict.ERROR, "red"), (Verdict.INCONCLUSIVE, "yellow")],
)
def test_only_what_is_no_pass_is_coloured(make_row, width, verdict, colour):
    (row,) = [line for line in lines([make_row(verdict=verdict)], width=width)[:-1] if line.text.endswith(verdict)]
    assert row.colour == colour


# --- times ---


@pytest.fixture
def time_row(make_row):
    """Make a row of a time: 12 ms predicted, 12.3 ms measured, 0.2 ms of deviation over 3 repeats, 1.5 % of spread."""

    def make(**given):
        fields = {
            "metric": "latency_s",
            "predicted": 0.012,
            "measured": 0.0123,
            "spread": 0.015,
            "details": {"mean_s": 0.0124, "stdev_s": 0.0002, "rounds": 15, "repeats": 3},
        }
        return make_row(**{**fields, **given})

    return make


def test_a_narrow_time_has_its_unit_and_its_spread(time_row):
    assert texts([time_row()])[:4] == [
        "case           predicted        measured  verdict",
        "-----------  -----------  --------------  -----------",
        "vision.Attention: latency",
        "  1024 view     12.00 ms  12.30 ms ±1.5%  pass -2.44%",
    ]


def test_a_verbose_narrow_time_has_its_repeats_below(time_row):
    assert texts([time_row()], verbosity=1)[4] == "    mean 12.40 ms ± 200.0 µs of 3 repeats"


def test_a_wide_time_has_mean_deviation_and_spread(time_row):
    head, _, row = texts([time_row()], width=160)[:3]
    columns = ["group", "layer", "case", "metric", "predicted", "measured", "mean", "±", "deviation", "spread"]
    assert head.split() == [*columns, "difference", "allowed", "verdict"]
    values = ["vision", "Attention", "1024", "view", "latency", "12.00", "ms", "12.30", "ms", "12.40", "ms", "±"]
    assert row.split() == [*values, "200.0", "µs", "1.5%", "-2.44%", "10%", "pass"]


def test_counts_among_times_leave_their_noise_empty(time_row, make_row):
    (row,) = [text for text in texts([time_row(), make_row(predicted=7)], width=160) if "FLOPs" in text]
    assert row.split() == [
        "vision",
        "Attention",
        "1024",
        "view",
        "tensor",
        "FLOPs",
        "7",
        "7",
        "0",
        "exact",
        "pass",
    ]


@WIDTHS
@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_times_fit_the_terminal(time_row, width, verbosity):
    layer = "decoder.DeepseekV2DecoderLayer"
    rows = [
        time_row(layer=layer, case="MoE, three decodes over 945 keys", verdict=verdict, reason="r" * 200)
        for verdict in (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)
    ]
    assert [text for text in texts(rows, width=width, verbosity=verbosity) if len(text) > width] == []


def test_a_notice_is_told_although_its_row_is_folded(time_row, make_row):
    notice = time_row(predicted=0.02, reason="notice: faster than predicted")
    written = texts([make_row(case=str(case)) for case in range(FOLD_ABOVE)] + [notice])
    at = position(written, "vision.Attention, 1024 view, latency: pass +62.6%")
    assert written[at + 1] == "  notice: faster than predicted"


def test_a_time_that_could_not_be_measured_is_nan(time_row):
    row = time_row(
        measured=float("nan"), relative_difference=float("nan"), spread=None, details={}, verdict=Verdict.ERROR
    )
    (text,) = [text for text in texts([row]) if "1024 view" in text]
    assert text.split() == ["1024", "view", "12.00", "ms", "nan", "error"]


def test_no_name_and_no_reason_makes_a_line_that_github_takes_for_a_command(make_row, hostile):
    @given(st.lists(hostile, min_size=6, max_size=6), st.sampled_from([80, 160]), st.sampled_from(list(Verdict)[:4]))
    def check(names, width, verdict):
        layer, case, reason, label, test, why = names
        row = make_row(layer=layer, case=case, reason=reason, verdict=verdict)
        results = Results((row, *[make_row(case=str(case)) for case in range(FOLD_ABOVE)]), (NotRun(test, why),))
        for rows in (results, Results((row,), results.not_run)):
            lines = summary_lines(rows, {"tensor_flops": label}, FAMILIES, width=width)
            assert [line for line in lines if is_command(line.text)] == []

    check()


def is_command(line):
    """As GitHub's runner sees it."""
    return line.strip().startswith("::") or "##[" in line
