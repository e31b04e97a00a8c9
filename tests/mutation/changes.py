"""Ways to get one thing of a function wrong: a factor, a side of a sum, a constant, a size, a branch, an op."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from targets import NUMBERS, fields, returned

FIELDS, RETURNED = fields(), returned()
COUNTED = {"sum", "len", "round", "max", "min", "largest", "feature_side"}  # calls that are numbers, too
LEFT_OUT_FROM = {"pointwise": 2, "reduction": 2, "copy": 2, "Moment": 2}  # the first argument that need not be there
LEFT_OUT = {"weights", "bias", "parameter"}


def changed(function: ast.FunctionDef) -> Iterator[tuple[str, int, ast.FunctionDef]]:
    """Yield each way to get a function wrong: what is changed, in which line, and the function with the change."""
    seen: Counter[str] = Counter()
    numbers, skipped = _numbers(function), _skipped(function)
    bare = ast.FunctionDef(function.name, function.args, function.body, [])
    factors = {side for node in ast.walk(function) if _is_product(node) for side in (node.left, node.right)}
    for node in ast.walk(function):
        if node in skipped:
            continue
        for change, replacement in _changes(node, numbers):
            if change == "1" and node in factors:
                continue  # as if it were dropped
            if _is_product(node) and "BOOL_BYTES" in (ast.unparse(node.left), ast.unparse(node.right)):
                continue  # that factor is 1
            what = f"{ast.unparse(node).partition(chr(10))[0]} -> {change}"
            seen[what] += 1
            yield f"{what} ({seen[what]})", node.lineno, _with(replacement, node, bare)


def _changes(node: ast.AST, numbers: set[str]) -> Iterator[tuple[str, ast.AST]]:
    yield from _of_arithmetic(node, numbers)
    yield from _of_calls(node)
    yield from _of_branches(node)


def _of_arithmetic(node: ast.AST, numbers: set[str]) -> Iterator[tuple[str, ast.AST]]:
    """Drop a side, turn a sign, raise a constant, let a size be 1."""
    match node:
        case ast.BinOp(left, ast.Mult() | ast.Add(), right):
            yield ast.unparse(left), left
            yield ast.unparse(right), right
        case ast.BinOp(left, ast.Sub() | ast.FloorDiv() | ast.Div() | ast.Pow()) | ast.UnaryOp(ast.USub(), left):
            yield ast.unparse(left), left
        case ast.Constant(bool(value)):
            yield str(not value), ast.Constant(not value)
        case ast.Constant(int(value)):
            yield str(value + 1), ast.Constant(value + 1)
        case ast.Name(name, ast.Load()) if name in numbers:
            yield "1", ast.Constant(1)
        case ast.Attribute(_, name, ast.Load()) if name in FIELDS:
            yield "1", ast.Constant(1)
    match node:
        case ast.BinOp(left, ast.Add(), right):
            yield "-", ast.BinOp(left, ast.Sub(), right)
        case ast.BinOp(left, ast.Sub(), right):
            yield "+", ast.BinOp(left, ast.Add(), right)


def _of_calls(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Leave out an op, a moment, how often, a tensor that is read or written, an argument that has a default."""
    match node:
        case ast.Expr(ast.Yield() | ast.YieldFrom()):
            yield "nothing", ast.If(ast.Constant(False), [node], [])  # so it stays a generator
        case ast.Call(ast.Attribute(op, "times")):
            yield "once", op
        case ast.Call(ast.Name("_bytes")):
            yield "0", ast.Constant(0)
        case ast.Call(function, arguments, keywords):
            first = LEFT_OUT_FROM.get(ast.unparse(function), len(arguments))
            for index in range(first, len(arguments)):
                left = [*arguments[:index], *arguments[index + 1 :]]
                yield f"without {ast.unparse(arguments[index])}", ast.Call(function, left, keywords)
            for keyword in keywords:
                required = isinstance(keyword.value, ast.Constant) or ast.unparse(function).endswith("_params")
                if keyword.arg in LEFT_OUT and not required:
                    left = [one for one in keywords if one is not keyword]
                    yield f"without {ast.unparse(keyword)}", ast.Call(function, arguments, left)


