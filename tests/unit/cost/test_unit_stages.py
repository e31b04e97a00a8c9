"""The whole run as values: stages, their total, and decode as one array or step by step."""

from dataclasses import fields
from itertools import product

import numpy as np
import pytest

from dsocr_cost import (
    ATTENTIONS,
    IMPLEMENTATIONS,
    MODES,
    ClipConfig,
    Cost,
    DecoderConfig,
    DeepseekOCRConfig,
    DeepseekOCRModel,
    Execution,
    Grid,
    SamConfig,
    SizeError,
    SyntheticKVCache,
    Workload,
    total,
)
from dsocr_cost.model import Decoder, DeepseekOCR, Vision
from dsocr_cost.stages import decode_step, prefill, vision

CONFIG = DeepseekOCRConfig()
SHORT = DeepseekOCRConfig(
    sam=SamConfig(num_hidden_layers=2, global_attn_indexes=(1,)),
    clip=ClipConfig(num_hidden_layers=1),
    decoder=DecoderConfig(num_hidden_layers=2),
)
"""The published sizes with one layer of each sort."""

JOINS = {"embed", "join", "choose", "tokens"}

SUMS = [field.name for field in fields(Cost)]
"""What is additive over ops."""

EXECUTIONS = [Execution(*names) for names in product(IMPLEMENTATIONS, ATTENTIONS)]
PAGES = {
    **{name: (mode, None) for name, mode in MODES.items()},
    "gundam, 2x3 crops": (MODES["gundam"], Grid(2, 3)),
    "gundam-m, 1x2 crops": (MODES["gundam-m"], Grid(1, 2)),
}


def sums(one):
    """Pick what is additive from a stage or a cost."""
    return {name: getattr(one, name) for name in SUMS}


def added(*parts):
    return {name: sum(getattr(part, name) for part in parts) for name in SUMS}


@pytest.mark.parametrize("batch", [1, 2], ids=["one page", "two pages"])
@pytest.mark.parametrize("execution", EXECUTIONS, ids=lambda one: f"{one.implementation}, {one.attention}")
@pytest.mark.parametrize(("mode", "grid"), PAGES.values(), ids=PAGES)
def test_the_total_of_a_run_is_its_stages_and_all_its_ops(mode, grid, execution, batch):
    """All but what joins the stages: 4 look-ups in the embedding, image beside text, 4 choices, their tokens."""
    run = DeepseekOCRModel(SHORT, execution).run(Workload(mode, grid, text_tokens=10, decode_steps=3, batch=batch))
    crops = {"crops_high": grid.high, "crops_wide": grid.wide} if grid else {}
    model = DeepseekOCR(SHORT, mode, cropped=grid is not None)
    ops = list(model.ops(batch=batch, text_tokens=10, decode_steps=3, **crops, execution=execution))
    inside = [op for op in ops if op.name.startswith("vision.") or op.name.rpartition(".")[2] not in JOINS]
    assert len(ops) - len(inside) == 4 + 1 + 4 + 1
    assert sums(run.total) == added(run.vision, run.prefill, run.decode) == sums(total(inside))
    assert run.total.weight_bytes == run.vision.weight_bytes + run.prefill.weight_bytes == 2 * model.params


@pytest.mark.parametrize("execution", EXECUTIONS, ids=lambda one: f"{one.implementation}, {one.attention}")
@pytest.mark.parametrize(("mode", "grid"), PAGES.values(), ids=PAGES)
def test_the_memory_of_a_run_is_that_of_its_stages_with_pixels_and_prompt(mode, grid, execution):
    """Two pages: the pixels stay until it is over, and 10 token numbers of 8 bytes a page."""
    run = DeepseekOCRModel(SHORT, execution).run(Workload(mode, grid, text_tokens=10, decode_steps=3, batch=2))
    images = [(2 * (grid.high * grid.wide if grid else 0), mode.crop_size or 0), (2, mode.base_size)]
    pixels, prompt = sum(count * 3 * side * side * 2 for count, side in images), 2 * 10 * 8
    held = (prompt, pixels + prompt, pixels + prompt)
    alive = [stage.activation_bytes + beside for stage, beside in zip(run[:3], held, strict=True)]
    assert run.total.activation_bytes == max(alive)
    weights = run.total.weight_bytes
    allocated = [
        stage.allocated_bytes - stage.weight_bytes + weights + beside
        for stage, beside in zip(run[:3], held, strict=True)
    ]
    assert run.total.allocated_bytes == max(allocated)
    assert run.total.kv_cache_bytes == run.decode.kv_cache_bytes


def test_what_has_to_be_moved_adds_up_over_passes():
    """A step: weights that one position touches, 1,280 in, 129,280 logits in fp32 out, and the cache."""
    model = DeepseekOCRModel()
    run = model.run(Workload(MODES["gundam"], Grid(2, 3), text_tokens=10, decode_steps=2))
    swiglu, attention, norms = 3 * 1280, 4 * 1280**2, 2 * 1280
    layer = attention + norms + 64 * 1280 + swiglu * (6 * 896 + 1792)
    weights = attention + norms + swiglu * 6848 + 11 * layer + 1280 + 1280 * 129280
    step = 2 * weights + 2 * 1280 + 4 * 129280
    assert run.decode.compulsory_bytes == 2 * step + 61_440 * (904 + 905)
    parts = (run.vision, run.prefill, run.decode)
    assert run.total.compulsory_bytes == sum(part.compulsory_bytes for part in parts)
    assert all(part.compulsory_bytes < part.io_bytes for part in parts)


