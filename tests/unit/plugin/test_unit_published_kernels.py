"""Ten kernels that were timed on an RTX 5090, against its datasheet and what its architecture makes of that."""

import re
from dataclasses import replace

import pytest

from dsocr_cost.architecture import architecture_of, profile_of
from dsocr_cost.device import find_device
from dsocr_cost.kernels import linear
from pytest_dsocr.published.grids import table_rows
from pytest_dsocr.published.rtx5090 import DEVICE, KERNELS, kernels_section, timed_kernels

TIMED = timed_kernels()


def test_each_row_has_its_op():
    assert [row["kernel"] for row in table_rows("rtx5090_kernels")] == list(KERNELS)
    assert len(TIMED) == 10


def test_no_parameter_was_fitted_on_this_card():
    """They are those of the tables of another card: `make oracle` holds them against these."""
    assert architecture_of(find_device(DEVICE)).fitted_on == "RTX PRO 6000 Server"


@pytest.mark.parametrize("kernel", TIMED, ids=lambda kernel: kernel.name)
def test_a_kernel_takes_what_is_predicted_within_30_per_cent(kernel):
    assert kernel.predicted_s == pytest.approx(kernel.measured_s, rel=0.3)


def test_on_the_whole_they_are_much_nearer_than_a_roofline():
    predicted, roofline = (
        sum(abs(seconds / kernel.measured_s - 1) for kernel, seconds in pairs) / len(TIMED)
        for pairs in (
            [(kernel, kernel.predicted_s) for kernel in TIMED],
            [(kernel, kernel.roofline_s) for kernel in TIMED],
        )
    )
    assert predicted < 0.12
    assert roofline > 3 * predicted


@pytest.mark.parametrize(
    ("name", "flops", "published"),
    [
        ("sam_lin1_gemm", 2 * 9600 * 3072 * 768, 45_298_483_200),
        # published are 1,638,400 more than the sizes give, 5 in a million
        ("lm_head_gemm_prefill", 2 * 913 * 129280 * 1280, 302_165_196_800 - 1_638_400),
    ],
)
def test_an_op_does_the_work_that_was_published(name, flops, published):
    assert KERNELS[name].tensor_flops == flops == published


@pytest.mark.parametrize(
    ("name", "nbytes"),
    [
        ("lm_head_gemv_decode", 330_956_800),  # 2 * 129280 * 1280, without the vectors
        ("logits_to_fp32_copy", 708_195_840),  # (2 + 4) * 913 * 129280
    ],
)
def test_an_op_moves_the_bytes_that_were_published(name, nbytes):
    vectors = linear("x", 2, 1, 1280, 129280).io_bytes - 330_956_800 if name == "lm_head_gemv_decode" else 0
    assert KERNELS[name].io_bytes == nbytes + vectors


def test_the_page_has_every_kernel_and_its_error():
    rows = re.findall(r"^\| `(\w+)` .*?\| +([+-]\d+%) \| +[\d.]+ \| +[+-]\d+% \|$", kernels_section(), re.MULTILINE)
    assert rows == [(kernel.name, f"{kernel.error:+.0%}") for kernel in TIMED]


# --- each rule that the page names is needed, and by as much as it says ---

CARD = find_device(DEVICE)
MACHINE, ATTENTION = profile_of(CARD).machine, profile_of(CARD).models["attention"]
MEASURED = {kernel.name: kernel.measured_s for kernel in TIMED}
UNBIASED = ("clip_attention", "decoder_attention_prefill", "decoder_attention_decode")


def off(name, model, op=None):
    return model.seconds(op or KERNELS[name], MACHINE, 2) / MEASURED[name] - 1


def test_a_call_of_a_framework_is_more_than_a_kernel():
    table = architecture_of(CARD)
    calls = replace(ATTENTION, causal=table.causal, full=table.full, decode=replace(table.decode, most_splits=128))
    assert [off(name, calls) for name in UNBIASED] == pytest.approx([0.37, 0.33, 0.35], abs=0.01)


@pytest.mark.parametrize(("name", "fast"), [("sam_attention_window", 0.38), ("sam_attention_global", 0.42)])
def test_a_bias_is_not_hidden_behind_the_compute(name, fast):
    """Its bytes at the bandwidth take less than the rest, so that hidden they take no time."""
    op = KERNELS[name]
    bias_bytes = 2 * op.scores.batch * op.scores.m * op.scores.n
    without = replace(op, read_bytes=op.read_bytes - bias_bytes)
    assert bias_bytes / MACHINE.bandwidth_bytes_per_s < ATTENTION.seconds(without, MACHINE, 2)
    assert off(name, ATTENTION, without) == pytest.approx(-fast, abs=0.01)


def test_only_the_products_scale_with_the_peak():
    """If a whole tile, and the start of a block, took as many times as long as its products do on this card."""
    table, causal = find_device(architecture_of(CARD).fitted_on), ATTENTION.causal
    slower = (table.bf16_flops_per_s / table.sms) / (CARD.bf16_flops_per_s / CARD.sms)
    assert slower == pytest.approx(2, rel=0.02)
    scaled = replace(causal, rest_s=slower * causal.rest_s, start_s=slower * causal.start_s)
    assert off("decoder_attention_prefill", replace(ATTENTION, causal=scaled)) == pytest.approx(0.51, abs=0.01)


def test_a_single_query_shares_out_its_keys():
    whole = replace(ATTENTION, decode=replace(ATTENTION.decode, most_splits=1))
    assert off("decoder_attention_decode", whole) == pytest.approx(1.6, abs=0.05)
