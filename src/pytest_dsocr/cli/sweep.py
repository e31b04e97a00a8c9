"""``dsocr sweep``: many workloads at once, on the terminal, as files, as figures."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsocr_cost.workload import MODES

from ..files import write_text_atomically
from ..published.grids import DECODE_STEPS, TEXT_TOKENS
from .many import many_values
from .options import config_of, execution_of, refuse_together, workload_options
from .outputs import check_plots, check_tables, tell_terminal
from .points import priced_contexts, priced_grids, warn_of_long_points
from .sweep_text import csv_text, json_text, table_text
from .targets import Targets
from .types import CONTEXTS, GRIDS, SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.execution import Execution
    from dsocr_cost.workload import Grid

    from ..sweep_points import SweepPoint

__all__ = ["sweep"]

EPILOG = """\b
Examples:
  dsocr sweep --grids published
  dsocr sweep --grids model,3x4 --batch 8 --csv grids.csv
  dsocr sweep --context 256:8192:256 --decode-steps 1 --json lengths.json
  dsocr sweep --context 256 512 1024:8192:1024
  dsocr sweep --grids published --plots figures
  dsocr sweep --grids published --ttft 1s --tpot 50ms
"""


@click.command(cls=many_values("--grids", "--context"), epilog=EPILOG)
@click.option(
    "--grids",
    type=GRIDS,
    multiple=True,
    metavar="LIST",
    help="Crop grids with commas or spaces: published (90 of them), model (those that the model picks), HIGHxWIDE.",
)
@click.option(
    "--context",
    type=CONTEXTS,
    multiple=True,
    metavar="A:B:STEP...",
    help="Prompts without an image, of A to B positions (B too, where a step reaches it), or of one length. "
    "Takes several, and may be given more than once.",
)
@workload_options
@click.option(
    "--ttft",
    type=SECONDS,
    metavar="TIME",
    help="A target for the first token, such as 1s: say what vision and prefill take a second.",
)
@click.option(
    "--tpot",
    type=SECONDS,
    metavar="TIME",
    help="A target for each token after it, such as 50ms: say what a decode step takes a second.",
)
@click.option("--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write a row a point.")
@click.option("--json", type=click.Path(path_type=Path), metavar="FILE", help="Write all points.")
@click.option("--plots", type=click.Path(path_type=Path), metavar="DIR", help="Draw the points into this folder.")
def sweep(
    grids: tuple[tuple[Grid, ...], ...],
    context: tuple[tuple[int, ...], ...],
    *,
    csv: Path | None,
    json: Path | None,
    plots: Path | None,
    **options: Any,
) -> None:
    """Price many crop grids, each with --text-tokens of text, or many prompts without an image.

    Files have all counts in full. A target takes tensor FLOPs a second, and GB a second: the least that has to be
    moved. No machine meets it with less; docs/latency.md says what one really takes.
    """
    _require_one(grids, context)
    chosen, contexts = tuple(dict.fromkeys(chain(*grids))), tuple(dict.fromkeys(chain(*context)))
    check_tables(csv, json)
    if plots is not None:
        check_plots(plots)
    config, targets = config_of(options["config"]), Targets(options["ttft"], options["tpot"])
    points = _points(chosen, contexts, config, options)
    warn_of_long_points([point.context + point.decode_steps for point in points], config)
    if csv is not None:
        write_text_atomically(csv, csv_text(points, targets))
    if json is not None:
        mode = options["mode"] if grids else None
        write_text_atomically(json, json_text(points, mode, execution_of(options), targets))
    table, left_out = table_text(points, images=bool(chosen), targets=targets)
    click.echo(table)
    if plots is not None:
        _draw(points, plots, execution_of(options), targets)
        if grids and _is_published(options):
            _draw_measured(points, plots, execution_of(options))
    tell_terminal(left_out, csv, json, plots)


def _draw(points: Sequence[SweepPoint], plots: Path, execution: Execution, targets: Targets) -> None:
    from ..report.plots import sweep_plots

    asked = {name: seconds for name, seconds in asdict(targets).items() if seconds is not None}
    sweep_plots(points, plots, execution=execution, **asked)


def _is_published(options: dict[str, Any]) -> bool:
    """Whether the published workload is asked for, of which the published grids were measured."""
    workload = {"mode": "gundam", "text_tokens": TEXT_TOKENS, "decode_steps": DECODE_STEPS, "batch": 1}
    workload |= {"implementation": "transformers", "config": None}
    return all(options[name] == value for name, value in workload.items())


def _draw_measured(points: Sequence[SweepPoint], plots: Path, execution: Execution) -> None:
    """Draw the points beside what was measured, if any of them were."""
    from ..published.measured import read_measured
    from ..report.plots import predicted_and_measured

    counts = {str(one): {"vision": one.vision, "prefill": one.prefill, "decode": one.decode} for one in read_measured()}
    if any(point.label in counts for point in points):
        predicted_and_measured(points, counts, plots, execution=execution)


def _require_one(grids: tuple[object, ...], context: tuple[object, ...]) -> None:
    for name in ("grids", "mode", "text_tokens"):
        refuse_together(name, "context")
    if not grids and not context:
        msg = "--grids, --context: got none of them, allowed is one"
        raise click.UsageError(msg)


def _points(
    grids: Sequence[Grid], contexts: Sequence[int], config: DeepseekOCRConfig, options: dict[str, Any]
) -> list[SweepPoint]:
    shared: dict[str, Any] = {
        "decode_steps": options["decode_steps"],
        "batch": options["batch"],
        "config": config,
        "execution": execution_of(options),
    }
    if contexts:
        return priced_contexts(contexts, **shared)
    return priced_grids(grids, mode=MODES[options["mode"]], text_tokens=options["text_tokens"], **shared)
