"""What a failed comparison says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import Op
from dsocr_cost.kernels import Tensor, bmm, copy, layer_norm, linear, pointwise
from pytest_dsocr import Call, Verdict
from pytest_dsocr.alignment import MAX_ALIGNED
from pytest_dsocr.report.failure import MAX_TERMS, failure_text

REASON = "the difference is larger than the rule allows"


@pytest.fixture
def failed(make_row):
    def make(**changed):
        fields = {
            "predicted": 1100,
            "measured": 1000,
            "difference": 100,
            "relative_difference": 0.1,
            "rtol": 0.05,
            "rule": "rule 2",
            "because": "clocks drift",
            "verdict": Verdict.FAIL,
            "reason": REASON,
        }
        return make_row(**{**fields, **changed})

    return make


def call(flops, op="aten::mm", module="proj", shapes=((2, 3), (3, 4))):
    return Call(op, module, shapes, flops)


def text(row, ops=(), calls=(), width=160):
    return failure_text(row, "tensor FLOPs", ops, calls, width)


def terms(ops, calls, failed, width=160, **fields):
    """Write the table of terms, and return its lines below the heading and the rule."""
    written = text(failed(**fields), ops, calls, width).splitlines()
    start = next(index for index, line in enumerate(written) if line.startswith("---"))
    return written[start + 1 :]


def test_it_says_what_was_compared_both_figures_the_rule_and_why(failed):
    assert text(failed()).splitlines() == [
        "vision.Attention, 1024 view, tensor FLOPs: fail, +10.000%",
        "  predicted   1,100",
        "  measured    1,000",
        "  difference  +100, +10.000% of the measured",
        "  allowed     5%, by rule 2 (clocks drift)",
        f"  reason      {REASON}",
        "  at          batch=1, height=64, width=64",
        "  measured on meta, bfloat16, sdpa attention, transformers",
    ]


def test_a_prediction_below_the_measurement_has_a_minus(failed):
    written = text(failed(predicted=900, difference=-100, relative_difference=-0.1))
    assert "fail, -10.000%" in written
    assert "difference  -100, -10.000% of the measured" in written


def test_a_measurement_of_nothing_has_no_percentage(failed):
    written = text(failed(measured=0, difference=1100, relative_difference=None, verdict=Verdict.ERROR))
    assert written.startswith("vision.Attention, 1024 view, tensor FLOPs: error\n")
    assert "difference  +1,100\n" in written


def test_a_default_without_a_reason_has_no_brackets(failed):
    assert "  allowed     exact, by [default] params\n" in text(failed(rtol=0.0, rule="[default] params", because=""))


def test_a_case_without_sizes_says_so(failed):
    assert "  at          no sizes\n" in text(failed(sizes={}))


def test_without_ops_and_calls_there_is_no_table(failed):
    assert "!=" not in text(failed())


@pytest.mark.parametrize("field", ["layer", "case", "because", "reason"])
def test_names_cannot_move_the_cursor(failed, field):
    written = text(failed(**{field: "a\x1b[2Jb"}))
    assert "a\\x1b[2Jb" in written
    assert "\x1b" not in written


def test_the_wrong_term_is_marked_with_its_sizes_on_both_sides(failed):
    ops = [linear("qkv", 2, 4, 2, 6), bmm("scores", 2, 2, 4, 4, 3), linear("proj", 2, 4, 2, 2)]
    calls = [call(96, module="attn.qkv"), call(999, "aten::bmm", "attn", ((2, 4, 3), (2, 3, 4))), call(32)]
    assert [" ".join(line.split()) for line in terms(ops, calls, failed)] == [
        "qkv linear 1 x 4 x 6 x 2 96 = 96 aten::mm 2x3 @ 3x4 attn.qkv",
        "scores bmm 2 x 4 x 4 x 3 192 != 999 aten::bmm 2x4x3 @ 2x3x4 attn",
        "proj linear 1 x 4 x 2 x 2 32 = 32 aten::mm 2x3 @ 3x4 proj",
    ]


def test_a_term_that_was_not_counted_stands_alone(failed):
    (line,) = terms([linear("proj", 2, 4, 2, 2)], [], failed)
    assert " ".join(line.split()) == "proj linear 1 x 4 x 2 x 2 32 !="


def test_a_term_that_was_not_predicted_stands_alone(failed):
    ops = [linear("proj", 2, 4, 2, 2)]
    _, line = terms(ops, [call(32), call(7)], failed)
    assert " ".join(line.split()) == "!= 7 aten::mm 2x3 @ 3x4 proj"


def test_a_fused_op_stands_beside_the_two_calls_that_it_is(failed):
    lines = terms([Op("sdpa", "attention", 30)], [call(10, "aten::bmm"), call(20, "aten::bmm")], failed)
    assert [" ".join(line.split()) for line in lines] == [
        "sdpa attention 30 = 10 aten::bmm 2x3 @ 3x4 proj",
        "= 20 aten::bmm 2x3 @ 3x4 proj",
    ]


def test_without_ops_it_says_what_was_counted(failed):
    lines = terms(
        [], [call(6, "parameter", "proj.weight", ((2, 3),)), call(2, "parameter", "proj.bias", ((2,),))], failed
    )
    assert [" ".join(line.split()) for line in lines] == ["proj.weight parameter 2x3 6", "proj.bias parameter 2 2"]


def test_where_all_terms_agree_they_are_shown(failed):
    """Formula and module have grown together; the baseline alone sees it."""
    ops = [linear(f"layers.{index}", 2, index + 1, 2, 2) for index in range(4)]
    calls = [call(op.tensor_flops) for op in ops]
    assert "as the counter saw them (they agree):" in text(failed(), ops, calls)
    assert [line.split()[0] for line in terms(ops, calls, failed)] == [op.name for op in ops]


def test_an_input_without_sizes_is_a_scalar(failed):
    (line,) = terms([], [call(4, "aten::add", "up", ((1, 64), ()))], failed)
    assert "1x64 @ scalar" in line


def test_a_long_run_of_agreeing_terms_is_folded(failed):
    ops = [linear(f"layers.{index}", 2, index + 1, 2, 2) for index in range(10)]
    calls = [call(op.tensor_flops) for op in ops]
    calls[6] = call(1)
    lines = terms(ops, calls, failed)
    assert lines[0].strip() == "... 6 terms agree"
    assert lines[1].split()[0] == "layers.6"
    assert "!=" in lines[1]
    assert lines[2].strip() == "... 3 terms agree"


def test_two_agreeing_terms_are_not_folded(failed):
    ops = [linear("a", 2, 1, 2, 2), linear("b", 2, 2, 2, 2)]
    assert [line.split()[0] for line in terms(ops, [call(8), call(16)], failed)] == ["a", "b"]


def test_a_long_table_is_cut_and_says_by_how_much(failed):
    ops = [linear(f"layers.{index}", 2, 1, 2, 2) for index in range(MAX_TERMS + 5)]
    lines = terms(ops, [], failed)
    assert lines[-2].split()[0] == f"layers.{MAX_TERMS - 1}"
    assert lines[-1] == "... and 5 more"


def test_names_of_ops_and_of_modules_cannot_move_the_cursor(failed):
    written = text(failed(), [linear("a\x1b[2J", 2, 1, 2, 2)], [call(1, module="b\x1b[2J")])
    assert "\x1b" not in written


# 4 rows of 2 numbers, of 2 bytes: a norm with its statistics, 6 weights and biases, a linear, a residual
OPS = [
    layer_norm("norm", 2, 4, 2),
    linear("proj", 2, 4, 2, 2, bias=True),
    copy("contiguous", Tensor(8, 2)).times(0),
    pointwise("residual", Tensor(8, 2), Tensor(8, 2), Tensor(8, 2)),
]
NORM, PROJ, RESIDUAL = 16 + 8 + 16 + 2 * 4 * 4, 16 + 12 + 16, 3 * 16


@pytest.mark.parametrize("metric", ["io_bytes", "launches"])
def test_the_op_that_moves_other_bytes_is_named(failed, metric):
    """Launches are told apart by what they move; one that is not needed has no line."""
    calls = [
        call(NORM, "aten::native_layer_norm", "norm", ((4, 2), (2,), (2,))),
        call(PROJ - 4, "aten::mm"),
        call(RESIDUAL, "aten::add", "", ((4, 2), (4, 2))),
    ]
    assert [" ".join(line.split()) for line in terms(OPS, calls, failed, metric=metric)] == [
        "norm reduction 72 = 72 aten::native_layer_norm 2 @ 2 norm",
        "proj linear 1 x 4 x 2 x 2 44 != 40 aten::mm 2x3 @ 3x4 proj",
        "residual pointwise 48 = 48 aten::add 4x2 @ 4x2",
    ]


def test_a_launch_that_was_not_predicted_is_named_by_what_ran(failed):
    calls = [call(NORM), call(PROJ), call(32, "aten::clone", "attn", ((4, 2),)), call(RESIDUAL)]
    (line,) = [line for line in terms(OPS, calls, failed, metric="launches") if "!=" in line]
    assert " ".join(line.split()) == "!= 32 aten::clone 4x2 attn"


def test_of_cuda_flops_only_what_has_some_is_told(failed):
    lines = terms(OPS, [call(8, "aten::native_layer_norm"), call(9, "aten::add")], failed, metric="cuda_flops")
    assert [line.split()[0] for line in lines] == ["norm", "residual"]
    assert "8 != 9" in " ".join(lines[1].split())


def test_among_thousands_of_terms_the_wrong_one_is_found(failed):
    """A whole model's launches: what agrees before and after is not searched."""
    ops = [linear(f"layers.{index}", 2, index + 1, 2, 2) for index in range(20_000)]
    calls = [call(op.tensor_flops) for op in ops]
    calls[12_345] = call(1)
    lines = terms(ops, calls, failed)
    assert lines[0].strip() == "... 12345 terms agree"
    assert (lines[1].split()[0], "!=" in lines[1]) == ("layers.12345", True)
    assert lines[2].strip() == "... 7654 terms agree"


