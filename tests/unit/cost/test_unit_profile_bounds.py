"""Absurd figures under a seal that fits: refused in one line, or a time comes out that is a number."""

import hashlib
import json
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import MODES, DeepseekOCRConfig, Execution, Grid, Matmul, Workload
from dsocr_cost.efficiency import CLASSES, TILED_CLASSES, Machine, Smooth, kernel_class
from dsocr_cost.errors import ProfileError
from dsocr_cost.kernels import Tensor, conv2d, fused_attention, grouped_linear, linear, pointwise
from dsocr_cost.latency import LAUNCHES, latency, op_times, run_latency
from dsocr_cost.profile import Host, Profile, Sample, Site, site_key
from dsocr_cost.profile_json import Calibration, read_profile
from dsocr_cost.tiled_gemm import TiledGemm

KERNELS = [
    linear("gemm", 2, 5, 8, 16),
    linear("large", 2, np.array([1, 10**6]), 1280, 129280),
    grouped_linear("grouped", 2, 12, 8, 16, 3, Tensor(3, 4)),
    conv2d("convolution", 2, 1, (64, 64), (16, 16), (3, 24), 4, bias=True),
    fused_attention("attention", 2, Matmul(4, 5, 7, 16), 4 * 7 * 16),
    pointwise("elementwise", Tensor(10**9, 2), Tensor(10**9, 2)),
]
OPS = [replace(op, site=f"made.Up.{op.name}") for op in KERNELS]
OPS += [replace(OPS[4], site="vision.Attention.sdpa")]
SMOOTH, TILED = Smooth(1e-6, 0.7, 0.8, 2.0, 0.1), TiledGemm(2e-6, 0.8, 0.7, 5e11, 0.1, 0.4, 2e-6, 1e-10, 0.1)
SAMPLES = (Sample(100, 20, 30, 2e-5, 2.0), Sample(8000, 20, 2400, 3e-5, 1.5), Sample(800, 300, 240, 3e-5, 0.5))
DOCUMENT = json.loads(
    Calibration(
        Profile(
            Machine("Bench", {2: 1e14, 4: 5e13}, 1e12, 40_000_000, 4e12, 80),
            {kind: TILED if kind in TILED_CLASSES else SMOOTH for kind in CLASSES},
            Host(5e-6, 3e-6, True, 0.2),
            "",
            {site_key(op): Site(SAMPLES, 0.05) for op in OPS},
        ),
        {"type": "cuda", "name": "Bench"},
    ).to_json()
)
FIGURES = ("machine", "models", "host", "sites")


def places(value, keys=()):
    """Go through the numbers of a document, by their keys."""
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    else:
        return [keys] if isinstance(value, int | float) and not isinstance(value, bool) else []
    return [place for key, one in inside for place in places(one, (*keys, key))]


PLACES = [place for name in FIGURES for place in places(DOCUMENT[name], (name,))]


def changed(numbers):
    """Put numbers at their places, and a seal that fits."""
    content = deepcopy(DOCUMENT)
    for (*above, last), number in numbers.items():
        inside = content
        for key in above:
            inside = inside[key]
        inside[last] = number
    bare = {key: value for key, value in content.items() if key != "sha256"}
    return json.dumps(bare | {"sha256": hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()})


def times(profile):
    for launch in LAUNCHES:
        made = latency(op_times(OPS, profile), profile, launch)
        yield from (made.low, made.seconds, made.high)


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**400), 10**400),
    st.integers(0, 10**18),
    st.floats(1e-9, 1e9),
    st.sampled_from([0, 1, 1e-300, 1e-12, 1e-9, 1e-4, 1e-3, 100, 1e5, 1e6, 1e9, 10**18, 1e18, 1e30, 10**400]),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("profiles") / "bench.json"


def test_the_document_has_every_class_of_kernels_and_a_site_for_each():
    """6 figures of the machine, 3 of the host, 9 of a form of tiles, 5 of another; 3 samples of 5, and an error."""
    assert {kernel_class(op) for op in OPS} == set(CLASSES)
    assert len(PLACES) == 6 + 3 + 3 * 9 + 3 * 5 + len(OPS) * (3 * 5 + 1)


@given(numbers=st.dictionaries(st.sampled_from(PLACES), NUMBERS, min_size=1, max_size=4))
def test_any_number_in_any_field_is_refused_in_one_line_or_gives_times(path, numbers):
    path.write_text(changed(numbers), encoding="utf-8")
    try:
        profile = read_profile(path).profile
    except ProfileError as error:
        said = str(error)
        assert said.startswith(f"{path}: ")
        assert "\n" not in said
        assert ": got " in said
        assert ", allowed is " in said
        return
    for time in times(profile):
        assert np.isfinite(time).all()
        assert (np.asarray(time) >= 0).all()


ENDS = {
    "flops_per_s": (1e6, 1e18),
    "bandwidth_bytes_per_s": (1e6, 1e18),
    "cache_bandwidth_bytes_per_s": (1e6, 1e18),
    "load_bytes_per_s": (1e6, 1e18),
    "cache_bytes": (0, 10**18),
    "sms": (1, 10**6),
    "compute": (1e-4, 100),
    "bandwidth": (1e-4, 100),
    "sharpness": (1, 100),
    "kept_weights": (0, 100),
    "kept_inputs": (0, 100),
    "error": (0, 1e9),
}
"""What the module promises; all others are times, from 0 to 1e5 s."""
SAMPLE_ENDS = ((0, 10**18), (0, 10**18), (0, 10**18), (1e-12, 1e5), (1e-9, 1e9))


def ends(place):
    if "samples" in place:
        return SAMPLE_ENDS[place[-1]]
    return ENDS.get(place[-1], ENDS.get(place[-2], (0, 1e5)))


def beyond(place):
    """A little less than the least, and a little more than the most; of whole numbers the next ones."""
    least, most = ends(place)
    return (
        least - 1 if isinstance(least, int) else least * 0.99,
        most + 1 if isinstance(most, int) else most * 1.01,
    )


# of the sites, which are alike, the last one
@pytest.mark.parametrize("place", [*PLACES[:51], *PLACES[-16:]], ids=lambda place: ".".join(map(str, place)))
def test_both_ends_are_allowed_and_nothing_beyond(path, place):
    for end in ends(place):
        path.write_text(changed({place: end}), encoding="utf-8")
        assert read_profile(path)
    for outside in beyond(place):
        path.write_text(changed({place: outside}), encoding="utf-8")
        with pytest.raises(ProfileError, match=r": got .*, allowed is a (whole )?number from "):
            read_profile(path)


@given(high=st.lists(st.booleans(), min_size=len(PLACES), max_size=len(PLACES)))
def test_all_figures_at_their_ends_together_give_times(path, high):
    path.write_text(changed({place: ends(place)[up] for place, up in zip(PLACES, high, strict=True)}), encoding="utf-8")
    for time in times(read_profile(path).profile):
        assert np.isfinite(time).all()


@pytest.mark.parametrize("up", [False, True], ids=["least", "most"])
@pytest.mark.parametrize("launch", LAUNCHES)
def test_a_page_takes_a_time_at_either_end(path, up, launch):
    path.write_text(changed({place: ends(place)[up] for place in PLACES}), encoding="utf-8")
    page = Workload(MODES["gundam"], Grid(3, 2), text_tokens=10, decode_steps=100)
    total = run_latency(DeepseekOCRConfig(), page, Execution(), read_profile(path).profile, launch).total
    assert 0 <= total.low <= total.seconds <= total.high < np.inf
