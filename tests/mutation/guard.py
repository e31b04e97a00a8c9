"""Gets each formula of a module wrong in every way there is, and predicts what was measured until a figure is off.

A program of its own: ``python guard.py FILE MODULE TESTS...`` takes the figures that ``figures.py`` wrote and prints a
JSON list: of each mutant its name, its line, and what the first comparison that fails says, empty if none does. What no
comparison catches goes through TESTS, which pytest collects once.
"""

import contextlib
import io
import json
import pickle
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import pytest
from _pytest.runner import runtestprotocol
from changes import changed
from comparison import Guard
from targets import Target, targets

FEW = 40
OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore:Module already imported")


class Mutant(NamedTuple):
    """A function, what is changed in it, and its changed code."""

    target: Target
    change: str
    line: int
    code: CodeType

    @property
    def description(self) -> str:
        """Name it, wherever in the file it stands."""
        return f"{self.target.name}: {self.change}"

    @property
    def place(self) -> str:
        """Say where it stands: file and line."""
        return f"{self.target.module.replace('.', '/')}.py:{self.line}"

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Run the changed code wherever the function is called."""
        live, code = self.target.live, self.target.live.__code__
        live.__code__ = self.code
        try:
            yield
        finally:
            live.__code__ = code


def mutants(module: str) -> Iterator[Mutant]:
    """Go through a module."""
    for target in targets(module):
        for change, line, definition in changed(target.definition):
            yield Mutant(target, change, line, target.compiled(definition))


class Watch:
    """The comparisons that a function's errors can show in, the smallest first; one that caught an error goes ahead.

    Those of the whole model take long and see less: of an error in a layer, or below, only a few of them are asked. Of
    an error in a kernel, those are asked that say which term is off.
    """

    def __init__(self, guards: Iterable[Guard], module: str) -> None:
        usable = [guard for guard in guards if guard.comparison.marks_terms] if module == "kernels" else guards
        by_calls = sorted(usable, key=lambda guard: guard.calls)
        whole = [guard for guard in by_calls if guard.comparison.layer.group == "model"]
        layers = [guard for guard in by_calls if guard.comparison.layer.group != "model"]
        of_layer = module == "kernels" or module.startswith("layers.")
        self._guards = [*layers, *whole[:FEW]] if of_layer else by_calls
        self._of: dict[tuple[str, str], list[Guard]] = {}

    def failure(self, mutant: Mutant) -> str:
        """Say what the first comparison that fails does; empty if none does."""
        key = mutant.target.key
        if key not in self._of:
            self._of[key] = [guard for guard in self._guards if key in guard.functions]
        relevant = self._of[key]
        with mutant.in_place():
            for index, guard in enumerate(relevant):
                if not guard.comparison.holds():
                    relevant.insert(0, relevant.pop(index))
                    return guard.comparison.failure()
        return ""


class Loop:
    """A pytest plugin: instead of one loop over the tests, one for each mutant, until the first failure."""

    def __init__(self, mutants: Iterable[Mutant]) -> None:
        self.mutants = list(mutants)
        self.failures: dict[str, str] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests as they are, and for each mutant."""
        assert session.items
        assert not session.testsfailed
        assert first_failure(session.items) == ""
        for mutant in self.mutants:
            with mutant.in_place():
                self.failures[mutant.description] = first_failure(session.items)
        return True


def first_failure(items: list[pytest.Item]) -> str:
    """Run tests until one fails, and return what it says."""
    for item in items:
        for report in runtestprotocol(item, log=False, nextitem=None):
            if report.failed:
                return report.longreprtext or "it failed"
    return ""


def tested(left: list[Mutant], tests: list[str]) -> dict[str, str]:
    """Run pytest over what is left."""
    loop, out = Loop(left), io.StringIO()
    with contextlib.redirect_stdout(out):
        pytest.main([*tests, *OPTIONS], plugins=[loop])
    assert loop.failures, out.getvalue()
    return loop.failures


def failures(guards: list[Guard], module: str, tests: list[str]) -> list[dict[str, str]]:
    """Get each formula wrong until a test fails."""
    watch, all_mutants = Watch(guards, module), list(mutants(module))
    failed = {mutant.description: watch.failure(mutant) for mutant in all_mutants}
    left = [mutant for mutant in all_mutants if not failed[mutant.description]]
    if left and tests:
        failed |= tested(left, tests)
    return [{"name": one.description, "at": one.place, "failure": failed[one.description]} for one in all_mutants]


if __name__ == "__main__":
    file, module, *tests = sys.argv[1:]
    sys.stdout.write(json.dumps(failures(pickle.loads(Path(file).read_bytes()), module, tests)))
