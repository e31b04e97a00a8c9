"""What the tests of the tests share: the measured figures, and what became of each mutant of a module."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

HERE = Path(__file__).parent


def run(program, *arguments):
    """Run one of the programs here; what it prints."""
    done = subprocess.run(
        [sys.executable, str(HERE / program), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def figures(tmp_path_factory):
    """Measure once in a run, whichever of its processes comes first."""
    base = tmp_path_factory.getbasetemp()
    file = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "figures.pickle"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            run("figures.py", str(file))
    return file


@pytest.fixture
def mutants_of(figures):
    """List the mutants of a module: ``name``, ``at`` (file and line), and the ``failure`` of the first test that fails.

    ``tests`` are asked about those that no measured figure tells from the formula; empty where no test fails.
    """

    def of(module, tests):
        return json.loads(run("guard.py", str(figures), module, *(str(HERE.parent / test) for test in tests)))

    return of
