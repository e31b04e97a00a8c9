"""Each kernel against the real op: its FLOPs against torch's own counter, what it moves against the trace.

Everything runs on ``meta``: shapes without numbers.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from dsocr_cost import Matmul, kernels
from dsocr_cost.kernels import Tensor
from dsocr_cost.op import MATRIX_WORK, Op
from pytest_dsocr.measure.trace import trace

SIZE = st.integers(1, 12)
DTYPES = {2: torch.bfloat16, 4: torch.float32}
ITEM = st.sampled_from(sorted(DTYPES))


def counted(run):
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        run()
    return counter.get_total_flops()


def meta(*shape, item=2, dtype=None):
    return torch.empty(shape, dtype=dtype or DTYPES[item], device="meta")


def predicted(*ops):
    """Say what each launch does and moves; one that is not needed is none."""
    return [(op.cuda_flops, op.read_bytes + op.weight_bytes, op.write_bytes) for op in ops if op.launches]


def traced(run, touched=None):
    launches = trace(run, touched)
    return [(launch.cuda_flops, launch.read_bytes, launch.write_bytes) for launch in launches]


# --- matrix work ---


@pytest.mark.parametrize(
    ("batch", "m", "n", "k"), [(2, 3, 5, 7), (30, 1, 945, 128)], ids=["small", "decode over 945 keys"]
)
def test_bmm_flops(batch, m, n, k):
    """2 a multiply-add, k of them for each of batch * m * n numbers."""
    op = kernels.bmm("x", 2, batch, m, n, k)
    assert op.tensor_flops == counted(lambda: torch.bmm(torch.empty(batch, m, k), torch.empty(batch, k, n)))
    assert (op.kind, op.matmul) == ("bmm", Matmul(batch, m, n, k))


@pytest.mark.parametrize("bias", [True, False], ids=["with a bias", "without"])
@pytest.mark.parametrize(("rows", "width_in", "width_out"), [(3, 5, 7), (4900, 768, 2304)], ids=["small", "SAM's qkv"])
def test_linear_flops(rows, width_in, width_out, bias):
    """A bias adds none."""
    op = kernels.linear("x", 2, rows, width_in, width_out, bias=bias)
    assert op.tensor_flops == counted(
        lambda: torch.nn.Linear(width_in, width_out, bias=bias)(torch.empty(rows, width_in))
    )
    assert (op.kind, op.matmul) == ("linear", Matmul(1, rows, width_out, width_in))


@pytest.mark.parametrize("shares", [(4, 4, 4), (12, 0, 0), (1, 9, 2)], ids=["even", "all to one", "uneven"])
def test_grouped_linear_flops(shares):
    """As many as each expert's rows through its own linear, however the 12 rows are shared out."""
    op = kernels.grouped_linear("x", 2, 12, 16, 32, sum(rows > 0 for rows in shares), Tensor(3, 4))
    assert op.tensor_flops == counted(
        lambda: [functional.linear(torch.empty(rows, 16), torch.empty(32, 16)) for rows in shares]
    )
    assert (op.kind, op.matmul) == ("grouped_linear", Matmul(1, 12, 32, 16))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(16, 16, 0), (3, 1, 1), (3, 2, 1), (1, 1, 0)], ids=["patch", "3", "3/2", "1"]
)
@pytest.mark.parametrize("bias", [True, False], ids=["with a bias", "without"])
def test_conv2d(kernel, stride, padding, bias):
    """The output's positions times the kernel's c_in * k * k; what is padded counts as work, and is not read."""
    image, weight, shift = meta(2, 3, 32, 48), meta(5, 3, kernel, kernel), meta(5) if bias else None

    def run():
        return functional.conv2d(image, weight, shift, stride=stride, padding=padding)

    out_size = tuple(run().shape[2:])
    op = kernels.conv2d("x", 2, 2, (32, 48), out_size, (3, 5), kernel, bias=bias)
    assert op.tensor_flops == counted(run)
    assert (op.kind, op.matmul) == ("conv2d", Matmul(1, 2 * out_size[0] * out_size[1], 5, 3 * kernel * kernel))
    assert predicted(op) == traced(run)


