"""A page, played in a folder of its own: its files are written, its commands run, one after the other."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

from pages import LONG, Block, Command, blocks_of
from shown import differences
from warm import PROGRAMS, run_warm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WIDTHS = {"README.md": "120", "docs/commands.md": "120", "docs/latency.md": "120"}
"""Columns of the terminal, where a page takes others than 88."""

LEFT_OUT = ("PYTEST_", "GITHUB_", "COV_", "DSOCR_", "MFU_", "COLUMNS", "CI", "BUILD_NUMBER", "FORCE_COLOR", "PY_COLORS")
"""What the environment of a command has nothing of: on a CI service, say, pytest shortens no line of its summary."""

GIT = {
    f"GIT_{whose}_{what}": value
    for whose in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A reader"), ("EMAIL", "reader@example.org"))
}


class Stage:
    """Plays a page's blocks in their order, each once, as far as it is asked to."""

    def __init__(self, page: str, folder: Path, prepare: Callable[[Path], None] = lambda folder: None) -> None:
        self.page = page
        self.folder = folder
        self._blocks = blocks_of(page)
        self._outcomes: list[str] = []
        self._exit_code = 0
        folder.mkdir()
        self._shell("git init --quiet --initial-branch=main")
        (folder / ".gitignore").write_text(".*cache/\n.printed\n", encoding="utf-8")
        prepare(folder)

    def outcome(self, block: Block) -> str:
        """Play up to a block; what is wrong with it, empty if nothing."""
        index = self._blocks.index(block)
        while len(self._outcomes) <= index:
            self._outcomes.append(self._play(self._blocks[len(self._outcomes)]))
        return self._outcomes[index]

    def _play(self, block: Block) -> str:
        if block.language == "console":
            return self._play_console(block.commands)
        if block.language == "diff":
            code, printed = self._shell("git apply --unidiff-zero -", given=block.text)
            return printed if code else ""
        if block.file:
            return self._write(block)
        return self._read(block)

    def _play_console(self, commands: list[Command]) -> str:
        """Run commands; each ends well, unless the next one asks for its exit code."""
        said = []
        for command, after in zip(commands, [*commands[1:], None], strict=True):
            if command.line.startswith(LONG):
                continue
            if command.line == "echo $?":
                printed = f"{self._exit_code}\n"
            else:
                self._exit_code, printed = self._run(command.line)
                if self._exit_code and (after is None or after.line != "echo $?"):
                    said.append(f"$ {command.line}\nexit code {self._exit_code}\n{printed}")
            if wrong := differences(command.shown, printed):
                said.append(f"$ {command.line}\n{wrong}")
        return "\n".join(said)

    def _run(self, line: str) -> tuple[int, str]:
        words = shlex.split(line)
        given = dict(word.split("=", 1) for word in words if word.split("=")[0].isupper() and "=" in word)
        arguments = words[len(given) :]
        plain = not set(line) & set("|<>;&")
        if plain and arguments[0] in PROGRAMS and "-n" not in line:
            return run_warm(arguments, self.folder, {**self._environment(), **given})
        return self._shell(line)

    def _shell(self, line: str, *, given: str | None = None) -> tuple[int, str]:
        """Run a line in a shell in which ``pytest``, ``dsocr`` and ``python`` are those of this run."""
        python = shlex.quote(sys.executable)
        dsocr = "from pytest_dsocr.cli.main import main; main()"
        functions = (
            f'python() {{ {python} -B "$@"; }}; pytest() {{ python -m pytest "$@"; }}; '
            f'dsocr() {{ python -c {shlex.quote(dsocr)} "$@"; }}; '
        )
        done = subprocess.run(
            ["bash", "-c", functions + line],
            cwd=self.folder,
            env=self._environment(),
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
        return {
            "PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:anyio",
            **kept,
            **GIT,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "COLUMNS": WIDTHS.get(self.page, "88"),
        }

    def _write(self, block: Block) -> str:
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if block.continues else ""
        path.write_text(before + block.text, encoding="utf-8")
        return ""

    def _read(self, block: Block) -> str:
        """Check a block that is no file and no command: it runs, or can be read."""
        try:
            if block.language == "python":
                script = self.folder / ".script.py"
                script.write_text(block.text, encoding="utf-8")
                code, printed = self._shell(f"python {script.name}")
                script.unlink()
                return printed if code else ""
            if block.language == "json":
                json.loads(block.text)
            elif block.language == "toml":
                tomllib.loads(block.text)
        except ValueError as error:
            return str(error)
        return ""
