"""Calibration: kernels timed in place by a clock that shows what it is told, and what is made of them."""

from itertools import count

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import MODES, DeepseekOCRConfig, Execution, Grid, Workload
from dsocr_cost.efficiency import CLASSES, Limits, Machine, Smooth, kernel_class
from dsocr_cost.kernels import Tensor, linear, pointwise
from dsocr_cost.layers import DeepseekV2RMSNorm, MoEGate
from dsocr_cost.model import Decoder, Vision
from dsocr_cost.profile import Profile, site_key
from dsocr_cost.profile_json import read_profile
from dsocr_cost.tiled_gemm import TiledGemm
from pytest_dsocr import Case, MeasurementError
from pytest_dsocr.calibrate.calibration import calibrate
from pytest_dsocr.calibrate.fit import fit_smooth
from pytest_dsocr.calibrate.kernels import Kernel, TimedRun, pooled, time_kernels
from pytest_dsocr.calibrate.machine import Ramp, bandwidths
from pytest_dsocr.calibrate.plan import Point, calibration_points, page_points, thinned
from pytest_dsocr.calibrate.sites import host, models, sites, spread
from pytest_dsocr.calibrate.stopwatch import CudaStopwatch, WallStopwatch
from pytest_dsocr.reference.transformers import TransformersReference

CONFIG = DeepseekOCRConfig()
OP = linear("q", 2, 4, 8, 16)
MACHINE = Machine("a made-up one", {2: 1e12, 4: 5e11}, 1e10, 2**25, 1e11)
NORM, ONE_ROW = DeepseekV2RMSNorm(64), Case("one row", batch=1, q_len=1)


class Steps:
    """A stopwatch on which each kernel takes a step: a millisecond, if nothing else is said."""

    def __init__(self, step=1e-3):
        self.marks = count()
        self.step = step
        self.runs = 0

    def ready(self):
        self.runs += 1

    def mark(self):
        return next(self.marks)

    def done(self):
        pass

    def between(self, start, end):
        return (end - start) * self.step


def timed(layer, case, *, ops=None, runs=3, evict=lambda: None, step=1e-3):
    subject = TransformersReference().subject(layer, case, device="cpu", dtype="bfloat16", attention="sdpa")
    ops = tuple(layer.ops(**case.sizes)) if ops is None else ops
    return time_kernels(subject, ops, Steps(step), evict, runs=runs, wait=lambda: None)


def test_every_kernel_stands_beside_the_op_that_predicts_it():
    run = timed(NORM, ONE_ROW)
    assert [kernel.op for kernel in run.kernels] == list(NORM.ops(**ONE_ROW.sizes))
    assert {kernel.median for kernel in run.kernels} == {0.001}


def test_a_short_run_is_made_more_often_and_each_time_with_empty_caches():
    """Five times as often as asked for; each run with marks is followed by one without."""
    evicted = []
    run = timed(NORM, ONE_ROW, runs=3, evict=lambda: evicted.append(1))
    assert len(run.elapsed) == len(run.kernels[0].seconds) == 5 * 3
    assert len(evicted) == 2 * 5 * 3


def test_a_long_run_is_made_once():
    """Eight kernels of 0.1 s are more than is asked of three runs; nothing tells the host's share of them."""
    run = timed(NORM, ONE_ROW, runs=3, step=0.1)
    assert (len(run.kernels[0].seconds), run.elapsed) == (1, ())
    assert host([run], overlaps=False) == host([], overlaps=False)


def test_other_kernels_than_predicted_are_refused():
    ops = tuple(NORM.ops(**ONE_ROW.sizes))[1:]
    with pytest.raises(MeasurementError, match=r"calibration: 8 kernels ran, 7 are predicted: aten::_to_copy, "):
        timed(NORM, ONE_ROW, ops=ops)


@given(
    fixed=st.floats(1e-6, 1e-4),
    compute=st.floats(0.3, 1.0),
    bandwidth=st.floats(0.3, 1.0),
    sharpness=st.floats(1.5, 5.0),
)
def test_a_fit_finds_what_made_the_times(fixed, compute, bandwidth, sharpness):
    """Work from much less to much more than traffic, at sizes from much less to much more than the fixed time."""
    true = Smooth(fixed, compute, bandwidth, sharpness, 0.0)
    limits = [
        Limits(fixed * size * ratio, fixed * size) for size in (0.01, 1, 10, 100) for ratio in (0.1, 0.5, 1, 2, 10)
    ]
    fitted = fit_smooth(limits, [float(true.at(one)) for one in limits])
    assert [float(fitted.at(one) / true.at(one)) for one in limits] == pytest.approx([1] * len(limits), rel=0.02)
    assert fitted.error < 0.02


