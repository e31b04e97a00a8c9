"""The test of the tests: no term of any formula of ``dsocr_cost.layers`` can be wrong unnoticed.

Each factor, side of a sum, constant, size, branch, op and moment is got wrong, one at a time; what the tests of layers
and of the whole measured is predicted anew, until a figure is off.
"""

import pytest
from targets import MODULES
from unmeasured import UNMEASURED


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("layers.")])
def test_every_mutant_makes_a_test_fail(failures, module):
    """All but those that are listed, with a reason; one that is listed and caught, or gone, is an error, too."""
    failed = failures(module, [])
    survived = {mutant for mutant, failure in failed.items() if not failure}
    known = {mutant for mutants in UNMEASURED.get(module, {}).values() for mutant in mutants}
    assert len(failed) > len(survived)
    assert sorted(survived - known) == []
    assert sorted(known - survived) == []
