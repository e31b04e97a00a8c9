"""The HTML report: one file that opens from disk, with no network.

What it says of the run as a whole and every row that is no pass are text, there without a script. The table of all rows
and the plots are drawn by the page's own script from the rows that it carries as JSON.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .html_data import embedded, report_data
from .html_layers import grid_states, layer_map
from .html_run import devices_of, environment_lines, rules_of, unmade
from .html_story import stories_of
from .html_summary import headline, moved_rows
from .text import figure_of, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..results import Results

__all__ = ["html_text"]

PAGE = "page"
STYLE = "report.css"
SCRIPTS = (
    "data.js",
    "text.js",
    "dom.js",
    "filters.js",
    "terms.js",
    "samples.js",
    "details.js",
    "table.js",
    "scales.js",
    "chart.js",
    "series.js",
    "sweeps.js",
    "times.js",
    "roofline.js",
    "theme.js",
    "main.js",
)
"""The parts of the page's script, in the order in which they are joined; each uses those before it."""


def html_text(results: Results, labels: Mapping[str, str], families: Mapping[str, str]) -> str:
    """Write the page; ``labels`` name the metrics for people, ``families`` say what each belongs to."""
    style, script = _style(), _script()
    return (
        _templates()
        .get_template("report.html.jinja")
        .render(
            policy=_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            data=Markup(embedded(report_data(results, labels))),
            head=headline(results),
            complaints=results.complaints,
            moved=moved_rows(results.rows, labels),
            layers=layer_map(results.rows, labels, families),
            grids=grid_states(results.rows),
            stories=stories_of(results.rows, labels),
            rules=rules_of(results.rows, labels),
            unmade=unmade(results.not_run),
            environments=environment_lines(results.environments),
            devices=devices_of(results.rows),
        )
    )


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__, PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"printable": printable, "figure_of": figure_of}
    return made


def _read(name: str) -> str:
    return files(__package__).joinpath(PAGE, name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return _read(STYLE)


@cache
def _script() -> str:
    """Join the parts in one scope, out of which nothing is seen."""
    return '"use strict";\n(() => {\n' + "\n".join(_read(name) for name in SCRIPTS) + "})();\n"


def _policy(style: str, script: str) -> str:
    """Allow this style and this script alone, by their hashes, and images in the page; nothing is fetched."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
