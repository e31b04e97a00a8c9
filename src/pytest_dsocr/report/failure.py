"""What a failed comparison says: which, both figures, the rule, and where the terms part ways."""

from __future__ import annotations

from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from ..compare import Pair, align
from .text import figure, printable, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsocr_cost import Op

    from ..measure.measurement import Call
    from ..results import Row

__all__ = ["failure_text"]

MAX_TERMS = 24
MAX_ALIGNED = 400  # of each side: the time to match terms grows with the square

_TERMS = {
    "tensor_flops": ("tensor_flops", "FLOPs"),
    "cuda_flops": ("cuda_flops", "FLOPs"),
    "io_bytes": ("io_bytes", "bytes"),
    "launches": ("io_bytes", "bytes"),
}


def failure_text(row: Row, metric_label: str, ops: Sequence[Op], calls: Sequence[Call]) -> str:
    """Explain a row that is no pass."""
    attention = f"{row.attention} attention" if row.attention else ""
    because = f" ({printable(row.because)})" if row.because else ""
    lines = [
        f"{printable(row.layer)}, {printable(row.case)}, {metric_label}: {row.verdict}{_percent(row)}",
        f"  predicted   {figure(row.predicted)}",
        f"  measured    {figure(row.measured)}",
        f"  difference  {signed(row.difference)}{_percent(row)} of the measured"
        if row.measured
        else f"  difference  {signed(row.difference)}",
        f"  allowed     {row.rtol:.6g} of the measured, by {row.rule}{because}",
        f"  reason      {printable(row.reason)}",
        f"  at          {', '.join(f'{name}={size}' for name, size in row.sizes.items()) or 'no sizes'}",
        f"  measured on {', '.join(filter(None, (row.device.type, row.dtype, attention, row.implementation)))}",
    ]
    if ops:
        lines += ["", *_terms(row.metric, ops, calls)]
    elif calls:
        lines += ["", *_counted(calls)]
    return "\n".join(lines)


def _percent(row: Row) -> str:
    return "" if row.relative_difference is None else f", {row.relative_difference:+.3%}"


def _terms(metric: str, ops: Sequence[Op], calls: Sequence[Call]) -> list[str]:
    """Set the ops that the prediction is the sum of beside those that were seen; launches are told by their bytes."""
    term, unit = _TERMS.get(metric, (metric, metric))
    shares = [(op, getattr(op, term)) for op in ops if getattr(op, term)]
    pairs = _aligned([share for _, share in shares], [call.count for call in calls])
    rows: list[list[str]] = []
    for agrees, run in groupby(pairs, key=lambda pair: pair.agrees):
        block = list(run)
        if agrees and len(block) > 2:
            rows.append([f"... {len(block)} terms agree", *[""] * 7])
            continue
        for pair in block:
            rows += _pair_rows(pair, shares, calls)
    heading = "ops as predicted, and as the counter saw them (!= is where they part ways):"
    headers = ["predicted op", "kernel", "b x m x n x k", unit, "", unit, "counted op", "in module"]
    return [heading, *_table(rows, headers, ("left", "left", "left", "right", "center", "right", "left", "left"))]


def _aligned(predicted: Sequence[Any], counted: Sequence[Any]) -> list[Pair]:
    """Match what stands between the first and the last disagreement; far too much of it, one by one."""
    start = _common(predicted, counted)
    end = _common(predicted[start:][::-1], counted[start:][::-1])
    left, right = predicted[start : len(predicted) - end], counted[start : len(counted) - end]
    between = align(left[:MAX_ALIGNED], right[:MAX_ALIGNED])
    between += [_pair(index, index, left, right) for index in range(MAX_ALIGNED, max(len(left), len(right)))]
    return [
        *(Pair(range(at, at + 1), range(at, at + 1), agrees=True) for at in range(start)),
        *(Pair(_moved(pair.predicted, start), _moved(pair.counted, start), pair.agrees) for pair in between),
        *(_pair(len(predicted) - at, len(counted) - at, predicted, counted) for at in range(end, 0, -1)),
    ]


def _pair(left: int, right: int, predicted: Sequence[Any], counted: Sequence[Any]) -> Pair:
    ranges = range(left, min(left + 1, len(predicted))), range(right, min(right + 1, len(counted)))
    return Pair(*ranges, agrees=predicted[left : left + 1] == counted[right : right + 1])


def _common(left: Sequence[Any], right: Sequence[Any]) -> int:
    """Count the terms that both begin with."""
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(left, right, strict=False)))


def _moved(indices: range, by: int) -> range:
    return range(indices.start + by, indices.stop + by)


def _pair_rows(pair: Pair, shares: Sequence[tuple[Op, Any]], calls: Sequence[Call]) -> list[list[str]]:
    mark = "=" if pair.agrees else "!="
    rows = []
    for index in range(max(len(pair.predicted), len(pair.counted))):
        left, right = [""] * 4, [""] * 3
        if index < len(pair.predicted):
            op, share = shares[pair.predicted[index]]
            sizes = " x ".join(str(size) for size in op.matmul) if op.matmul else ""
            left = [printable(op.name), op.kind, sizes, figure(share)]
        if index < len(pair.counted):
            call = calls[pair.counted[index]]
            right = [figure(call.count), f"{call.op} {_shapes(call)}", printable(call.module)]
        rows.append([*left, mark, *right])
    return rows


def _counted(calls: Sequence[Call]) -> list[str]:
    rows = [[printable(call.module), call.op, _shapes(call), figure(call.count)] for call in calls]
    return ["what was counted:", *_table(rows, ["name", "what", "shape", "count"], ("left", "left", "left", "right"))]


def _shapes(call: Call) -> str:
    # a bias comes first in addmm, last in a convolution
    shapes = call.shapes[:2] if "conv" in call.op else call.shapes[-2:]
    return " @ ".join("x".join(str(size) for size in shape) for shape in shapes)


def _table(rows: list[list[str]], headers: list[str], alignment: tuple[str, ...]) -> list[str]:
    left_out = len(rows) - MAX_TERMS
    table = tabulate(rows[:MAX_TERMS], headers, colalign=alignment, disable_numparse=True)
    return [*table.splitlines(), *([f"... and {left_out} more"] if left_out > 0 else [])]
