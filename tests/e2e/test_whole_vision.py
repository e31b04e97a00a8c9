"""Vision end to end: SAM, CLIP and projector over every view of a page, against the assembled modules.

Figures in the docstrings are by hand, for one page.
"""

import pytest

from dsocr_cost.model import Vision
from dsocr_cost.workload import MODES
from pytest_dsocr import Case

GUNDAM, GUNDAM_M = MODES["gundam"], MODES["gundam-m"]
TRAFFIC = ("cuda_flops", "io_bytes", "launches", "compulsory_bytes")
MEMORY = ("activation_bytes", "peak_launch", "allocated_bytes")


@pytest.mark.flops
@pytest.mark.parametrize("batch", [1, 2], ids=["one page", "two pages"])
@pytest.mark.parametrize("mode", MODES.values(), ids=list(MODES))
def test_a_view_without_crops(dsocr, mode, batch):
    """Base: SAM 976,909,172,736, CLIP 161,715,683,328 and the projector 1,342,177,280."""
    case = Case(f"{mode.name}, batch {batch}", batch=batch)
    dsocr.compare(Vision(dsocr.config, mode, cropped=False), case)


@pytest.mark.flops
@pytest.mark.parametrize(
    "case",
    [
        Case("gundam, 2x3 crops", batch=1, crops_high=2, crops_wide=3),
        Case("gundam, 3x2 crops", batch=1, crops_high=3, crops_wide=2),
        Case("gundam, 1x9 crops", batch=1, crops_high=1, crops_wide=9),
        Case("gundam, two pages of 2x3 crops", batch=2, crops_high=2, crops_wide=3),
        Case("gundam, eight pages of 1x2 crops", batch=8, crops_high=1, crops_wide=2),
    ],
    ids=str,
)
def test_crops_of_640_and_a_view_of_1024(dsocr, case):
    """2x3: the six crops as one batch, SAM 1,953,724,760,064, CLIP 372,028,538,880, projector 3,145,728,000."""
    dsocr.compare(Vision(dsocr.config, GUNDAM, cropped=True), case)


@pytest.mark.flops
@pytest.mark.parametrize(
    "case",
    [
        Case("gundam-m, 2x3 crops", batch=1, crops_high=2, crops_wide=3),
        Case("gundam-m, two pages of 1x2 crops", batch=2, crops_high=1, crops_wide=2),
    ],
    ids=str,
)
def test_crops_of_1024_and_a_view_of_1280(dsocr, case):
    dsocr.compare(Vision(dsocr.config, GUNDAM_M, cropped=True), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize("mode", MODES.values(), ids=list(MODES))
def test_what_a_view_moves_and_holds(dsocr, mode):
    """Base: 1 x 12 heads x 4096 x 4096 biases of 2 bytes, twice; 6,291,456 bytes of pixels, 5 such maps of SAM."""
    case = Case(mode.name, batch=1)
    dsocr.compare_all(Vision(dsocr.config, mode, cropped=False), case, metrics=(*TRAFFIC, *MEMORY))


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.memory
@pytest.mark.parametrize(
    ("mode", "case"),
    [
        pytest.param(GUNDAM, Case("gundam, 2x3 crops", batch=1, crops_high=2, crops_wide=3), id="2x3"),
        pytest.param(GUNDAM, Case("gundam, two of 1x2 crops", batch=2, crops_high=1, crops_wide=2), id="two of 1x2"),
        pytest.param(GUNDAM, Case("gundam, 2x1 crops", batch=1, crops_high=2, crops_wide=1), id="2x1"),
        pytest.param(GUNDAM_M, Case("gundam-m, 1x2 crops", batch=1, crops_high=1, crops_wide=2), id="gundam-m"),
    ],
)
def test_what_crops_and_a_view_move_and_hold(dsocr, mode, case):
    """1x2: the global view is the peak, beside the crops' features; from 4 crops of 640 on, the crops are.

    Crops in one column, as 2x1, stand in the order of the page already.
    """
    dsocr.compare_all(Vision(dsocr.config, mode, cropped=True), case, metrics=(*TRAFFIC, *MEMORY))


@pytest.mark.memory
def test_vision_weight_bytes(dsocr):
    """401,372,160 parameters of 2 bytes."""
    dsocr.compare(Vision(dsocr.config, GUNDAM, cropped=True), Case("whole"), metric="weight_bytes")


@pytest.mark.params
def test_vision_params(dsocr):
    """SAM 95,569,152, CLIP 303,177,728, projector 2,622,720, newline and separator 2 * 1,280."""
    dsocr.compare(Vision(dsocr.config, GUNDAM, cropped=True), Case("whole"), metric="params")
