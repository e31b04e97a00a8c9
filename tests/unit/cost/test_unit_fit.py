"""What fits: the search against brute force, and what a run allocates against the run itself."""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dsocr_cost import (
    ATTENTIONS,
    IMPLEMENTATIONS,
    MODES,
    ClipConfig,
    DecoderConfig,
    DeepseekOCRConfig,
    Execution,
    Grid,
    SamConfig,
    SizeError,
    Workload,
)
from dsocr_cost.device import find_device
from dsocr_cost.fit import Room, RunMemory, find_limits, largest_that_fits
from dsocr_cost.model import DeepseekOCR
from dsocr_cost.sweep import evaluate

PUBLISHED = DeepseekOCRConfig()
SHORT = DeepseekOCRConfig(
    sam=SamConfig(num_hidden_layers=2, global_attn_indexes=(1,)),
    clip=ClipConfig(num_hidden_layers=1),
    decoder=DecoderConfig(num_hidden_layers=2),
)
"""The published sizes with one layer of each sort."""

EXECUTIONS = [Execution(*names) for names in product(IMPLEMENTATIONS, ATTENTIONS)]
PAGES = {
    **{name: (mode, None) for name, mode in MODES.items()},
    "gundam with crops": (MODES["gundam"], Grid(2, 3)),
    "gundam-m with crops": (MODES["gundam-m"], Grid(4, 1)),
}
GUNDAM = MODES["gundam"]
SMALL = 2 * DeepseekOCR(SHORT, GUNDAM, cropped=True).params
"""Weights of the short model in bytes: rooms of the tests are this and a few gigabytes."""


def allocated(workload, config=PUBLISHED, execution=Execution()):  # noqa: B008  # a frozen value
    """Price a run by the sweep."""
    crops = {} if workload.grid is None else {"crops_high": workload.grid.high, "crops_wide": workload.grid.wide}
    sizes = {name: getattr(workload, name) for name in ("mode", "text_tokens", "decode_steps", "batch")}
    return evaluate(**sizes, **crops, config=config, execution=execution).total.allocated_bytes


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 1000)), min_size=1, max_size=20), st.integers(0, 3))
def test_the_search_finds_the_last_that_fits_of_every_row(rows, least):
    """Row by row sizes up to ``last`` fit, and sizes up to ``most`` are asked for."""
    last, most = (np.array(column) for column in zip(*rows, strict=True))
    most = most + least
    found = largest_that_fits(lambda sizes: sizes <= last, least, most)
    assert found.tolist() == [
        max((size for size in range(least, end + 1) if size <= at_most), default=least - 1)
        for end, at_most in zip(most.tolist(), last.tolist(), strict=True)
    ]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(0, 1500))
def test_the_search_on_any_growing_cost_is_that_of_brute_force(growth, room):
    cost = np.cumsum(growth)
    (found,) = largest_that_fits(lambda sizes: cost[sizes] <= room, 0, np.array([len(growth) - 1])).tolist()
    assert found == int((cost <= room).sum()) - 1


@given(st.integers(0, 2**40))
def test_no_size_is_tried_far_beyond_the_answer(last):
    """From -1 in steps of 1, 2, 4: the last that fits may be 2**k - 2, what does not fit is 2**(k + 1) - 2 then."""
    tried = []

    def fits(sizes):
        tried.extend(sizes.tolist())
        return sizes <= last

    assert largest_that_fits(fits, 0, np.array([2**50])).tolist() == [last]
    assert max(tried) <= 2 * last + 2


@pytest.mark.parametrize("execution", EXECUTIONS, ids=lambda one: f"{one.implementation}, {one.attention}")
@pytest.mark.parametrize(("mode", "grid"), PAGES.values(), ids=PAGES)
def test_what_a_run_allocates_is_what_its_stages_say(mode, grid, execution):
    memory = RunMemory(SHORT, mode, execution, cropped=grid is not None)
    for text, steps, batch in ((0, 1, 1), (10, 100, 3), (9000, 5, 2)):
        workload = Workload(mode, grid, text, steps, batch)
        expected = allocated(workload, SHORT, execution)
        assert memory.allocated_bytes(workload) == memory.need(workload).allocated_bytes == expected


def test_arrays_are_priced_as_their_points():
    memory = RunMemory(SHORT, GUNDAM, Execution(), cropped=True)
    high, wide = np.array([1, 4, 9]), np.array([30, 2, 9])
    workload = Workload(GUNDAM, Grid(high, wide), 10, 100)
    points = [replace(workload, grid=Grid(*sides)) for sides in zip(high.tolist(), wide.tolist(), strict=True)]
    assert memory.allocated_bytes(workload).tolist() == [memory.need(point).allocated_bytes for point in points]


