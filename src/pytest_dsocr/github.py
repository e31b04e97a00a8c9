"""What a run leaves to GitHub Actions, which tells by its variables that it runs: a page, and lines for its runner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dsocr_cost import DsocrError

from .errors import ResultsError
from .report.annotations import annotations_of, command
from .report.markdown import markdown_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .results import Results
    from .state import Run

__all__ = [
    "SUMMARY_BYTES",
    "Place",
    "add_to_step_summary",
    "annotation_lines",
    "append_step_summary",
    "commands_of",
    "in_workspace",
]

SUMMARY_BYTES = 2**20
"""Bytes of a step's summary that GitHub takes; of a larger one it shows nothing."""

Place = tuple[str, int | None]
"""A file relative to pytest's rootdir, and a line from 0, as pytest's reports have them."""


def add_to_step_summary(run: Run) -> list[str]:
    """Add a run to the page of its step, if it has one; say what kept it from that, since the run has ended."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path or not run.has_news:
        return []
    try:
        append_step_summary(Path(path), run.told, run.labels, run.families)
    except DsocrError as error:
        return [f"GITHUB_STEP_SUMMARY: {error}"]
    return []


def commands_of(run: Run, root: Path) -> list[str]:
    """Write a run's annotations for GitHub's runner; nothing elsewhere."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return []
    return annotation_lines(run.told, run.labels, run.collector.places, root, os.environ.get("GITHUB_WORKSPACE", ""))


def append_step_summary(path: Path, results: Results, labels: Mapping[str, str], families: Mapping[str, str]) -> None:
    """Append the Markdown report to the page of a step, which earlier commands of the step may have begun.

    Raises:
        ResultsError: it cannot be written, or what is there leaves no room.
    """
    try:
        if path.exists() and not path.is_file():
            msg = f"{path}: is no regular file"
            raise ResultsError(msg)
        there = path.stat().st_size if path.exists() else 0
        text = markdown_text(results, labels, families, most_bytes=SUMMARY_BYTES - there - 1)
        if not text:
            msg = f"{path}: cannot be appended to: it has {there:,} of the {SUMMARY_BYTES:,} bytes that GitHub shows"
            raise ResultsError(msg)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{text}" if there else text)
    except OSError as error:
        msg = f"{path}: cannot be appended to: {error.strerror or error}"
        raise ResultsError(msg) from error


def annotation_lines(
    results: Results, labels: Mapping[str, str], places: Mapping[str, Place], root: Path, workspace: str
) -> list[str]:
    """Write the workflow commands of a run, with file and line of a test where they are known."""
    lines = []
    for one in annotations_of(results, labels):
        file, line = places.get(one.test, ("", None))
        shown = in_workspace(root, file, workspace) if file else ""
        lines.append(command(one, shown, None if line is None else line + 1))
    return lines


def in_workspace(root: Path, file: str, workspace: str) -> str:
    """Name a file as the repository does: relative to the folder that GitHub checked it out to, if it is in there."""
    path = Path(os.path.normpath(root / file))
    folder = Path(workspace or root)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
