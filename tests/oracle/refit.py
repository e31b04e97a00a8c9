"""Prints the parameters of one card's whole tables, as they stand in efficiencies.toml: ``python refit.py H200``.

Some minutes a card: the fits of the tests see few rows of the matmuls, this one all.
"""

import sys
from dataclasses import asdict

import judge
import numpy as np
import tables

from pytest_dsocr.calibrate.fit_tiles import fit_gemm

KEYS = {"prefill": "causal", "encoder": "full", "decode": "decode"}


def section(key, parameters, held_out_p90):
    """Write a table of the file, its error that of sizes that were held out."""
    figures = {name: value for name, value in parameters.items() if name != "error"}
    lines = [f"{name} = {value:.4g}" for name, value in figures.items()]
    return "\n".join([f"[architecture.{key}]", *lines, f"error = {np.ceil(10 * held_out_p90) / 1000}", ""])


def main(system):
    """Fit all tables that a card has."""
    table, machine = tables.gemm(system), tables.machine(system)
    gemm = fit_gemm([table.op], table.seconds, machine, judge.ITEM_BYTES, cold_weights=False)
    told = [section("gemm", asdict(gemm), judge.judge_gemm(system, seeds=(0, 1))["fitted", "both"].p90)]
    for name, key in KEYS.items():
        try:
            rows = judge.ATTENTION[name](system)
        except FileNotFoundError:
            continue
        model = judge.attention_model(system, name, rows, gemm.compute)
        p90 = judge.judge_attention(system, name, seeds=range(4))["fitted", "both"].p90
        told.append(section(key, asdict(model), p90))
    sys.stdout.write("\n".join(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
