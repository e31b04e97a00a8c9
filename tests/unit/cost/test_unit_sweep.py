"""A sweep as one evaluation: each of its points is what the run of that one workload says, to the last digit."""

import random
import re
import tracemalloc
from dataclasses import fields
from itertools import product

import numpy as np
import pytest

from dsocr_cost import (
    ATTENTIONS,
    IMPLEMENTATIONS,
    MODES,
    ClipConfig,
    DecoderConfig,
    DeepseekOCRConfig,
    DeepseekOCRModel,
    Execution,
    Grid,
    SamConfig,
    SizeError,
    Stage,
    Workload,
)
from dsocr_cost.sweep import evaluate

PUBLISHED, USUAL, VENDOR = DeepseekOCRConfig(), Execution(), Execution("vendor", "eager")
SHORT = DeepseekOCRConfig(
    sam=SamConfig(num_hidden_layers=2, global_attn_indexes=(1,)),
    clip=ClipConfig(num_hidden_layers=1),
    decoder=DecoderConfig(num_hidden_layers=2),
)
"""The published sizes with one layer of each sort: a run of it takes a sixth of the time."""

FIGURES = [field.name for field in fields(Stage)]
EXECUTIONS = [Execution(*names) for names in product(IMPLEMENTATIONS, ATTENTIONS)]
MODES_AND_CROPS = {
    "no image": (None, False),
    **{name: (mode, False) for name, mode in MODES.items()},
    **{f"{name} with crops": (MODES[name], True) for name in ("gundam", "gundam-m")},
}
CROPS = ("crops_high", "crops_wide")


def at(stages, index):
    """Take one point out of a sweep, as ints; None stays None."""
    return [
        {name: None if (count := getattr(stage, name)) is None else count[index].item() for name in FIGURES}
        for stage in stages
    ]


def run(sizes, mode, config=PUBLISHED, execution=USUAL):
    """Price one point on its own, as ints."""
    rest = {name: size for name, size in sizes.items() if name not in CROPS}
    grid = Grid(*(sizes[name] for name in CROPS)) if "crops_high" in sizes else None
    stages = DeepseekOCRModel(config, execution).run(Workload(mode, grid, **rest))
    return [{name: getattr(stage, name) for name in FIGURES} for stage in stages]


def random_point(draw, *, image, cropped):
    crops = {"crops_high": draw.randint(1, 15), "crops_wide": draw.randint(1, 26)} if cropped else {}
    text = draw.randint(0 if image else 1, 8192)
    return {**crops, "text_tokens": text, "decode_steps": draw.randint(1, 300), "batch": draw.randint(1, 16)}


def assert_swept(points, mode, config, execution):
    arrays = {name: np.array([point[name] for point in points]) for name in points[0]}
    swept = evaluate(**arrays, mode=mode, config=config, execution=execution)
    for index, point in enumerate(points):
        assert at(swept, index) == run(point, mode, config, execution)


@pytest.mark.parametrize("execution", EXECUTIONS, ids=lambda one: f"{one.implementation}, {one.attention}")
@pytest.mark.parametrize(("mode", "cropped"), MODES_AND_CROPS.values(), ids=MODES_AND_CROPS)
def test_1000_random_points_are_what_a_run_of_each_says(mode, cropped, execution):
    """9 modes, with and without crops, times 6 executions times 19 points: 1026."""
    draw = random.Random(f"{mode} {cropped} {execution}")
    points = [random_point(draw, image=mode is not None, cropped=cropped) for _ in range(19)]
    assert_swept(points, mode, SHORT, execution)


@pytest.mark.parametrize("execution", [USUAL, VENDOR], ids=["transformers", "vendor"])
@pytest.mark.parametrize(("mode", "cropped"), MODES_AND_CROPS.values(), ids=MODES_AND_CROPS)
def test_points_of_the_published_model_are_what_a_run_of_each_says(mode, cropped, execution):
    draw = random.Random(f"published, {mode} {cropped}")
    assert_swept([random_point(draw, image=mode is not None, cropped=cropped)], mode, PUBLISHED, execution)


