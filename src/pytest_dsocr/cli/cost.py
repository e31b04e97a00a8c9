"""``dsocr cost``: one workload, stage by stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dsocr_cost.errors import SizeError
from dsocr_cost.latency import run_latency, run_shares
from dsocr_cost.sweep import evaluate_workload
from dsocr_cost.workload import MODES, Workload, crop_grid, image_tokens

from .breakdown import UNTIMED, breakdown
from .cost_document import breakdown_rows, cost_document, with_latency
from .cost_text import breakdown_text, heading, stages_text
from .image import image_size
from .options import (
    config_of,
    execution_of,
    refuse_together,
    require_int64,
    warn_of_long_contexts,
    workload_options,
)
from .speed import speed_of, speed_options
from .types import GRID, SIZE, Whole

if TYPE_CHECKING:
    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.workload import Grid, Mode

    from .image import ImageSize

__all__ = ["cost"]

LARGE = ("grid", "context", "text_tokens", "decode_steps", "batch", "config")
"""Options that can make a count leave int64."""

EPILOG = """\b
Examples:
  dsocr cost --image page.png
  dsocr cost --size 1700x2200 --mode gundam-m
  dsocr cost --grid 3x2 --decode-steps 500 --batch 8
  dsocr cost --grid 3x2 --context 2048 --attention flash --dtype float32
  dsocr cost --grid 3x2 --by layer
  dsocr cost --grid 3x2 --device "RTX 5090" --launch graph
  dsocr cost --grid 3x2 --profile profile.json --by op
  dsocr cost --grid 3x2 --json | jq .stages.total.tensor_flops
"""


@click.command(epilog=EPILOG)
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A PNG or JPEG: its header says its size, and the size which crop grid the model picks.",
)
@click.option("--size", type=SIZE, metavar="WxH", help="Pixels of an image, wide x high, in place of a file.")
@click.option(
    "--grid",
    type=GRID,
    metavar="HxW",
    help="A crop grid by hand, crops high x wide: 3x2 is an upright page. Without image, size and grid: one view.",
)
@click.option(
    "--context", type=Whole(1), metavar="S", help="Positions of image and text together, in place of --text-tokens."
)
@workload_options
@speed_options
@click.option(
    "--by",
    type=click.Choice(["stage", "layer", "op"]),
    default="stage",
    show_default=True,
    help="How far to break it down.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all counts in full.")
def cost(
    image: Path | None,
    size: ImageSize | None,
    grid: Grid | None,
    *,
    by: Literal["stage", "layer", "op"],
    as_json: bool,
    **options: Any,
) -> None:
    """Price one page: vision, prefill, decode and their total.

    The prefill is decoder and LM head over image and text; decode is the sum of all its steps. The weights of a stage
    are its own; the total holds those of all stages, and pixels, prompt and tokens until the run is over.

    Time needs a card or a calibrated machine. It is that of one run with cold caches, with the band that the errors
    of its source allow; MFU is tensor FLOPs over that time and the dense peak.
    """
    refuse_together("image", "size", "grid")
    refuse_together("context", "text_tokens")
    config, execution, mode = config_of(options["config"]), execution_of(options), MODES[options["mode"]]
    speed = speed_of(options, execution)
    shown = image_size(image) if image else size
    workload = _workload(mode, crop_grid(*shown, mode) if shown else grid, config, options)
    document = cost_document(workload, evaluate_workload(workload, config, execution), config, execution)
    counts = ((f"{key} of {name}", count) for name, stage in document["stages"].items() for key, count in stage.items())
    require_int64(counts, *LARGE)
    shares = UNTIMED
    if speed is not None:
        timed = workload, execution, speed.profile, speed.launch
        document = with_latency(document, run_latency(config, *timed), speed)
        shares = run_shares(config, *timed) if by != "stage" else shares
    items = [] if by == "stage" else breakdown(workload, by, config, execution, shares)
    warn_of_long_contexts(document["workload"]["context"] + options["decode_steps"], config)
    if as_json:
        extra = {} if by == "stage" else {"breakdown": breakdown_rows(items)}
        click.echo(json.dumps(document | extra, indent=2))
    else:
        tables = [stages_text(document["stages"], document.get("latency")), *breakdown_text(items)]
        click.echo("\n\n".join([heading(document), *tables]))


def _workload(mode: Mode, grid: Grid | None, config: DeepseekOCRConfig, options: dict[str, Any]) -> Workload:
    text_tokens, context = options["text_tokens"], options["context"]
    if context is not None:
        tokens: Any = image_tokens(mode, grid, config.sam)
        text_tokens = context - tokens
        if text_tokens < 0:
            msg = f"context: got {context}, allowed is at least the {tokens} image tokens that it holds"
            raise SizeError(msg)
    return Workload(mode, grid, text_tokens, options["decode_steps"], options["batch"])
