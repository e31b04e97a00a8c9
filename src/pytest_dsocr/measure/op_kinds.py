"""What kind of work an op does: what decision 5 counts of it depends on that.

Torch says of an op what is a view, what it writes, and of most what is pointwise or a reduction. The names below say
the rest. An op that neither speaks of is of an unknown kind, which makes its CUDA FLOPs an error and no 0.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch

__all__ = ["MATRIX_WORK", "Kind", "Op", "op_of"]


class Kind(Enum):
    """What an op does with the bytes that it is given."""

    VIEW = "looks at what is there"
    ALLOCATION = "makes room and writes nothing"
    FILL = "writes numbers from nothing"
    MOVE = "moves values as they are"
    LOOKUP = "takes some of the values by their indices"
    POINTWISE = "works an output element out of a few"
    REDUCTION = "combines input elements"
    MATRIX = "multiplies matrices"
    UNKNOWN = "nobody says what"


MATRIX_WORK = re.compile(
    r"(^|_)(mm|bmm|addmm|baddbmm|addbmm|matmul|mv|addmv|dot|vdot|addr|ger|linear|bilinear|trilinear|einsum|gemm|cdist|euclidean"
    r"|attention|transformer|lstm|gru|rnn|cholesky|qr|geqrf|ormqr|householder|lu(?!_unpack)|ldl|svd|inv|solve|eig|eigh"
    r"|lstsq|pinv|det|slogdet|matrix_exp|hspmm|smm|sspaddmm)(?=_|$)"
    r"|(^|_)conv(olution)?(\d\w*|_\w+)?$"
)
"""Names of ops that do matrix work."""

_NAMES = {
    Kind.VIEW: r"""
        _unsafe_view _reshape_alias t_ squeeze_ unsqueeze_ transpose_ swapaxes_ swapdims_ as_strided_ detach_ set_""",
    Kind.ALLOCATION: r"""
        empty(_like|_strided|_permuted)? new_empty(_strided)? resize_ resize_as_ _resize_output_
        _efficientzerotensor""",
    Kind.FILL: r"""
        (zeros|ones|full|rand|randn|randint)(_like)? new_(zeros|ones|full) fill zero eye arange range linspace logspace
        scalar_tensor randperm (tril|triu)_indices (bartlett|blackman|hamming|hann|kaiser)_window fft_r?fftfreq
        bernoulli normal normal_functional uniform random exponential geometric cauchy log_normal""",
    Kind.LOOKUP: r"""
        _?(unsafe_)?index embedding gather index_select take masked_select""",
    Kind.MOVE: r"""
        clone _lazy_clone _to_copy copy lift _pin_memory \w+_copy complex
        cat _?stack _chunk_cat block_diag unsafe_split(_with_sizes)? repeat repeat_interleave
        constant_pad_nd (reflection|replication)_pad[123]d flip roll rot90 tril triu diag_embed im2col
        pixel_(un)?shuffle channel_shuffle max_unpool[23]d
        _?(unsafe_)?index_put(_impl)? index_fill scatter put masked_scatter
        (select|slice|diagonal|as_strided)_scatter""",
    Kind.REDUCTION: r"""
        _?(log_|safe_|masked_)?softmax max min _?aminmax trace dist hash_tensor powsum
        native_(layer|group|batch)_norm _?native_batch_norm_legit\w* _batch_norm_(with|no)_update\w* cudnn_batch_norm
        miopen_batch_norm _fused_rms_norm native_norm renorm _weight_norm_interface
        topk sort msort kthvalue (nan)?median mode _?logcumsumexp cum(sum|prod|max|min) _cum(max|min)_helper
        histc histogram bincount _?unique\w* nonzero(_static)? _is_(all|any)_true segment_reduce
        avg_pool[123]d _?adaptive_avg_pool[123]d (adaptive_|fractional_)?max_pool[23]d(_with_indices)? col2im
        mse_loss smooth_l1_loss huber_loss soft_margin_loss binary_cross_entropy(_with_logits)?""",
    Kind.POINTWISE: r"""
        _?upsample_\w+ grid_sampler_[23]d floor_divide glu log_sigmoid_forward hardswish mish _prelu_kernel
        rrelu_with_noise(_functional)? native_dropout _fused_dropout _masked_scale _add_relu polar linalg_cross
        bucketize searchsorted isin masked_fill index_add index_reduce scatter_add scatter_reduce""",
}
_KINDS = {kind: re.compile("|".join(f"(?:{name})" for name in names.split())) for kind, names in _NAMES.items()}
_TAGS = {Kind.REDUCTION: torch.Tag.reduction, Kind.POINTWISE: torch.Tag.pointwise}
_GROUPED = {"grouped_mm_fallback"}  # transformers' own, where torch has no grouped matmul
_ADDS = {"index_add_", "scatter_add_", "scatter_reduce_", "index_reduce_"}
_WRITES_OVER = {"masked_fill_"}  # beside fills and moves
_WORKS_IN_PLACE = {"tril_", "triu_"}  # although they are moves
_TAKES_NUMBERS = {"bernoulli", "normal"}  # although they are fills


@dataclass(frozen=True, slots=True)
class Op:
    """What an op's schema and its name say.

    ``writes`` are the arguments that it writes, by place and name, ``outs`` the names of those that it writes only;
    ``returns_them`` says whether it also returns them. ``reads_first`` is False of a copy or a fill, whose first tensor
    is written over, and of an op that takes a shape from it. ``adds`` is True of one that combines the values that it
    puts somewhere with what is there.
    """

    name: str
    kind: Kind
    writes: tuple[tuple[int, str], ...] = ()
    outs: frozenset[str] = frozenset()
    returns_them: bool = False
    reads_first: bool = True
    adds: bool = False

    def written(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Pick the arguments that it writes."""
        return [args[place] if place < len(args) else kwargs.get(name) for place, name in self.writes]


