"""``dsocr report``: a run's rows as pages for people and programs."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import OptionError
from ..files import write_text_atomically
from ..metrics import LABELS, METRICS
from ..report.text import printable
from ..report.written import ENDINGS, report_text
from ..results import Results
from .outputs import check_file

__all__ = ["report"]

EPILOG = """\b
Examples:
  dsocr report rows.json -o rows.html
  dsocr report rows.json -o rows.md -o rows.csv -o junit.xml
"""


@click.command(epilog=EPILOG)
@click.argument("rows", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    multiple=True,
    help="Where it goes, by its ending: .md, .html, .csv, .xml (JUnit) or .json (the rows, in the newest schema); "
    "several if given more than once. A file that is there is replaced at the end.",
)
def report(rows: Path, output: tuple[Path, ...]) -> None:
    """Write the reports that a run writes with --dsocr-report, from its ROWS file.

    All of them are made before the first is written. They show the rows as they are: one that failed in its run is red,
    and so is one that regressed against the run's baseline.
    """
    for path in output:
        _check(path)
    if len({path.resolve() for path in output}) < len(output):
        msg = "output: got a file twice, allowed is each once"
        raise OptionError(msg)
    results = Results.read(rows)
    families = {metric.name: metric.family for metric in METRICS}
    texts = {path: report_text(results, path.suffix, LABELS, families) for path in output}
    for path, text in texts.items():
        write_text_atomically(path, text)
        click.echo(printable(f"wrote {path}"))


def _check(path: Path) -> None:
    """Refuse a file of no known ending, and one that could not be written."""
    if path.suffix.lower() not in ENDINGS:
        got = f"output: got {path}, which ends in {path.suffix or 'nothing'}"
        msg = f"{got}, allowed are {', '.join(ENDINGS)}"
        raise OptionError(msg)
    check_file("output", path)
