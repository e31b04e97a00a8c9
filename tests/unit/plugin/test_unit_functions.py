"""Attention on meta: it is one kernel where a CPU has one, and what a CPU takes it apart into where it has none."""

import pytest
import torch
from torch.nn import functional

from pytest_dsocr.measure.trace import trace

FUSED = "aten::_scaled_dot_product_flash_attention_for_cpu"

SHAPES = {
    "plain": ((2, 4, 3, 16), (2, 4, 5, 16), (2, 4, 5, 16), None, {}),
    "heads that share keys": ((2, 4, 3, 16), (2, 2, 5, 16), (2, 2, 5, 16), None, {"enable_gqa": True}),
    "a mask of 2 dimensions": ((2, 4, 3, 16), (2, 4, 5, 16), (2, 4, 5, 16), (3, 5), {}),
    "a mask of 4 dimensions": ((2, 4, 3, 16), (2, 4, 5, 16), (2, 4, 5, 16), (2, 1, 3, 5), {}),
    "a scale": ((2, 4, 3, 16), (2, 4, 5, 16), (2, 4, 5, 16), None, {"scale": 0.5}),
}
TAKEN_APART = {
    "a mask of 3 dimensions": ((2, 4, 3, 16), (2, 4, 5, 16), (2, 4, 5, 16), (4, 3, 5), {}),
    "dropout": ((2, 4, 3, 16), (2, 4, 5, 16), (2, 4, 5, 16), None, {"dropout_p": 0.5}),
    "3 dimensions": ((4, 3, 16), (4, 5, 16), (4, 5, 16), None, {}),
    "3 dimensions, causal": ((4, 3, 16), (4, 5, 16), (4, 5, 16), None, {"is_causal": True}),
    "values of another size": ((2, 4, 3, 16), (2, 4, 5, 16), (2, 4, 5, 8), None, {}),
    "keys of a batch of one": ((2, 4, 3, 16), (1, 4, 5, 16), (1, 4, 5, 16), None, {}),
    "keys of one head": ((2, 4, 3, 16), (2, 1, 5, 16), (2, 1, 5, 16), None, {}),
    "heads that share keys, of 3 dimensions of a mask": (
        (2, 4, 3, 16),
        (2, 2, 5, 16),
        (2, 2, 5, 16),
        (1, 3, 5),
        {"enable_gqa": True},
    ),
}


def attention(device, dtype, shapes, mask, options, mask_dtype):
    query, key, value = (torch.zeros(shape, device=device, dtype=dtype) for shape in shapes)
    attn_mask = None if mask is None else torch.zeros(mask, device=device, dtype=mask_dtype or dtype)
    return lambda: functional.scaled_dot_product_attention(query, key, value, attn_mask=attn_mask, **options)


def launches(device, *given):
    return [(one.name, one.shapes, one.read_bytes, one.write_bytes) for one in trace(attention(device, *given))]


@pytest.mark.parametrize("mask_dtype", [None, torch.bool], ids=["numbers", "bools"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", SHAPES | TAKEN_APART)
def test_on_meta_it_launches_what_a_cpu_does(case, dtype, mask_dtype):
    *shapes, mask, options = (SHAPES | TAKEN_APART)[case]
    on_meta, on_cpu = (launches(device, dtype, shapes, mask, options, mask_dtype) for device in ("meta", "cpu"))
    assert on_meta == on_cpu
    assert (FUSED in [name for name, *_ in on_meta]) == (case in SHAPES)


def with_heads(batch, heads, key_heads, transposed):
    value = torch.zeros(batch, key_heads, 16, 5).mT if transposed else torch.zeros(batch, key_heads, 5, 16)
    return torch.zeros(batch, heads, 3, 16), torch.zeros(batch, key_heads, 5, 16), value


@pytest.fixture(params=[True, False], ids=["allowed", "switched off"])
def allowed(request):
    torch.backends.cuda.enable_flash_sdp(request.param)
    yield request.param
    torch.backends.cuda.enable_flash_sdp(enabled=True)


@pytest.mark.parametrize("transposed", [False, True], ids=["in order", "transposed"])
@pytest.mark.parametrize(
    ("key_heads", "gqa"),
    [
        pytest.param(4, False, id="each head its keys"),
        pytest.param(4, True, id="each head its keys, though heads may share"),
        pytest.param(2, True, id="heads that share keys"),
        pytest.param(1, True, id="heads that share one key head"),
        pytest.param(1, False, id="one key head that is broadcast"),
    ],
)
@pytest.mark.parametrize("mask", [None, (1, 5), (3, 5), (4, 3, 5), (1, 4, 3, 5)], ids=str)
def test_whether_it_is_one_kernel_is_as_torch_chooses(allowed, mask, key_heads, gqa, transposed):
    """Of 4 heads, for one image and for two."""
    for batch in (1, 2):
        given = with_heads(batch, 4, key_heads, transposed)
        attn_mask = None if mask is None else torch.zeros(mask)
        fused = torch._fused_sdp_choice(*given, attn_mask, 0.0, False, enable_gqa=gqa) == 1  # noqa: SLF001 - no other
        on_meta = trace(attend_on_meta(*given, attn_mask, enable_gqa=gqa))
        assert (FUSED in [one.name for one in on_meta]) == fused
        assert not fused or allowed


def attend_on_meta(*given, **options):
    tensors = [one if one is None else one.to("meta") for one in given]
    return lambda: functional.scaled_dot_product_attention(*tensors, **options)
