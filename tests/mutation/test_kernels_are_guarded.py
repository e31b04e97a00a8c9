"""The test of the tests: no factor of any formula in ``dsocr_cost.kernels`` can be wrong unnoticed."""

import ast
import re
from pathlib import Path

from unmeasured import UNIT

from dsocr_cost import kernels

FLAGS = {"several", "differ", "either", "touched"}
EVERY_KIND = (
    "linear",
    "grouped_linear",
    "bmm",
    "conv2d",
    "attention",
    "pointwise",
    "reduction",
    "copy",
    "lookup",
    "fill",
)
# one formula builds on another: where a mutant may show first, as predicted or as counted
KINDS_OF = {
    "Tensor.bytes": EVERY_KIND,
    "_bytes": ("pointwise", "reduction", "copy"),
    "_matmul": ("linear", "grouped_linear", "bmm", "conv2d"),
    "fused_attention": ("attention", "bmm"),
    "cast": ("copy",),
    "softmax": ("reduction", "copy"),
    "layer_norm": ("reduction",),
    "fill": ("fill", "aten::scalar_tensor"),
}
# what a symbol knows of a flag: it only lets a sweep leave out moments
OF_SYMBOLS = ["several: True -> False (1)", "differ: False -> True (1)", "differ: True -> False (1)"]


def function_of(mutant: str) -> str:
    """Name the function that is got wrong."""
    return mutant.partition(":")[0]


def points_at(mutant: str, output: str) -> bool:
    """Whether a failure marks a term of this kernel, or lists the parameters of a layer whose bytes are off."""
    function = function_of(mutant)
    if "compulsory bytes: fail" in output or (function.endswith("_params") and "parameters: fail" in output):
        return "what was counted:" in output
    if re.search(rf"kernels\.py\", line \d+, in {function}\n.*Error: ", output, re.DOTALL):  # it raises there
        return True
    kinds = KINDS_OF.get(function, EVERY_KIND if function.endswith("_params") else (function,))
    marked = [line for line in output.splitlines() if re.search(r" !=( |$)", line)]
    if mutant.endswith("-> nothing (1)"):  # the term is there as counted only
        return bool(marked)
    return any(re.search(rf"\b{kind}\b", line) for line in marked for kind in kinds)


def test_the_layer_tests_catch_every_mutant_and_name_the_term(mutants_of):
    """One factor dropped, one constant raised, one argument replaced, for each formula: each makes a test fail."""
    mutants = mutants_of("kernels", UNIT["kernels"])
    module = ast.parse(Path(kernels.__file__).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    assert {function_of(mutant["name"]).rpartition(".")[2] for mutant in mutants} == functions
    survived = [f"{mutant['at']}: {mutant['name']}" for mutant in mutants if not mutant["failure"]]
    assert [one.partition(": ")[2] for one in survived] == OF_SYMBOLS, survived
    formulas = [one for one in mutants if function_of(one["name"]) not in FLAGS]
    vague = [f"{one['at']}: {one['name']}" for one in formulas if not points_at(one["name"], one["failure"])]
    assert vague == []
