"""Fits the forms for tiled kernels, matmuls and fused attention, to kernels that were timed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsocr_cost.flash import ScoreTiles, SharedKeys
from dsocr_cost.op import Matmul
from dsocr_cost.tiled_gemm import TiledGemm

from ..errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dsocr_cost import Op
    from dsocr_cost.efficiency import Machine

__all__ = ["fit_gemm", "fit_score_tiles", "fit_shared_keys", "together"]

_SHARE = 0.9  # of the samples that stay under the error that is told
_LINEAR_UP_TO = 0.1  # of the error: larger ones pull less than their square
_STEP = 1e-3  # the forms have steps, so a smaller difference sees a flat function
_MOST_LOOKS = 40


class _Range(NamedTuple):
    """Where the search for a parameter begins, and what it may not leave."""

    start: float
    low: float
    high: float


_GEMM = {
    "fixed_s": _Range(2.5e-6, 0.2e-6, 10e-6),
    "compute": _Range(0.88, 0.3, 1.0),
    "bandwidth": _Range(0.85, 0.3, 1.0),
    "load_bytes_per_s": _Range(60e9, 8e9, 1000e9),
    "kept_weights": _Range(0.05, 5e-4, 3),
    "kept_inputs": _Range(0.3, 5e-4, 3),
    "split_s": _Range(2.5e-6, 0, 8e-6),
    "finish_s": _Range(8e-11, 0, 5e-10),
}
_SCORE_TILES = {
    "fixed_s": _Range(7e-6, 0.5e-6, 20e-6),
    "rest_s": _Range(0.3e-6, 0, 10e-6),
    "start_s": _Range(2e-6, 0, 40e-6),
    "bandwidth": _Range(0.85, 0.2, 1.0),
    "sharpness": _Range(4, 1, 10),
    "kept": _Range(0.3, 5e-4, 3),
    "uneven": _Range(0.5, 0, 1),
}
_SHARED_KEYS = {
    "fixed_s": _Range(7e-6, 0.5e-6, 20e-6),
    "bandwidth": _Range(0.85, 0.3, 1.0),
    "load_bytes_per_s": _Range(30e9, 5e9, 400e9),
    "block_s": _Range(1e-6, 0, 8e-6),
    "sharpness": _Range(4, 1.2, 10),
    "kept": _Range(0.3, 5e-4, 3),
    "split_s": _Range(2e-6, 0, 10e-6),
}


def fit_gemm(
    ops: Sequence[Op], seconds: Sequence[float], machine: Machine, item_bytes: int, *, cold_weights: bool = True
) -> TiledGemm:
    """Find the parameters of :class:`TiledGemm` with the least relative error, in which outliers count for less.

    ``ops`` are matmuls of one kind, ``seconds`` what each took; at least one. Kernels that were timed in a run of the
    model have ``cold_weights``, those that a benchmark repeats have not; where they have, nothing tells what would be
    kept of them, which is then 0.
    """
    ranges = {name: one for name, one in _GEMM.items() if not (cold_weights and name == "kept_weights")}
    fixed = {"error": 0.0} | ({"kept_weights": 0.0} if cold_weights else {})
    op = together(ops)

    def predicted(model: TiledGemm) -> Any:
        return model.of_op(op, machine, item_bytes, cold_weights=cold_weights)

    model: TiledGemm
    model, error = _search(lambda **found: TiledGemm(**found, **fixed), predicted, ranges, seconds)
    return replace(model, error=error)


def fit_score_tiles(
    ops: Sequence[Op],
    seconds: Sequence[float],
    machine: Machine,
    item_bytes: int,
    *,
    compute: float,
    tile: int,
    causal: bool,
) -> tuple[ScoreTiles, float]:
    """Find the parameters of :class:`ScoreTiles`, and the relative error that nine of ten of the kernels stay under.

    ``compute`` is that of the machine's matmuls: one card alone cannot tell it from what a tile takes beside. ``tile``
    is the kernel's own.
    """
    op = together(ops)

    def predicted(model: ScoreTiles) -> Any:
        return model.seconds(op, machine, item_bytes, causal=causal)

    def made(**found: float) -> ScoreTiles:
        return ScoreTiles(compute=compute, tile=tile, **found)

    return _search(made, predicted, _SCORE_TILES, seconds)


def fit_shared_keys(
    ops: Sequence[Op], seconds: Sequence[float], machine: Machine, item_bytes: int, *, most_splits: int
) -> tuple[SharedKeys, float]:
    """Find the parameters of :class:`SharedKeys`, of a benchmark that repeats each call, and their relative error.

    ``most_splits`` is the kernel's own: 1 where it does not share out the keys of a head.
    """
    op = together(ops)

    def predicted(model: SharedKeys) -> Any:
        return model.seconds(op, machine, item_bytes, cold=False)

    return _search(lambda **found: SharedKeys(most_splits=most_splits, **found), predicted, _SHARED_KEYS, seconds)


def together(ops: Sequence[Op]) -> Op:
    """Make one op of several of one kind, with one entry for each, or as many as its sizes have."""
    names = ("tensor_flops", "cuda_flops", "read_bytes", "weight_bytes", "write_bytes", "launches")
    columns: list[list[Any]] = [[] for _ in (*names, *Matmul._fields)]
    for op in ops:
        figures = [getattr(op, name) for name in names]
        for column, one in zip(columns, np.broadcast_arrays(*figures, *_sizes(op)), strict=True):
            column.append(np.atleast_1d(one))
    joined = [np.concatenate(column) for column in columns]
    sizes = Matmul(*joined[len(names) :])
    both: dict[str, Any] = {"matmul": sizes} if ops[0].matmul is not None else {"scores": sizes}
    both.update(zip(names, joined, strict=False))
    return replace(ops[0], **both)


def _sizes(op: Op) -> Matmul:
    sizes = op.matmul or op.scores
    if sizes is None:
        msg = f"fit: {op.name} is a {op.kind}, allowed is matrix work"
        raise MeasurementError(msg)
    return sizes


def _search(
    made: Callable[..., Any], predicted: Callable[[Any], Any], ranges: Mapping[str, _Range], seconds: Sequence[float]
) -> tuple[Any, float]:
    """Look for the least relative error, and say what nine of ten stay under."""
    from scipy.optimize import least_squares

    measured = np.log(np.asarray(seconds, dtype=np.float64))

    def model(values: Any) -> Any:
        return made(**dict(zip(ranges, map(float, values), strict=True)))

    def off(values: Any) -> Any:
        return np.log(predicted(model(values))) - measured

    start, low, high = (np.array(one) for one in zip(*ranges.values(), strict=True))
    best = least_squares(
        off,
        start,
        bounds=(low, high),
        loss="soft_l1",
        f_scale=_LINEAR_UP_TO,
        x_scale=start,
        diff_step=[_STEP] * len(start),
        max_nfev=_MOST_LOOKS,
    )
    return model(best.x), float(np.quantile(np.abs(np.expm1(off(best.x))), _SHARE))
