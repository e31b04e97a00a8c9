"""docs/layers.md is what the layers themselves say."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_what_the_command_writes():
    page = runpy.run_path(str(DOCS / "layers_page.py"))["layers_page"]()
    assert (DOCS / "layers.md").read_text(encoding="utf-8") == page
