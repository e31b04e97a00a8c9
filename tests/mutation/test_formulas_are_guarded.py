"""The test of the tests: no term of any formula of ``dsocr_cost`` can be wrong unnoticed.

Each factor, side of a sum, constant, size, branch, op and moment is got wrong, one at a time. What the tests of layers
and of the whole measured is predicted anew, until a figure is off; what they leave goes through unit tests.
"""

import pytest
from equivalent import EQUIVALENT

UNIT = "unit/cost/test_unit_{}.py"
LAYERS = [UNIT.format(name) for name in ("layers", "layer_ops", "moments_clip", "moments_decoder", "moments_sam")]
RUN = [UNIT.format(name) for name in ("workload", "kv_cache", "stages", "moments_decoder", "session")]
TESTS = {
    "layers.clip": LAYERS,
    "layers.clip_embeddings": LAYERS,
    "layers.decoder": LAYERS,
    "layers.llama": LAYERS,
    "layers.moe": LAYERS,
    "layers.projector": LAYERS,
    "layers.sam": LAYERS,
    "layers.sam_attention": LAYERS,
    "layers.sam_block": LAYERS,
    "model.decoder": RUN,
    "model.vision": RUN,
    "model.whole": RUN,
    "kv_cache": RUN,
    "moment": RUN,
    "stages": RUN,
    "workload": RUN,
}


@pytest.mark.parametrize("module", TESTS)
def test_every_mutant_makes_a_test_fail(failures, module):
    failed = failures(module, TESTS[module])
    assert failed
    known = EQUIVALENT.get(module, {})
    survived = [mutant for mutant, failure in failed.items() if not failure]
    assert [mutant for mutant in survived if mutant not in known] == []
    assert [mutant for mutant in known if mutant not in survived] == []  # caught, or gone from the source
