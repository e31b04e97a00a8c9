"""Writes docs/published.md: ``python -m pytest_dsocr.published docs/published.md``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dsocr_cost import DsocrError

from ..results import check_writable, write_text_atomically
from .page import published_page


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m pytest_dsocr.published", description=published_page.__doc__)
    parser.add_argument("page", type=Path, help="the Markdown file to write")
    path = parser.parse_args().page
    try:
        check_writable(path)
        write_text_atomically(path, published_page())
    except DsocrError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