@functools.cache
def op_of(func: Any) -> Op:
    """Say what there is to know of an op."""
    name = str(func.name()).partition("::")[2].split(".")[0]
    schema = func._schema  # noqa: SLF001 - the only place that says what an op writes
    writes = tuple(
        (place, argument.name)
        for place, argument in enumerate(schema.arguments)
        if argument.alias_info and argument.alias_info.is_write
    )
    outs = frozenset(argument.name for argument in schema.arguments if argument.is_out)
    aliases = [value.alias_info for value in schema.returns if value.alias_info]
    kind = _kind(func, name) if all(alias.is_write for alias in aliases) else Kind.VIEW
    in_place = bool(writes) and writes[0][0] == 0
    return Op(name, kind, writes, outs, bool(aliases), _reads_first(func, name, kind, in_place), name in _ADDS)


def _reads_first(func: Any, name: str, kind: Kind, in_place: bool) -> bool:
    if kind is Kind.FILL:
        return name in _TAKES_NUMBERS and func._overloadname != "p"  # noqa: SLF001 - the overload that takes a figure
    if not in_place:
        return True
    return (kind is not Kind.MOVE and name not in _WRITES_OVER) or name in _WORKS_IN_PLACE


def _kind(func: Any, name: str) -> Kind:
    if func.namespace != "aten":
        return Kind.MATRIX if name in _GROUPED else Kind.UNKNOWN
    if name in ("max", "min") and func._overloadname in ("other", "out"):  # noqa: SLF001 - of two tensors, not of one
        return Kind.POINTWISE
    functional = name.removeprefix("_foreach_").removesuffix("_")
    for kind, names in _KINDS.items():
        if names.fullmatch(name) or names.fullmatch(functional):
            return kind
    for kind, tag in _TAGS.items():
        if any(tag in one.tags for one in _relatives(func, functional)):
            return kind
    return Kind.MATRIX if MATRIX_WORK.search(name) else Kind.UNKNOWN


def _relatives(func: Any, functional: str) -> list[Any]:
    """List an op, its overloads, and those of its functional form: torch does not tag all of them."""
    packets = [func._overloadpacket, getattr(torch.ops.aten, functional, None)]  # noqa: SLF001 - its public name is none
    return [func, *(getattr(packet, name) for packet in packets if packet is not None for name in packet.overloads())]
