"""Vision end to end: SAM, CLIP and projector over every view of a page, against the assembled modules.

Figures in the docstrings are by hand, for one page.
"""

import pytest

from dsocr_cost.model import Vision
from dsocr_cost.workload import MODES
from pytest_dsocr import Case

GUNDAM, GUNDAM_M = MODES["gundam"], MODES["gundam-m"]


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


@pytest.mark.params
def test_vision_params(dsocr):
    """SAM 95,569,152, CLIP 303,177,728, projector 2,622,720, newline and separator 2 * 1,280."""
    dsocr.compare(Vision(dsocr.config, GUNDAM, cropped=True), Case("whole"), metric="params")
