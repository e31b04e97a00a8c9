"""The test of the tests: no term of any formula of layers, model, cache, workload and VRAM can be wrong unnoticed.

Each factor, side of a sum, constant, size, branch, op and moment is got wrong, one at a time; what the tests of layers
and of the whole measured is predicted anew, until a figure is off. Where none is, the unit tests of ``UNIT`` are asked.
"""

import pytest
from targets import MODULES
from unmeasured import UNIT, UNMEASURED


@pytest.mark.parametrize("module", [*(module for module in MODULES if module != "kernels"), "fit"])
def test_every_mutant_makes_a_test_fail(mutants_of, module):
    """All but those that are listed, with a reason; one that is listed and caught, or gone, is an error, too."""
    mutants = mutants_of(module, UNIT.get(module, []))
    assert any(mutant["failure"] for mutant in mutants)
    survived = {mutant["name"]: mutant["at"] for mutant in mutants if not mutant["failure"]}
    listed = {name for names in UNMEASURED.get(module, {}).values() for name in names}
    assert [f"{at}: {name}" for name, at in survived.items() if name not in listed] == []
    assert sorted(listed - set(survived)) == []
