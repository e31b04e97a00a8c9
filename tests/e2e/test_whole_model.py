"""A whole run: pixels and text through vision, one prefill and greedy decode over a real KV cache, as one module."""

import pytest

from dsocr_cost import ClipConfig, DecoderConfig, DeepseekOCRConfig, ProjectorConfig, SamConfig
from dsocr_cost.model import DeepseekOCR
from dsocr_cost.workload import MODES, Mode
from pytest_dsocr import Case

GUNDAM = MODES["gundam"]
TRAFFIC = ("cuda_flops", "io_bytes", "launches")
MEMORY = ("kv_cache_bytes", "activation_bytes", "peak_launch", "allocated_bytes")


@pytest.mark.flops
def test_a_page_of_one_view(dsocr):
    """Vision 1,139,967,033,344, a prefill of 283 329,858,641,920, then steps over 284, 285 and 286 keys."""
    case = Case("base, 3 decoded", batch=1, text_tokens=10, decode_steps=3)
    dsocr.compare(DeepseekOCR(dsocr.config, MODES["base"], cropped=False), case)


@pytest.mark.flops
@pytest.mark.parametrize(
    "case",
    [
        Case("gundam, 2x3 crops, 3 decoded", batch=1, text_tokens=10, decode_steps=3, crops_high=2, crops_wide=3),
        Case("gundam, two pages of 1x2", batch=2, text_tokens=37, decode_steps=1, crops_high=1, crops_wide=2),
    ],
    ids=str,
)
def test_pages_with_crops(dsocr, case):
    """2x3: 273 + 20 * 31 = 893 image tokens, so a prefill of 903, then steps over 904, 905 and 906 keys."""
    dsocr.compare(DeepseekOCR(dsocr.config, GUNDAM, cropped=True), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize(
    ("mode", "case"),
    [
        pytest.param(MODES["tiny"], Case("tiny, 2 decoded", batch=1, text_tokens=5, decode_steps=2), id="tiny"),
        pytest.param(MODES["base"], Case("base, two pages", batch=2, text_tokens=9, decode_steps=1), id="base"),
        pytest.param(
            GUNDAM,
            Case("2x3 crops, 2 decoded", batch=1, text_tokens=10, decode_steps=2, crops_high=2, crops_wide=3),
            id="2x3",
        ),
    ],
)
def test_what_a_run_moves_and_holds(dsocr, mode, case):
    """The pixels stay until the run is over; the peak is SAM's bias or the prefill's logits, whichever is more."""
    cropped = "crops_high" in case.sizes
    dsocr.compare_all(DeepseekOCR(dsocr.config, mode, cropped=cropped), case, metrics=(*TRAFFIC, *MEMORY))


SMALL = DeepseekOCRConfig(
    sam=SamConfig(64, 16, 3, 32, 2, 2, 64, 3, (1,), 24, (40, 80)),
    clip=ClipConfig(28, 14, 3, 80, 1, 5, 96),
    projector=ProjectorConfig(input_dim=160, n_embed=144),
    decoder=DecoderConfig(101, 144, 352, 56, 4, 6, 3, 10, 3, 4),
)
THUMBNAIL = Mode("thumbnail", 64)  # one feature: 3 image tokens


@pytest.mark.memory
@pytest.mark.parametrize(
    "case",
    [
        Case("a long text", batch=2, text_tokens=150, decode_steps=2),
        Case("many steps", batch=4, text_tokens=1, decode_steps=60),
    ],
    ids=str,
)
def test_a_run_whose_peak_is_not_in_vision(dsocr, case):
    """A text of 150 has its peak in the prefill; 60 steps after 4 positions have it in the last one.

    There the cache is 64 positions of 1,152 bytes a page, and a last layer's keys are copied. The pixels stay.
    """
    dsocr.compare_all(DeepseekOCR(SMALL, THUMBNAIL, cropped=False), case, metrics=MEMORY)


@pytest.mark.memory
def test_model_weight_bytes(dsocr):
    """3,336,106,240 parameters of 2 bytes: 6,672,212,480."""
    dsocr.compare(DeepseekOCR(dsocr.config, GUNDAM, cropped=True), Case("whole"), metric="weight_bytes")


@pytest.mark.params
def test_model_params(dsocr):
    """Vision 401,372,160 and decoder 2,934,734,080: 3,336,106,240."""
    dsocr.compare(DeepseekOCR(dsocr.config, GUNDAM, cropped=True), Case("whole"), metric="params")
