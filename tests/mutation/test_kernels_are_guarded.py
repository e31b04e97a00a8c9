"""The test of the tests: no factor of any formula in ``dsocr_cost.kernels`` can be wrong unnoticed."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dsocr_cost import kernels

HERE = Path(__file__).parent
LAYER_TESTS = HERE.parent / "layers"
FLAG_TESTS = HERE.parent / "unit" / "cost" / "test_unit_flags.py"
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
    "bytes": EVERY_KIND,
    "_bytes": ("pointwise", "reduction", "copy"),
    "_matmul": ("linear", "grouped_linear", "bmm", "conv2d"),
    "fused_attention": ("attention", "bmm"),
    "cast": ("copy",),
    "softmax": ("reduction", "copy"),
    "layer_norm": ("reduction",),
}


@pytest.fixture(scope="module")
def failures():
    command = [sys.executable, str(HERE / "mutants.py"), str(LAYER_TESTS), str(FLAG_TESTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def points_at(function: str, output: str) -> bool:
    """Whether a failure marks a term of this kernel, or says which layer's parameters are off."""
    if function.endswith("_params") and "parameters: fail" in output:
        return "what was counted:" in output
    kinds = KINDS_OF.get(function, EVERY_KIND if function.endswith("_params") else (function,))
    marked = [line for line in output.splitlines() if re.search(r" !=( |$)", line)]
    sizes_differ = function in ("_matmul", "bmm") and "Matmul(" in output
    return sizes_differ or any(re.search(rf"\b{kind}\b", line) for line in marked for kind in kinds)


def test_the_layer_tests_catch_every_mutant_and_name_the_term(failures):
    """One factor dropped, one constant raised, one argument replaced, for each formula: each makes a test fail."""
    assert failures.pop("none") == ""
    module = ast.parse(Path(kernels.__file__).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    assert {mutant.partition(":")[0] for mutant in failures} == functions
    assert [mutant for mutant, failure in failures.items() if not failure] == []
    formulas = {mutant: failure for mutant, failure in failures.items() if mutant.partition(":")[0] not in FLAGS}
    vague = [mutant for mutant, failure in formulas.items() if not points_at(mutant.partition(":")[0], failure)]
    assert vague == []
