"""Seconds: vision, prefill and a decode step of the whole model, at its full size with random weights.

They need a device that runs: on meta they are *not run*. In bfloat16 the decoder's weights take 5.9 GB.
"""

import pytest

from dsocr_cost.model import Decoder, Vision
from dsocr_cost.workload import MODES
from pytest_dsocr import Case

pytestmark = pytest.mark.latency


@pytest.mark.parametrize(
    "case",
    [
        Case("1x2 crops, in time", batch=1, crops_high=1, crops_wide=2),
        Case("2x2 crops, in time", batch=1, crops_high=2, crops_wide=2),
    ],
    ids=str,
)
def test_vision(dsocr, case):
    dsocr.compare(Vision(dsocr.config, MODES["gundam"], cropped=True), case, metric="latency_s")


@pytest.mark.parametrize(
    "case",
    [
        Case("1x2 crops: prefill of 493, in time", batch=1, q_len=493, kv_len=493),
        Case("2x2 crops: prefill of 703, in time", batch=1, q_len=703, kv_len=703),
        Case("1x2 crops: a step over 494 keys, in time", batch=1, q_len=1, kv_len=494),
        Case("2x2 crops: a step over 704 keys, in time", batch=1, q_len=1, kv_len=704),
    ],
    ids=str,
)
def test_prefill_and_decode(dsocr, case):
    dsocr.compare(Decoder(dsocr.config.decoder), case, metric="latency_s")