@pytest.mark.parametrize("execution", EXECUTIONS, ids=lambda one: f"{one.implementation}, {one.attention}")
@pytest.mark.parametrize("size", ["crops_high", "crops_wide", "text_tokens", "batch"])
def test_memory_grows_with_every_size(execution, size):
    sizes = {"crops_high": 2, "crops_wide": 3, "text_tokens": 10, "decode_steps": 7, "batch": 1}
    along = evaluate(**sizes | {size: np.arange(1, 400)}, config=SHORT, execution=execution)
    assert (np.diff(along.total.allocated_bytes) >= 0).all()


@pytest.mark.parametrize(("batch", "maps"), [pytest.param(1, 5, id="one page"), pytest.param(4, 8, id="four pages")])
def test_the_peak_of_one_view_by_hand(batch, maps):
    """SAM's bias before and after it is laid out, and maps of features; pixels and prompt are held.

    12 heads score 64 x 64 patches against as many. A map has 768 channels: what the block got, its norm, queries, keys
    and values; several images have the last three twice, as a copy is needed. The prompt is 10 token numbers.
    """
    need = RunMemory(PUBLISHED, GUNDAM, Execution(), cropped=False).need(Workload(GUNDAM, None, 10, 100, batch))
    assert (need.stage, need.op) == ("vision", "sam.layers.2.attn.rel_pos.contiguous")
    assert (need.weight_bytes, need.kv_cache_bytes) == (2 * 3_336_106_240, 0)
    page = 2 * (2 * 12 * 4096**2 + maps * 4096 * 768) + 2 * 3 * 1024**2 + 8 * 10
    assert need.activation_bytes == batch * page


def test_the_cache_of_a_need_is_what_is_there_at_its_peak():
    """In the prefill of 30,000 positions: the cache of the steps that follow is not there yet."""
    need = RunMemory(PUBLISHED, GUNDAM, Execution(), cropped=False).need(Workload(GUNDAM, None, 30_000 - 273, 100))
    assert need.stage == "prefill"
    assert need.kv_cache_bytes == 30_000 * 61_440


def test_the_peak_is_that_of_activations_and_cache_together():
    """A prefill of 1050 positions has fewer activations alive than vision had, and its KV cache beside them."""
    memory, workload = RunMemory(PUBLISHED, GUNDAM, Execution(), cropped=False), Workload(GUNDAM, None, 1050 - 273, 100)
    need, vision = memory.need(workload), memory.need(replace(workload, text_tokens=0))
    assert (vision.stage, need.stage) == ("vision", "prefill")
    assert need.activation_bytes < vision.activation_bytes
    assert need.allocated_bytes == allocated(workload)


def test_what_takes_all_of_the_room_fits():
    """A byte less, and it does not."""
    workload = Workload(GUNDAM, None, 10, 100, 3)
    need = allocated(workload, SHORT)
    for room, batch in ((need, 3), (need - 1, 2)):
        assert find_limits(workload, Room(room), SHORT).batch.largest.workload.batch == batch


def test_a_batch_for_an_rtx_5090_by_hand():
    """One of several pages takes 861,929,552 bytes beside the weights, as above; 30 fit into the room."""
    device = find_device("RTX 5090")
    room = Room(device.memory_bytes, device.reserved_bytes, device.cuda_context_bytes)
    limit = find_limits(Workload(GUNDAM, None, 10, 100), room).batch
    assert limit.largest.workload.batch == (room.bytes - 2 * 3_336_106_240) // 861_929_552 == 30
    assert limit.following.workload.batch == 31
    assert limit.following.allocated_bytes - limit.largest.allocated_bytes == 861_929_552


SIZES = np.arange(60_000)
HIGH, WIDE = np.meshgrid(np.arange(1, 201), np.arange(1, 201), indexing="ij")


@cache
def all_runs(batch, attention):
    """Price every grid, text and batch that a room of 20 GB beside the weights could hold."""
    workload, execution = Workload(GUNDAM, None, 10, 100, batch), Execution(attention=attention)
    runs = {
        "page": replace(workload, grid=Grid(HIGH, WIDE)),
        "text_tokens": replace(workload, text_tokens=SIZES),
        "batch": replace(workload, batch=SIZES[1:]),
    }
    return {name: allocated(run, SHORT, execution) for name, run in runs.items()}


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("batch", [1, 3])
@given(extra=st.integers(0, 20 * 10**9))
@example(extra=0)
@example(extra=20 * 10**9)
def test_limits_are_those_of_brute_force(attention, batch, extra):
    room, runs = Room(SMALL + extra), all_runs(batch, attention)
    limits = find_limits(Workload(GUNDAM, None, 10, 100, batch), room, SHORT, Execution(attention=attention))
    for limit, name, least in ((limits.context, "text_tokens", 0), (limits.batch, "batch", 1)):
        found = least - 1 if limit.largest is None else getattr(limit.largest.workload, name)
        assert found == (runs[name] <= room.bytes).sum() + least - 1
        assert getattr(limit.following.workload, name) == found + 1

    pages = runs["page"] <= room.bytes
    if not pages.any():
        assert (limits.page.largest, limits.page.following.workload.grid) == (None, Grid(1, 1))
        return
    crops, (high, wide) = (HIGH * WIDE)[pages].max(), limits.page.largest.workload.grid
    assert (high * wide, abs(high - wide)) == (crops, abs(HIGH - WIDE)[pages & (crops == HIGH * WIDE)].min())
    assert limits.square.largest.workload.grid.high == HIGH[pages & (HIGH == WIDE)].max()


