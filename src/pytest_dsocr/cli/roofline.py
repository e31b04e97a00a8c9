"""``dsocr roofline``: the layers of one workload under the roofs of a machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dsocr_cost.latency import run_shares
from dsocr_cost.sweep import evaluate_workload
from dsocr_cost.workload import MODES, Workload

from ..errors import OptionError
from ..sweep_points import stage_counts
from .breakdown import breakdown
from .options import config_of, execution_of, require_int64, warn_of_long_contexts, workload_options
from .outputs import check_file, check_matplotlib
from .roofline_text import about, dots_of, roofline_text
from .speed import speed_of, speed_options
from .types import GRID

if TYPE_CHECKING:
    from dsocr_cost.config import DeepseekOCRConfig
    from dsocr_cost.execution import Execution
    from dsocr_cost.workload import Grid

__all__ = ["roofline"]

LARGE = ("grid", "text_tokens", "decode_steps", "batch", "config")
"""Options that can make a count leave int64."""

KINDS = (".svg", ".png")

EPILOG = """\b
Examples:
  dsocr roofline --device "RTX 5090" --grid 3x2
  dsocr roofline --profile profile.json --grid 3x2 --launch graph -o page.svg
"""


@click.command(epilog=EPILOG)
@click.option("--grid", type=GRID, metavar="HxW", help="Crops high x wide.  [default: one view]")
@workload_options
@speed_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw it into this file, an SVG or a PNG by its ending.",
)
def roofline(grid: Grid | None, *, output: Path | None, **options: Any) -> None:
    """Say of each class of layers how many FLOPs it does a byte and a second, and what bounds it.

    FLOPs are those of tensor and CUDA cores together, bytes all that its kernels read and write, from memory or from
    the cache; decode is the sum of all its steps. Classes of layers stand by the time that they take in their stage.
    """
    config, execution = config_of(options["config"]), execution_of(options)
    speed = speed_of(options, execution, mfu=False)
    if speed is None:
        msg = "--device, --profile: got none of them, allowed is one"
        raise click.UsageError(msg)
    if output is not None:
        _check(output)
    sizes = (options[name] for name in ("text_tokens", "decode_steps", "batch"))
    workload = Workload(MODES[options["mode"]], grid, *sizes)
    _refuse_beyond_int64(workload, config, execution)
    warn_of_long_contexts(workload.context(config.sam) + options["decode_steps"], config)
    shares = run_shares(config, workload, execution, speed.profile, speed.launch)
    dots = dots_of(breakdown(workload, "op", config, execution, shares))
    click.echo(roofline_text(dots, workload, speed, execution))
    if output is not None:
        from ..report.roofline import roofline_plot

        roofline_plot(dots, speed.profile.machine, about(workload, speed, execution), output)


def _check(output: Path) -> None:
    """Refuse a file that could not be drawn.

    Raises:
        OptionError: another ending, no matplotlib, or a path that cannot be written.
    """
    if output.suffix.lower() not in KINDS:
        msg = f"output: got {output}, allowed is a file that ends in {' or '.join(KINDS)}"
        raise OptionError(msg)
    check_matplotlib("output")
    check_file("output", output)


def _refuse_beyond_int64(workload: Workload, config: DeepseekOCRConfig, execution: Execution) -> None:
    require_int64(stage_counts(evaluate_workload(workload, config, execution)), *LARGE)
