"""``dsocr compare``: what moved between two runs, and whether it may."""

from __future__ import annotations

from pathlib import Path

import click

from ..baseline_file import ENDING, Baseline
from ..comparison import compared
from ..errors import ResultsError
from ..metrics import LABELS
from ..report.text import printable
from ..results import Results, json_text
from ..rows_document import read_rows_text
from .compare_document import compare_document
from .compare_text import compare_text

__all__ = ["compare"]

RED = 1
"""Exit code where something regressed or fails."""

EPILOG = """\b
Examples:
  dsocr compare base.json head.json
  dsocr compare baselines/ head.json --require-all
  dsocr compare base.json head.json --json | jq '.rows[] | .layer'

\b
Exit code: 0 when nothing regressed and no row of HEAD fails, 1 when one does,
or with --require-all is missing, 2 for what cannot be read or compared.
"""


@click.command(epilog=EPILOG)
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("head", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Show what has not moved and what is new, too.")
@click.option("--require-all", is_flag=True, help="Exit 1, too, where rows of BASE are missing from HEAD.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all figures in full.")
@click.pass_context
def compare(
    ctx: click.Context, /, base: Path, head: Path, *, everything: bool, require_all: bool, as_json: bool
) -> None:
    """Hold the rows of HEAD against those of BASE: a rows file, or a folder of baselines.

    Each row is held against that of the same key (model, implementation, attention, dtype, layer, case, metric) and the
    same device, as pytest does with --dsocr-baseline: more than the row's tolerance above the stored figure is a
    regression, as much below it an improvement. A time has moved only if its rounds differ, too, by a rank test; if
    not, or if a measurement is not to be trusted, it is uncertain, which is not red.

    Rows of BASE on devices that HEAD has no row of are left out.
    """
    results, baseline = Results.read(head), Baseline(base)
    _require_files(baseline)
    comparison = compared(results, printable(str(head)), baseline)
    if as_json:
        click.echo(json_text(compare_document(comparison, base, head, everything=everything), indent=1))
    else:
        click.echo(compare_text(comparison, results, LABELS, everything=everything, require_all=require_all))
    if comparison.is_red(require_all=require_all):
        ctx.exit(RED)


def _require_files(baseline: Baseline) -> None:
    """Refuse a path where there is nothing."""
    if baseline.files():
        return
    if not baseline.path.is_dir():
        read_rows_text(baseline.path)  # says why it cannot
    msg = f"{baseline.path}: is a folder without a file that ends in {ENDING}, allowed is one of baselines"
    raise ResultsError(msg)