def test_terms_that_all_differ_are_set_side_by_side_to_the_end(failed):
    many = 3 * MAX_ALIGNED
    ops = [linear(f"layers.{index}", 2, index + 1, 2, 2) for index in range(many)]
    lines = terms(ops, [call(op.tensor_flops + 1) for op in ops[:-1]], failed)
    assert lines[-1] == f"... and {many - MAX_TERMS} more"
    assert all("!=" in line for line in lines[:-1])


# one that agrees, a wrong one with long names, one that was not predicted, one that was not counted
LONG = "layers.11.mlp.shared_experts.gate_proj"
WIDE_OPS = [linear("qkv", 2, 4, 2, 6), linear(LONG, 2, 1920, 1280, 1792), linear("left_out", 2, 5, 2, 2)]
WIDE_CALLS = [
    call(96, module="attn.qkv"),
    call(7, "aten::_scaled_dot_product_flash_attention_for_cpu", LONG, ((1, 10, 903, 128), (1, 10, 903, 128))),
    call(8, "aten::bmm", "attn"),
]


def test_where_there_is_no_room_for_all_columns_what_was_counted_stands_below_what_was_predicted(failed):
    """96 = 2 x 4 x 2 x 6 FLOPs are equal; of a term that is not, both lines are marked."""
    lines = terms(WIDE_OPS[:2], [WIDE_CALLS[0], call(9, module="mlp.gate_proj")], failed, width=80)
    assert [" ".join(line.split()) for line in lines] == [
        "qkv, linear 1 x 4 x 6 x 2 96",
        "aten::mm 2x3 @ 3x4, in attn.qkv = 96",
        "layers.11…ed_experts.gate_proj, linear 1 x 1920 x 1792 x 1280 != 8,808,038,400",
        "aten::mm 2x3 @ 3x4, in mlp.gate_proj != 9",
    ]


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_the_table_is_as_wide_as_the_terminal_at_most(failed, width):
    lines = terms(WIDE_OPS, WIDE_CALLS, failed, width=width)
    assert max(map(len, lines)) <= width
    written = "\n".join(lines)
    for figure in ("96", "8,808,038,400", "7", "40", "8"):
        assert f" {figure}" in written
    assert "gate_proj" in written
    assert "_for_cpu" in written