def test_corners_of_a_box_are_what_a_run_of_each_says():
    """The published grids' ends, no text and 8192 tokens, 1 and 1000 steps, 1 and 64 pages: 32 corners, broadcast."""
    ends = {
        "crops_high": (1, 15),
        "crops_wide": (1, 26),
        "text_tokens": (0, 8192),
        "decode_steps": (1, 1000),
        "batch": (1, 64),
    }
    axes = np.meshgrid(*(np.array(end) for end in ends.values()), indexing="ij", sparse=True)
    swept = evaluate(**dict(zip(ends, axes, strict=True)))
    for index in product((0, 1), repeat=5):
        corner = {name: end[one] for (name, end), one in zip(ends.items(), index, strict=True)}
        assert at(swept, index) == run(corner, MODES["gundam"])


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_dtype_is_swept_too(dtype):
    point, execution = {"text_tokens": 10, "decode_steps": 3}, Execution(dtype=dtype)
    swept = evaluate(text_tokens=np.array([10]), decode_steps=3, mode=MODES["tiny"], execution=execution)
    assert at(swept, 0) == run(point, MODES["tiny"], execution=execution)


def test_ints_give_ints():
    swept = evaluate(crops_high=2, crops_wide=3, text_tokens=10, decode_steps=100)
    assert swept == DeepseekOCRModel().run(Workload(MODES["gundam"], Grid(2, 3), text_tokens=10, decode_steps=100))
    for stage, name in product(swept, FIGURES):
        assert type(getattr(stage, name)) in (int, type(None))


def test_ints_beyond_int64_are_right():
    """10**15 pages: vision alone is 3.5e27 FLOPs, and grows with the batch."""
    one, many = (evaluate(crops_high=2, crops_wide=3, batch=batch) for batch in (1, 10**15))
    assert many.vision.tensor_flops == 10**15 * one.vision.tensor_flops > 2**63


def test_numbers_of_numpys_are_ints():
    swept = evaluate(crops_high=np.int64(2), crops_wide=np.array(3), text_tokens=np.uint8(10))
    assert swept == evaluate(crops_high=2, crops_wide=3, text_tokens=10)


def test_shapes_broadcast_and_each_figure_has_the_common_one():
    swept = evaluate(
        crops_high=np.array([[1], [2], [3]]), crops_wide=2, text_tokens=np.arange(4), decode_steps=np.array([[[5]]])
    )
    for stage, name in product(swept, FIGURES):
        count = getattr(stage, name)
        assert count is None or (count.shape, count.dtype) == ((1, 3, 4), np.int64), name
    point = {"crops_high": 3, "crops_wide": 2, "text_tokens": 1, "decode_steps": 5}
    assert at(swept, (0, 2, 1)) == run(point, MODES["gundam"])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint16, np.int32, np.uint64])
def test_narrow_arrays_do_not_wrap(dtype):
    sizes = {"crops_high": 15, "crops_wide": 26, "text_tokens": 100, "decode_steps": 100, "batch": 127}
    swept = evaluate(**{name: np.array([size], dtype=dtype) for name, size in sizes.items()})
    assert at(swept, 0) == run(sizes, MODES["gundam"])


