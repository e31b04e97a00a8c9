"""docs/latency.md: each of its commands runs, and prints what is shown where something is; its figures are ours."""

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dsocr_cost.latency import BOUNDS, LAUNCHES
from dsocr_cost.profile_json import read_profile
from pytest_dsocr.calibrate import calibration as measuring
from pytest_dsocr.cli.calibration_text import BUSY, UNSTEADY

PATH = Path(__file__).parents[2] / "docs" / "latency.md"
PAGE = PATH.read_text(encoding="utf-8")
COMMANDS = [
    (command, shown)
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for command, shown in re.findall(r"^\$ dsocr (.+)\n((?:[^$].*\n)*)", block, re.MULTILINE)
]


@pytest.fixture
def machine(profile, bench, tmp_path, monkeypatch):
    """A folder with the page's profile, where measuring takes an instant and every card is the made-up one."""
    measured = {"seconds": 1.0, "runs": 5, "kernels": 9, "repeatability": 0.01, "contention": 0.0}
    ready = read_profile(profile)
    monkeypatch.setattr(measuring, "calibrate", lambda *_, **__: type(ready)(bench, ready.device, {}, measured))
    architecture = ModuleType("dsocr_cost.architecture")
    architecture.profile_of = lambda device, peak_flops_per_s=None: bench
    monkeypatch.setitem(sys.modules, "dsocr_cost.architecture", architecture)
    monkeypatch.chdir(tmp_path)


def test_the_page_has_commands():
    assert {command.partition(" ")[0] for command, _ in COMMANDS} == {"calibrate", "cost", "roofline", "sweep"}


@pytest.mark.parametrize(("command", "shown"), COMMANDS, ids=[command for command, _ in COMMANDS])
@pytest.mark.usefixtures("machine")
def test_what_a_command_prints_is_what_is_shown(run, monkeypatch, command, shown):
    monkeypatch.setenv("COLUMNS", "120")
    result = run(*shlex.split(command))
    assert result.exit_code == 0, result.stderr
    assert result.stdout
    if shown:
        assert result.stdout == shown


def test_the_page_has_every_bound_and_every_launch():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [*BOUNDS]
    assert sorted(re.findall(r"^- `--launch (\w+)`", PAGE, re.MULTILINE)) == sorted(LAUNCHES)


def test_the_page_says_when_a_calibration_warns():
    assert f"more than {BUSY:.0%}".replace("%", " %") in PAGE
    assert f"more than {UNSTEADY:.0%}".replace("%", " %") in PAGE


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)[^)]*\)", PAGE))
def test_the_links_lead_somewhere(link):
    assert (PATH.parent / link).exists()
