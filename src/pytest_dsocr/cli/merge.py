"""``dsocr merge``: the rows of shards or machines as one file."""

from __future__ import annotations

from pathlib import Path

import click

from ..files import write_text_atomically
from ..merging import merged
from ..metrics import METRICS, families_of
from ..report.text import printable
from ..results import Results
from .outputs import check_file

__all__ = ["merge"]

EPILOG = """\b
Examples:
  dsocr merge shard-1.json shard-2.json -o rows.json
  dsocr merge cpu.json h200.json l4.json -o all.json
"""


@click.command(epilog=EPILOG)
@click.argument("rows", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="Where they go; a file that is there, which may be one of ROWS, is replaced at the end.",
)
def merge(rows: tuple[Path, ...], output: Path) -> None:
    """Put the ROWS files of shards or machines together, as if one run had made them.

    Rows stand in the order in which the files are given. A row that stands in several is taken once; where they do not
    agree on what was predicted, measured, allowed or made of it, nothing is written. Two rows of one key in one file
    are refused, too.

    What did not run in one file and did in another is not listed as not run. What failed on one machine and ran on
    another is: it is missing from the first.

    What made a run red beside its tests is looked at anew: a requirement of one file (--dsocr-require) is one of all
    rows together, and a tolerance rule that some row was judged by is no longer unused. Everything else that a file
    complains of is kept.
    """
    check_file("output", output)
    parts = [(printable(str(path)), Results.read(path)) for path in rows]
    whole = merged(parts, families_of(METRICS))
    write_text_atomically(output, whole.to_json())
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in whole.by_verdict.items() if count)
    click.echo(printable(f"wrote {output}: {counts or 'no rows'}"))
    for complaint in whole.complaints:
        click.echo(printable(f"complaint: {complaint}"))
