"""Kernels: sizes in, one Op out. The only place with a formula for FLOPs, bytes or the parameters of a kernel.

Letters in the comments: b batch, h heads, s query positions, t key positions, d head_dim, m rows, k summed over,
n columns, c channels. A multiply-add is 2 FLOPs; biases, masks and softmax are not counted, and a causal mask gives
no discount, because the kernels that this model runs under are counted without one. ``item_bytes`` is what an element
of weights and activations takes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from .execution import FP32_BYTES
from .op import Count, Matmul, Op, OpKind
from .polynomial import Polynomial

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "NOTHING",
    "Tensor",
    "bmm",
    "cast",
    "conv2d",
    "conv2d_params",
    "copy",
    "differ",
    "either",
    "embedding_params",
    "fill",
    "fused_attention",
    "grouped_linear",
    "layer_norm",
    "layer_norm_params",
    "linear",
    "linear_params",
    "lookup",
    "pointwise",
    "reduction",
    "rms_norm_params",
    "several",
    "softmax",
    "touched",
]


class Tensor(NamedTuple):
    """What a kernel reads or writes: how many elements are stored, and the bytes of one."""

    elements: Count
    item_bytes: int

    @property
    def bytes(self) -> Count:
        """All of it."""
        return self.elements * self.item_bytes


NOTHING = Tensor(0, 1)
_MANY = 10**6  # tokens enough for no expert to be missed


def several(size: Any) -> Any:
    """Say where there is more than one: 1 there and 0 elsewhere.

    A transposed view of one batch, row or column is laid out in order already, so copying it is left out.
    """
    if isinstance(size, Polynomial):
        return size.mapped("several", several, flag=True)
    return int(size > 1) if isinstance(size, int | float) else (size > 1).astype("int64")


def differ(left: Any, right: Any) -> Any:
    """Say where two sizes differ: 1 there and 0 elsewhere."""
    if isinstance(left, Polynomial) or isinstance(right, Polynomial):
        return (left - right).mapped("differs from 0", lambda difference: differ(difference, 0), grows=False, flag=True)
    different = left != right
    return int(different) if isinstance(different, bool) else different.astype("int64")


def either(left: Any, right: Any) -> Any:
    """Say where at least one of two such answers is 1."""
    return 1 - (1 - left) * (1 - right)


def touched(experts: int, picks: int, tokens: Any) -> Any:
    """Expect how many of ``experts`` get one of ``tokens`` that pick ``picks`` each, evenly: rounded to whole ones."""
    if isinstance(tokens, Polynomial):
        return tokens.mapped(f"touched of {experts} by {picks}", lambda size: touched(experts, picks, size))
    if isinstance(tokens, int | float):
        return round(experts * (1 - (1 - picks / experts) ** min(tokens, _MANY)))
    return (experts * (1 - (1 - picks / experts) ** tokens)).round().astype("int64")


def _matmul(name: str, kind: OpKind, sizes: Matmul, read: Count, weights: Count, written: Count, item_bytes: int) -> Op:
    # [m, k] @ [k, n], batch times; each of the m * n sums takes k multiply-adds
    batch, m, n, k = sizes
    return Op(
        name,
        kind,
        tensor_flops=2 * batch * m * n * k,
        read_bytes=read * item_bytes,
        weight_bytes=weights * item_bytes,
        write_bytes=written * item_bytes,
        matmul=sizes,
    )


def bmm(name: str, item_bytes: int, batch: Count, m: Count, n: Count, k: Count, *, stored: Count | None = None) -> Op:
    """Multiply ``batch`` pairs of matrices, m x k by k x n; of the second ones ``stored`` are there, if not all."""
    read = batch * m * k + (batch if stored is None else stored) * k * n
    return _matmul(name, "bmm", Matmul(batch, m, n, k), read, 0, batch * m * n, item_bytes)


def linear(
    name: str,
    item_bytes: int,
    rows: Count,
    in_features: int,
    out_features: int,
    *,
    bias: bool = False,
    parameter: bool = True,
) -> Op:
    """Apply one weight to ``rows`` vectors (``torch.nn.Linear``): a ``parameter``, or a converted copy of one."""
    read, weights = rows * in_features, linear_params(in_features, out_features, bias=bias)
    if not parameter:
        read, weights = read + weights, 0
    sizes = Matmul(1, rows, out_features, in_features)
    return _matmul(name, "linear", sizes, read, weights, rows * out_features, item_bytes)


def grouped_linear(
    name: str, item_bytes: int, rows: Count, in_features: int, out_features: int, experts: Count, ends: Tensor
) -> Op:
    """Apply to each of ``rows`` vectors the weight of the expert that it was routed to.

    ``rows`` is tokens x experts per token, over all experts; the work does not depend on how they are shared out, the
    weights that are read are those of the ``experts`` that got any. ``ends`` says where the rows of each one end.
    """
    weights = experts * linear_params(in_features, out_features, bias=False)
    sizes = Matmul(1, rows, out_features, in_features)
    op = _matmul(name, "grouped_linear", sizes, rows * in_features, weights, rows * out_features, item_bytes)
    return replace(op, read_bytes=op.read_bytes + ends.bytes)


def conv2d(
    name: str,
    item_bytes: int,
    batch: Count,
    in_size: tuple[Count, Count],
    out_size: tuple[Count, Count],
    channels: tuple[int, int],
    kernel_size: int,
    *,
    bias: bool = False,
) -> Op:
    """Slide a square kernel, without groups, over ``batch`` images (``torch.nn.Conv2d``); padding counts as data."""
    # im2col [b * out_h * out_w, c_in * k * k] @ weight.T [c_in * k * k, c_out]
    (in_height, in_width), (out_height, out_width), (in_channels, out_channels) = in_size, out_size, channels
    positions = batch * out_height * out_width
    sizes = Matmul(1, positions, out_channels, in_channels * kernel_size * kernel_size)
    weights = conv2d_params(in_channels, out_channels, kernel_size, bias=bias)
    pixels = batch * in_channels * in_height * in_width
    return _matmul(name, "conv2d", sizes, pixels, weights, positions * out_channels, item_bytes)


def fused_attention(name: str, item_bytes: int, scores: Matmul, keys: Count, bias: Tensor = NOTHING) -> Op:
    """Score every query against every key, and sum the values by those scores, in one kernel.

    ``scores`` are the sizes of queries times keys: batch * heads, q_len, kv_len, head_dim. Keys and values have
    ``keys`` elements each, fewer where heads share them, and ``bias`` is added to the scores. Out come as many elements
    as queries, and a fp32 log-sum a row.
    """
    # scores: q [b * h, s, d] @ k.T [b * h, d, t]; values: scores [b * h, s, t] @ v [b * h, t, d]
    heads, q_len, kv_len, head_dim = scores
    query = Tensor(heads * q_len * head_dim, item_bytes)
    return Op(
        name,
        "attention",
        tensor_flops=2 * 2 * query.elements * kv_len,
        read_bytes=(query.elements + 2 * keys) * item_bytes + bias.bytes,
        write_bytes=query.bytes + heads * q_len * FP32_BYTES,
        scores=scores,
    )


def pointwise(name: str, out: Tensor, *read: Tensor, weights: Count = 0) -> Op:
    """Compute each element of ``out`` from elements of what is read, one FLOP each; ``weights`` are bytes."""
    return Op(
        name,
        "pointwise",
        cuda_flops=out.elements,
        read_bytes=_bytes(read),
        weight_bytes=weights,
        write_bytes=out.bytes,
    )


def reduction(name: str, source: Tensor, *out: Tensor, weights: Count = 0) -> Op:
    """Combine the elements of ``source`` (sums, norms, softmax, sorting), one FLOP each."""
    return Op(
        name,
        "reduction",
        cuda_flops=source.elements,
        read_bytes=source.bytes,
        weight_bytes=weights,
        write_bytes=_bytes(out),
    )


def copy(name: str, out: Tensor, *read: Tensor, weights: Count = 0) -> Op:
    """Move elements, without arithmetic: clone, concatenate, pad; what is read is as much as ``out`` unless said."""
    return Op(name, "copy", read_bytes=_bytes(read or (out,)), weight_bytes=weights, write_bytes=out.bytes)


def lookup(name: str, out: Tensor, indices: Tensor, *, weights: Count = 0) -> Op:
    """Take the elements of ``out`` from a larger tensor, by indices; ``weights`` of their bytes from a parameter."""
    read = out.bytes + indices.bytes - weights
    return Op(name, "lookup", read_bytes=read, weight_bytes=weights, write_bytes=out.bytes)


def fill(name: str, out: Tensor) -> Op:
    """Write numbers that need no input."""
    return Op(name, "fill", write_bytes=out.bytes)


def cast(name: str, elements: Count, from_bytes: int, to_bytes: int, *, parameter: bool = False) -> Iterator[Op]:
    """Convert between dtypes, an activation or a ``parameter``; nothing where they are the same."""
    if from_bytes != to_bytes:
        source = Tensor(elements, from_bytes)
        activation, weights = (NOTHING, source.bytes) if parameter else (source, 0)
        yield copy(name, Tensor(elements, to_bytes), activation, weights=weights)


def softmax(name: str, item_bytes: int, elements: Count) -> Iterator[Op]:
    """Normalise scores in fp32, and convert them back."""
    scores = Tensor(elements, FP32_BYTES)
    yield from cast(f"{name}.to_fp32", elements, item_bytes, FP32_BYTES)
    yield reduction(name, scores, scores)
    yield from cast(f"{name}.from_fp32", elements, FP32_BYTES, item_bytes)


def layer_norm(name: str, item_bytes: int, rows: Count, channels: int) -> Op:
    """Normalise rows of ``channels``, in one kernel, which keeps a fp32 mean and deviation a row."""
    x, kept = Tensor(rows * channels, item_bytes), Tensor(2 * rows, FP32_BYTES)
    return reduction(name, x, x, kept, weights=layer_norm_params(channels) * item_bytes)


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


def _bytes(tensors: tuple[Tensor, ...]) -> Count:
    moved: Count = 0
    for tensor in tensors:
        moved = moved + tensor.bytes
    return moved
