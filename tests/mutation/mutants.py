"""Runs tests/layers once for every way to get one factor of ``dsocr_cost.kernels`` wrong.

A program of its own: ``python mutants.py TESTS`` prints a JSON list, an entry a mutant: what was changed, pytest's exit
code and what it printed. The real modules are built and measured once; the mutants only change what is predicted.
"""

import ast
import contextlib
import copy
import functools
import inspect
import io
import json
import sys
from collections.abc import Iterator

import pytest

from dsocr_cost import kernels
from pytest_dsocr.measure.flops import FlopMeasurer
from pytest_dsocr.reference.transformers import TransformersReference

SIZELESS = {"name", "kind", "execution", "bias"}  # arguments that are no factors


def mutations(function: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield each mutant of a function and what was changed in it."""
    for index, node in enumerate(ast.walk(function)):
        for change, replacement in _replacements(node):
            mutant = copy.deepcopy(function)
            target = list(ast.walk(mutant))[index]
            _replace(mutant, target, replacement)
            yield f"{function.name}: {ast.unparse(node)} -> {change}", ast.fix_missing_locations(mutant)


def _replacements(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Drop one side of a product or a sum, double a constant, or let an argument of a kernel be 1."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Add):
        for side in (node.left, node.right):
            yield ast.unparse(side), side
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield str(node.value + 1), ast.Constant(node.value + 1)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in SIZES:
        yield "1", ast.Constant(1)


def _replace(tree: ast.AST, target: ast.AST, replacement: ast.expr) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, field, replacement)
            elif isinstance(value, list) and any(one is target for one in value):
                setattr(parent, field, [replacement if one is target else one for one in value])


def compiled(function: ast.FunctionDef) -> object:
    """Compile a mutant as part of the real module, and take its code."""
    namespace = dict(vars(kernels))
    future = ast.parse("from __future__ import annotations").body
    exec(compile(ast.Module([*future, function], []), kernels.__file__, "exec"), namespace)
    return namespace[function.name].__code__


def run_tests(tests: str) -> tuple[int, str]:
    """Run them in this process until the first failure."""
    out = io.StringIO()
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore:Module already imported"]
    with contextlib.redirect_stdout(out):
        code = pytest.main([tests, *options])
    return int(code), out.getvalue()


def measure_once() -> None:
    """Keep every module and every count: a mutant changes neither."""
    subject, measure, counts = TransformersReference.subject, FlopMeasurer.measure, {}

    def measure_if_new(self: FlopMeasurer, one: object, *, device: str) -> object:
        if id(one) not in counts:
            counts[id(one)] = measure(self, one, device=device)
        return counts[id(one)]

    TransformersReference.subject = functools.cache(subject)
    FlopMeasurer.measure = measure_if_new
    built = TransformersReference()
    TransformersReference.__new__ = lambda *_: built  # the cache is keyed by it


tree = ast.parse(inspect.getsource(kernels))
functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
SIZES = {argument.arg for function in functions for argument in function.args.args} - SIZELESS

if __name__ == "__main__":
    measure_once()
    results = [{"mutant": "none", **dict(zip(("code", "output"), run_tests(sys.argv[1]), strict=True))}]
    for function in functions:
        original = getattr(kernels, function.name)
        code = original.__code__
        for description, mutant in mutations(function):
            original.__code__ = compiled(mutant)
            results.append(
                {"mutant": description, **dict(zip(("code", "output"), run_tests(sys.argv[1]), strict=True))}
            )
        original.__code__ = code
    sys.stdout.write(json.dumps(results))
