"""The site: the Markdown of this folder as it stands, and what it links to in the repository's root.

The source folder is the root, so that a relative link leads to the same file on the site and on GitHub; one to a file
that is no page is a download.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

project = "pytest-dsocr"
release = version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
language = "en_GB"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = ["docs/**", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "results/README.md"]
exclude_patterns = [".*", "build", "src", "tests", "benchmarks", "examples", "docs/_*"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
nitpick_ignore_regex = [
    ("py:.*", r"pytest\..*|os\.PathLike|Path|collections\.abc\..*"),  # of others, whose index would come by a network
    ("py:class", r"\w+\[\w+"),  # half of a type, where a default is nothing that can be written down
]

html_theme = "furo"
html_title = f"{project} {release}"
html_additional_pages = {"index": "start.html"}
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
toc_object_entries = False

CONTENTS = ("docs/index", "docs/decisions/README")
"""Pages whose lists of links are the site's table of contents, each under the bold line above it."""


def table_of_contents(app, page, source):
    """Say to the docs tool what the lists of links say to a reader."""
    if page not in CONTENTS:
        return
    caption, trees = "", {}
    for line in source[0].splitlines():
        if bold := re.fullmatch(r"\*\*(.+)\*\*", line):
            caption = bold[1]
        elif line.startswith("- "):
            links = re.findall(r"\[([^]]+)\]\(([^)]+)\.md\)", line)
            trees.setdefault(caption, []).extend(f"{text} <{target}>" for text, target in links)
    for caption, pages in trees.items():
        options = ":hidden:\n" + (f":caption: {caption}\n" if caption else "")
        source[0] += "\n```{toctree}\n" + options + "\n" + "\n".join(pages) + "\n```\n"


def setup(app):
    """Register it."""
    app.connect("source-read", table_of_contents)
