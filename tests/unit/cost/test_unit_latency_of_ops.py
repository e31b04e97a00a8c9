"""Seconds from op times: the queue of an eager launch by hand, graphs as sums, many workloads at once."""

from dataclasses import replace

import numpy as np
import pytest

from dsocr_cost import (
    MODES,
    ClipConfig,
    DecoderConfig,
    DeepseekOCRConfig,
    Execution,
    Grid,
    Op,
    SamConfig,
    SizeError,
    Workload,
)
from dsocr_cost.efficiency import Smooth
from dsocr_cost.errors import ProfileError
from dsocr_cost.latency import BOUNDS, Latency, latency, op_times, run_latency, run_shares, shares
from dsocr_cost.model import Decoder
from dsocr_cost.profile import Host, OpTime, Profile, Sample, Site, features

SHORT = DeepseekOCRConfig(
    sam=SamConfig(num_hidden_layers=2, global_attn_indexes=(1,)),
    clip=ClipConfig(num_hidden_layers=1),
    decoder=DecoderConfig(num_hidden_layers=2),
)
GUNDAM, USUAL = MODES["gundam"], Execution()
STAGES = ("vision", "prefill", "decode")


def timed(*seconds, error=0.0, launches=1, bound="memory"):
    return [OpTime(Op("op", "copy", launches=launches), one, error, False, bound) for one in seconds]


def on(host):
    """A profile whose host alone matters."""
    return Profile(None, {}, host, "made up")


GPU = Host(dispatch_s=2.0, latency_s=1.0, overlaps=True, error=0.0)
CPU = Host(dispatch_s=2.0, latency_s=0.0, overlaps=False, error=0.0)


@pytest.mark.parametrize(
    ("kernels", "done"),
    [
        pytest.param([5.0], 2 + 1 + 5, id="one: dispatched, on its way, run"),
        pytest.param([0.5, 0.5, 0.5], 3 * 2 + 1 + 0.5, id="short ones wait for the host each"),
        pytest.param([10.0, 10.0, 10.0], 2 + 1 + 30, id="long ones hide the host"),
        pytest.param([0.5, 7.0, 0.5], 2 * 2 + 1 + 7 + 0.5, id="behind a long one the host is ahead"),
        pytest.param([9.0, 0.5, 0.5, 0.5, 0.5], 4 * 0.5 + 2 + 1 + 9, id="the head start lasts for some"),
        pytest.param([3.0, 0.1, 0.1, 0.1], 4 * 2 + 1 + 0.1, id="and is used up"),
        pytest.param([], 0, id="nothing"),
    ],
)
def test_an_eager_launch_is_a_queue(kernels, done):
    """Kernel n starts when the one before has ended and (n + 1) dispatches and the latency have passed."""
    assert latency(timed(*kernels), on(GPU), "eager").seconds == pytest.approx(done)


def test_on_a_cpu_the_host_adds_up():
    assert latency(timed(5.0, 0.5, 7.0), on(CPU), "eager").seconds == pytest.approx(12.5 + 3 * 2)


@pytest.mark.parametrize("host", [GPU, CPU], ids=["gpu", "cpu"])
def test_a_graph_is_its_kernels(host):
    assert latency(timed(5.0, 0.5, 7.0), on(host), "graph").seconds == 12.5


@pytest.mark.parametrize("host", [GPU, CPU], ids=["gpu", "cpu"])
def test_an_op_that_is_not_launched_takes_nothing(host):
    needless = timed(0.0, launches=0)
    with_it = latency([*needless, *timed(1.0), *needless, *timed(1.0)], on(host))
    assert with_it.seconds == latency(timed(1.0, 1.0), on(host)).seconds


def test_several_launches_are_dispatched_each():
    assert latency(timed(1.0, launches=3), on(GPU)).seconds == 3 * 2 + 1 + 1


def test_the_band_is_the_errors_of_kernels_and_host():
    """Kernels 10 and 20 with 10 %; in a graph nothing else. On a CPU two dispatches of 2 with 50 %."""
    kernels = timed(10.0, 20.0, error=0.1)
    graph = latency(kernels, on(CPU), "graph")
    assert (graph.low, graph.high) == pytest.approx((27, 33))
    eager = latency(kernels, on(Host(2.0, 0.0, overlaps=False, error=0.5)), "eager")
    assert (eager.low, eager.seconds, eager.high) == pytest.approx((27 + 2, 34, 33 + 6))


def test_a_band_never_goes_below_0():
    assert latency(timed(10.0, error=3.0), on(GPU), "graph").low == 0


