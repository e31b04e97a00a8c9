"""Sequence lengths from 256 to the model's 8192 positions: prefill, and one decode step after it."""

import pytest

from dsocr_cost.model import Decoder
from pytest_dsocr import Case

LENGTHS = [256, 512, 1024, 2048, 4096, 8192]


@pytest.mark.flops
@pytest.mark.parametrize("batch", [1, 2, 8], ids=lambda batch: f"batch {batch}")
@pytest.mark.parametrize("length", LENGTHS)
def test_prefill_and_decode(dsocr, length, batch):
    decoder = Decoder(dsocr.config.decoder)
    dsocr.compare(decoder, Case(f"prefill of {length}, batch {batch}", batch=batch, q_len=length, kv_len=length))
    dsocr.compare(decoder, Case(f"decode over {length}, batch {batch}", batch=batch, q_len=1, kv_len=length))
