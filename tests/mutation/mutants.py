"""Runs tests once for every way to get one factor of ``dsocr_cost.kernels`` wrong.

A program of its own: ``python mutants.py LAYER_TESTS FLAG_TESTS...`` prints a JSON object: for each mutant what the
first test that fails says, empty if none does. Each runs the layer tests; one that they let pass, again under eager
attention. A flag, which says where a kernel is needed or how many experts are, has branches for arrays and symbols: its
mutants run its own tests last. Tests are collected once, and the real modules built and measured once; the mutants only
change what is predicted.
"""

import ast
import contextlib
import copy
import functools
import inspect
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest
from _pytest.runner import runtestprotocol

from dsocr_cost import kernels
from pytest_dsocr.measure.flops import FlopMeasurer
from pytest_dsocr.measure.traced import TraceMeasurer
from pytest_dsocr.reference.transformers import TransformersReference

UNCHANGED = "none"
FLAGS = {"several", "differ", "either", "touched"}
NUMBERS = {"Count", "int", "Any"}  # annotations of arguments that are factors
IGNORED = ["--ignore-glob=*_on_cpu.py", "--ignore-glob=*_published.py"]  # what is slow, and what names no term
MOVED = {"elements", "bytes", "item_bytes"}  # of a Tensor


class Mutant(NamedTuple):
    """A function of the module, what is changed in it, what it has become, and its changed code."""

    function: str
    description: str
    target: FunctionType
    code: CodeType


def mutations(function: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield each mutant of a function and what was changed in it."""
    sizes = SIZES - {argument.arg for argument in _arguments(function) if not _is_number(argument)}
    signature, products = set(ast.walk(function.args)), [node for node in ast.walk(function) if _is_product(node)]
    factors = {side for node in products for side in (node.left, node.right)}
    for index, node in enumerate(ast.walk(function)):
        if node in signature:
            continue  # defaults are no part of the code
        for change, replacement in _replacements(node, sizes):
            if change == "1" and node in factors:
                continue  # as if it were dropped
            mutant = copy.deepcopy(function)
            target = list(ast.walk(mutant))[index]
            _replace(mutant, target, replacement)
            yield f"{function.name}: {ast.unparse(node)} -> {change}", ast.fix_missing_locations(mutant)


def _replacements(node: ast.AST, sizes: set[str]) -> Iterator[tuple[str, ast.expr]]:
    """Drop one side of a product or a sum, raise a constant, let a size or what a tensor holds be 1, read nothing."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Add):
        for side in (node.left, node.right):
            yield ast.unparse(side), side
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield str(node.value + 1), ast.Constant(node.value + 1)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in sizes:
        yield "1", ast.Constant(1)
    if isinstance(node, ast.Attribute) and node.attr in MOVED:
        yield "1", ast.Constant(1)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "_bytes":
        yield "0", ast.Constant(0)


def _is_product(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    given = function.args
    return [*given.args, *given.kwonlyargs, *([given.vararg] if given.vararg else [])]


def _is_number(argument: ast.arg) -> bool:
    return argument.annotation is not None and ast.unparse(argument.annotation) in NUMBERS


def _replace(tree: ast.AST, target: ast.AST, replacement: ast.expr) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, field, replacement)
            elif isinstance(value, list) and any(one is target for one in value):
                setattr(parent, field, [replacement if one is target else one for one in value])


def compiled(function: ast.FunctionDef) -> CodeType:
    """Compile a mutant as part of the real module, and take its code."""
    namespace = dict(vars(kernels))
    future = ast.parse("from __future__ import annotations").body
    function.decorator_list = []
    exec(compile(ast.Module([*future, function], []), kernels.__file__, "exec"), namespace)
    return namespace[function.name].__code__


def original(function: ast.FunctionDef) -> FunctionType:
    """Find what a definition has become: a function of the module, or a property of its one class."""
    if function in methods:
        return getattr(kernels.Tensor, function.name).fget
    return getattr(kernels, function.name)


class Loop:
    """A pytest plugin: instead of one loop over the tests, one for each mutant, until the first failure."""

    def __init__(self, mutants: Iterable[Mutant]) -> None:
        self.mutants = list(mutants)
        self.failures: dict[str, str] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests as they are, and for each mutant."""
        assert session.items
        assert not session.testsfailed
        self.failures[UNCHANGED] = first_failure(session.items)
        for mutant in self.mutants:
            code = mutant.target.__code__
            mutant.target.__code__ = mutant.code
            self.failures[mutant.description] = first_failure(session.items)
            mutant.target.__code__ = code
        return True


def first_failure(items: list[pytest.Item]) -> str:
    """Run tests until one fails, and return what it says."""
    for item in items:
        for report in runtestprotocol(item, log=False, nextitem=None):
            if report.failed:
                return report.longreprtext or "it failed"
    return ""


def failures(mutants: Iterable[Mutant], *arguments: str) -> dict[str, str]:
    """Run pytest over all mutants."""
    loop, out = Loop(mutants), io.StringIO()
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore:Module already imported"]
    with contextlib.redirect_stdout(out):
        pytest.main([*arguments, *options, *IGNORED], plugins=[loop])
    assert loop.failures, out.getvalue()
    return loop.failures


def measure_once() -> None:
    """Keep every module and every count: a mutant changes neither."""
    subject = TransformersReference.subject
    TransformersReference.subject = functools.cache(subject)
    for kind in (FlopMeasurer, TraceMeasurer):
        kind.measure = _remembered(kind.measure)
    built = TransformersReference()
    TransformersReference.__new__ = lambda *_: built  # the cache is keyed by it


def _remembered(measure: Callable[..., Any]) -> Callable[..., Any]:
    counts: dict[Any, Any] = {}

    def measure_if_new(self: Any, one: Any, *, device: str) -> Any:
        key = self.metric.name, id(one)
        if key not in counts:
            counts[key] = measure(self, one, device=device)
        return counts[key]

    return measure_if_new


def results(layer_tests: str, *flag_tests: str) -> dict[str, str]:
    """Run each mutant until a test fails."""
    mutants = list(all_mutants())
    failed = failures(mutants, layer_tests)
    for only, arguments in ((None, (layer_tests, "--dsocr-attention=eager")), (FLAGS, flag_tests)):
        left = [one for one in mutants if not failed[one.description] and (only is None or one.function in only)]
        again = failures(left, *arguments)
        failed = {name: failed[name] or again.get(name, "") for name in failed}
    return failed


def all_mutants() -> Iterator[Mutant]:
    """Go through the module."""
    for function in functions:
        changes = Counter()
        for description, mutant in mutations(function):
            changes[description] += 1
            yield Mutant(function.name, f"{description} ({changes[description]})", original(function), compiled(mutant))


tree = ast.parse(inspect.getsource(kernels))
methods = [
    node
    for kind in tree.body
    if isinstance(kind, ast.ClassDef)
    for node in kind.body
    if isinstance(node, ast.FunctionDef)
]
functions = [*methods, *(node for node in tree.body if isinstance(node, ast.FunctionDef))]
SIZES = {argument.arg for function in functions for argument in _arguments(function) if _is_number(argument)}

if __name__ == "__main__":
    measure_once()
    sys.stdout.write(json.dumps(results(*sys.argv[1:])))
