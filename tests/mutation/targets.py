"""Which functions are got wrong: all that compute work, bytes, tokens or parameters."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import NamedTuple

import dsocr_cost

ROOT = Path(dsocr_cost.__file__).parent
MODULES = (
    "kernels",
    *(
        f"{folder}.{path.stem}"
        for folder in ("layers", "model")
        for path in sorted((ROOT / folder).glob("*.py"))
        if path.stem not in ("__init__", "catalog", "layer")  # they list, name and check layers
    ),
    "kv_cache",
    "moment",
    "workload",
)
NO_FORMULA = {"__post_init__", "__str__", "parse_grid", "crop_grid"}  # they refuse, write, read and choose
SEARCH = {"largest_that_fits", "find_limits", "_along", "_pages", "_next_grid", "_sizes", "_insert"}
NUMBERS = {"Count", "int", "Any"}  # annotations of what may be a factor


class Target(NamedTuple):
    """A function: its module, its path in there, its definition, and what that has become."""

    module: str
    name: str
    definition: ast.FunctionDef
    live: FunctionType

    @property
    def key(self) -> tuple[str, str]:
        """How calls of it are told from others."""
        return self.live.__code__.co_filename, self.name

    def compiled(self, definition: ast.FunctionDef) -> CodeType:
        """Compile another definition in its place."""
        owner, _, _ = self.name.rpartition(".")
        shell = ast.ClassDef(owner, [], [], [definition], []) if owner else definition
        body = [*ast.parse("from __future__ import annotations").body, shell]
        code = compile(ast.fix_missing_locations(ast.Module(body, [])), self.key[0], "exec")
        return next(one for one in _nested(code) if one.co_qualname == self.name)


def targets(module: str) -> list[Target]:
    """List the functions of a module, in its order."""
    imported = importlib.import_module(f"dsocr_cost.{module}")
    found = []
    for node in tree_of(module).body:
        owned = isinstance(node, ast.ClassDef)
        owner = getattr(imported, node.name) if owned else imported
        for function in node.body if owned else [node]:
            if isinstance(function, ast.FunctionDef) and function.name not in NO_FORMULA | SEARCH:
                name = f"{node.name}.{function.name}" if owned else function.name
                found.append(Target(module, name, function, _live(vars(owner)[function.name])))
    return found


def tree_of(module: str) -> ast.Module:
    """Parse a module."""
    return ast.parse(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))


def returned() -> dict[str, str]:
    """Say what each function, by its last name, is annotated to return."""
    functions = [node for module in MODULES for node in ast.walk(tree_of(module)) if isinstance(node, ast.FunctionDef)]
    return {function.name: ast.unparse(function.returns) for function in functions if function.returns}


def fields() -> set[str]:
    """Name the fields and properties that are numbers, of any class."""
    names = set()
    for module in (*MODULES, "config", "execution", "op"):
        for kind in ast.walk(tree_of(module)):
            if isinstance(kind, ast.ClassDef):
                names |= {name for name, annotation in _annotated(kind) if annotation in NUMBERS}
    return names


def _annotated(kind: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for node in kind.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, ast.unparse(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns and "property" in map(ast.unparse, node.decorator_list):
            yield node.name, ast.unparse(node.returns)


def _live(attribute: object) -> FunctionType:
    if isinstance(attribute, property):
        return attribute.fget
    return inspect.unwrap(getattr(attribute, "__func__", attribute))


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)
