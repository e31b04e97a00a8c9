"""``dsocr check``: whether the files that a gate rests on can be read, before a run does."""

from __future__ import annotations

from pathlib import Path

import click

from dsocr_cost.device import load_devices
from dsocr_cost.errors import DsocrError
from dsocr_cost.profile_json import read_profile

from ..report.text import printable
from ..results import Results
from ..rows_document import load_json, read_rows_text

__all__ = ["check"]

EPILOG = """\b
Examples:
  dsocr check baselines/*.json
  dsocr check profile.json cards.toml
"""


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...]) -> None:
    """Read rows files, baselines and profiles (.json) and device files (.toml), and say what they are.

    Exit code 1 if one of them cannot be used, with what is wrong in it. Which layers a tolerances.toml may name, only
    a run knows.
    """
    bad = 0
    for file in files:
        try:
            click.echo(printable(f"{file}: {_kind(file)}"))
        except DsocrError as error:
            bad += 1
            click.echo(printable(str(error)), err=True)
    ctx.exit(1 if bad else 0)


def _kind(file: Path) -> str:
    """Read a file as what it is, and say what that is."""
    if file.suffix.lower() == ".toml":
        load_devices(file)
        return "devices"
    text = read_rows_text(file)
    document = load_json(text, str(file))
    if isinstance(document, dict) and "machine" in document:
        return f"a profile of {read_profile(file).profile.machine.name}"
    rows = Results.from_json(text, str(file)).by_key(str(file))
    devices = dict.fromkeys(str(row.device) for row in rows.values())
    return f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} of {'; '.join(devices) or 'no device'}"
