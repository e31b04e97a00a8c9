"""``dsocr sweep``: many workloads at once, on the terminal, as files, as figures."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsocr_cost.errors import SizeError
from dsocr_cost.sweep import evaluate
from dsocr_cost.workload import MODES, Workload

from ..errors import OptionError
from ..results import write_text_atomically
from ..sweep_points import COUNTS, STAGES, context_points, grid_points
from .many import many_values
from .options import (
    config_of,
    execution_of,
    refuse_together,
    require_int64,
    warn_of_long_contexts,
    workload_options,
)
from .outputs import check_file, check_plots
from .sweep_text import csv_text, json_text, table_text
from .types import CONTEXTS, GRIDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.workload import Grid

    from ..sweep_points import SweepPoint

__all__ = ["sweep"]

LARGE = ("grids", "context", "text_tokens", "decode_steps", "batch", "config")
"""Options that can make a count leave int64."""

EPILOG = """\b
Examples:
  dsocr sweep --grids published
  dsocr sweep --grids model,3x4 --batch 8 --csv grids.csv
  dsocr sweep --context 256:8192:256 --decode-steps 1 --json lengths.json
  dsocr sweep --context 256 512 1024:8192:1024
  dsocr sweep --grids published --plots figures
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

    Files have all counts in full.
    """
    _require_one(grids, context)
    chosen, contexts = tuple(dict.fromkeys(chain(*grids))), tuple(dict.fromkeys(chain(*context)))
    _check_outputs(csv, json, plots)
    config = config_of(options["config"])
    points = _points(chosen, contexts, config, options)
    _warn(points, config)
    if csv is not None:
        write_text_atomically(csv, csv_text(points))
    if json is not None:
        mode = options["mode"] if grids else None
        write_text_atomically(json, json_text(points, mode, execution_of(options)))
    table, left_out = table_text(points, images=bool(chosen))
    click.echo(table)
    if plots is not None:
        _draw(points, plots, measured=options if grids else None)
    if sys.stdout.isatty():
        for line in filter(None, (left_out, *(path and f"wrote {path}" for path in (csv, json, plots)))):
            click.echo(line, err=True)


def _draw(points: Sequence[SweepPoint], plots: Path, measured: dict[str, Any] | None) -> None:
    """Draw the points, and beside them what was measured: the published grids, for the published workload."""
    from ..published.grids import DECODE_STEPS, TEXT_TOKENS
    from ..published.measured import read_measured
    from ..report.plots import predicted_and_measured, sweep_plots

    sweep_plots(points, plots)
    workload = {"mode": "gundam", "text_tokens": TEXT_TOKENS, "decode_steps": DECODE_STEPS, "batch": 1}
    workload |= {"implementation": "transformers", "config": None}
    if measured is None or any(measured[name] != value for name, value in workload.items()):
        return
    counts = {str(one): {"vision": one.vision, "prefill": one.prefill, "decode": one.decode} for one in read_measured()}
    if any(point.label in counts for point in points):
        predicted_and_measured(points, counts, plots)


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
    if grids:
        shared |= {"mode": MODES[options["mode"]], "text_tokens": options["text_tokens"]}
        Workload(shared["mode"], grids[0])  # refuses a mode without crops by a grid that was asked for
    try:
        return grid_points(grids, **shared) if grids else context_points(contexts, **shared)
    except SizeError:
        require_int64(_largest(grids, contexts, shared), *LARGE)
        raise


def _largest(
    grids: Sequence[Grid], contexts: Sequence[int], shared: dict[str, Any]
) -> Iterator[tuple[str, int | None]]:
    """Price, in Python ints, a point that none of the sweep exceeds."""
    sides = {f"crops_{side}": max(getattr(grid, side) for grid in grids) for side in ("high", "wide") if grids}
    stages = evaluate(**shared, **sides) if grids else evaluate(**shared, text_tokens=max(contexts), mode=None)
    for name, stage in zip(STAGES, stages, strict=True):
        for count in COUNTS:
            yield f"{count} of {name}", getattr(stage, count)


def _warn(points: Sequence[SweepPoint], config: DeepseekOCRConfig) -> None:
    positions = [point.context + point.decode_steps for point in points]
    beyond = sum(one > config.decoder.max_position_embeddings for one in positions)
    warn_of_long_contexts(max(positions), config, points=f"in {beyond} of {len(points)} points, at most: ")


def _check_outputs(csv: Path | None, json: Path | None, plots: Path | None) -> None:
    """Refuse, before anything is priced, what could not be written after it."""
    for name, path in (("csv", csv), ("json", json)):
        if path is not None:
            check_file(name, path)
    if csv is not None and json is not None and csv.resolve() == json.resolve():
        msg = f"json: got {json}, which is the file of --csv; allowed is another one"
        raise OptionError(msg)
    if plots is not None:
        check_plots(plots)