def test_a_run_by_hand():
    """A page of 2x3 crops: vision as in the e2e tests, 893 + 10 positions, 100 steps; 61,440 bytes of cache a token."""
    run = DeepseekOCRModel().run(Workload(MODES["gundam"], Grid(2, 3), text_tokens=10, decode_steps=100))
    views = 976_909_172_736 + 161_715_683_328 + 1_342_177_280
    crops = 1_953_724_760_064 + 372_028_538_880 + 3_145_728_000
    assert run.vision.tensor_flops == views + crops
    assert (run.vision.weight_bytes, run.vision.kv_cache_bytes) == (2 * 401_372_160, 0)
    assert (run.prefill.weight_bytes, run.prefill.kv_cache_bytes) == (2 * 2_934_734_080, 903 * 61_440)
    assert (run.decode.weight_bytes, run.decode.kv_cache_bytes) == (2 * 2_934_734_080, 1003 * 61_440)
    assert (run.total.weight_bytes, run.total.kv_cache_bytes) == (6_672_212_480, 1003 * 61_440)
    # a position: 12 attentions of four linears, a SwiGLU, 11 routers and mixtures, the head; a query and a key: 61,440
    mixture = 2 * 1280 * 64 + 3 * 2 * 1280 * (6 * 896 + 1792)
    position = 12 * 4 * 2 * 1280**2 + 3 * 2 * 1280 * 6848 + 11 * mixture + 2 * 1280 * 129280
    pair = 12 * 4 * 10 * 128
    assert run.prefill.tensor_flops == 903 * position + pair * 903 * 903
    assert run.decode.tensor_flops == 100 * position + pair * sum(range(904, 1004))


def test_a_prompt_without_an_image_has_no_vision():
    run = DeepseekOCRModel().run(Workload(None, text_tokens=512, decode_steps=2))
    assert set(sums(run.vision).values()) == {0}
    assert (run.vision.weight_bytes, run.vision.kv_cache_bytes) == (0, 0)
    assert sums(run.total) == added(run.prefill, run.decode)
    assert run.total.kv_cache_bytes == 514 * 61_440


@pytest.mark.parametrize("execution", EXECUTIONS, ids=lambda one: f"{one.implementation}, {one.attention}")
def test_decode_as_one_array_is_decode_step_by_step(execution):
    model = DeepseekOCRModel(CONFIG, execution)
    _, cache = model.prefill(Workload(MODES["gundam"], Grid(2, 3), text_tokens=10, batch=2))
    at_once = model.decode(cache.extended(np.arange(20)))
    for step in range(20):
        one = model.decode(cache)
        point = {name: np.broadcast_to(count, 20)[step].item() for name, count in sums(at_once).items()}
        assert sums(one) == point
        assert one.kv_cache_bytes == at_once.kv_cache_bytes[step]
        assert one.weight_bytes == at_once.weight_bytes
        cache = cache.extended()


def test_the_decode_of_a_run_is_the_sum_of_its_steps():
    model, page = DeepseekOCRModel(), Workload(MODES["tiny"], text_tokens=3, decode_steps=7, batch=2)
    _, cache = model.prefill(page)
    steps = [model.decode(cache.extended(step)) for step in range(7)]
    decode = model.run(page).decode
    assert sums(decode) == added(*steps)
    assert decode.kv_cache_bytes == steps[-1].kv_cache_bytes == cache.extended(7).kv_cache_bytes


def test_stages_are_the_parts_of_the_model():
    execution, page = Execution("vendor", "eager"), Workload(MODES["gundam"], Grid(1, 2), text_tokens=5, batch=3)
    cache = SyntheticKVCache(CONFIG.decoder, 3, 100)
    tower, decoder = Vision(CONFIG, MODES["gundam"], cropped=True), Decoder(CONFIG.decoder)
    assert sums(vision(CONFIG, page, execution)) == sums(total(tower.ops(3, 1, 2, execution=execution)))
    assert sums(prefill(CONFIG, 40, cache, execution)) == sums(total(decoder.ops(3, 40, 100, execution=execution)))
    assert sums(decode_step(CONFIG, cache, execution)) == sums(total(decoder.ops(3, 1, 101, execution=execution)))


def test_a_dtype_changes_bytes_and_no_flops():
    page = Workload(MODES["tiny"], text_tokens=3)
    half, single = (DeepseekOCRModel(execution=Execution(dtype=dtype)).run(page) for dtype in ("float16", "float32"))
    for short, long in zip(half, single, strict=True):
        assert long.tensor_flops == short.tensor_flops
        assert long.weight_bytes == 2 * short.weight_bytes
        assert long.kv_cache_bytes == 2 * short.kv_cache_bytes


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({"text_tokens": np.array([1, 2])}, id="text_tokens"),
        pytest.param({"decode_steps": np.array([1, 2])}, id="decode_steps"),
        pytest.param({"batch": np.array([1, 2])}, id="batch"),
        pytest.param({"grid": Grid(np.array([1, 2]), 3)}, id="grid"),
    ],
)
def test_a_run_of_arrays_is_refused(sizes):
    with pytest.raises(SizeError, match=r"^workload: got .*, allowed are ints; sweep\.evaluate takes arrays$"):
        DeepseekOCRModel().run(Workload(MODES["gundam"], **sizes))


def test_a_run_of_python_ints_leaves_int64_without_wrapping():
    """10**16 sequences, 1.1 GFLOPs a token each; what a step costs in a batch is a multiple of what it costs alone."""
    one, many = (DeepseekOCRModel().run(Workload(None, text_tokens=1, decode_steps=3, batch=n)) for n in (1, 10**16))
    assert many.decode.tensor_flops == 10**16 * one.decode.tensor_flops > 2**63
