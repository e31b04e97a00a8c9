"""How the decoder's cost grows with the context: one document predicted, one measured, of one layout.

No torch here: :mod:`.measure.scaling` measures. The layout is that of ``scaling.schema.json``, which says what each
figure counts; every count is in both documents, and a null is a time that was not predicted, or not taken.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from dsocr_cost import DeepseekOCRModel, Workload
from dsocr_cost.config import DeepseekOCRConfig
from dsocr_cost.execution import Execution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsocr_cost.execution import RotaryName
    from dsocr_cost.stages import Stage

__all__ = [
    "SCHEMA",
    "TRACED",
    "DecoderRun",
    "Measured",
    "Plan",
    "analytic_document",
    "as_run",
    "flops_by_stage",
    "measured_document",
]

SCHEMA = 1
"""Version of both documents."""

MOVED = ("cuda_flops", "io_bytes", "launches")
ADDITIVE = ("tensor_flops", *MOVED)
TRACED = (*MOVED, "activation_bytes")
"""What a forward pass is traced for, beside its tensor FLOPs."""

_COUNTED_BY = {
    "tensor_flops": "torch's FlopCounterMode with formulas for what it does not know, in each forward pass",
    "weight_bytes": "the module's parameters",
    "kv_cache_bytes": "the keys and values in the cache that the passes filled",
    "cuda_flops, io_bytes, launches": "a trace of every kernel of each forward pass",
    "activation_bytes": "the storages alive during each forward pass, at their peak",
}
_TIMED_BY = "median of {repeats} runs after one to warm up, wall clock; the spread is (longest - shortest) / median"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked: prompts of these many tokens, ``decode_steps`` more after each, ``batch`` sequences at once."""

    contexts: Sequence[int]
    decode_steps: int
    batch: int = 1
    config: DeepseekOCRConfig = DeepseekOCRConfig()
    execution: Execution = Execution()


@dataclass(frozen=True, slots=True)
class DecoderRun:
    """One prefill and the decode steps after it, as the real modules ran them over one cache.

    FLOPs of each forward pass, bytes, milliseconds (of a decode step: the median over all); None for a time that was
    not taken. A spread is a share of the time. ``traced`` has, for the prefill and then for each decode step, what
    :data:`TRACED` names.
    """

    context: int
    prefill_flops: int
    decode_flops: tuple[int, ...]
    weight_bytes: int
    kv_bytes_after_prefill: int
    kv_bytes_after_decode: int
    traced: tuple[Mapping[str, int], ...]
    prefill_ms: float | None = None
    prefill_spread: float | None = None
    decode_ms: float | None = None
    decode_spread: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """All runs of a plan, where they ran, and how the modules make the rotary table."""

    runs: tuple[DecoderRun, ...]
    environment: Mapping[str, Any]
    rotary: RotaryName | None = None
    repeats: int = 0


def as_run(plan: Plan, measured: Measured) -> Plan:
    """Predict the rotary table as the modules make it, which is not the same in all versions of transformers."""
    if plan.execution.implementation != "transformers":
        return plan
    return replace(plan, execution=replace(plan.execution, rotary=measured.rotary))


def analytic_document(plan: Plan) -> dict[str, Any]:
    """Predict every point: a prefill, then token by token.

    Raises:
        SizeError: a size that no run has.
    """
    model = DeepseekOCRModel(plan.config, plan.execution)
    points = [_predicted_point(model, plan, context) for context in plan.contexts]
    return {**_head(plan), "implementation": plan.execution.implementation, "points": points}


def measured_document(plan: Plan, measured: Measured) -> dict[str, Any]:
    """Put measurements in the same layout, with where and how they were made."""
    by = dict(_COUNTED_BY)
    if measured.repeats:
        by["time_ms"] = _TIMED_BY.format(repeats=measured.repeats)
    return {
        **_head(plan),
        "implementation": "transformers",
        "environment": dict(measured.environment),
        "measured_by": by,
        "points": [_measured_point(run) for run in measured.runs],
    }


def flops_by_stage(document: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Take the tensor FLOPs of a document by context, then by stage: of decode, all its steps."""
    steps = document["decode_steps"]
    return {
        str(point["seq_len_prefill"]): {
            "prefill": point["prefill"]["tensor_flops"],
            "decode": round(point["decode"]["tensor_flops_per_token"] * steps),
        }
        for point in document["points"]
    }


def _head(plan: Plan) -> dict[str, Any]:
    sizes = asdict(plan.config.decoder)
    layers = sizes.pop("num_hidden_layers")
    model = {"name": "deepseek-ocr", "hidden_size": sizes.pop("hidden_size"), "num_layers": layers, **sizes}
    return {
        "schema": SCHEMA,
        "model": {**model, "head_dim": plan.config.decoder.head_dim},
        "attention": plan.execution.attention,
        "dtype": plan.execution.dtype,
        "batch_size": plan.batch,
        "decode_steps": plan.decode_steps,
    }


def _predicted_point(model: DeepseekOCRModel, plan: Plan, context: int) -> dict[str, Any]:
    prefill, cache = model.prefill(Workload(None, text_tokens=context, batch=plan.batch))
    steps: list[Stage] = []
    for _ in range(plan.decode_steps):
        steps.append(model.decode(cache))
        cache = cache.extended()
    return {
        "seq_len_prefill": context,
        "prefill": {
            **{name: getattr(prefill, name) for name in (*ADDITIVE, "weight_bytes", "activation_bytes")},
            "kv_cache_bytes": prefill.kv_cache_bytes,
            **_untimed(),
        },
        "decode": {
            **{f"{name}_per_token": _mean([getattr(step, name) for step in steps]) for name in ADDITIVE},
            "weight_bytes": steps[-1].weight_bytes,
            "activation_bytes": max(step.activation_bytes for step in steps),
            "kv_cache_bytes_final": steps[-1].kv_cache_bytes,
            **_untimed("_per_token"),
        },
    }


def _untimed(suffix: str = "") -> dict[str, None]:
    return {f"time_ms{suffix}": None, f"time_spread{suffix}": None}


def _measured_point(run: DecoderRun) -> dict[str, Any]:
    prefill, *steps = run.traced
    return {
        "seq_len_prefill": run.context,
        "prefill": {
            "tensor_flops": run.prefill_flops,
            **{name: prefill[name] for name in MOVED},
            "weight_bytes": run.weight_bytes,
            "activation_bytes": prefill["activation_bytes"],
            "kv_cache_bytes": run.kv_bytes_after_prefill,
            "time_ms": run.prefill_ms,
            "time_spread": run.prefill_spread,
        },
        "decode": {
            "tensor_flops_per_token": _mean(run.decode_flops),
            **{f"{name}_per_token": _mean([step[name] for step in steps]) for name in MOVED},
            "weight_bytes": run.weight_bytes,
            "activation_bytes": max(step["activation_bytes"] for step in steps),
            "kv_cache_bytes_final": run.kv_bytes_after_decode,
            "time_ms_per_token": run.decode_ms,
            "time_spread_per_token": run.decode_spread,
        },
    }


def _mean(counts: Sequence[int]) -> int | float:
    """Divide exactly: an int where it is one."""
    whole, rest = divmod(sum(counts), len(counts))
    return sum(counts) / len(counts) if rest else whole
