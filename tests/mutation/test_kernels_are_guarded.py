"""The test of the tests: no factor of any formula in ``dsocr_cost.kernels`` can be wrong unnoticed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LAYER_TESTS = HERE.parent / "layers"
# one formula builds on another: where a mutant may show first, as predicted or as counted
KINDS_OF = {
    "_matmul": ("linear", "grouped_linear", "bmm", "conv2d", "attention"),
    "bmm": ("bmm", "attention"),
    "attention": ("attention", "bmm"),
}


@pytest.fixture(scope="module")
def results():
    command = [sys.executable, str(HERE / "mutants.py"), str(LAYER_TESTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def points_at(function: str, output: str) -> bool:
    """Whether a failure marks a term of this kernel, or says which layer's parameters are off."""
    if function.endswith("_params"):
        return "parameters: fail" in output and "what was counted:" in output
    kinds = KINDS_OF.get(function, (function,))
    marked = [line for line in output.splitlines() if " != " in line]
    sizes_differ = function == "_matmul" and "Matmul(" in output
    return sizes_differ or any(re.search(rf"\b{kind}\b", line) for line in marked for kind in kinds)


def test_the_layer_tests_catch_every_mutant_and_name_the_term(results):
    """One factor dropped, one constant raised, one argument replaced, for each formula: each makes a test fail."""
    unchanged, *mutants = results
    assert unchanged["code"] == pytest.ExitCode.OK, unchanged["output"]
    assert len({result["mutant"].partition(":")[0] for result in mutants}) == 11  # every function of the module
    survivors = [result["mutant"] for result in mutants if result["code"] != pytest.ExitCode.TESTS_FAILED]
    assert survivors == []
    vague = [
        result["mutant"] for result in mutants if not points_at(result["mutant"].partition(":")[0], result["output"])
    ]
    assert vague == []
