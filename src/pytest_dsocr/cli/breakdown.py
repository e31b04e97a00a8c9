"""A run layer by layer, or op by op: what of its stages is a sum over ops."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dsocr_cost.latency import RunShares
from dsocr_cost.model import Decoder, Vision
from dsocr_cost.op import Cost, total
from dsocr_cost.polynomial import Polynomial, symbol
from dsocr_cost.sweep import over_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.execution import Execution
    from dsocr_cost.latency import Share
    from dsocr_cost.op import Matmul, Op
    from dsocr_cost.workload import Workload

__all__ = ["ADDITIVE", "OTHER", "UNTIMED", "Item", "Size", "breakdown", "time_of"]

ADDITIVE: tuple[str, ...] = ("tensor_flops", "cuda_flops", "io_bytes", "launches")
"""The counts of a stage that are sums over its ops."""

VIEWS: tuple[str, ...] = ("crops", "global", "layout")
"""The parts of vision, in the order in which they run."""

UNTIMED = RunShares((), (), ())
"""The time of a run on no machine."""

OTHER = "other"
"""Norms and residual sums of a decoder layer."""

Size: TypeAlias = "int | tuple[int, int]"
"""A size of a matmul; in decode, where it grows, that of the first step and of the last."""


@dataclass(frozen=True, slots=True)
class Item:
    """A layer or an op, and what it counts in a stage; in decode over all steps.

    ``view`` tells what vision runs twice under the same names, ``crops`` or ``global``, from the ``layout`` of both as
    one row of tokens; empty in the other stages. ``path`` is that of a layer or an op, ``layer`` that of its layer.
    ``kind``, ``site`` and ``matmul`` (batch, m, n, k) are those of an op. ``seconds`` and ``bound``, what takes most of
    them, are None without a machine; ``bound`` too where nothing is launched.
    """

    stage: str
    view: str
    path: str
    layer: str
    counts: dict[str, int]
    kind: str | None = None
    site: str = ""
    matmul: dict[str, Size] | None = None
    seconds: float | None = None
    bound: str | None = None

    @property
    def name(self) -> str:
        """Its path, from the view on."""
        return ".".join(filter(None, (self.view, self.path)))


@dataclass(frozen=True, slots=True)
class _Part:
    """Ops that run one after the other, ``steps`` times; in decode they are priced in the symbol ``step``."""

    stage: str
    view: str
    ops: tuple[Op, ...]
    shares: tuple[Share, ...] = ()
    steps: int = 1

    def item(self, path: str, layer: str, members: Sequence[int], **attributes: Any) -> Item:
        cost = total(self.ops[index] for index in members)
        counts = {field.name: getattr(cost, field.name) for field in fields(Cost) if field.name in ADDITIVE}
        summed = {name: over_steps(count, self.steps) for name, count in counts.items()}
        timed = time_of([self.shares[index] for index in members]) if self.shares else {}
        return Item(self.stage, self.view, path, layer, summed, **attributes, **timed)

    def layers(self) -> Iterator[Item]:
        by_layer: dict[str, list[int]] = {}
        for index, op in enumerate(self.ops):
            by_layer.setdefault(_layer(op.name), []).append(index)
        for layer, members in by_layer.items():
            yield self.item(layer, layer, members)

    def each(self) -> Iterator[Item]:
        for index, op in enumerate(self.ops):
            matmul = None if op.matmul is None else _sizes(op.matmul, self.steps)
            yield self.item(op.name, _layer(op.name), [index], kind=op.kind, site=op.site, matmul=matmul)


def time_of(shares: Sequence[Share]) -> dict[str, Any]:
    """Add up the seconds of ops, and name what takes most of them."""
    by_bound: dict[str, float] = {}
    for share in shares:
        by_bound[share.bound] = by_bound.get(share.bound, 0.0) + share.seconds
    seconds = sum(by_bound.values())
    return {"seconds": seconds, "bound": max(by_bound, key=by_bound.__getitem__) if seconds else None}


def breakdown(
    workload: Workload,
    by: Literal["layer", "op"],
    config: DeepseekOCRConfig,
    execution: Execution,
    shares: RunShares = UNTIMED,
) -> list[Item]:
    """List the layers or the ops of a workload of Python ints, in the order in which they run.

    Decode is summed in closed form, so its number of steps costs nothing. ``shares`` are those of the same run.
    """
    parts = (*_vision(workload, config, execution, shares), *_decoder(workload, config, execution, shares))
    return [item for part in parts for item in (part.layers() if by == "layer" else part.each())]


def _vision(workload: Workload, config: DeepseekOCRConfig, execution: Execution, shares: RunShares) -> Iterator[_Part]:
    """Cut what vision runs behind each pass of the projector, the last module that every view goes through."""
    if workload.mode is None:
        return
    cropped = workload.grid is not None
    part = Vision(config, workload.mode, cropped)
    ops = tuple(part.ops(workload.batch, *(workload.grid or ()), execution=execution))
    projected = (*(op.name.startswith("projector.") for op in ops), False)
    ends = [index for index, (one, following) in enumerate(pairwise(projected), start=1) if one and not following]
    for view, (start, end) in zip(VIEWS if cropped else VIEWS[1:], pairwise((0, *ends, len(ops))), strict=True):
        yield _Part("vision", view, ops[start:end], shares.vision[start:end])


def _decoder(workload: Workload, config: DeepseekOCRConfig, execution: Execution, shares: RunShares) -> Iterator[_Part]:
    decoder, batch, context = Decoder(config.decoder), workload.batch, workload.context(config.sam)
    yield _Part("prefill", "", tuple(decoder.ops(batch, context, context, execution=execution)), shares.prefill)
    one_step = decoder.ops(batch, 1, context + symbol("step"), execution=execution)
    steps: Any = workload.decode_steps
    yield _Part("decode", "", tuple(one_step), shares.decode, steps)


def _layer(op: str) -> str:
    """Name the layer of an op: a block of the vision tower, a part of a decoder layer, or a module."""
    path = op.split(".")
    if path[0] in ("sam", "clip"):
        return ".".join(path[: path.index("layers") + 2 if "layers" in path else 2])
    if path[0] == "layers":  # of the decoder: attention, feed-forward, and what stands between them
        return ".".join((*path[:2], path[2] if path[2] in ("self_attn", "mlp") else OTHER))
    return path[0]


def _sizes(matmul: Matmul, steps: int) -> dict[str, Size]:
    sizes: dict[str, Size] = {}
    for name, size in matmul._asdict().items():
        first, last = (_at(size, step) for step in (1, steps))
        sizes[name] = first if first == last else (first, last)
    return sizes


def _at(size: Any, step: int) -> int:
    return int(size.evaluate("matmul", {"step": step})) if isinstance(size, Polynomial) else int(size)
