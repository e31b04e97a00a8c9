"""``dsocr roofline``: its figures are those of the breakdown, its picture is one, its refusals are one line."""

import pytest

from dsocr_cost import MODES, DeepseekOCRConfig, Execution, Grid, Workload
from dsocr_cost.efficiency import Machine
from dsocr_cost.latency import run_shares
from pytest_dsocr.cli.breakdown import breakdown
from pytest_dsocr.cli.roofline_text import dots_of
from pytest_dsocr.report.roofline import Dot, draw_roofline, roof


@pytest.fixture
def roofline(run, profile, monkeypatch):
    """Run it on the made-up machine, on a terminal that is wide enough."""
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: run("roofline", "--profile", profile, *arguments)


def rows(text):
    """The lines of the table by stage and layer; a figure and its unit are two words."""
    lines = [line.split() for line in text.splitlines() if line.startswith(("vision ", "prefill ", "decode "))]
    return {(words[0], words[1]): words[2:] for words in lines}


@pytest.mark.parametrize("launch", ["eager", "graph"])
def test_time_flops_and_bytes_add_up_to_the_stages(cost, profile, bench, launch):
    page, config, execution = Workload(MODES["gundam"], Grid(2, 3), 10, 100), DeepseekOCRConfig(), Execution()
    shares = run_shares(config, page, execution, bench, launch)
    dots = dots_of(breakdown(page, "op", config, execution, shares))
    stages = cost("--grid", "2x3", "--profile", profile, "--launch", launch)["stages"]
    for stage in ("vision", "prefill", "decode"):
        members = [dot for dot in dots if dot.stage == stage]
        assert sum(dot.seconds for dot in members) == pytest.approx(stages[stage]["latency_s"])
        assert sum(dot.flops for dot in members) == stages[stage]["tensor_flops"] + stages[stage]["cuda_flops"]
        assert sum(dot.io_bytes for dot in members) == stages[stage]["io_bytes"]
        assert [dot.seconds for dot in members] == sorted((dot.seconds for dot in members), reverse=True)


def test_the_table_by_hand(roofline):
    """The LM head of a decode step: 2 x 1280 x 129,280 FLOPs over its weights, 2 bytes an element, and little else."""
    flops, weights = 2 * 1280 * 129_280, 2 * 1280 * 129_280
    moved = weights + 2 * 1280 + 2 * 129_280
    seconds = 2e-6 + ((flops / 1e14 / 0.7) ** 2 + ((weights / 1e12 + 2 * 130_560 / 4e12) / 0.8) ** 2) ** 0.5
    words = rows(roofline("--grid", "2x3", "--launch", "graph").stdout)["decode", "LMHead"]
    assert words[:2] == [f"{100 * flops / 1e9:.2f}", "GFLOP"]
    assert float(words[4]) == pytest.approx(flops / moved, abs=1e-3)
    assert float(words[5]) == pytest.approx(100 * seconds * 1e3, rel=1e-3)
    assert float(words[8]) == pytest.approx(flops / seconds / 1e12, rel=1e-2)
    assert words[-1] == "memory"


def test_it_says_what_ran_and_where_it_comes_from(roofline, profile):
    said = roofline("--grid", "2x3", "--launch", "graph").stdout
    assert said.startswith("gundam 2x3, 10 text tokens, 100 decode steps, batch 1, transformers, sdpa attention")
    assert "1,000 GB/s from memory (the roofs meet at 100 FLOP/byte)" in " ".join(said.split())
    assert f"times: calibrated, {profile}" in " ".join(said.split())


def test_a_narrow_terminal_says_what_it_leaves_out(run, profile):
    result = run("roofline", "--profile", profile)
    lines = result.stdout.splitlines()
    assert max(len(line) for line in lines if str(profile) not in line) <= 80
    assert lines[-1].startswith("left out for the width: ")


@pytest.mark.parametrize("ending", ["svg", "png", "PNG"])
def test_it_draws_one_picture(roofline, tmp_path, ending):
    path = tmp_path / f"page.{ending}"
    assert roofline("--grid", "2x3", "-o", path).exit_code == 0
    assert path.read_bytes().startswith({"svg": b"<?xml", "png": b"\x89PNG"}[ending.lower()])
    assert {one.name for one in tmp_path.iterdir()} == {path.name, "bench.json"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param((), "--device, --profile: got none of them, allowed is one", id="no machine"),
        pytest.param(
            ("-o", "page.pdf"), "--output: got page.pdf, allowed is a file that ends in .svg or .png", id="pdf"
        ),
        pytest.param(("-o", "missing/page.svg"), "/missing/page.svg: cannot be written", id="no folder"),
        pytest.param(("--batch", 10**17), "lower --batch", id="counts that leave int64"),
        pytest.param(("--grid", "2x3", "--mode", "tiny"), "--grid: got 2x3 with mode tiny", id="no crops"),
    ],
)
def test_bad_input_is_one_line(run, profile, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    machine = ("--profile", profile) if arguments else ()
    result = run("roofline", *machine, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr.splitlines()[-1]
    assert [one.name for one in tmp_path.iterdir()] == ["bench.json"]


def test_without_matplotlib_the_table_is_there_and_a_picture_is_refused(roofline, monkeypatch, tmp_path):
    monkeypatch.setattr("pytest_dsocr.cli.outputs.find_spec", lambda name: None)
    assert roofline().exit_code == 0
    result = roofline("-o", tmp_path / "page.svg")
    assert result.exit_code == 2
    assert result.stderr == "Error: --output: needs matplotlib: pip install matplotlib\n"


def test_the_roof_by_hand():
    machine = Machine("Bench", {2: 1e14, 4: 5e13}, 1e12, 0, 1e12)
    assert [roof(machine, intensity, 2) for intensity in (1, 99, 101)] == [1e12, 9.9e13, 1e14]
    assert roof(machine, 101, 4) == 5e13


def test_numbers_stand_apart_and_every_one_is_named(bench):
    """Ten layers in nearly one place: ten numbers, none over another, ten names below."""
    dots = [Dot("decode", f"Layer{at}", 10**9 + at, 10**8, 1e-3 * (1 + at / 10), "memory") for at in range(10)]
    dots.append(Dot("decode", "Tiny", 10**6, 10**6, 1e-6, "fixed"))
    figure = draw_roofline(dots, bench.machine, "made up")
    panel, names = figure.subfigs[0].axes
    assert [text.get_text() for text in panel.texts] == [str(number) for number in range(1, 11)]
    points = 72 / figure.dpi
    places = [panel.transData.transform(text.xy) * points + text.xyann for text in panel.texts]
    for at, (x, y) in enumerate(places):
        assert all(abs(x - left) > 8 or abs(y - up) > 8 for left, up in places[:at])
    (listed,) = (text.get_text() for text in names.texts)
    assert [line.split()[1] for line in listed.splitlines()[:10]] == [f"Layer{at}" for at in reversed(range(10))]
    assert listed.splitlines()[10].split()[:2] == ["1", "more"]
