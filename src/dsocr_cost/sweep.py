"""A million workloads as one evaluation.

The stages are priced once, with symbols for sizes; that leaves a few polynomials, which are then evaluated on arrays.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .config import DeepseekOCRConfig
from .errors import SizeError
from .execution import Execution
from .int64 import INT64_END
from .kv_cache import SyntheticKVCache
from .polynomial import Largest, Polynomial, Values, symbol
from .sizes import as_count
from .stages import ADDITIVE, Stage, Stages, prefill, run, vision
from .workload import MODES, Grid, Mode, Workload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .op import Count

__all__ = ["evaluate", "evaluate_workload", "over_steps"]


def evaluate(
    *,
    crops_high: Count | None = None,
    crops_wide: Count | None = None,
    text_tokens: Count = 0,
    decode_steps: Count = 1,
    batch: Count = 1,
    mode: Mode | None = MODES["gundam"],
    config: DeepseekOCRConfig = DeepseekOCRConfig(),
    execution: Execution = Execution(),
) -> Stages:
    """Price vision, prefill and decode of every point.

    Sizes are ints, or integer arrays that broadcast; the counts that come back have their common shape, and are Python
    ints where all sizes were. ``crops_high`` and ``crops_wide`` None is a page of one view, ``mode`` None a prompt
    without an image. ``decode`` is the sum over ``decode_steps`` steps, found in closed form.

    Raises:
        SizeError: a size that no workload has; sizes that do not broadcast; a count that leaves int64 in an array.
    """
    if (crops_high is None) != (crops_wide is None):
        msg = f"crops_high, crops_wide: got {crops_high} and {crops_wide}, allowed are both or none"
        raise SizeError(msg)
    if mode is not None and not hasattr(mode, "base_size"):
        msg = f"mode: got {mode!r}, allowed are a Mode, such as MODES['gundam'], or None"
        raise SizeError(msg)
    given: dict[str, Any] = {"text_tokens": text_tokens, "decode_steps": decode_steps, "batch": batch}
    given |= {} if crops_high is None else {"crops_high": crops_high, "crops_wide": crops_wide}
    sizes = {name: as_count(name, size) for name, size in given.items()}
    shape = _common_shape(sizes)
    grid = Grid(sizes["crops_high"], sizes["crops_wide"]) if crops_high is not None else None
    workload = Workload(mode, grid, sizes["text_tokens"], sizes["decode_steps"], sizes["batch"])

    symbolic = _symbolic(workload)
    context = _insert("context", symbolic.context(config.sam), sizes)
    values = Values({**sizes, "context": context, "sum_of_steps": _sum_of_steps(sizes["decode_steps"])})
    priced = _price(config, symbolic, execution)._asdict()
    return Stages(**{name: _stage(name, stage, values, shape) for name, stage in priced.items()})


def evaluate_workload(workload: Workload, config: DeepseekOCRConfig, execution: Execution) -> Stages:
    """Price a workload, whose sizes may be arrays, as :func:`evaluate` does.

    Raises:
        SizeError: as there.
    """
    grid = workload.grid
    return evaluate(
        crops_high=None if grid is None else grid.high,
        crops_wide=None if grid is None else grid.wide,
        text_tokens=workload.text_tokens,
        decode_steps=workload.decode_steps,
        batch=workload.batch,
        mode=workload.mode,
        config=config,
        execution=execution,
    )


def over_steps(one_step: Any, decode_steps: int) -> Any:
    """Sum what one decode step counts over steps 1 to ``decode_steps``, without going through them.

    ``one_step`` is an int, or affine in ``symbol("step")``, which stands for the positions that decode has added.
    """
    if not isinstance(one_step, Polynomial):
        return one_step * decode_steps
    sums = {"decode_steps": decode_steps, "sum_of_steps": _sum_of_steps(decode_steps)}
    return _insert("decode", _over_steps(one_step), sums)


def _symbolic(workload: Workload) -> Workload:
    """Put symbols for the sizes; what is there stays there."""
    grid = None if workload.grid is None else Grid(_counted("crops_high"), _counted("crops_wide"))
    return Workload(workload.mode, grid, symbol("text_tokens"), _counted("decode_steps"), _counted("batch"))


def _counted(name: str) -> Any:
    """Make a symbol for what a workload has at least one of."""
    return symbol(name, at_least_one=True)


def _price(config: DeepseekOCRConfig, workload: Workload, execution: Execution) -> Stages:
    """Price the stages in the sizes of a workload of symbols, and in its context."""
    context, step = symbol("context"), symbol("step")
    cache = SyntheticKVCache(config.decoder, workload.batch, context, execution.dtype)
    first = vision(config, workload, execution)
    second = prefill(config, context, cache, execution)
    one_step = prefill(config, 1, cache.extended(step), execution)
    last_step = prefill(config, 1, cache.extended(workload.decode_steps), execution)
    third = replace(last_step, **{name: _over_steps(getattr(one_step, name)) for name in ADDITIVE})
    return run(config, workload, execution, (first, second, third), context)


def _over_steps(one_step: Any) -> Any:
    """Sum what is affine in ``step`` over steps 1 to ``decode_steps``."""
    if not isinstance(one_step, Polynomial):
        return _counted("decode_steps") * one_step
    by_power = one_step.powers_of("step")
    sums = {0: _counted("decode_steps"), 1: symbol("sum_of_steps")}
    summed: Any = 0
    for power, factor in by_power.items():
        summed = factor * sums[power] + summed
    return summed


def _sum_of_steps(steps: Any) -> Any:
    # 1 + 2 + ... + n
    largest = int(np.max(steps, initial=0))
    if not isinstance(steps, int) and largest * (largest + 1) >= INT64_END:
        msg = f"decode_steps: got {largest}, allowed are at most 3,037,000,498 in an array"
        raise SizeError(msg)
    return steps * (steps + 1) // 2


def _stage(name: str, stage: Stage, values: Values, shape: tuple[int, ...]) -> Stage:
    counts = {field.name: getattr(stage, field.name) for field in fields(stage)}
    inserted = {key: _insert(f"{name}, {key}", count, values) for key, count in counts.items()}
    if shape:
        inserted = {key: count if count is None else np.broadcast_to(count, shape) for key, count in inserted.items()}
    return Stage(**inserted)


def _insert(what: str, count: Any, values: Mapping[str, Any] | Values) -> Any:
    return count.evaluate(what, values) if isinstance(count, Polynomial | Largest) else count


def _common_shape(sizes: Mapping[str, Any]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(np.shape(size) for size in sizes.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {np.shape(size)}" for name, size in sizes.items())
        msg = f"shapes: got {shapes}, allowed are shapes that broadcast"
        raise SizeError(msg) from None
