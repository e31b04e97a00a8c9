"""Fits the forms to some rows of a table, and says how far they are off on others."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple

import numpy as np
import tables

from dsocr_cost.efficiency import limits
from dsocr_cost.flash import SharedKeys
from dsocr_cost.kernels import linear
from pytest_dsocr.calibrate.fit_tiles import fit_gemm, fit_score_tiles, fit_shared_keys

ITEM_BYTES = 2
GEMM_ROWS = 2500  # that a fit sees, drawn at random: more change the held-out error by less than 0.2 %
ATTENTION = {"prefill": tables.prefill, "encoder": tables.encoder, "decode": tables.decode}
ENCODER_TILE = 128


class Errors(NamedTuple):
    """Relative errors in per cent."""

    mean: float
    median: float
    p90: float

    def __str__(self):
        return f"{self.mean:5.1f} {self.median:5.1f} {self.p90:5.1f}"


@dataclass
class Judgement:
    """What each way to predict was off by, on each set of rows that no fit saw: one entry a draw."""

    draws: dict = field(default_factory=dict)

    def add(self, way, among, predicted, seconds):
        off = 100 * np.abs(predicted / seconds - 1)
        errors = Errors(off.mean(), np.median(off), np.quantile(off, 0.9))
        self.draws.setdefault((way, among), []).append(errors)

    def __getitem__(self, key):
        return Errors(*np.mean(self.draws[key], axis=0))

    def lines(self, title):
        """Write the table: mean, median and p90 of each way on each set."""
        sets = list(dict.fromkeys(among for _, among in self.draws))
        ways = dict.fromkeys(way for way, _ in self.draws)
        yield f"{title:28}" + "".join(f"{among:>22}" for among in sets)
        for way in ways:
            cells = [str(self[way, among]) if (way, among) in self.draws else "" for among in sets]
            yield f"  {way:26}" + "".join(f"{cell:>22}" for cell in cells)


def matmul_of(rows, columns, summed):
    """Make the op of a row of the table."""
    return replace(linear("table", ITEM_BYTES, rows, summed, columns), site="table")


def gemm_model(system, chosen, seed=1):
    """Fit the matmul form to some rows of the table, drawn from those that are ``chosen``."""
    table = tables.gemm(system)
    some = np.random.default_rng(seed).permutation(np.flatnonzero(chosen))[:GEMM_ROWS]
    few = table.rows(some)
    return fit_gemm([few.op], few.seconds, tables.machine(system), ITEM_BYTES, cold_weights=False)


@cache
def gemm_of_few(system):
    """Fit the matmul form to rows of the whole table."""
    return gemm_model(system, np.ones(len(tables.gemm(system).seconds)))


def attention_model(system, name, rows, compute):
    """Fit the form of an attention to rows of its table."""
    machine = tables.machine(system)
    if name == "decode":
        splits = tables.MOST_SPLITS.get(system, 128)
        return fit_shared_keys([rows.op], rows.seconds, machine, ITEM_BYTES, most_splits=splits)[0]
    tile = tables.TILE[system] if name == "prefill" else ENCODER_TILE
    causal = name == "prefill"
    found = fit_score_tiles([rows.op], rows.seconds, machine, ITEM_BYTES, compute=compute, tile=tile, causal=causal)
    return found[0]


def attention_seconds(system, name, model, op):
    machine = tables.machine(system)
    if isinstance(model, SharedKeys):
        return model.seconds(op, machine, ITEM_BYTES, cold=False)
    return model.seconds(op, machine, ITEM_BYTES, causal=name == "prefill")


def roofline(system, op, work=1.0):
    """Take what the datasheet allows: the longer of bytes and of all ``work``, or of the share that is needed."""
    machine = tables.machine(system)
    memory = op.io_bytes / machine.bandwidth_bytes_per_s
    return np.maximum(work * limits(op, machine, ITEM_BYTES).compute_s, memory)


def judged_sets(table, seed):
    """Name the rows that a fit does not see, and say which it may."""
    site, size = tables.held_out(table, seed)
    return ~site & ~size, {"other sites": site & ~size, "other sizes": size & ~site, "both": site & size}


def judge_gemm(system, seeds):
    """Hold out whole sites and whole M, fit on the rest."""
    table, machine, judgement = tables.gemm(system), tables.machine(system), Judgement()
    at_best = roofline(system, table.op)
    for seed in seeds:
        seen, sets = judged_sets(table, seed)
        model = gemm_model(system, seen)
        ways = {
            "roofline": at_best,
            "one constant": at_best / np.median((at_best / table.seconds)[seen]),
            "fitted": model.of_op(table.op, machine, ITEM_BYTES, cold_weights=False),
        }
        for way, predicted in ways.items():
            for among, rows in sets.items():
                judgement.add(way, among, predicted[rows], table.seconds[rows])
    return judgement


def judge_attention(system, name, seeds):
    """Hold out whole (batch, heads) and whole lengths, fit on the rest."""
    table, judgement = ATTENTION[name](system), Judgement()
    at_best = roofline(system, table.op, work=0.5 if name == "prefill" else 1.0)  # a causal mask hides half
    compute = gemm_of_few(system).compute
    for seed in seeds:
        seen, sets = judged_sets(table, seed)
        model = attention_model(system, name, table.rows(np.flatnonzero(seen)), compute)
        ways = {
            "roofline": at_best,
            "one constant": at_best / np.median((at_best / table.seconds)[seen]),
            "fitted": attention_seconds(system, name, model, table.op),
        }
        for way, predicted in ways.items():
            for among, rows in sets.items():
                judgement.add(way, among, predicted[rows], table.seconds[rows])
    return judgement
