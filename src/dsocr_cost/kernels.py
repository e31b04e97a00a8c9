"""Kernels: sizes in, one Op out. The only place with a formula for FLOPs or for the parameters of a kernel.

Letters in the comments: b batch, h heads, s query positions, t key positions, d head_dim, m rows, k summed over,
n columns, c channels. A multiply-add is 2 FLOPs; biases, masks and softmax are not counted, and a causal mask gives
no discount, because the kernels that this model runs under are counted without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .op import Count, Matmul, Op, OpKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .execution import Execution

__all__ = [
    "attention",
    "bmm",
    "conv2d",
    "conv2d_params",
    "embedding_params",
    "grouped_linear",
    "layer_norm_params",
    "linear",
    "linear_params",
    "rms_norm_params",
]


def _matmul(name: str, kind: OpKind, batch: Count, m: Count, n: Count, k: Count) -> Op:
    # [m, k] @ [k, n], batch times; each of the m * n sums takes k multiply-adds
    return Op(name, kind, 2 * batch * m * n * k, Matmul(batch, m, n, k))


def bmm(name: str, batch: Count, m: Count, n: Count, k: Count) -> Op:
    """Multiply ``batch`` pairs of matrices, m x k by k x n."""
    return _matmul(name, "bmm", batch, m, n, k)


def linear(name: str, rows: Count, in_features: int, out_features: int) -> Op:
    """Apply one weight to ``rows`` vectors, with or without a bias (``torch.nn.Linear``)."""
    return _matmul(name, "linear", 1, rows, out_features, in_features)


def grouped_linear(name: str, rows: Count, in_features: int, out_features: int) -> Op:
    """Apply to each of ``rows`` vectors the weight of the expert that it was routed to.

    ``rows`` is tokens x experts per token, over all experts; the work does not depend on how they are shared out.
    """
    return _matmul(name, "grouped_linear", 1, rows, out_features, in_features)


def conv2d(
    name: str, batch: Count, out_height: Count, out_width: Count, in_channels: int, out_channels: int, kernel_size: int
) -> Op:
    """Slide a square kernel, without groups, over ``batch`` images (``torch.nn.Conv2d``); padding counts as data."""
    # im2col [b * out_h * out_w, c_in * k * k] @ weight.T [c_in * k * k, c_out]
    positions = batch * out_height * out_width
    return _matmul(name, "conv2d", 1, positions, out_channels, in_channels * kernel_size * kernel_size)


def attention(
    name: str, execution: Execution, batch: Count, num_heads: int, q_len: Count, kv_len: Count, head_dim: int
) -> Iterator[Op]:
    """Score every query against every key, and sum the values by those scores.

    ``num_heads`` counts query heads, also where several of them share a key head. Eager attention is two matmuls,
    ``name.scores`` and ``name.values``; a fused kernel is one op of the same work.
    """
    # scores: q [b * h, s, d] @ k.T [b * h, d, t]; values: scores [b * h, s, t] @ v [b * h, t, d]
    scores = bmm(f"{name}.scores", batch * num_heads, q_len, kv_len, head_dim)
    values = bmm(f"{name}.values", batch * num_heads, q_len, head_dim, kv_len)
    if execution.fused:
        yield Op(name, "attention", scores.tensor_flops + values.tensor_flops)
    else:
        yield scores
        yield values


def linear_params(in_features: int, out_features: int, *, bias: bool) -> int:
    """Count the weight [out, in] and, with a bias, its [out]."""
    return out_features * in_features + bias * out_features


def conv2d_params(in_channels: int, out_channels: int, kernel_size: int, *, bias: bool) -> int:
    """Count the weight [out, in, kernel, kernel] and, with a bias, its [out]."""
    return out_channels * in_channels * kernel_size * kernel_size + bias * out_channels


def embedding_params(num_embeddings: int, embedding_dim: int) -> int:
    """Count the table [num_embeddings, embedding_dim]."""
    return num_embeddings * embedding_dim


def layer_norm_params(channels: int) -> int:
    """Count the scale and the shift, one each a channel."""
    return 2 * channels


def rms_norm_params(channels: int) -> int:
    """Count the scale, one a channel."""
    return channels
