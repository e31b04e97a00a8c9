"""Kernels that others timed: the tables of aiconfigurator-core as ops of this model, and what of them a fit sees."""

import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dsocr_cost import Matmul, kernels
from dsocr_cost.architecture import machine_of
from dsocr_cost.device import find_device

PACKAGE = "aiconfigurator_core"
HELD_OUT = 0.3  # of the sites, and of the sizes at each


class Source(NamedTuple):
    """Where a system's tables lie: its folder, and the framework's version that was timed."""

    folder: str
    version: str
    attention_version: str


SYSTEMS = {
    "H200": Source("h200_sxm", "vllm/0.24.0", "vllm/0.24.0"),
    "H100 SXM": Source("h100_sxm", "vllm/0.24.0", "vllm/0.24.0"),
    "B200": Source("b200_sxm", "vllm/0.24.0", "vllm/0.24.0"),
    "A100 80GB": Source("a100_sxm", "sglang/0.5.10", "vllm/0.14.0"),
    "RTX PRO 6000 Server": Source("rtx_pro_6000_server", "vllm/0.24.0", "vllm/0.24.0"),
    "L40S": Source("l40s", "vllm/0.24.0", "vllm/0.24.0"),
}
"""By the name of the card in devices.toml."""

TILE = {"H200": 128, "H100 SXM": 128, "B200": 128, "A100 80GB": 64, "RTX PRO 6000 Server": 64, "L40S": 64}
"""Queries that a block of the causal kernel takes: FlashAttention 3 and TensorRT-LLM's 128, FlashAttention 2 64."""

MOST_SPLITS = {"A100 80GB": 1, "RTX PRO 6000 Server": 1, "L40S": 1}
"""Where the table's decode kernel does not share out the keys of a head: its time grows with them at any batch."""


class Table(NamedTuple):
    """One op whose sizes are arrays, the seconds of each, and by what sizes rows are held out."""

    op: object
    seconds: np.ndarray
    site: np.ndarray  # of each row, the number of its site: (n, k), or (batch, heads)
    size: np.ndarray  # of each row, its m, or its keys

    def rows(self, chosen):
        """Take some rows."""
        return Table(picked(self.op, chosen), self.seconds[chosen], self.site[chosen], self.size[chosen])


def is_installed():
    return importlib.util.find_spec(PACKAGE) is not None and importlib.util.find_spec("pyarrow") is not None


def machine(system):
    return machine_of(find_device(system), cache_bandwidth=1e13)  # of which no form for tiles knows


@cache
def gemm(system):
    """C [m, n] = A [m, k] @ W [n, k].T, bf16."""
    rows = _read(system, "gemm", "gemm", SYSTEMS[system].version, gemm_dtype="bfloat16")
    op = kernels.linear("table", 2, rows["m"], rows["k"], rows["n"])
    return Table(replace(op, site="table"), _seconds(rows), _numbered(rows["n"], rows["k"]), rows["m"])


@cache
def prefill(system):
    """As many queries as keys, causal, heads of 128, each with keys of its own."""
    rows = _attention(system, "context_attention", head_dim=128)
    return _fused(rows, rows["isl"], rows["isl"], 128, "llama.LlamaAttention.sdpa")


@cache
def decode(system):
    """One query; what the table calls a step is the number of keys before it."""
    rows = _attention(system, "generation_attention", head_dim=128)
    return _fused(rows, np.ones_like(rows["step"]), rows["step"] + 1, 128, "llama.LlamaAttention.sdpa")


@cache
def encoder(system):
    """As many queries as keys, without a mask, heads of 64."""
    version = SYSTEMS[system].attention_version
    rows = _read(system, "encoder_attention", "encoder_attention", version, attn_dtype="bfloat16", head_dim=64)
    rows = _where(rows, rows["isl"] <= 8192)
    return _fused(rows, rows["isl"], rows["isl"], 64, "vision.NoTPAttention.sdpa")


def picked(op, chosen):
    """Take some entries of an op whose sizes are arrays."""
    sizes = op.matmul or op.scores
    few = Matmul(*(np.broadcast_to(size, op.read_bytes.shape)[chosen] for size in sizes))
    moved = {
        name: np.broadcast_to(getattr(op, name), op.read_bytes.shape)[chosen]
        for name in ("tensor_flops", "read_bytes", "weight_bytes", "write_bytes")
    }
    return replace(op, **moved, **({"matmul": few} if op.matmul else {"scores": few}))


def held_out(table, seed):
    """Draw whole sites and whole sizes, and say of each row whether its site, and whether its size, is one of them."""
    draw = np.random.default_rng(seed)

    def drawn(values):
        every = np.unique(values)
        return np.isin(values, every[draw.permutation(len(every)) < len(every) * HELD_OUT])

    return drawn(table.site), drawn(table.size)


def _attention(system, name, **equal):
    version = SYSTEMS[system].attention_version
    rows = _read(system, "attention", name, version, attn_dtype="bfloat16", kv_cache_dtype="bfloat16", **equal)
    own_keys = (rows["num_key_value_heads"] == rows["num_heads"]) | (rows["num_key_value_heads"] == 0)
    return _where(rows, own_keys & (rows.get("window_size", np.zeros(len(own_keys))) == 0))


def _fused(rows, queries, keys, head_dim, site):
    heads = rows["batch_size"] * rows["num_heads"]
    op = kernels.fused_attention("table", 2, Matmul(heads, queries, keys, head_dim), heads * keys * head_dim)
    return Table(replace(op, site=site), _seconds(rows), _numbered(rows["batch_size"], rows["num_heads"]), keys)


def _read(system, folder, name, version, **equal):
    import pyarrow.parquet

    (package,) = importlib.util.find_spec(PACKAGE).submodule_search_locations  # without running its code
    path = Path(package, "systems", "data", SYSTEMS[system].folder, folder, version, f"{name}_perf.parquet")
    table = pyarrow.parquet.read_table(path, filters=[(column, "=", value) for column, value in equal.items()])
    return {column: np.array(table[column].to_pylist()) for column in table.column_names}


def _where(rows, chosen):
    return {column: values[chosen] for column, values in rows.items()}


def _seconds(rows):
    return rows["latency"].astype(float) / 1e3


def _numbered(*values):
    return np.unique(np.stack(values, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
