"""``dsocr scaling``: the decoder's cost against the context, predicted and measured."""

from __future__ import annotations

import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import click

from dsocr_cost.execution import IMPLEMENTATIONS
from dsocr_cost.sweep import evaluate

from ..files import write_text_atomically
from ..measure.scaling import measure_runs
from ..reference.transformers import TransformersReference
from ..report.scaling import compare_documents, scaling_markdown
from ..scaling import Plan, analytic_document, as_run, flops_by_stage, measured_document
from ..sweep_points import stage_counts
from .many import many_values
from .options import config_of, execution_of, require_int64, warn_of_long_contexts, workload_options_of
from .outputs import check_file, check_plots, make_folder
from .types import CONTEXTS, Whole

__all__ = ["scaling"]

DIFFERENT = 1
"""Exit code where a predicted count is not the measured one."""

EPILOG = """\b
Examples:
  dsocr scaling --context 256 512 1024 2048 4096 --decode-steps 16
  dsocr scaling --context 256:8192:256 --batch 8 --output out --plots out
  dsocr scaling --context 512 --device cuda:0 --attention flash

\b
Exit code: 0 when every count is the measured one (FLOPs of tensor and CUDA
cores, I/O bytes, launches, bytes of weights, activations and KV cache),
1 when one is not, 2 for what cannot be run.
"""


@click.command(cls=many_values("--context"), epilog=EPILOG)
@click.option(
    "--context",
    type=CONTEXTS,
    multiple=True,
    required=True,
    metavar="S ...",
    help="Lengths of the prompts in tokens: numbers, or FIRST:LAST:STEP, with spaces between them.",
)
@click.option(
    "--decode-steps", type=Whole(1), metavar="K", default=16, show_default=True, help="Tokens decoded after each."
)
@click.option("--batch", type=Whole(1), metavar="N", default=1, show_default=True, help="Sequences at once.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=".",
    show_default=True,
    help="Where analytic_scaling.json, measured_scaling.json and scaling.md go.",
)
@click.option(
    "--device",
    metavar="meta|cpu|cuda:N",
    default="meta",
    show_default=True,
    help="What the real modules run on; meta counts and takes no time.",
)
@click.option(
    "--implementation",
    type=click.Choice(IMPLEMENTATIONS),
    default="transformers",
    show_default=True,
    help="Whose code is predicted; transformers' is what is measured, so the vendor's differs by its rotary table.",
)
@workload_options_of("attention", "dtype", "config")
@click.option("--plots", type=click.Path(path_type=Path), metavar="DIR", help="Draw the points into this folder.")
@click.pass_context
def scaling(
    ctx: click.Context,
    /,
    context: tuple[tuple[int, ...], ...],
    output: Path,
    device: str,
    config: Path | None,
    plots: Path | None,
    **options: Any,
) -> None:
    """Predict prefill and decode for prompts of many lengths, measure them on the real modules, and compare."""
    if not re.fullmatch(r"meta|cpu|cuda(:\d{1,4})?", device, re.ASCII):
        raise click.BadParameter(
            f"got {device!r}, allowed are meta, cpu, cuda and cuda:N", ctx, param_hint="'--device'"
        )
    plan = Plan(
        contexts=tuple(dict.fromkeys(chain(*context))),
        decode_steps=options["decode_steps"],
        batch=options["batch"],
        config=config_of(config),
        execution=execution_of(options),
    )
    warn_of_long_contexts(max(plan.contexts) + plan.decode_steps, plan.config)
    files = {name: output / name for name in ("analytic_scaling.json", "measured_scaling.json", "scaling.md")}
    _refuse_beyond_int64(plan)
    make_folder("output", output)
    for path in files.values():
        check_file("output", path)
    if plots is not None:
        check_plots(plots)

    measured = measure_runs(plan, TransformersReference(), device)
    plan = as_run(plan, measured)
    predicted, real = analytic_document(plan), measured_document(plan, measured)
    texts = (_json(predicted), _json(real), scaling_markdown(predicted, real))
    for path, text in zip(files.values(), texts, strict=True):
        write_text_atomically(path, text)
    comparison = compare_documents(predicted, real)
    click.echo("\n".join(comparison.verdicts))
    for path in files.values():
        click.echo(f"wrote {path}")
    if plots is not None:
        _draw(plan, real, plots)
    if comparison.wrong:
        ctx.exit(DIFFERENT)


def _refuse_beyond_int64(plan: Plan) -> None:
    """Refuse sizes whose counts leave int64: torch, too, counts in that."""
    largest = evaluate(
        text_tokens=max(plan.contexts),
        decode_steps=plan.decode_steps,
        batch=plan.batch,
        mode=None,
        config=plan.config,
        execution=plan.execution,
    )
    require_int64(stage_counts(largest), "context", "decode_steps", "batch", "config")


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _draw(plan: Plan, real: dict[str, Any], plots: Path) -> None:
    from ..report.plots import predicted_and_measured, sweep_plots
    from ..sweep_points import context_points

    points = context_points(
        plan.contexts,
        decode_steps=plan.decode_steps,
        batch=plan.batch,
        config=plan.config,
        execution=plan.execution,
    )
    paths = sweep_plots(points, plots, execution=plan.execution)
    paths += predicted_and_measured(points, flops_by_stage(real), plots, execution=plan.execution)
    click.echo(f"drew {len(paths)} files into {plots}")