def test_times_add_up_with_their_bands():
    both = Latency(1.0, 0.5, 2.0) + Latency(3.0, 2.5, 4.0)
    assert (both.times(2).seconds, both.times(2).low, both.times(2).high) == (8.0, 6.0, 12.0)


@pytest.mark.parametrize("time", [latency, shares])
def test_a_launch_that_is_none_is_refused(time):
    with pytest.raises(SizeError, match=r"^launch: got 'lazy', allowed are graph, eager$"):
        time(timed(1.0), on(GPU), "lazy")


def test_shares_name_the_host_where_the_device_waits_for_it():
    """3 s until the first ends at 8; the second ends at 8.5, the third at 9, the fourth waits until 9.25."""
    kernels = timed(5.0, 0.5, 0.5, 0.25, bound="memory")
    got = shares(kernels, on(GPU), "eager")
    assert [float(one.seconds) for one in got] == [8.0, 0.5, 0.5, 0.25]
    assert [str(one.bound) for one in got] == ["memory"] * 4
    got = shares(timed(0.5, 0.5, bound="memory"), on(GPU), "eager")
    assert [float(one.seconds) for one in got] == [3.5, 2.0]
    assert [str(one.bound) for one in got] == ["host", "host"]


@pytest.mark.parametrize("launch", ["graph", "eager"])
@pytest.mark.parametrize("overlaps", [True, False], ids=["gpu", "cpu"])
def test_arrays_are_each_workload_by_itself(profile, launch, overlaps):
    profile = Profile(profile.machine, profile.models, Host(5e-6, 3e-6, overlaps, 0.2), "made up", profile.sites)
    high, wide, text, steps = (np.array(one) for one in ([1, 2, 5, 1], [2, 3, 1, 1], [0, 10, 99, 7], [1, 2, 100, 700]))
    at_once = run_latency(SHORT, Workload(GUNDAM, Grid(high, wide), text, steps), USUAL, profile, launch)
    for index in range(len(high)):
        sizes = (int(one[index]) for one in (text, steps))
        page = Workload(GUNDAM, Grid(int(high[index]), int(wide[index])), *sizes)
        alone = run_latency(SHORT, page, USUAL, profile, launch)
        for stage in (*STAGES, "total", "time_to_first_token", "time_per_output_token"):
            for side in ("seconds", "low", "high"):
                found = float(getattr(getattr(at_once, stage), side)[index])
                assert found == pytest.approx(float(getattr(getattr(alone, stage), side)), rel=1e-12), (stage, side)


@pytest.mark.parametrize("steps", [1, 2, 5, 9, 10, 100])
def test_decode_is_the_sum_of_its_steps_where_time_is_affine_in_the_keys(profile, steps):
    """With p = 1, one bandwidth for everything and no cache, each op's time is affine in its bytes and FLOPs."""
    affine = {kind: Smooth(1e-6, 0.7, 0.8, 1.0, 0.1) for kind in profile.models}
    machine = type(profile.machine)("Bare", {2: 1e14, 4: 1e14}, 1e12, 0, 1e12)
    bare = Profile(machine, affine, GPU, "made up")
    run = run_latency(SHORT, Workload(None, None, 50, steps), USUAL, bare, "graph")
    decoder = Decoder(SHORT.decoder)
    one_by_one = sum(
        float(latency(op_times(decoder.ops(1, 1, 50 + step), bare), bare, "graph").seconds)
        for step in range(1, steps + 1)
    )
    assert float(run.decode.seconds) == pytest.approx(one_by_one, rel=1e-12)
    assert float(run.time_per_output_token.seconds) == pytest.approx(one_by_one / steps, rel=1e-12)


@pytest.mark.parametrize("launch", ["graph", "eager"])
def test_decode_is_near_the_sum_of_its_steps_where_time_is_bent(profile, launch):
    run = run_latency(SHORT, Workload(None, None, 50, 300), USUAL, profile, launch)
    decoder = Decoder(SHORT.decoder)
    one_by_one = sum(
        float(latency(op_times(decoder.ops(1, 1, 50 + step), profile), profile, launch).seconds)
        for step in range(1, 301)
    )
    assert float(run.decode.seconds) == pytest.approx(one_by_one, rel=1e-3)


def test_a_prompt_without_an_image_has_no_vision(profile):
    run = run_latency(SHORT, Workload(None, None, 50), USUAL, profile)
    assert (run.vision.seconds, run.vision.low, run.vision.high) == (0, 0, 0)
    assert run.time_to_first_token.seconds == run.prefill.seconds