def test_a_wide_terminal_has_all_columns(failed):
    said = " ".join(text(failed(), WIDE_OPS[:1], WIDE_CALLS[:1], 100).split())
    assert "they agree): predicted op kernel b x m x n x k FLOPs FLOPs counted op in module -" in said


def test_the_terminal_is_asked_where_no_width_is_given(failed, monkeypatch):
    for columns in (80, 400):
        monkeypatch.setenv("COLUMNS", str(columns))
        asked = failure_text(failed(), "tensor FLOPs", WIDE_OPS, WIDE_CALLS)
        assert asked == text(failed(), WIDE_OPS, WIDE_CALLS, columns)


def test_what_was_counted_alone_is_as_wide_as_the_terminal_at_most(failed):
    calls = [call(6, "parameter", f"model.decoder.{LONG}.expert_{index}.weight", ((64, 1792, 1280),)) for index in "ab"]
    lines = terms([], calls, failed, width=80)
    assert max(map(len, lines)) <= 80
    assert [line.split(", ")[0][-9:] for line in lines] == ["_a.weight", "_b.weight"]
    assert all("parameter 64x1792x1280" in line for line in lines)


names = st.text(st.characters(codec="utf-8"), max_size=90)
sizes = st.lists(st.integers(1, 10**7), max_size=4).map(tuple)


