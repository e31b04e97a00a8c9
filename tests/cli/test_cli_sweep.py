"""``dsocr sweep``: its points, its table, its files."""

import csv
import json

import pytest

from dsocr_cost import DeepseekOCRConfig, Execution
from dsocr_cost.session import DeepseekOCRModel
from dsocr_cost.workload import MODEL_GRIDS, MODES, Grid, Workload
from pytest_dsocr.sweep_points import COUNTS, STAGES, context_points, grid_points


def counted(workload, execution):
    stages = DeepseekOCRModel(DeepseekOCRConfig(), execution).run(workload)._asdict()
    return {name: {count: getattr(stage, count) for count in COUNTS} for name, stage in stages.items()}


def test_a_point_of_a_grid_is_what_the_model_says_of_it():
    grids = [Grid(2, 3), Grid(15, 26), Grid(1, 2)]
    points = grid_points(grids, text_tokens=7, decode_steps=5, batch=2, execution=Execution("vendor", "eager"))
    assert [point.label for point in points] == ["2x3", "15x26", "1x2"]
    for grid, point in zip(grids, points, strict=True):
        workload = Workload(MODES["gundam"], grid, 7, 5, 2)
        assert point.stages == counted(workload, Execution("vendor", "eager"))
        tokens = 273 + 10 * grid.high * (10 * grid.wide + 1)
        assert (point.image_tokens, point.context) == (tokens, tokens + 7)
        assert (point.text_tokens, point.decode_steps, point.batch) == (7, 5, 2)


def test_a_point_of_a_context_has_no_image():
    (one, other) = context_points([256, 8192], decode_steps=16)
    assert (one.label, one.image_tokens, one.context, one.text_tokens) == ("256", 0, 256, 256)
    assert other.stages == counted(Workload(None, None, 8192, 16), Execution())
    assert other.stages["vision"]["tensor_flops"] == 0


def test_counts_are_ints_that_json_writes_in_full():
    (point,) = grid_points([Grid(2, 3)])
    kinds = {type(count) for stage in point.stages.values() for count in stage.values()}
    assert kinds <= {int, type(None)}
    assert point.stages["total"]["tensor_flops"] == 4_676_458_385_408


def test_the_csv_has_a_row_a_point_with_every_count_in_full(run, tmp_path):
    result = run("sweep", "--grids", "model,15x26", "--csv", tmp_path / "grids.csv")
    assert result.exit_code == 0
    with (tmp_path / "grids.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    sizes = ["label", "image_tokens", "context", "text_tokens", "decode_steps", "batch"]
    assert [*rows["2x3"]] == sizes + [f"{stage}_{count}" for stage in STAGES for count in COUNTS]
    assert rows["2x3"]["total_tensor_flops"] == "4676458385408"
    assert rows["15x26"]["image_tokens"] == str(273 + 150 * 261)
    assert [*rows] == [*(str(grid) for grid in MODEL_GRIDS), "15x26"]


def test_the_json_has_every_count_of_every_point(run, tmp_path):
    arguments = ("--context", "256:1024:256", "--batch", 8, "--decode-steps", 1, "--dtype", "float32")
    result = run("sweep", *arguments, "--json", tmp_path / "lengths.json")
    assert result.exit_code == 0
    document = json.loads((tmp_path / "lengths.json").read_text(encoding="utf-8"))
    points = document.pop("points")
    assert document == {
        "schema": 1,
        "mode": None,
        "dtype": "float32",
        "implementation": "transformers",
        "attention": "sdpa",
    }
    assert [point["context"] for point in points] == [256, 512, 768, 1024]
    assert points[-1]["stages"] == counted(Workload(None, None, 1024, 1, 8), Execution(dtype="float32"))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--context", "256:768:256", "--context", "900"), id="given twice"),
        pytest.param(("--context", "256:768:256", "900"), id="one behind the other"),
        pytest.param(("--context", "256", "512", "--batch", "1", "--context=768", "900", "512"), id="in both ways"),
    ],
)
def test_contexts_add_up_in_their_order(run, arguments):
    result = run("sweep", *arguments)
    assert [line.split()[0] for line in result.stdout.splitlines()[3:]] == ["256", "512", "768", "900"]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--grids", "2x3,3x2,2x3"), id="with commas"),
        pytest.param(("--grids", "2x3", "3x2"), id="with spaces"),
        pytest.param(("--grids=2x3", "--grids", "3x2"), id="given twice"),
    ],
)
def test_grids_add_up_in_their_order(run, arguments):
    result = run("sweep", *arguments)
    assert [line.split()[0] for line in result.stdout.splitlines()[3:]] == ["2x3", "3x2"]


def test_the_table_says_what_the_published_tables_say(run):
    result = run("sweep", "--grids", "2x3")
    cells = result.stdout.splitlines()[-1].split()
    assert cells[:8] == ["2x3", "893", "903", "3.469", "1.087", "0.121", "4.676", "0.062"]


@pytest.mark.parametrize("columns", [80, 160])
def test_the_table_fits_the_terminal(run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("sweep", "--grids", "published").stdout.splitlines()
    assert len(lines) == 3 + 90
    assert max(map(len, lines)) <= columns


def test_points_beyond_the_model_are_one_warning(run):
    result = run("sweep", "--context", "8000", "8092", "8093", "9000")
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: in 2 of 4 points, at most: context and decode steps take 9,100 positions")


def test_plots_are_drawn_from_the_points_into_a_new_folder(run, monkeypatch, tmp_path):
    drawn = []
    plots = pytest.importorskip("pytest_dsocr.report.plots")
    monkeypatch.setattr(plots, "sweep_plots", lambda *given, **named: drawn.append((*given, named)))
    result = run("sweep", "--grids", "2x3", "--plots", tmp_path / "new" / "figures")
    assert result.exit_code == 0
    assert drawn == [(grid_points([Grid(2, 3)]), tmp_path / "new" / "figures", {"execution": Execution()})]
    assert (tmp_path / "new" / "figures").is_dir()


def test_two_outputs_into_one_file_are_refused(run, tmp_path):
    result = run("sweep", "--grids", "2x3", "--csv", tmp_path / "out", "--json", tmp_path / "out")
    assert result.exit_code == 2
    assert "--json: got" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "drawn"),
    [
        pytest.param(("--grids", "2x3"), True, id="a published grid, as it was measured"),
        pytest.param(("--grids", "2x3", "--batch", "2"), False, id="another batch"),
        pytest.param(("--grids", "9x9"), False, id="a grid that was not measured"),
        pytest.param(("--context", "256"), False, id="no image"),
    ],
)
def test_what_was_measured_is_drawn_beside_the_prediction(run, tmp_path, arguments, drawn):
    assert run("sweep", *arguments, "--plots", tmp_path).exit_code == 0
    assert (tmp_path / "predicted_and_measured.png").exists() is drawn
