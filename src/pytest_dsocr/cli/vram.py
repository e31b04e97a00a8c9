"""``dsocr vram``: the memory of a card that pages take, by grid, batch and attention."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsocr_cost.workload import MODEL_GRIDS, MODES, Workload

from ..files import write_text_atomically
from .card import card_of, card_options
from .many import many_values
from .options import config_of, execution_of, workload_options_without
from .outputs import check_tables, tell_terminal
from .points import warn_of_long_points
from .types import ATTENTIONS, BATCHES, VIEWS
from .vram_points import vram_points
from .vram_text import csv_text, json_text, vram_text

if TYPE_CHECKING:
    from dsocr_cost.execution import AttentionName
    from dsocr_cost.workload import Grid

__all__ = ["vram"]

EPILOG = """\b
Examples:
  dsocr vram
  dsocr vram --grids published --device "RTX 5090"
  dsocr vram --grids 3x2 3x3 --batch 1,2,4,8 --attention eager sdpa
  dsocr vram --grids published --csv vram.csv --json vram.json
"""


@click.command(cls=many_values("--grids", "--batch", "--attention"), epilog=EPILOG)
@click.option(
    "--grids",
    type=VIEWS,
    multiple=True,
    metavar="LIST",
    help="Crop grids with commas or spaces: published (90 of them), model (those that the model picks), HIGHxWIDE, "
    "none (one view).  [default: model; none in a mode without crops]",
)
@click.option(
    "--batch",
    type=BATCHES,
    multiple=True,
    default=["1"],
    show_default=True,
    metavar="N...",
    help="Pages of the same size that run as one batch; several with commas or spaces.",
)
@click.option(
    "--attention",
    "attentions",
    type=ATTENTIONS,
    multiple=True,
    default=["sdpa"],
    show_default=True,
    metavar="NAME...",
    help="Which attention runs: eager, sdpa, flash; several with commas or spaces.",
)
@workload_options_without("batch", "attention")
@card_options
@click.option("--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write a row a point.")
@click.option("--json", type=click.Path(path_type=Path), metavar="FILE", help="Write all points.")
def vram(
    grids: tuple[tuple[Grid | None, ...], ...],
    batch: tuple[tuple[int, ...], ...],
    attentions: tuple[tuple[AttentionName, ...], ...],
    *,
    csv: Path | None,
    json: Path | None,
    **options: Any,
) -> None:
    """Say what pages take of a card's memory, and where the peak stands.

    FLOPs and I/O are those of vision and prefill; KV cache is the one after the last step, peak the most activations
    at one time. VRAM is the most of weights, KV cache and activations together at one time, and the CUDA context:
    less than the sum of the columns where their peaks do not coincide. With a card: whether it fits.

    Vision runs all pages of a batch as one, so that its peak grows with the batch. The prefill makes logits for every
    position, in the model's dtype and in fp32, as the published model does: a server that keeps only the last
    position's needs less. Eager attention is that of meta, where a cast before a softmax is a tensor of its own; a
    softmax on CUDA can save it.
    """
    check_tables(csv, json)
    card, config = card_of(options), config_of(options["config"])
    context = card.room.cuda_context_bytes if card else options["cuda_context"] or 0
    mode = MODES[options["mode"]]
    workload = Workload(mode, None, options["text_tokens"], options["decode_steps"])
    executions = [execution_of(options | {"attention": one}) for one in dict.fromkeys(chain(*attentions))]
    workloads = [replace(workload, batch=one) for one in dict.fromkeys(chain(*batch))]
    chosen = tuple(dict.fromkeys(chain(*grids))) or (MODEL_GRIDS if mode.crop_size else (None,))
    points = vram_points(chosen, workloads, executions, config, card, context)
    warn_of_long_points([point.context + options["decode_steps"] for point in points], config)
    if csv is not None:
        write_text_atomically(csv, csv_text(points))
    if json is not None:
        write_text_atomically(json, json_text(points, workload, executions[0], card))
    text, left_out = vram_text(points, workload, executions[0], card)
    click.echo(text)
    tell_terminal(left_out, csv, json)
