"""The site: the Markdown of this folder as it stands, and what it links to in the repository's root.

The source folder is the root, so that a relative link leads to the same file on the site and on GitHub; a link to a file
that is no page is a download.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

project = "pytest-dsocr"
release = version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
language = "en_GB"

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "results/README.md"]
exclude_patterns = [".*", "build", "src", "tests", "benchmarks", "examples", "docs/_*"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
highlight_language = "none"

html_theme = "furo"
html_title = f"{project} {release}"
html_additional_pages = {"index": "start.html"}
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
templates_path = ["_templates"]
