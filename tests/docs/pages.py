"""The pages of the documentation, taken apart into their blocks.

What a block's language says:

- ``console``: commands behind ``$``, each with what it prints below it. They are run.
- ``sh``: commands that need a GPU, minutes or a network. They are not run; their options exist.
- ``diff``: a change to the files of the page's project. It is applied.
- any other whose first line is a comment with a file's name (``# test_it.py``) is that file. It is written, or, where
  the name is followed by ``continued``, put at its end.
- ``python``, ``toml``, ``json``, ``yaml`` without a name: it runs, or can be read.
- ``text``: a form that names are written in.
- ``{...}``: a directive of the docs tool.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "results" / "README.md")
)
"""Every Markdown file that is for readers, from the root on."""

LONG = ("make ", "dsocr calibrate ")
"""How commands begin that take minutes wherever they stand: they are not run either."""

_BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"# ([\w./-]*\.\w+)(, continued)?\n")


@dataclass(frozen=True, slots=True)
class Command:
    """A line behind ``$``, and the lines that are shown below it."""

    line: str
    shown: str


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where it stands, what its fence says, and what is in it."""

    page: str
    line: int
    language: str
    text: str

    @property
    def id(self) -> str:
        """Name it as an editor opens it: ``docs/gate.md:12``."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """The file that it is; empty if it is none."""
        named = _NAMED.match(self.text)
        return named[1] if named and self.language != "console" else ""

    @property
    def continues(self) -> bool:
        """Whether it is put at the end of its file."""
        named = _NAMED.match(self.text)
        return bool(named and named[2])

    @property
    def commands(self) -> list[Command]:
        """The commands of a console or a script."""
        if self.language == "sh":
            return [Command(line, "") for line in self.text.splitlines() if line and not line.startswith("#")]
        found = re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", self.text, re.MULTILINE)
        return [Command(line.partition("   #")[0].rstrip(), shown) for line, shown in found]


def text_of(page: str) -> str:
    """Read a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    """List a page's blocks, in their order."""
    text = text_of(page)
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1].strip(), found[2])
        for found in _BLOCK.finditer(text)
    ]
