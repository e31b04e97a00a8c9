"""What the tests of the documentation share: for each page a folder in which it is played, once in a run."""

import pytest
from stage import Stage

from dsocr_cost.efficiency import CLASSES, Machine, Smooth
from dsocr_cost.profile import Host, Profile
from dsocr_cost.profile_json import Calibration


def a_calibrated_machine(folder):
    """Write what ``dsocr calibrate -o bench.json`` makes of a made-up machine, within the minutes that it takes."""
    profile = Profile(
        Machine("Bench 16", {2: 1e14, 4: 5e13}, 1e12, 40_000_000, 4e12, 80),
        {kind: Smooth(2e-6, 0.7, 0.8, 2.0, 0.1) for kind in CLASSES},
        Host(dispatch_s=5e-6, latency_s=3e-6, overlaps=True, error=0.2),
        "made up",
    )
    measured = {"seconds": 100.0, "execution": {"dtype": "bfloat16", "attention": "sdpa"}}
    device = {"type": "cuda", "name": "Bench 16"}
    (folder / "bench.json").write_text(Calibration(profile, device, {}, measured).to_json(), encoding="utf-8")


PREPARED = {"docs/latency.md": a_calibrated_machine}
"""What is there before a page begins."""


@pytest.fixture(scope="session")
def stages():
    """The pages that are being played."""
    return {}


@pytest.fixture
def stage(stages, tmp_path_factory):
    """Play a page, in a folder that all tests of this process share."""

    def of(page):
        if page not in stages:
            folder = tmp_path_factory.mktemp("docs") / page.replace("/", "-").removesuffix(".md")
            stages[page] = Stage(page, folder, PREPARED.get(page, lambda folder: None))
        return stages[page]

    return of
