"""Commands as a shell runs them, but in a process that has imported torch already: a second saved for each, or ten."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_HERE = multiprocessing.get_context("forkserver")
_HERE.set_forkserver_preload(["torch._dynamo", "torch.utils.flop_counter", "scipy.stats", "tabulate", "pytest"])

PROGRAMS = ("pytest", "dsocr")
MOST_S = 120


def run_warm(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run ``pytest`` or ``dsocr`` in a folder; its exit code, and what it printed."""
    output = folder / ".printed"
    process = _HERE.Process(target=_program, args=(list(arguments), str(folder), dict(environment), str(output)))
    process.start()
    process.join(MOST_S)
    if process.exitcode is None:
        process.kill()
        process.join()
    printed = output.read_text(encoding="utf-8")
    output.unlink()
    return int(process.exitcode or 0), printed


def _program(arguments: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    """Be that program: in its folder, with its environment, and its output in a file."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with open(output, "wb") as file:  # noqa: PTH123 - a descriptor is all that is wanted of it
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    sys.argv = list(arguments)
    sys.dont_write_bytecode = True  # a file that is written anew within a second is read anew
    with contextlib.suppress(ValueError):
        sys.path.remove("")
    if arguments[0] == "pytest":
        import pytest

        sys.exit(pytest.console_main())
    from pytest_dsocr.cli.main import main

    main()
