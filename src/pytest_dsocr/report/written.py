"""Reports as text, by the ending of the file that they go to."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from ..errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..results import Results

__all__ = ["ENDINGS", "report_text"]


class Renderer(Protocol):
    """Writes rows as text; ``labels`` name the metrics for people, ``families`` say what each belongs to."""

    def __call__(self, results: Results, labels: Mapping[str, str], families: Mapping[str, str]) -> str:
        """Write the whole report."""
        ...


_RENDERERS = {
    ".md": "markdown:markdown_text",
    ".html": "html:html_text",
    ".csv": "table:csv_text",
    ".xml": "junit:junit_text",
}

ENDINGS = (*_RENDERERS, ".json")
"""What a report's file may end in; ``.json`` are the rows."""


def report_text(results: Results, ending: str, labels: Mapping[str, str], families: Mapping[str, str]) -> str:
    """Write the report that files of an ending hold.

    Raises:
        OptionError: there is none for this ending.
    """
    ending = ending.lower()
    if ending == ".json":
        return results.to_json()
    if ending not in _RENDERERS:
        msg = f"report: got a file that ends in {ending or 'nothing'}, allowed are {', '.join(ENDINGS)}"
        raise OptionError(msg)
    module, _, name = _RENDERERS[ending].partition(":")
    render: Renderer = getattr(import_module(f".{module}", __package__), name)
    return render(results, labels, families)