def _of_branches(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Take one branch always, leave out a round of a loop."""
    match node:
        case ast.If(test, body, orelse):
            for answer in (True, False):
                yield f"if {answer}", ast.If(ast.copy_location(ast.Constant(answer), test), body, orelse)
        case ast.IfExp(_, body, orelse):
            yield ast.unparse(body), body
            yield ast.unparse(orelse), orelse
        case ast.BoolOp(_, values):
            for value in values:
                yield ast.unparse(value), value
        case ast.For(target, ast.Tuple(rounds), body, orelse):
            for one in rounds:
                left = ast.Tuple([other for other in rounds if other is not one], ast.Load())
                yield f"without {ast.unparse(one)}", ast.For(target, left, body, orelse)


def _skipped(function: ast.FunctionDef) -> set[ast.AST]:
    """Gather what is no formula: the signature, refusals, names of ops."""
    skipped: list[ast.AST] = [function.args, *function.decorator_list]
    for node in ast.walk(function):
        refuses = isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise)
        checks = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Constant)
        if refuses or checks or isinstance(node, ast.Raise | ast.JoinedStr):
            skipped.append(node)
    called = {node.func for node in ast.walk(function) if isinstance(node, ast.Call)}
    taken_from = {node.value for node in ast.walk(function) if isinstance(node, ast.Subscript)}
    return called | taken_from | {inner for node in skipped for inner in ast.walk(node)}


def _numbers(function: ast.FunctionDef) -> set[str]:
    """Name the arguments and the locals that are numbers."""
    given = function.args
    arguments = [*given.args, *given.kwonlyargs, *([given.vararg] if given.vararg else [])]
    names = {one.arg for one in arguments if one.annotation and ast.unparse(one.annotation) in NUMBERS}
    for node in ast.walk(function):
        match node:
            case ast.Assign([target], value):
                names |= set(_assigned(target, value, names))
            case ast.AnnAssign(ast.Name(name), annotation) if ast.unparse(annotation) in NUMBERS:
                names.add(name)
    return names


def _assigned(target: ast.expr, value: ast.expr, names: set[str]) -> Iterable[str]:
    match target, value:
        case ast.Name(name), _ if _is_number(value, names):
            return [name]
        case ast.Tuple(ones), ast.Tuple(others):
            return [name for one, other in zip(ones, others, strict=True) for name in _assigned(one, other, names)]
        case ast.Tuple(ones), ast.Call(called) if RETURNED.get(_last(called)) in ("Boundary", "tuple[Count, Count]"):
            return [one.id for one in ones]
    return []


def _is_number(value: ast.expr, names: set[str]) -> bool:
    match value:
        case ast.Constant(int()) | ast.BinOp() | ast.UnaryOp():
            return True
        case ast.Name(name):
            return name in names
        case ast.Attribute(_, name):
            return name in FIELDS
        case ast.IfExp(_, body, orelse):
            return _is_number(body, names) and _is_number(orelse, names)
        case ast.Call(called):
            return _last(called) in COUNTED or RETURNED.get(_last(called)) in NUMBERS
    return False


def _last(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _is_product(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


def _with(replacement: ast.AST, target: ast.AST, tree: Any) -> Any:
    """Copy a tree, but for the target."""
    if tree is target:
        return ast.copy_location(replacement, target)
    if isinstance(tree, list):
        return [_with(replacement, target, one) for one in tree]
    if not isinstance(tree, ast.AST):
        return tree
    made = type(tree)(**{field: _with(replacement, target, value) for field, value in ast.iter_fields(tree)})
    return ast.copy_location(made, tree)
