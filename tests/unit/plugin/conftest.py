"""What the tests of the plugin's parts share."""

import pytest
from hypothesis import strategies as st

from pytest_dsocr import Device, Row, Verdict

MARKUP = ("|", "\\", "\\|", "`", "``", "*", "_", "~~", "<b>", "</details>", "<!--", "&amp;", "[a](b)", "![i](j)", "$x$")
LINKS = ("@someone", "#1", "GH-2", "www.a.example", "https://a.example", ":smile:", "0123abcd")
COMMANDS = ("::", "::error::", "##", "[", "##[error]", "%0A", ",", "=", ":")
CONTROLS = ("\n", "\r\n", "\t", "\x00", "\x1b[31m", "\u202e", "\u2028", "\ufffe", "\ud800", "'", '"', "]]>")


@pytest.fixture(scope="session")
def hostile():
    """Names as nobody writes them: markup, links, workflow commands and controls, in any order."""
    parts = st.sampled_from((*MARKUP, *LINKS, *COMMANDS, *CONTROLS, " ", "a", "é", "-", "1. ", "    "))
    return st.lists(parts, max_size=8).map("".join) | st.text(max_size=20)


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