def test_one_kernel_that_was_disturbed_does_not_move_a_fit():
    true = Smooth(1e-5, 0.8, 0.7, 3.0, 0.0)
    limits = [Limits(size * ratio, size) for size in (1e-6, 1e-5, 1e-4, 1e-3) for ratio in (0.1, 0.5, 1, 2, 10)]
    seconds = [float(true.at(one)) for one in limits]
    seconds[7] *= 10
    fitted = fit_smooth(limits, seconds)
    assert [float(fitted.at(one) / true.at(one)) for one in limits] == pytest.approx([1] * len(limits), rel=0.05)


def test_bandwidths_are_read_off_the_ramp_inside_and_far_outside_of_the_cache():
    """A cache of 32: the best up to 16 is 90; from 128 on 10, 11 and 12, in the middle 11."""
    climbed = Ramp((8, 16, 32, 64, 128, 256, 512), (80.0, 90.0, 60.0, 20.0, 12.0, 10.0, 11.0))
    assert bandwidths(climbed, 32) == (11.0, 90.0)


@pytest.mark.parametrize(
    ("sizes", "rates"),
    [pytest.param((), (), id="nothing"), pytest.param((8, 16), (80.0,), id="a rate too few")],
)
def test_a_ramp_off_which_nothing_can_be_read_is_refused(sizes, rates):
    said = f"ramp: got {len(sizes)} sizes and {len(rates)} rates, allowed are as many of both, at least one"
    with pytest.raises(MeasurementError, match=f"^{said}$"):
        Ramp(sizes, rates)


def kernel(op, *seconds):
    return Kernel(op, seconds)


def x(elements):
    return pointwise("mul", Tensor(elements, 2), Tensor(elements, 2))


def test_a_site_holds_what_the_formula_of_its_class_leaves_over():
    """A formula of 1 s for everything: medians of 2 and 3 s are ratios of 2 and 3."""
    one = Smooth(1.0, 1e9, 1e9, 1.0, 0.0)
    made = sites([kernel(x(10), 2.0, 1.9, 2.1), kernel(x(20), 3.0)], MACHINE, dict.fromkeys(CLASSES, one), 2)
    (site,) = made.values()
    assert [sample.seconds for sample in site.samples] == [2.0, 3.0]
    assert [sample.ratio for sample in site.samples] == pytest.approx([2.0, 3.0], rel=1e-6)
    assert [sample.moved_bytes for sample in site.samples] == [40, 80]


def test_a_kernel_keeps_the_runs_of_all_passes():
    passes = [TimedRun((Kernel(OP, (seconds, seconds)),), (9.0,)) for seconds in (5.0, 4.0, 4.5)]
    assert pooled(passes) == (Kernel(OP, (5.0, 5.0, 4.0, 4.0, 4.5, 4.5)),)


def test_a_pass_in_which_a_kernel_was_disturbed_does_not_count():
    """More than half as long again: 7 s to 4 s."""
    passes = [TimedRun((Kernel(OP, (seconds,)),), (seconds,)) for seconds in (7.0, 4.0)]
    assert pooled(passes) == (Kernel(OP, (4.0,)),)


def test_on_a_card_matmuls_are_fitted_as_tiles_and_what_else_runs_as_one_smooth_form():
    """Times that the form of tiles made are found again: 14 of them for seven parameters.

    Not each parameter is: the sum is 512 long in all of them, so the share of the peak and the time of an output stand
    for each other. On a machine as slow as ``MACHINE``, where memory takes 140 us at least, no time shows what an SM
    loads either, and the search ends 5 % off: a card has to be one. There is no noise, so the search comes as near as
    where it stops, at steps of 1e-8: of twelve such cards the farthest was 2e-8 off.
    """
    card = Machine("a made-up card", {2: 300e12, 4: 20e12}, 2e12, 40 * 2**20, 5e12, sms=108)
    true = TiledGemm(3e-6, 0.8, 0.75, 30e9, 0.0, 0.4, 2e-6, 1.5e-10, 0.0)
    rows = (1, 16, 100, 1000, 4000, 20_000, 60_000)
    matmuls = [linear("up_proj", 2, count, 512, width) for count in rows for width in (512, 2048)]
    kernels = [kernel(op, float(true.seconds(op, card, 2))) for op in matmuls]
    made = models([*kernels, kernel(x(10), 1e-5), kernel(x(10**6), 1e-3)], card, 2)
    assert type(made["elementwise"]) is Smooth
    assert [float(made["gemm"].seconds(one.op, card, 2)) for one in kernels] == pytest.approx(
        [one.median for one in kernels], rel=1e-6
    )
    assert type(made["gemm"]) is TiledGemm


