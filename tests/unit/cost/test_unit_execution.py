"""Execution: which code path is predicted."""

import pytest

from dsocr_cost import Execution, SizeError


def test_the_default_is_transformers_with_sdpa():
    assert Execution() == Execution("transformers", "sdpa")


@pytest.mark.parametrize(("attention", "fused"), [("eager", False), ("sdpa", True), ("flash", True)])
def test_all_but_eager_attention_is_one_kernel(attention, fused):
    assert Execution(attention=attention).fused is fused


@pytest.mark.parametrize(("dtype", "item_bytes"), [("bfloat16", 2), ("float16", 2), ("float32", 4)])
def test_a_dtype_says_the_bytes_of_an_element(dtype, item_bytes):
    assert Execution(dtype=dtype).item_bytes == item_bytes


def test_an_unknown_dtype_is_refused_with_what_is_allowed():
    with pytest.raises(SizeError, match=r"^dtype: got 'fp8', allowed are bfloat16, float16, float32$"):
        Execution(dtype="fp8")


def test_an_unknown_implementation_is_refused_with_what_is_allowed():
    with pytest.raises(SizeError, match=r"^implementation: got 'vllm', allowed are vendor, transformers$"):
        Execution(implementation="vllm")


def test_an_unknown_attention_is_refused_with_what_is_allowed():
    with pytest.raises(SizeError, match=r"^attention: got 'flash3', allowed are eager, sdpa, flash$"):
        Execution(attention="flash3")
