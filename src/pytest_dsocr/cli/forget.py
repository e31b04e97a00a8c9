"""``dsocr forget``: takes out of a baseline what is compared no more."""

from __future__ import annotations

from pathlib import Path

import click

from ..baseline_file import Baseline
from ..baseline_names import full_name
from ..report.text import printable
from .compare import require_files

__all__ = ["forget"]

EPILOG = """\b
Examples:
  dsocr forget base.json 'user.head, 16 tokens, latency_s'
  dsocr forget baselines/ 'vision.Attention, 3x2, params' 'user.x, a, params'
"""


@click.command(epilog=EPILOG)
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("rows", nargs=-1, required=True, metavar="ROW...")
def forget(baseline: Path, rows: tuple[str, ...]) -> None:
    """Remove ROWs from BASELINE: a rows file, or a folder of them.

    A ROW is 'LAYER, CASE, METRIC', as runs and refusals name it. Where several rows are called that, say on several
    devices, it takes the whole name, which the refusal lists. All other rows stay byte for byte. If one ROW is not
    there, nothing is removed.
    """
    stored = Baseline(baseline)
    require_files(stored)
    for file, gone in stored.forget(rows).items():
        for row in gone:
            click.echo(printable(f"{file}: removed: {full_name(row)}"))
