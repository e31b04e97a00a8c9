"""What a sum over ops is made of: predicted ops and counted calls, those of repeated layers on one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .alignment import aligned
from .row import Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsocr_cost import Op

    from .measure.measurement import Call

__all__ = ["TERMS", "shares_of", "terms_of"]

TERMS = {
    "tensor_flops": ("tensor_flops", "FLOPs"),
    "cuda_flops": ("cuda_flops", "FLOPs"),
    "io_bytes": ("io_bytes", "bytes"),
    "launches": ("io_bytes", "bytes"),
}
"""For each metric that is a sum over ops, which figure of an op tells its terms apart, and its unit."""

KEPT = ("tensor_flops", "cuda_flops", "io_bytes")
"""The metrics whose rows keep their terms; those of the launches are the ones of their bytes."""

MOST_TERMS = 200
_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")


def shares_of(metric: str, ops: Sequence[Op], whole: float) -> list[tuple[Op, Any]]:
    """List ops with what each adds to a metric, without those that add nothing.

    ``whole`` is the figure of the only op of a metric that is no sum, which is what the figure is about.
    """
    term, _ = TERMS.get(metric, (metric, metric))
    usual = whole if len(ops) == 1 else 0
    return [(op, share) for op in ops if (share := getattr(op, term, usual))]


def terms_of(metric: str, ops: Sequence[Op], calls: Sequence[Call]) -> tuple[Term, ...]:
    """Fold the terms of a figure: one line for all ops of one name, with ``*`` for the number of a layer.

    The lines beyond the first :data:`MOST_TERMS` are one. Empty for a metric that is no such sum, and where one of the
    sides has no terms.
    """
    if metric not in KEPT or not ops or not calls:
        return ()
    shares = shares_of(metric, ops, 0)
    folded: dict[tuple[str, str, str], list[Any]] = {}
    for pair in aligned([share for _, share in shares], [call.count for call in calls]):
        predicted = [shares[index] for index in pair.predicted]
        counted = [calls[index] for index in pair.counted]
        names = " + ".join(dict.fromkeys(_starred(op.name) for op, _ in predicted))
        kinds = " + ".join(dict.fromkeys(op.kind for op, _ in predicted))
        called = " + ".join(dict.fromkeys(call.op for call in counted))
        line = folded.setdefault((names, kinds, called), [0, 0, 0, 0])
        for at, more in enumerate(
            (len(predicted), sum(share for _, share in predicted), len(counted), sum(call.count for call in counted))
        ):
            line[at] += more
    lines = [
        Term(op, kind, launches, predicted, call, count, measured)
        for (op, kind, call), (launches, predicted, count, measured) in folded.items()
    ]
    return (*lines[:MOST_TERMS], *_rest(lines[MOST_TERMS:]))


def _rest(lines: Sequence[Term]) -> tuple[Term, ...]:
    if not lines:
        return ()
    launches, predicted, calls, measured = (
        sum(getattr(line, name) for line in lines) for name in ("launches", "predicted", "calls", "measured")
    )
    return (Term(f"{len(lines)} more", "", launches, predicted, "", calls, measured),)


def _starred(name: str) -> str:
    """Write ``*`` for the numbers in a path."""
    return _NUMBER.sub("*", name)