def test_no_name_and_no_size_makes_the_table_wider_than_the_terminal(failed):
    @given(
        ops=st.lists(st.builds(Op, names, st.just("grouped_linear"), st.integers(1, 10**15)), max_size=3),
        calls=st.lists(st.builds(Call, names, names, st.tuples(sizes, sizes), st.integers(1, 10**15)), max_size=3),
        width=st.integers(80, 200),
    )
    def check(ops, calls, width):
        _, _, table = text(failed(), ops, calls, width).partition("\n\n")
        assert max(map(len, table.splitlines()), default=0) <= width

    check()


def test_a_metric_that_is_no_sum_over_ops_says_which_op_it_is_about(failed):
    """Launches up to a peak: the 7th as predicted, the 5th as traced, and which they are."""
    peak = {"metric": "peak_launch", "predicted": 7, "measured": 5}
    (line,) = terms([Op("lm_head", "linear")], [call(5, "aten::mul", "norm", ((2, 3),))], failed, **peak)
    assert " ".join(line.split()) == "lm_head linear 7 != 5 aten::mul 2x3 norm"


# --- times ---

SECONDS = {
    "metric": "latency_s",
    "predicted": 0.010,
    "measured": 0.0125,
    "difference": -0.0025,
    "relative_difference": -0.2,
    "spread": 0.015,
    "details": {"mean_s": 0.0126, "stdev_s": 0.0002, "rounds": 15, "repeats": 3, "retries": 0},
    "band": (0.009, 0.011),
    "source": "profile.json",
    "notes": "cold cache, eager",
}


def test_a_time_says_how_sure_both_sides_are(failed):
    assert failure_text(failed(**SECONDS), "latency", (), (), 80).splitlines() == [
        "vision.Attention, 1024 view, latency: fail, -20.0%",
        "  predicted   10.00 ms, 9.000 ms to 11.00 ms, by profile.json",
        "  measured    12.50 ms",
        "              mean 12.60 ms ± 200.0 µs, 15 rounds, 3 repeats",
        "  spread      1.5% of the measured",
        "  difference  -2.500 ms, -20.0% of the measured",
        "  allowed     5%, by rule 2 (clocks drift)",
        f"  reason      {REASON}",
        "  at          batch=1, height=64, width=64",
        "  measured on meta, bfloat16, sdpa attention, transformers",
        "              cold cache, eager",
    ]


def test_a_time_without_band_source_and_deviation_leaves_them_out(failed):
    row = failed(**{**SECONDS, "band": None, "source": "", "notes": "", "details": {"mean_s": 0.0126, "rounds": 5}})
    written = failure_text(row, "latency", (), (), 80).splitlines()
    assert written[1:4] == ["  predicted   10.00 ms", "  measured    12.50 ms", "              mean 12.60 ms, 5 rounds"]
    assert written[-1].startswith("  measured on")


def test_a_time_that_could_not_be_measured_has_no_difference_to_tell(failed):
    nan = float("nan")
    row = failed(**{**SECONDS, "measured": nan, "difference": nan, "relative_difference": nan, "spread": None})
    written = failure_text(row, "latency", (), (), 80).splitlines()
    assert written[0] == "vision.Attention, 1024 view, latency: fail"
    assert written[2] == "  measured    nan"


def test_the_ops_of_a_time_stand_beside_nothing(failed):
    written = failure_text(failed(**SECONDS), "latency", [linear("qkv", 2, 4, 8, 16)], (), 80)
    assert "qkv" not in written


def test_no_name_makes_a_line_that_github_takes_for_a_command(failed, hostile):
    @given(st.lists(hostile, min_size=8, max_size=8), st.sampled_from([80, 160]), st.booleans())
    def check(names, width, predicts):
        layer, case, label, reason, rule, because, op, module = names
        row = failed(layer=layer, case=case, reason=reason, rule=rule, because=because, notes=op, sizes={module: 1})
        ops = [Op(op, module, 7)] if predicts else []
        lines = failure_text(row, label, ops, [call(8, op=module, module=op)], width).splitlines()
        assert [line for line in lines if line.strip().startswith("::") or "##[" in line] == []

    check()
