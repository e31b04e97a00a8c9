"""Rows as a run makes them, for the tests and the benchmark of reports: one by one, and those of all 90 grids."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dsocr_cost import DeepseekOCRConfig, Execution, Grid
from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import MODES, image_tokens
from pytest_dsocr import Device, NotRun, Results, Row, Verdict
from pytest_dsocr.compare import judge
from pytest_dsocr.grids import published_grids
from pytest_dsocr.metrics import LABELS, LATENCY, METRICS, families_of
from pytest_dsocr.row import AgainstBaseline, Change, Term

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsocr_cost import Op

__all__ = ["FAMILIES", "LABELS", "every_grid", "make_row", "make_time", "mixed_run"]

FAMILIES = families_of(METRICS)

META, H100 = Device("meta", torch="2.13.0"), Device("cuda", "NVIDIA H100 80GB HBM3", "9.0", "570.1", "2.13.0", "12.8")
ENVIRONMENT = {"python": "3.11.7", "platform": "Linux", "pytest-dsocr": "0.1.0", "torch": "2.13.0", "pytest": "9.2.0"}
SUMS = ("tensor_flops", "cuda_flops", "io_bytes")
OTHERS = ("compulsory_bytes", "activation_bytes", "allocated_bytes", "peak_launch")
DECODE_STEPS = (1, 50, 100)


def make_row(**given: Any) -> Row:
    """Make a row of which a test names only what it is about.

    What is measured is what is predicted unless both are given; differences, verdict and reason are as a run has them.
    """
    measured = given.get("measured", given.get("predicted", 71_672_266_752))
    predicted = given.get("predicted", measured)
    case, metric = given.get("case", "1024 view"), given.get("metric", "tensor_flops")
    rtol = given.get("rtol", LATENCY.tolerance if metric.endswith("_s") else 0.0)
    judgement = judge(predicted, measured, rtol, one_sided=metric.endswith("_s"))
    fields = {
        "model": "deepseek-ocr",
        "implementation": "transformers",
        "attention": "sdpa",
        "dtype": "bfloat16",
        "layer": "vision.Attention",
        "case": case,
        "metric": metric,
        "device": META,
        "sizes": {"batch": 1, "height": 64, "width": 64},
        "predicted": predicted,
        "measured": measured,
        "difference": predicted - measured,
        "relative_difference": (predicted - measured) / measured if measured else None,
        "spread": None,
        "rtol": rtol,
        "rule": f"[default] {metric}",
        "because": "",
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "test": f"tests/layers/test_sam.py::test_global_attention_flops[{case}]",
    }
    return Row(**{**fields, **given})


def make_time(predicted: float, samples: Sequence[float], **given: Any) -> Row:
    """Make the row of a time that is the median of its rounds, within 10 %."""
    measured = float(np.median(samples))
    fields: dict[str, Any] = {
        "metric": "latency_s",
        "device": H100,
        "predicted": predicted,
        "measured": measured,
        "spread": 0.02,
        "rule": "rule 3",
        "because": "clocks move with the temperature",
        "details": {"mean_s": float(np.mean(samples)), "stdev_s": float(np.std(samples)), "rounds": len(samples)},
        "band": (0.9 * predicted, 1.2 * predicted),
        "source": "calibrated, h100.json, graph",
        "notes": "cold cache, graph",
        "samples": tuple(samples),
    }
    return make_row(**{**fields, **given})


@cache
def every_grid() -> Results:
    """Make the rows of vision, prefill and three decode steps of all 90 published grids, with their terms."""
    grids = published_grids()
    config, mode = DeepseekOCRConfig(), MODES["gundam"]
    high, wide = (np.array([getattr(grid, axis) for grid in grids]) for axis in ("high", "wide"))
    context = np.array([image_tokens(mode, grid, config.sam) + 10 for grid in grids])
    vision, decoder = Vision(config, mode, cropped=True), Decoder(config.decoder)
    stages: list[tuple[str, Any, dict[str, Any]]] = [
        ("crops", vision, {"batch": 1, "crops_high": high, "crops_wide": wide}),
        ("prefill", decoder, {"batch": 1, "q_len": context, "kv_len": context}),
    ]
    stages += [(f"decode step {n}", decoder, {"batch": 1, "q_len": 1, "kv_len": context + n}) for n in DECODE_STEPS]
    rows = [row for name, layer, sizes in stages for row in _swept(grids, name, layer, sizes)]
    return Results(tuple(rows), (), (ENVIRONMENT,))


@cache
def mixed_run() -> Results:
    """Make a red run: counts and times, failures with their terms, a baseline, what did not run, and a complaint."""
    terms = (
        Term("qkv", "linear", 1, 17_340_825_600, "aten::addmm", 1, 17_340_825_600),
        Term("", "", 0, 0, "aten::bmm", 2, 210_739_200),
        Term("sdpa", "attention", 1, 2_950_348_800, "aten::bmm", 2, 2_950_348_800),
    )
    wrong = make_row(
        case="window, 1024", predicted=26_071_449_600, measured=26_282_188_800, terms=terms, sizes={"batch": 25}
    )
    stored = AgainstBaseline(Change.REGRESSION, 0.0100, 0.25, 0.0001, "baselines/h100.json")
    slower = make_time(0.0105, [0.0125 + 0.0001 * number for number in range(-8, 9)], layer="vision.Block")
    passes = [make_row(case=f"view {number}", sizes={"batch": number}) for number in range(1, 30)]
    grids = [row for row in every_grid().rows if row.case.startswith(("1x2 ", "2x3 ", "3x3 "))]
    unclear = make_time(0.02, [0.01, 0.02, 0.05], layer="decoder.LMHead", verdict=Verdict.INCONCLUSIVE, reason="noise")
    return Results(
        (*passes, wrong, replace(slower, baseline=stored), unclear, *grids),
        (NotRun("tests/layers/test_layer_latency.py::test_time[PatchEmbed]", "needs a device that runs: got meta"),),
        (ENVIRONMENT,),
        ("--dsocr-require gpu: nothing was measured",),
    )


def _swept(grids: Sequence[Grid], stage: str, layer: Any, sizes: dict[str, Any]) -> Iterator[Row]:
    ops = tuple(layer.ops(**sizes, execution=Execution()))
    terms = {metric: _terms(metric, ops, len(grids)) for metric in SUMS}
    for at, grid in enumerate(grids):
        here = {name: int(np.broadcast_to(size, len(grids))[at]) for name, size in sizes.items()}
        about: dict[str, Any] = {
            "layer": f"model.{type(layer).__name__}",
            "case": f"{grid} {stage}",
            "sizes": here,
            "test": f"tests/sweeps/test_sweep_grids.py::test_{stage.split()[0]}[{grid}]",
        }
        for metric in SUMS:
            of = tuple(terms[metric][at])
            figure = sum(int(one.predicted) for one in of)
            yield make_row(
                **about, metric=metric, predicted=figure, measured=figure, terms=of, rule=f"[default] {metric}"
            )
        for number, metric in enumerate(OTHERS, start=1):  # figures of their size alone
            figure = sum(int(one.predicted) for one in terms["io_bytes"][at]) // (number + 1)
            yield make_row(**about, metric=metric, predicted=figure, measured=figure, rule=f"[default] {metric}")


def _terms(metric: str, ops: Sequence[Op], count: int) -> list[list[Term]]:
    """Fold ops by name, as rows have them, for each grid."""
    folded: dict[tuple[str, str], list[Any]] = {}
    for op in ops:
        share = getattr(op, metric)
        if not np.any(share):
            continue
        line = folded.setdefault((re.sub(r"\b\d+\b", "*", op.name), op.kind), [0, np.zeros(count, dtype=np.int64)])
        line[0] += 1
        line[1] = line[1] + share
    return [
        [
            Term(name, kind, n, int(sums[at]), f"aten::{kind}", n, int(sums[at]))
            for (name, kind), (n, sums) in folded.items()
        ]
        for at in range(count)
    ]