@pytest.mark.parametrize(
    ("batch", "heads", "q_len", "kv_len", "head_dim"),
    [(2, 3, 8, 24, 16), (1, 10, 1, 945, 128)],
    ids=["small", "decode over 945 keys"],
)
@pytest.mark.parametrize("causal", [False, True], ids=["all keys", "causal: no discount"])
def test_fused_attention_flops(batch, heads, q_len, kv_len, head_dim, causal):
    scores = Matmul(batch * heads, q_len, kv_len, head_dim)
    op = kernels.fused_attention("x", 2, scores, batch * heads * kv_len * head_dim)
    keys = torch.empty(batch, heads, kv_len, head_dim, device="meta")
    assert op.tensor_flops == counted(
        lambda: functional.scaled_dot_product_attention(
            torch.empty(batch, heads, q_len, head_dim), keys, keys, is_causal=causal
        )
    )
    assert (op.kind, op.matmul, op.scores) == ("attention", None, scores)


@given(SIZE, SIZE, SIZE, SIZE, ITEM)
def test_bmm_at_any_size(batch, m, n, k, item):
    op, left, right = kernels.bmm("x", item, batch, m, n, k), meta(batch, m, k, item=item), meta(batch, k, n, item=item)
    assert op.tensor_flops == counted(lambda: torch.bmm(left, right))
    assert predicted(op) == traced(lambda: torch.bmm(left, right))
    shared = kernels.bmm("x", item, batch, m, n, k, stored=1)
    assert predicted(shared) == traced(lambda: torch.bmm(left, meta(1, k, n, item=item).expand(batch, k, n)))


@pytest.mark.parametrize("bias", [True, False], ids=["with a bias", "without"])
@given(rows=SIZE, width_in=SIZE, width_out=SIZE, item=ITEM)
def test_linear_at_any_size(bias, rows, width_in, width_out, item):
    module = torch.nn.Linear(width_in, width_out, bias=bias, device="meta", dtype=DTYPES[item])
    op, x = kernels.linear("x", item, rows, width_in, width_out, bias=bias), meta(rows, width_in, item=item)
    assert op.tensor_flops == counted(lambda: module(x))
    assert predicted(op) == traced(lambda: module(x))
    assert op.weight_bytes == item * elements(module)


@given(SIZE, SIZE, SIZE, st.integers(1, 8), st.data())
def test_grouped_linear_at_any_size(rows, width_in, width_out, groups, data):
    """On meta it takes bfloat16 alone, in rows of whole 16 bytes."""
    width_in, width_out, used = 8 * width_in, 8 * width_out, data.draw(st.integers(0, groups))
    op = kernels.grouped_linear("x", 2, rows, width_in, width_out, used, Tensor(groups, 4))
    x, weight, ends = meta(rows, width_in), meta(groups, width_in, width_out), meta(groups, dtype=torch.int32)
    assert predicted(op) == traced(lambda: functional.grouped_mm(x, weight, offs=ends), lambda *_: used)
    assert op.weight_bytes == 2 * used * width_in * width_out


@given(SIZE, SIZE, SIZE, SIZE, SIZE, st.integers(1, 4), ITEM)
def test_conv2d_at_any_size(batch, out_height, out_width, width_in, width_out, kernel, item):
    in_size = out_height + kernel - 1, out_width + kernel - 1
    op = kernels.conv2d("x", item, batch, in_size, (out_height, out_width), (width_in, width_out), kernel)
    image, weight = meta(batch, width_in, *in_size, item=item), meta(width_out, width_in, kernel, kernel, item=item)
    assert op.tensor_flops == counted(lambda: functional.conv2d(image, weight))
    assert predicted(op) == traced(lambda: functional.conv2d(image, weight))


