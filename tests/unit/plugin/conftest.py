"""What the tests of the plugin's parts share."""

import pytest

from pytest_dsocr import Device, Row, Verdict


@pytest.fixture
def make_row():
    """Make a row of which a test names only what it is about."""

    def make(**given):
        fields = {
            "model": "deepseek-ocr",
            "implementation": "transformers",
            "attention": "sdpa",
            "dtype": "bfloat16",
            "layer": "vision.Attention",
            "case": "1024 view",
            "metric": "tensor_flops",
            "device": Device("meta", torch="2.13.0"),
            "sizes": {"batch": 1, "height": 64, "width": 64},
            "predicted": 71_672_266_752,
            "measured": 71_672_266_752,
            "difference": 0,
            "relative_difference": 0.0,
            "spread": None,
            "rtol": 0.0,
            "rule": "[default] tensor_flops",
            "because": "",
            "verdict": Verdict.PASS,
            "reason": "",
            "test": "tests/layers/test_sam.py::test_global_attention_flops[1024 view]",
        }
        return Row(**{**fields, **given})

    return make
