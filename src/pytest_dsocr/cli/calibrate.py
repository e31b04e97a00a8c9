"""``dsocr calibrate``: measures a machine, and keeps what a prediction of time needs as a profile."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsocr_cost.execution import Execution
from dsocr_cost.workload import MODES, Workload

from ..files import write_text_atomically
from .calibration_text import calibration_text, doubts
from .many import many_values
from .options import config_of, refuse_alone, workload_options_of
from .outputs import check_file
from .types import VIEWS, Whole

if TYPE_CHECKING:
    from dsocr_cost import Grid

__all__ = ["calibrate"]

EPILOG = """\b
Examples:
  dsocr calibrate --device cpu -o cpu.json
  dsocr calibrate --device cpu --grids 1x2,2x2 -o pages.json
  dsocr calibrate --device cuda:0 --attention flash -o card.json
  dsocr cost --grid 3x2 --profile card.json
"""


@click.command(cls=many_values("--grids"), epilog=EPILOG)
@click.option("--device", metavar="cpu|cuda|cuda:N", required=True, help="What is measured; cuda is the first card.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="Where the profile goes; a file that is there is replaced at the end.",
)
@click.option(
    "--grids",
    type=VIEWS,
    multiple=True,
    metavar="LIST",
    help="Pages whose own sizes run too, some seconds each: crop grids with commas or spaces, as HIGHxWIDE, published, "
    "model; none is a page of one view.",
)
@workload_options_of("mode", "text_tokens", "dtype", "attention", "config")
@click.option(
    "--runs",
    type=Whole(1),
    metavar="N",
    default=3,
    show_default=True,
    help="Runs of each point in each of four passes; none begins after 0.4 s of them.",
)
@click.pass_context
def calibrate(
    ctx: click.Context,
    /,
    device: str,
    output: Path,
    grids: tuple[tuple[Grid | None, ...], ...],
    config: Path | None,
    runs: int,
    **options: Any,
) -> None:
    """Measure how fast the kernels of this model run here, in some minutes, and write it down as a profile.

    Few layers of each sort run at sizes between those of real pages, each kernel timed in its place, with cold
    caches. The machine should have nothing else to do. Of a known card the datasheet's figures stay; of a CPU they
    are measured too.

    A library chooses a kernel by the exact size, and some sizes are far slower than those around them: name the grids
    of the pages that matter.
    """
    if not re.fullmatch(r"cpu|cuda(:\d{1,4})?", device, re.ASCII):
        raise click.BadParameter(f"got {device!r}, allowed are cpu, cuda and cuda:N", ctx, param_hint="'--device'")
    check_file("output", output)
    execution = Execution(attention=options["attention"], dtype=options["dtype"])
    if not grids:
        for name in ("mode", "text_tokens"):
            refuse_alone(name, beside="--grids")
    mode, text_tokens = MODES[options["mode"]], options["text_tokens"]
    pages = [Workload(mode, grid, text_tokens) for grid in dict.fromkeys(chain(*grids))]
    from ..calibrate.here import calibrate_here  # brings torch

    calibration = calibrate_here(
        device, config_of(config), execution, pages=pages, runs=runs, tell=lambda text: click.echo(text, err=True)
    )
    write_text_atomically(output, calibration.to_json())
    click.echo(calibration_text(calibration))
    click.echo(f"wrote {output}")
    for doubt in doubts(calibration.measured):
        click.echo(f"warning: {doubt}", err=True)
