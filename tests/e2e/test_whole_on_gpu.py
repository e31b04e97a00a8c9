"""Memory on a card: weights, KV cache and activations together, against what torch's allocator held at most.

`make gpu-memory` runs these and keeps the rows. They need a card; without one they are *not run*.
"""

import pytest

from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import MODES
from pytest_dsocr import Case

pytestmark = [pytest.mark.gpu(memory_gib=11), pytest.mark.memory]


@pytest.mark.parametrize(
    "case",
    [
        Case("1x2 crops on a card", batch=1, crops_high=1, crops_wide=2),
        Case("2x3 crops on a card", batch=1, crops_high=2, crops_wide=3),
        Case("3x3 crops on a card", batch=1, crops_high=3, crops_wide=3),
    ],
    ids=str,
)
def test_vision(dsocr, case):
    """802,744,320 bytes of weights, and the bias of SAM's global attention twice."""
    dsocr.compare(Vision(dsocr.config, MODES["gundam"], cropped=True), case, metric="allocated_bytes")


@pytest.mark.parametrize(
    "case",
    [
        Case("prefill of 913 on a card", batch=1, q_len=913, kv_len=913),
        Case("prefill of 4096 on a card", batch=1, q_len=4096, kv_len=4096),
        Case("a step over 945 keys on a card", batch=1, q_len=1, kv_len=945),
        Case("a step of 8 over 4096 keys on a card", batch=8, q_len=1, kv_len=4096),
    ],
    ids=str,
)
def test_decoder(dsocr, case):
    """5,869,468,160 bytes of weights, 61,440 of cache a position, and logits in 2 and in 4 bytes."""
    dsocr.compare(Decoder(dsocr.config.decoder), case, metric="allocated_bytes")