@pytest.mark.parametrize("bias", ["none", "added to the scores", "bools, as numbers: one for all"])
@given(batch=SIZE, heads=SIZE, q_len=SIZE, kv_len=SIZE, head_dim=SIZE, item=ITEM)
def test_fused_attention_at_any_size(bias, batch, heads, q_len, kv_len, head_dim, item):
    query, keys = meta(batch, heads, q_len, head_dim, item=item), meta(batch, heads, kv_len, head_dim, item=item)
    added, seen = meta(batch, heads, q_len, kv_len, item=item), meta(q_len, kv_len, dtype=torch.bool)
    mask, moved = {
        "none": (None, Tensor(0, 1)),
        "added to the scores": (added, Tensor(batch * heads * q_len * kv_len, item)),
        "bools, as numbers: one for all": (seen, Tensor(q_len * kv_len, item)),
    }[bias]
    scores = Matmul(batch * heads, q_len, kv_len, head_dim)
    op = kernels.fused_attention("x", item, scores, keys.numel(), bias=moved)

    def run():
        return functional.scaled_dot_product_attention(query, keys, keys.clone(), attn_mask=mask)

    assert op.tensor_flops == counted(run)
    assert predicted(op) == traced(run)[-1:]  # after copying the keys, to be read as values, and making the mask


def test_matrix_work_is_all_tensor_flops():
    ops = (
        kernels.bmm("x", 2, 2, 3, 5, 7),
        kernels.linear("x", 2, 3, 5, 7),
        kernels.conv2d("x", 2, 1, (4, 4), (4, 4), (3, 5), 1),
        kernels.grouped_linear("x", 2, 3, 8, 8, 1, Tensor(2, 4)),
        kernels.fused_attention("x", 2, Matmul(1, 4, 4, 16), 64),
    )
    assert {op.kind for op in ops} == MATRIX_WORK
    assert all(op.tensor_flops and not op.cuda_flops for op in ops)


# --- the rest ---


@given(SIZE, SIZE, ITEM)
def test_pointwise_work_is_one_flop_an_output_element(rows, width, item):
    x, line, full = meta(rows, width, item=item), meta(width, item=item), Tensor(rows * width, item)
    assert predicted(kernels.pointwise("x", full, full)) == traced(lambda: torch.sigmoid(x))
    assert predicted(kernels.pointwise("x", full, full, full)) == traced(lambda: x + x.clone())[1:]
    assert predicted(kernels.pointwise("x", full, full, Tensor(width, item))) == traced(lambda: x * line)
    assert predicted(kernels.pointwise("x", full, full, weights=width * item)) == traced(lambda: x * line)


@given(SIZE, SIZE, ITEM)
def test_a_reduction_is_one_flop_an_input_element(rows, width, item):
    x, full = meta(rows, width, item=item), Tensor(rows * width, item)
    assert predicted(kernels.reduction("x", full, Tensor(rows, item))) == traced(lambda: x.sum(dim=-1))
    assert predicted(kernels.reduction("x", full, full)) == traced(lambda: torch.cumsum(x, dim=-1))
    both = kernels.reduction("x", full, full, Tensor(rows * width, 8))
    assert predicted(both) == traced(lambda: torch.sort(x, dim=-1))
    best = kernels.reduction("x", full, Tensor(rows, item), Tensor(rows, 8))
    assert predicted(best) == traced(lambda: torch.topk(x, 1, dim=-1))


@given(SIZE, SIZE, ITEM)
def test_a_copy_moves_and_does_nothing(rows, width, item):
    x, full = meta(rows, width, item=item), Tensor(rows * width, item)
    assert predicted(kernels.copy("x", full)) == traced(lambda: x.clone()) == [(0, full.bytes, full.bytes)]
    padded = kernels.copy("x", Tensor((rows + 2) * width, item), full)
    assert predicted(padded) == traced(lambda: functional.pad(x, (0, 0, 0, 2)))
    with_weights = kernels.copy("x", Tensor((rows + 1) * width, item), full, weights=width * item)
    assert predicted(with_weights) == traced(lambda: torch.cat([x, meta(1, width, item=item)]))