def test_a_linear_of_another_weight_is_another_site():
    narrow, wide = (linear("up_proj", 2, 5, 8, width) for width in (16, 32))
    assert (site_key(narrow), site_key(wide)) == (" 16x8", " 32x8")


def test_a_prediction_at_a_measured_size_is_the_measured_time():
    """Whatever the formula says: the site makes up for it."""
    models = dict.fromkeys(CLASSES, Smooth(1e-4, 0.5, 0.5, 2.0, 0.0))
    measured = {10: 3e-4, 1000: 5e-4, 100_000: 0.02}
    kernels = [kernel(x(elements), seconds) for elements, seconds in measured.items()]
    free = host([], overlaps=False)
    profile = Profile(MACHINE, models, free, "made up", sites(kernels, MACHINE, models, 2))
    for elements, seconds in measured.items():
        assert float(profile.time(x(elements), 2).seconds) == pytest.approx(seconds)


def test_the_error_of_a_site_is_how_far_each_sample_is_off_the_others():
    """On a line but for one of 2: without it, the line says 1 there, and so is off by half of 2."""
    flat = dict.fromkeys(CLASSES, Smooth(1.0, 1e9, 1e9, 1.0, 0.0))
    kernels = [kernel(x(10**power), 2.0 if power == 3 else 1.0) for power in range(1, 6)]
    (site,) = sites(kernels, MACHINE, flat, 2).values()
    assert 0.4 < site.error <= 1.0


def test_on_a_cpu_the_host_takes_what_short_runs_take_beside_their_kernels():
    """(0.4 ms - 5 * 0.05 ms) / 5 kernels; a run of 1 s, or of one kernel, says nothing of it."""
    short = TimedRun((kernel(x(1), 0.05e-3),) * 5, (0.4e-3,))
    long = TimedRun((kernel(x(1), 0.1),) * 5, (1.0,))
    single = TimedRun((kernel(x(1), 0.05e-3),), (0.4e-3,))
    assert host([short, long, single], overlaps=False).dispatch_s == pytest.approx(0.03e-3)


def test_the_hosts_share_is_taken_within_a_pass_however_the_machine_drifts():
    """10 us a launch beside kernels of 30 us, in passes that are up to 1.3 times as slow: the middle is 13 us."""
    drifts = (1.0, 1.3, 1.3, 1.3)
    passes = [TimedRun((kernel(x(1), 30e-6 * drift),) * 8, (8 * 40e-6 * drift,)) for drift in drifts]
    assert host(passes, overlaps=False).dispatch_s == pytest.approx(13e-6)


def test_on_a_card_the_host_takes_what_runs_take_that_wait_for_it():
    """3 ms for two kernels of 0.5 ms: 1.5 ms a launch; a run as long as its kernels does not wait for it."""
    waits = TimedRun((kernel(x(1), 0.5e-3), kernel(x(1), 0.5e-3)), (3e-3,))
    full = TimedRun((kernel(x(1), 0.5),), (0.5,))
    made = host([waits, full], overlaps=True)
    assert (made.dispatch_s, made.overlaps) == (pytest.approx(1.5e-3), True)


def test_without_runs_that_tell_the_host_takes_nothing_and_may_be_wrong_by_all_of_it():
    made = host([], overlaps=True)
    assert (made.dispatch_s, made.error) == (0.0, 1.0)


def test_spread_is_half_the_distance_of_the_quartiles():
    """Of 1 to 5: (4 - 2) / 2 / 3."""
    assert spread([1, 2, 3, 4, 5]) == pytest.approx(1 / 3)


def test_runs_that_took_no_time_have_no_spread():
    """A clock may be too coarse for the smallest kernels."""
    assert spread([0.0, 0.0]) == 0.0


def keys(part, **sizes):
    return {site_key(op) for op in part.ops(**sizes) if np.any(op.launches)}


def test_the_plan_meets_every_kernel_of_a_page():
    planned = {key for point in calibration_points(CONFIG) for key in keys(point.part, **point.case.sizes)}
    page = (
        keys(Vision(CONFIG, MODES["gundam"], cropped=True), batch=1, crops_high=2, crops_wide=3)
        | keys(Decoder(CONFIG.decoder), batch=1, q_len=913, kv_len=913)
        | keys(Decoder(CONFIG.decoder), batch=1, q_len=1, kv_len=914)
    )
    assert page <= planned


def test_the_plan_meets_no_size_at_which_times_are_compared():
    """Views of 640 and 1024, and the prefills of all published grids: image tokens and 10 of text."""
    from dsocr_cost.workload import Grid, image_tokens
    from pytest_dsocr.published.grids import TEXT_TOKENS, read_grids

    grids = read_grids("vision")
    contexts = {
        image_tokens(MODES["gundam"], Grid(g.crops_high, g.crops_wide), CONFIG.sam) + TEXT_TOKENS for g in grids
    }
    for point in calibration_points(CONFIG):
        if isinstance(point.part, Vision):
            assert not {point.part.mode.base_size, point.part.mode.crop_size} & {640, 1024}
        elif isinstance(point.part, Decoder) and point.case["q_len"] > 1:
            assert point.case["q_len"] not in contexts