@pytest.mark.parametrize("launch", ["graph", "eager"])
@pytest.mark.parametrize("grid", [None, Grid(2, 3)], ids=["one view", "2x3"])
def test_shares_of_a_run_add_up_to_its_stages(profile, launch, grid):
    page = Workload(GUNDAM, grid, 10, 100)
    run, parts = (time(SHORT, page, USUAL, profile, launch) for time in (run_latency, run_shares))
    for stage in STAGES:
        members = getattr(parts, stage)
        assert sum(one.seconds for one in members) == pytest.approx(float(getattr(run, stage).seconds), rel=1e-9)
        assert {one.bound for one in members} <= {*BOUNDS}


def test_a_measured_site_overrides_its_class(profile):
    """The sample takes twice as long as the formula; 6 % of the class is not its error."""
    op = Op("lm_head", "linear", 1_000_000, 0, 1_000, 2_000, 2_000, site="decoder.LMHead.lm_head")
    known = op_times(
        [op],
        Profile(
            profile.machine,
            profile.models,
            GPU,
            "",
            {"decoder.LMHead.lm_head": profile.sites["decoder.LMHead.lm_head 129280x1280"]},
        ),
    )
    unknown = op_times([op], Profile(profile.machine, profile.models, GPU, ""))
    assert float(known[0].seconds) == pytest.approx(2 * float(unknown[0].seconds))
    assert (known[0].error, known[0].measured) == (0.05, True)
    assert (unknown[0].error, unknown[0].measured) == (profile.models["gemm"].error, False)


@pytest.mark.parametrize(
    ("flops", "moved", "bound"),
    [
        pytest.param(10**12, 10, "compute", id="a large product"),
        pytest.param(10, 10**10, "memory", id="many bytes"),
        pytest.param(10, 10, "fixed", id="next to nothing"),
    ],
)
def test_what_bounds_an_op(profile, flops, moved, bound):
    op = Op("lm_head", "linear", flops, 0, moved, 0, 0)
    assert str(op_times([op], profile)[0].bound) == bound


def test_a_class_that_was_not_calibrated_is_named(profile):
    bare = Profile(profile.machine, {"elementwise": profile.models["elementwise"]}, GPU, "calibrated, p.json")
    with pytest.raises(ProfileError) as caught:
        op_times([Op("q_proj", "linear", site="llama.q_proj")], bare)
    said = "every calibration of this model has it: calibrate anew"
    assert str(caught.value) == f"calibrated, p.json: models: has no gemm, which llama.q_proj is; {said}"


@pytest.mark.parametrize(
    ("kind", "site"),
    [
        pytest.param("attention", "llama.LlamaAttention.sdpa", id="attention"),
        pytest.param("biased_attention", "vision.Attention.sdpa", id="SAM's"),
    ],
)
def test_a_fused_attention_that_was_not_calibrated_is_one_of_eager(profile, kind, site):
    """Eager attention is made of matmuls and a softmax, which any calibration has."""
    bare = Profile(profile.machine, {"gemm": profile.models["gemm"]}, GPU, "calibrated, p.json")
    with pytest.raises(ProfileError) as caught:
        op_times([Op("sdpa", "attention", site=site)], bare)
    said = "eager attention has none: calibrate with --attention sdpa or flash, or predict --attention eager"
    assert str(caught.value) == f"calibrated, p.json: models: has no {kind}, which {site} is; {said}"


def test_beyond_samples_that_contradict_each_other_a_time_stays_within_their_bounds(profile):
    """Neighbours 1e9 times too slow and too fast: the steep cones between them add up to more than either."""
    sizes = [10**power for power in range(1, 15)]
    slow = [Sample(size, size, size, 1.0, 1e9) for size in sizes]
    fast = [Sample(size + size // 10 + 1, size, size, 1.0, 1e-9) for size in sizes]
    site = Site((*slow, *fast), 0.1)
    flops = np.array([1, 10**17])  # to either side, where all cones rise or fall together
    op = Op("mul", "pointwise", flops, 0, 10**7, 10**7, 0, site="made.Up.mul")
    assert np.abs(site.log_ratio.at(features(flops, 10**7, 10**7))).max() > 2 * np.log(1e9)
    sure, unsure = (replace(profile, sites=sites).time(op, 2).seconds for sites in ({}, {"made.Up.mul": site}))
    assert (np.abs(np.log(unsure / sure)) <= np.log(1e9) + 1e-9).all()
