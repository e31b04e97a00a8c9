"""docs/latency.md: its words and its figures are those that the command has. tests/docs runs its commands."""

import re
from pathlib import Path

from dsocr_cost.latency import BOUNDS, LAUNCHES
from pytest_dsocr.cli.calibration_text import BUSY, UNSTEADY

PATH = Path(__file__).parents[2] / "docs" / "latency.md"
PAGE = PATH.read_text(encoding="utf-8")


def test_the_page_has_every_bound_and_every_launch():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [*BOUNDS]
    assert sorted(re.findall(r"^- `--launch (\w+)`", PAGE, re.MULTILINE)) == sorted(LAUNCHES)


def test_the_page_says_when_a_calibration_warns():
    assert f"more than {BUSY:.0%}".replace("%", " %") in PAGE
    assert f"more than {UNSTEADY:.0%}".replace("%", " %") in PAGE
