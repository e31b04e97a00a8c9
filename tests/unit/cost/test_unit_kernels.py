"""Each kernel's FLOPs against torch's own counter on the real op, its parameters against the real module.

Everything runs on ``meta``: shapes without numbers.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from dsocr_cost import Execution, Matmul, kernels, total

EAGER, SDPA, FLASH = (Execution(attention=name) for name in ("eager", "sdpa", "flash"))
SIZE = st.integers(1, 12)


def counted(run):
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        run()
    return counter.get_total_flops()


@pytest.mark.parametrize(
    ("batch", "m", "n", "k"), [(2, 3, 5, 7), (30, 1, 945, 128)], ids=["small", "decode over 945 keys"]
)
def test_bmm_flops(batch, m, n, k):
    """2 a multiply-add, k of them for each of batch * m * n numbers."""
    op = kernels.bmm("x", batch, m, n, k)
    assert op.tensor_flops == counted(lambda: torch.bmm(torch.empty(batch, m, k), torch.empty(batch, k, n)))
    assert (op.kind, op.matmul) == ("bmm", Matmul(batch, m, n, k))


@pytest.mark.parametrize("bias", [True, False], ids=["with a bias", "without"])
@pytest.mark.parametrize(("rows", "width_in", "width_out"), [(3, 5, 7), (4900, 768, 2304)], ids=["small", "SAM's qkv"])
def test_linear_flops(rows, width_in, width_out, bias):
    """A bias adds none."""
    op = kernels.linear("x", rows, width_in, width_out)
    assert op.tensor_flops == counted(
        lambda: torch.nn.Linear(width_in, width_out, bias=bias)(torch.empty(rows, width_in))
    )
    assert (op.kind, op.matmul) == ("linear", Matmul(1, rows, width_out, width_in))


@pytest.mark.parametrize("shares", [(4, 4, 4), (12, 0, 0), (1, 9, 2)], ids=["even", "all to one", "uneven"])
def test_grouped_linear_flops(shares):
    """As many as each expert's rows through its own linear, however the 12 rows are shared out."""
    op = kernels.grouped_linear("x", 12, 16, 32)
    assert op.tensor_flops == counted(
        lambda: [functional.linear(torch.empty(rows, 16), torch.empty(32, 16)) for rows in shares]
    )
    assert (op.kind, op.matmul) == ("grouped_linear", Matmul(1, 12, 32, 16))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(16, 16, 0), (3, 1, 1), (3, 2, 1), (1, 1, 0)], ids=["patch", "3", "3/2", "1"]
)
def test_conv2d_flops(kernel, stride, padding):
    """The output's positions times the kernel's c_in * k * k; what is padded counts."""
    images, weight = (2, 3, 32, 48), (5, 3, kernel, kernel)
    out = functional.conv2d(
        torch.empty(images, device="meta"), torch.empty(weight, device="meta"), stride=stride, padding=padding
    )
    op = kernels.conv2d("x", 2, *out.shape[2:], 3, 5, kernel)
    assert op.tensor_flops == counted(
        lambda: functional.conv2d(torch.empty(images), torch.empty(weight), stride=stride, padding=padding)
    )
    assert (op.kind, op.matmul) == ("conv2d", Matmul(1, 2 * out.shape[2] * out.shape[3], 5, 3 * kernel * kernel))


@pytest.mark.parametrize("execution", [EAGER, SDPA, FLASH], ids=lambda execution: execution.attention)
@pytest.mark.parametrize(
    ("batch", "heads", "q_len", "kv_len", "head_dim"),
    [(2, 3, 8, 24, 16), (1, 10, 1, 945, 128)],
    ids=["small", "decode over 945 keys"],
)
def test_attention_flops(execution, batch, heads, q_len, kv_len, head_dim):
    ops = kernels.attention("x", execution, batch, heads, q_len, kv_len, head_dim)
    assert total(ops).tensor_flops == counted(
        lambda: functional.scaled_dot_product_attention(
            torch.empty(batch, heads, q_len, head_dim),
            torch.empty(batch, heads, kv_len, head_dim),
            torch.empty(batch, heads, kv_len, head_dim),
        )
    )


def test_attention_flops_have_no_causal_discount():
    counted_causal = counted(
        lambda: functional.scaled_dot_product_attention(
            torch.empty(1, 2, 8, 4), torch.empty(1, 2, 8, 4), torch.empty(1, 2, 8, 4), is_causal=True
        )
    )
    assert total(kernels.attention("x", SDPA, 1, 2, 8, 8, 4)).tensor_flops == counted_causal


def test_eager_attention_is_two_matmuls():
    """Scores [b * h, s, d] @ [b * h, d, t], values [b * h, s, t] @ [b * h, t, d]."""
    ops = list(kernels.attention("core", EAGER, 2, 3, 5, 7, 4))
    assert [(op.name, op.kind, op.matmul) for op in ops] == [
        ("core.scores", "bmm", Matmul(6, 5, 7, 4)),
        ("core.values", "bmm", Matmul(6, 5, 4, 7)),
    ]


@pytest.mark.parametrize("execution", [SDPA, FLASH], ids=lambda execution: execution.attention)
def test_fused_attention_is_one_op_without_a_matmul(execution):
    ops = list(kernels.attention("core", execution, 2, 3, 5, 7, 4))
    assert [(op.name, op.kind, op.matmul) for op in ops] == [("core", "attention", None)]


@given(SIZE, SIZE, SIZE, SIZE)
def test_bmm_flops_at_any_size(batch, m, n, k):
    assert kernels.bmm("x", batch, m, n, k).tensor_flops == counted(
        lambda: torch.bmm(torch.empty(batch, m, k), torch.empty(batch, k, n))
    )


@given(SIZE, SIZE, SIZE)
def test_linear_flops_at_any_size(rows, width_in, width_out):
    assert kernels.linear("x", rows, width_in, width_out).tensor_flops == counted(
        lambda: functional.linear(torch.empty(rows, width_in), torch.empty(width_out, width_in))
    )


@given(SIZE, SIZE, SIZE, SIZE, SIZE, st.integers(1, 4))
def test_conv2d_flops_at_any_size(batch, out_height, out_width, width_in, width_out, kernel):
    image = (batch, width_in, out_height + kernel - 1, out_width + kernel - 1)
    op = kernels.conv2d("x", batch, out_height, out_width, width_in, width_out, kernel)
    assert op.tensor_flops == counted(
        lambda: functional.conv2d(torch.empty(image), torch.empty(width_out, width_in, kernel, kernel))
    )


@given(SIZE, SIZE, SIZE, SIZE, SIZE)
def test_attention_flops_at_any_size(batch, heads, q_len, kv_len, head_dim):
    def run():
        query, key = torch.empty(batch, heads, q_len, head_dim), torch.empty(batch, heads, kv_len, head_dim)
        functional.scaled_dot_product_attention(query, key, key)

    for execution in (EAGER, SDPA, FLASH):
        ops = kernels.attention("x", execution, batch, heads, q_len, kv_len, head_dim)
        assert total(ops).tensor_flops == counted(run)


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