@pytest.mark.parametrize(
    ("page", "views", "length"),
    [
        # of 1024 there are 16 x 17 + 1 tokens, of 2 x 2 crops of 640 (2 x 10) x (2 x 10 + 1)
        pytest.param(Workload(MODES["gundam"], Grid(2, 2), 10), {640, 1024}, 273 + 420 + 10, id="of-crops"),
        pytest.param(Workload(MODES["base"], None, 5), {1024}, 273 + 5, id="of-one-view"),
    ],
)
def test_a_page_runs_at_its_own_sizes(page, views, length):
    vision, prefill = page_points(CONFIG, [page])
    assert {view for view in (vision.part.mode.base_size, vision.part.mode.crop_size) if view} == views
    assert vision.part.cropped == (page.grid is not None)
    assert prefill.case.sizes == {"batch": 1, "q_len": length, "kv_len": length}
    assert prefill.part.config.num_hidden_layers == 2


def test_a_prompt_without_an_image_has_no_page_to_run():
    assert not list(page_points(CONFIG, [Workload(None, None, 7)]))


def test_a_thinned_model_has_both_blocks_of_sam_and_both_layers_of_the_decoder():
    few = thinned(CONFIG)
    assert (few.sam.num_hidden_layers, few.sam.global_attn_indexes) == (2, (1,))
    assert (few.decoder.num_hidden_layers, few.decoder.first_k_dense_replace) == (2, 1)
    assert few.clip.num_hidden_layers == 1


def test_a_calibration_can_be_kept_and_read_back_and_predicts_what_it_measured(tmp_path):
    """Every kernel took a millisecond; the router has six, and its one position was measured."""
    gate = MoEGate.from_config(CONFIG.decoder)
    points = [Point(gate, Case(f"{rows} rows", batch=1, q_len=rows)) for rows in (1, 4, 16)]
    points += [Point(part.part, part.case) for part in _one_of_each_class()]
    heard = []
    made = calibrate(
        "cpu",
        CONFIG,
        Execution(),
        TransformersReference(keep=True),
        tell=heard.append,
        runs=1,
        points=points,
        stopwatch=Steps(),
        lock_folder=tmp_path,
    )
    file = tmp_path / "profile.json"
    file.write_text(made.to_json(), encoding="utf-8")
    profile = read_profile(file).profile
    times = [profile.time(op, 2) for op in gate.ops(batch=1, q_len=4)]
    assert [float(time.seconds) for time in times] == pytest.approx([1e-3] * 6)
    assert all(time.measured for time in times)
    assert len(heard) == 1 + 4 * len(points)  # four passes
    assert made.device["type"] == "cpu"
    assert made.measured["points"] == [point.case.name for point in points]


def _one_of_each_class():
    """A small decoder and a small view: a profile has a model for each class of kernels."""
    few = thinned(CONFIG)
    small = Vision(few, type(MODES["tiny"])("small", 256), cropped=False)
    parts = [
        Point(small, Case("small view", batch=1)),
        Point(Decoder(few.decoder), Case("step", batch=1, q_len=1, kv_len=3)),
    ]
    classes = {kernel_class(op) for point in parts for op in point.part.ops(**point.case.sizes)}
    assert classes == set(CLASSES)
    return parts


def test_the_hosts_clock_is_read_twice():
    now = iter([1.0, 3.5])
    watch = WallStopwatch(lambda: next(now))
    watch.ready()
    start, end = watch.mark(), watch.mark()
    watch.done()
    assert watch.between(start, end) == 2.5


def test_a_cards_marks_are_events_behind_a_kernel_that_waits(monkeypatch):
    """Events tell milliseconds; the host gets ahead while the stream sleeps."""
    told = []

    class Event:
        def __init__(self, *, enable_timing):
            assert enable_timing

        def record(self, stream):
            told.append(f"record on {stream}")

        def elapsed_time(self, other):
            return 250.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: told.append("synchronize"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the stream of {device}")
    monkeypatch.setattr(torch.cuda, "device", lambda device: __import__("contextlib").nullcontext())
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: told.append("sleep"))
    watch = CudaStopwatch("cuda:1")
    watch.ready()
    start, end = watch.mark(), watch.mark()
    watch.done()
    assert told == ["synchronize", "sleep", *["record on the stream of cuda:1"] * 2, "synchronize"]
    assert watch.between(start, end) == 0.25