@given(extra=st.integers(0, 100 * 10**9), steps=st.integers(1, 1000), grid=st.sampled_from([None, Grid(3, 2)]))
def test_the_largest_fits_and_the_next_does_not(extra, steps, grid):
    room = Room(SMALL + extra, 1000, 2000, 3000)
    for limit in find_limits(Workload(GUNDAM, grid, 10, steps, 2), room, SHORT):
        assert limit.largest is None or limit.largest.allocated_bytes <= room.bytes
        assert limit.following.allocated_bytes > room.bytes


def test_the_page_that_follows_has_the_fewest_crops_beyond():
    """181 crops are the most for this card, a prime; 182 are 13 x 14."""
    limits = find_limits(Workload(GUNDAM, None, 10, 100), Room(33_660_000_000, cuda_context_bytes=629_145_600))
    assert limits.page.largest.workload.grid == Grid(1, 181)
    assert limits.page.following.workload.grid == Grid(13, 14)
    assert limits.square.largest.workload.grid == Grid(13, 13)
    assert limits.square.following.workload.grid == Grid(14, 14)


def test_a_mode_without_crops_has_no_page_to_make_larger():
    limits = find_limits(Workload(MODES["base"], None, 10, 100), Room(24 * 2**30))
    assert (limits.page, limits.square) == (None, None)
    assert limits.context.largest.workload.text_tokens > 0


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_memory_that_holds_every_grid_has_none_that_follows(attention):
    """998,001 crops of the short model take less than 200 TB fused; eager attention over 10**8 positions does not."""
    limits = find_limits(Workload(GUNDAM, None, 0, 1), Room(2**50), SHORT, Execution(attention=attention))
    assert (limits.page.following is None) == (attention != "eager")
    assert limits.batch.largest is not None


def test_where_nothing_fits_the_smallest_follow():
    limits = find_limits(Workload(GUNDAM, Grid(2, 2), 10, 100, 4), Room(10**9))
    assert [limit.largest for limit in limits] == [None] * 4
    assert [limit.following.workload.grid for limit in limits] == [(1, 1), (1, 1), (2, 2), (2, 2)]
    assert limits.context.following.workload.text_tokens == 0
    assert limits.batch.following.workload.batch == 1


def test_a_run_beyond_int64_does_not_fit_and_is_no_error():
    limits = find_limits(Workload(GUNDAM, None, 10**15, 100, 10**9), Room(10**12))
    assert (limits.page.largest, limits.batch.largest) == (None, None)
    assert limits.page.following.allocated_bytes > 2**63


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        pytest.param((0,), "memory: got 0", id="no memory"),
        pytest.param((2**50 + 1,), "memory: got 1125899906842625 bytes, allowed are at most", id="too much memory"),
        pytest.param((-1,), "memory: got -1", id="negative memory"),
        pytest.param((100, -1), "reserved: got -1", id="negative reserve"),
        pytest.param((100, 100), "reserved: got 100 bytes, allowed is less than the 100", id="all for the driver"),
        pytest.param(
            (100, 10, 90), "cuda_context: got 90 bytes, allowed is less than the 90", id="all for the context"
        ),
        pytest.param((100, 10, 20, 70), "margin: got 70 bytes, allowed is less than the 70", id="all for the margin"),
        pytest.param((100, 10, 20, -1), "margin: got -1", id="negative margin"),
    ],
)
def test_a_room_that_cannot_be_is_refused(sizes, message):
    with pytest.raises(SizeError, match=message):
        Room(*sizes)


def test_room_is_what_the_others_leave():
    assert Room(100, 10, 20, 5).bytes == 65


def test_a_run_without_an_image_has_no_limits():
    with pytest.raises(SizeError, match="mode: got None"):
        find_limits(Workload(None, None, 10), Room(10**12))


@pytest.mark.parametrize(
    ("workload", "message"),
    [
        pytest.param(Workload(GUNDAM, Grid(1, 2)), "allowed is mode gundam without crops", id="with crops"),
        pytest.param(Workload(MODES["tiny"]), "allowed is mode gundam without crops", id="another mode"),
        pytest.param(Workload(GUNDAM, text_tokens=np.array([1, 2])), "allowed are ints", id="an array"),
    ],
)
def test_a_run_of_another_kind_is_refused(workload, message):
    with pytest.raises(SizeError, match=message):
        RunMemory(SHORT, GUNDAM, Execution(), cropped=False).need(workload)
