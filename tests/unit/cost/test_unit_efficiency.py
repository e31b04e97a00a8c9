"""What an op takes at a machine's own figures, and the smooth form over that: by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import DeepseekOCRConfig, Matmul, Op
from dsocr_cost.efficiency import (
    CLASSES,
    Limits,
    Machine,
    Smooth,
    item_bytes_of,
    joined,
    kernel_class,
    limits,
)
from dsocr_cost.layers import Attention, LlamaAttention, MoEGate

MACHINE = Machine("Bench", {2: 1e12, 4: 1e11}, 1e9, 1000, 1e10)
CONFIG = DeepseekOCRConfig()
TIMES = st.floats(1e-9, 1e3)


def linear(m=10, n=20, k=30, item_bytes=2):
    """A linear whose input is in the cache as far as it fits."""
    return Op(
        "q_proj",
        "linear",
        tensor_flops=2 * m * n * k,
        read_bytes=m * k * item_bytes,
        weight_bytes=n * k * item_bytes,
        write_bytes=m * n * item_bytes,
        matmul=Matmul(1, m, n, k),
    )


def copy(size):
    return Op("contiguous", "copy", read_bytes=size // 2, write_bytes=size // 2)


def test_matrix_work_is_done_at_the_peak_of_its_element():
    assert limits(linear(item_bytes=2), MACHINE, 2).compute_s == 2 * 10 * 20 * 30 / 1e12
    assert limits(linear(item_bytes=4), MACHINE, 4).compute_s == 2 * 10 * 20 * 30 / 1e11


def test_a_linear_in_fp32_inside_a_bfloat16_model_has_the_peak_of_fp32():
    """The router's: what it writes says so."""
    (logits,) = (op for op in MoEGate.from_config(CONFIG.decoder).ops(1, 5) if op.name.endswith("logits") or op.matmul)
    assert item_bytes_of(logits, 2) == 4
    assert limits(logits, MACHINE, 2).compute_s == logits.tensor_flops / 1e11


def test_what_is_no_matrix_work_takes_no_compute():
    assert limits(copy(100), MACHINE, 2).compute_s == 0


def test_weights_come_from_memory_however_small():
    """600 elements of 2 bytes; in and out 300 + 200 elements, as much as the cache holds."""
    moved = (300 + 200) * 2
    half = 0.5  # 1 / (1 + 1 ** 4)
    per_byte = half / 1e10 + half / 1e9
    assert limits(linear(), MACHINE, 2).memory_s == pytest.approx(600 * 2 / 1e9 + moved * per_byte)


@pytest.mark.parametrize(
    ("size", "seconds"),
    [
        pytest.param(10, 10 / 1e10, id="a hundredth of the cache: from there"),
        pytest.param(1000, 1000 * (0.5 / 1e10 + 0.5 / 1e9), id="as large as the cache: half of it"),
        pytest.param(100_000, 100_000 / 1e9, id="a hundred caches: from memory"),
    ],
)
def test_what_goes_in_and_out_is_cached_as_far_as_it_fits(size, seconds):
    assert limits(copy(size), MACHINE, 2).memory_s == pytest.approx(seconds, rel=1e-6)


def test_without_a_cache_all_comes_from_memory():
    bare = Machine("Bare", {2: 1e12, 4: 1e11}, 1e9, 0, 1e9)
    assert limits(copy(10), bare, 2).memory_s == pytest.approx(10 / 1e9)


def test_limits_of_arrays_are_those_of_each_entry():
    sizes = np.array([10, 1000, 100_000])
    at_once = limits(copy(sizes), MACHINE, 2).memory_s
    assert at_once.tolist() == [float(limits(copy(int(size)), MACHINE, 2).memory_s) for size in sizes]


@given(TIMES, TIMES)
def test_joined_with_1_is_one_after_the_other(first, second):
    assert joined(1.0, first, second) == pytest.approx(first + second)


@given(TIMES, TIMES)
def test_joined_sharply_is_the_longer_one(first, second):
    assert joined(500.0, first, second) == pytest.approx(max(first, second), rel=2e-3)


def test_joined_by_squares_is_the_hypotenuse():
    assert joined(2.0, 3.0, 4.0) == pytest.approx(5)


def test_joined_of_nothing_is_0_and_of_huge_figures_no_infinity():
    assert joined(3.0, 0.0, 0.0) == 0
    assert joined(8.0, 1e300, 1e300) == pytest.approx(1e300 * 2 ** (1 / 8))


def test_the_smooth_form_by_hand():
    """6 s of compute at half the peak, 4 s of memory at a quarter, hypotenuse, and a second that is fixed."""
    form = Smooth(fixed_s=1.0, compute=0.5, bandwidth=0.25, sharpness=2.0, error=0.1)
    assert form.at(Limits(6.0, 4.0)) == pytest.approx(1 + (12**2 + 16**2) ** 0.5)


def test_the_smooth_form_times_an_op_by_its_limits():
    form, op = Smooth(1e-6, 0.5, 0.25, 3.0, 0.1), linear()
    assert form.seconds(op, MACHINE, 2) == form.at(limits(op, MACHINE, 2))


@pytest.mark.parametrize(
    ("matmul", "write_bytes", "found"),
    [
        pytest.param(Matmul(1, 10, 20, 30), 400, 2, id="200 elements in 400 bytes"),
        pytest.param(Matmul(3, 10, 20, 30), 2400, 4, id="600 elements in 2400 bytes"),
        pytest.param(None, 400, 2, id="no matmul: the model's"),
        pytest.param(Matmul(1, 0, 20, 30), 0, 2, id="no row: the model's"),
        pytest.param(
            Matmul(1, np.array([0, 10]), 20, 30), np.array([0, 800]), 4, id="an array with an entry of no row"
        ),
    ],
)
def test_the_bytes_of_an_element_are_those_of_the_output(matmul, write_bytes, found):
    op = Op("linear", "linear", write_bytes=write_bytes, matmul=matmul)
    assert item_bytes_of(op, 2) == found


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("linear", "gemm"),
        ("bmm", "gemm"),
        ("grouped_linear", "grouped_gemm"),
        ("conv2d", "convolution"),
        ("attention", "attention"),
        ("pointwise", "elementwise"),
        ("reduction", "elementwise"),
        ("copy", "elementwise"),
        ("lookup", "elementwise"),
        ("fill", "elementwise"),
    ],
)
def test_every_kind_has_a_class(kind, found):
    assert kernel_class(Op("op", kind)) == found
    assert found in CLASSES


def test_the_attention_that_adds_relative_positions_is_a_class_of_its_own():
    sam = Attention.from_config(CONFIG.sam, windowed=True).ops(1, 14, 14)
    llama = LlamaAttention.from_config(CONFIG.decoder).ops(1, 5, 5)
    found = [[kernel_class(op) for op in ops if op.kind == "attention"] for ops in (sam, llama)]
    assert found == [["biased_attention"], ["attention"]]