@given(SIZE, SIZE, SIZE, ITEM)
def test_a_lookup_reads_what_it_takes_not_the_table(rows, taken, width, item):
    table, indices = meta(rows, width, item=item), meta(taken, dtype=torch.int64)
    op = kernels.lookup("x", Tensor(taken * width, item), Tensor(taken, 8))
    assert predicted(op) == traced(lambda: functional.embedding(indices, table)) == traced(lambda: table[indices])


@given(SIZE)
def test_a_fill_reads_nothing(size):
    assert predicted(kernels.fill("x", Tensor(size, 8))) == traced(lambda: torch.arange(size, device="meta"))
    assert predicted(kernels.fill("x", Tensor(size, 4))) == traced(lambda: torch.zeros(size, device="meta"))


@given(SIZE, ITEM, ITEM)
def test_a_cast_is_a_copy_and_nothing_between_equal_dtypes(size, from_bytes, to_bytes):
    x = meta(size, item=from_bytes)
    assert predicted(*kernels.cast("x", size, from_bytes, to_bytes)) == traced(lambda: x.to(DTYPES[to_bytes]))


@given(SIZE, SIZE, ITEM)
def test_softmax_runs_in_fp32(rows, width, item):
    x, name = meta(rows, width, item=item), DTYPES[item]
    ops = list(kernels.softmax("x", item, rows * width))
    assert predicted(*ops) == traced(lambda: functional.softmax(x, dim=-1, dtype=torch.float32).to(name))
    assert len(ops) == (3 if item == 2 else 1)


@given(SIZE, SIZE, ITEM)
def test_layer_norm_is_one_launch_that_keeps_a_fp32_mean_and_deviation_a_row(rows, width, item):
    """On meta, as on CUDA; the CPU keeps both in the dtype of its input."""
    op, x = kernels.layer_norm("x", item, rows, width), meta(rows, width, item=item)
    weight, bias = meta(width, item=item), meta(width, item=item)
    assert predicted(op) == traced(lambda: functional.layer_norm(x, (width,), weight, bias))
    assert (op.weight_bytes, op.write_bytes) == (2 * width * item, rows * width * item + rows * 2 * 4)


def test_a_tensor_has_as_many_bytes_as_its_elements_take():
    assert (Tensor(6, 4).bytes, kernels.copy("x", Tensor(6, 4))) == (24, Op("x", "copy", read_bytes=24, write_bytes=24))


# --- parameters ---


def elements(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("bias", [True, False], ids=["with a bias", "without"])
@given(width_in=SIZE, width_out=SIZE)
def test_linear_params(bias, width_in, width_out):
    module = torch.nn.Linear(width_in, width_out, bias=bias, device="meta")
    assert kernels.linear_params(width_in, width_out, bias=bias) == elements(module)


@pytest.mark.parametrize("bias", [True, False], ids=["with a bias", "without"])
@given(width_in=SIZE, width_out=SIZE, kernel=SIZE)
def test_conv2d_params(bias, width_in, width_out, kernel):
    module = torch.nn.Conv2d(width_in, width_out, kernel, bias=bias, device="meta")
    assert kernels.conv2d_params(width_in, width_out, kernel, bias=bias) == elements(module)


@given(SIZE, SIZE)
def test_embedding_params(rows, width):
    assert kernels.embedding_params(rows, width) == elements(torch.nn.Embedding(rows, width, device="meta"))


@given(SIZE)
def test_layer_norm_params(width):
    assert kernels.layer_norm_params(width) == elements(torch.nn.LayerNorm(width, device="meta"))


@given(SIZE)
def test_rms_norm_params(width):
    assert kernels.rms_norm_params(width) == elements(torch.nn.RMSNorm(width, device="meta"))