def test_no_points_cost_nothing_and_fail_nowhere():
    swept = evaluate(crops_high=np.array([], dtype=int), crops_wide=3, text_tokens=np.zeros((2, 0), dtype=int))
    assert swept.total.tensor_flops.shape == (2, 0)
    assert swept.decode.kv_cache_bytes.shape == (2, 0)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        pytest.param(
            {"crops_high": 2},
            "crops_high, crops_wide: got 2 and None, allowed are both or none",
            id="no crops_wide",
        ),
        pytest.param(
            {"crops_wide": 3},
            "crops_high, crops_wide: got None and 3, allowed are both or none",
            id="no crops_high",
        ),
        pytest.param(
            {"text_tokens": np.arange(3), "batch": np.array([1, 2])},
            "shapes: got text_tokens (3,), decode_steps (), batch (2,), allowed are shapes that broadcast",
            id="shapes",
        ),
        pytest.param(
            {"crops_high": np.array([1, 0]), "crops_wide": 2},
            "grid: got array([1, 0]), allowed are whole numbers of at least 1, or an array of them",
            id="no crops",
        ),
        pytest.param(
            {"decode_steps": np.array([0])},
            "decode_steps: got array([0]), allowed are whole numbers of at least 1, or an array of them",
            id="no steps",
        ),
        pytest.param(
            {"batch": 0}, "batch: got 0, allowed are whole numbers of at least 1, or an array of them", id="no pages"
        ),
        pytest.param(
            {"crops_high": 2, "crops_wide": 3, "mode": MODES["base"]},
            "grid: got 2x3 with mode base, which takes none; allowed are the modes gundam, gundam-m",
            id="crops of a mode without",
        ),
        pytest.param(
            {"crops_high": 2, "crops_wide": 3, "mode": None},
            "grid: got 2x3 with no image, which takes none; allowed are the modes gundam, gundam-m",
            id="crops of no image",
        ),
    ],
)
def test_what_no_workload_has_is_refused(sizes, message):
    with pytest.raises(SizeError, match=f"^{re.escape(message)}$"):
        evaluate(**sizes)


@pytest.mark.parametrize(
    "size", [-1, True, 1.0, "3", np.array([1, -1]), np.array([1.0]), [1, 2]], ids=lambda size: repr(size)
)
@pytest.mark.parametrize("name", ["crops_high", "crops_wide", "text_tokens", "decode_steps", "batch"])
def test_what_is_no_size_is_refused(name, size):
    with pytest.raises(
        SizeError, match=rf"^{name}: got .*, allowed are whole numbers of at least 0, or an array of them"
    ):
        evaluate(**{"crops_high": 2, "crops_wide": 3, name: size})


@pytest.mark.parametrize(
    ("sizes", "what"),
    [
        pytest.param({"batch": np.array([1, 10**13])}, "vision, tensor_flops", id="pages"),
        pytest.param({"text_tokens": np.array([10**9])}, "prefill, tensor_flops", id="text"),
        pytest.param({"decode_steps": np.array([10**9])}, "decode, tensor_flops", id="steps"),
        pytest.param({"batch": 10**18, "text_tokens": np.array([1])}, "vision, tensor_flops", id="pages by themselves"),
    ],
)
def test_a_count_beyond_int64_is_refused_and_named(sizes, what):
    with pytest.raises(SizeError, match=rf"^{what}: .*e\+\d\d does not fit into int64; price such sizes one by one"):
        evaluate(**sizes)


def test_too_many_steps_of_an_array_are_refused_before_their_sum_wraps():
    message = "decode_steps: got 5000000000, allowed are at most 3,037,000,498 in an array"
    with pytest.raises(SizeError, match=f"^{re.escape(message)}$"):
        evaluate(decode_steps=np.array([5 * 10**9]))


def test_large_sizes_at_different_points_are_no_overflow():
    """Prompts of 10**7 pages of one token, and of one page of 10**6; 10**7 pages of 10**6 would not fit."""
    sizes = {"batch": np.array([10**7, 1]), "text_tokens": np.array([1, 10**6])}
    swept = evaluate(**sizes, mode=None)
    assert at(swept, 0) == run({"batch": 10**7, "text_tokens": 1}, None)
    assert at(swept, 1) == run({"batch": 1, "text_tokens": 10**6}, None)


def test_a_million_points_stay_under_2_gb():
    """All stages with 100 decode steps, 100 x 100 grids by 100 texts; the sizes that came in are among the bytes."""
    high, wide, text = np.meshgrid(np.arange(1, 101), np.arange(1, 101), np.arange(100), indexing="ij")
    tracemalloc.start()
    try:
        swept = evaluate(crops_high=high, crops_wide=wide, text_tokens=text, decode_steps=100)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert swept.total.tensor_flops.shape == (100, 100, 100)
    assert 8_000_000 < peak < 2 * 10**9
