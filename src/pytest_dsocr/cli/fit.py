"""``dsocr fit``: the largest page, the longest context and the largest batch that a card can take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dsocr_cost.errors import SizeError
from dsocr_cost.fit import find_limits
from dsocr_cost.report import bytes_text
from dsocr_cost.workload import MODES, Workload

from .card import card_of, card_options
from .fit_document import figures, fit_document
from .fit_text import fit_text
from .options import config_of, execution_of, require_int64, warn_of_long_contexts, workload_options
from .types import GRID

if TYPE_CHECKING:
    from dsocr_cost.fit import Limits
    from dsocr_cost.workload import Grid

    from .card import Card

__all__ = ["fit"]

LARGE = ("grid", "text_tokens", "decode_steps", "batch", "config")
"""Options that can make a count leave int64."""

EPILOG = """\b
Examples:
  dsocr fit --device "RTX 5090"
  dsocr fit --device L4 --attention eager --margin 5%
  dsocr fit --memory 24GiB --cuda-context 500MiB --grid 3x2 --batch 4
  dsocr fit --device H200 --json | jq .limits.batch.largest.batch
"""


@click.command(epilog=EPILOG)
@card_options
@click.option("--grid", type=GRID, metavar="HxW", help="Crops high x wide, for context and batch.  [default: one view]")
@workload_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all counts in full.")
def fit(grid: Grid | None, *, as_json: bool, **options: Any) -> None:
    """Say what fits into the memory of a card, and what stands in the way of more.

    Makes one size at a time as large as it goes, the others as given: the crop grid (that of most crops, and the
    largest with as many rows as columns), the text of the context, the batch. Memory is the most that weights, KV
    cache and activations take together at one time, and the CUDA context.

    Vision runs all pages of a batch as one, so that its peak grows with the batch. The prefill makes logits for every
    position, in the model's dtype and in fp32, as the published model does: a server that keeps only the last
    position's needs less. Eager attention is that of meta, where a cast before a softmax is a tensor of its own; a
    softmax on CUDA can save it.
    """
    card = card_of(options)
    if card is None:
        msg = "--device, --memory: got none of them, allowed is one"
        raise click.UsageError(msg)
    config, execution = config_of(options["config"]), execution_of(options)
    sizes = (options[name] for name in ("text_tokens", "decode_steps", "batch"))
    workload = Workload(MODES[options["mode"]], grid, *sizes)
    limits = find_limits(workload, card.room, config, execution)
    _require_any(limits, card)
    document = fit_document(workload, card, limits, config, execution)
    require_int64(figures(document), *LARGE)
    warn_of_long_contexts(document["workload"]["context"] + options["decode_steps"], config)
    click.echo(json.dumps(document, indent=2) if as_json else fit_text(document, card))


def _require_any(limits: Limits, card: Card) -> None:
    """Refuse a card on which nothing fits."""
    if any(limit is not None and limit.largest is not None for limit in limits):
        return
    least: Any = min(
        (limit.following for limit in limits if limit and limit.following), key=lambda need: need.allocated_bytes
    )
    there, takes = card.process_bytes, least.allocated_bytes + card.room.cuda_context_bytes
    got = f"device: got {card.name} with" if card.name else "memory: got"
    page = f"{least.workload.grid} crops" if least.workload.grid else "one view"
    run = f"batch {least.workload.batch} of {page} and {least.workload.text_tokens} text tokens"
    msg = f"{got} {bytes_text(there)} for a process, allowed is at least {bytes_text(takes)}, which {run} takes"
    raise SizeError(f"{msg}: {bytes_text(takes - there)} are missing")
