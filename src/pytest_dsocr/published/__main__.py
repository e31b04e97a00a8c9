"""Writes docs/published.md: ``python -m pytest_dsocr.published docs/published.md``.

With ``--measure-grids`` it first measures the 90 crop grids anew, in some minutes, and writes measured_grids.csv.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dsocr_cost import DsocrError

from ..files import check_writable, write_text_atomically
from .measured import measure_grids, to_csv
from .page import published_page

GRIDS = Path(__file__).with_name("measured_grids.csv")
_ABOUT = "Hold the published tables against the prediction and against measurements, and write the page."


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m pytest_dsocr.published", description=_ABOUT)
    parser.add_argument("page", type=Path, nargs="?", help="the Markdown file to write")
    parser.add_argument(
        "--measure-grids", action="store_true", help=f"first measure the 90 crop grids anew, and write {GRIDS.name}"
    )
    arguments = parser.parse_args()
    if not arguments.page and not arguments.measure_grids:
        parser.error("got nothing to write, allowed are a page, --measure-grids, or both")
    try:
        for path in (arguments.page, GRIDS if arguments.measure_grids else None):
            if path is not None:
                check_writable(path)
        if arguments.measure_grids:
            measured = measure_grids(progress=_say)
            write_text_atomically(GRIDS, to_csv(measured))
        if arguments.page:
            write_text_atomically(arguments.page, published_page())
    except DsocrError as error:
        parser.error(str(error))
    return 0


def _say(grid: str) -> None:
    sys.stderr.write(f"measured {grid}\n")


if __name__ == "__main__":
    sys.exit(main())
