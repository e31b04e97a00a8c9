"""``dsocr vram``: its points, its table, its files, what it refuses."""

import csv
import json
from importlib.resources import files

import jsonschema
import pytest

from dsocr_cost.device import find_device

SCHEMA = json.loads(files("pytest_dsocr.cli").joinpath("vram.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def vram(run, tmp_path):
    """Run ``dsocr vram`` on arguments; its JSON, which is what its schema says."""

    def document(*arguments):
        result = run("vram", "--json", tmp_path / "vram.json", *arguments)
        assert result.exit_code == 0, result.output
        read = json.loads((tmp_path / "vram.json").read_text(encoding="utf-8"))
        jsonschema.validate(read, SCHEMA)
        return read

    return document


def test_the_schema_is_one_and_refuses_another_key(vram):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    document = vram("--grids", "2x3")
    document["points"][0]["more"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="as it comes"),
        pytest.param(("--batch", 3, "--attention", "eager", "--dtype", "float32"), id="a batch, eager, float32"),
        pytest.param(("--mode", "gundam-m", "--implementation", "vendor", "--text-tokens", 0), id="gundam-m, vendor"),
    ],
)
def test_a_point_is_what_dsocr_cost_says_of_it(vram, cost, arguments):
    (point,) = vram("--grids", "2x3", "--cuda-context", "1GB", *arguments)["points"]
    document = cost("--grid", "2x3", *arguments)
    vision, prefill, _, total = document["stages"].values()
    for count in ("tensor_flops", "cuda_flops", "io_bytes"):
        assert point[count] == vision[count] + prefill[count]
    for count in ("kv_cache_bytes", "activation_bytes", "weight_bytes"):
        assert point[count] == total[count]
    assert point["vram_bytes"] == total["allocated_bytes"] + 10**9
    assert (point["image_tokens"], point["context"]) == tuple(
        document["workload"][size] for size in ("image_tokens", "context")
    )


def test_the_peak_of_a_large_page_stands_where_its_memory_is_most(vram):
    """Eager scores of 39,433 positions outweigh the vision of 390 crops; those of 903 do not outweigh 6."""
    points = vram("--grids", "2x3,15x26", "--attention", "eager")["points"]
    assert [point["peak_stage"] for point in points] == ["vision", "prefill"]


def test_vram_is_less_than_the_sum_of_the_columns_where_their_peaks_do_not_coincide(vram):
    """In vision there is no KV cache yet."""
    (point,) = vram("--grids", "2x3")["points"]
    assert point["vram_bytes"] == point["weight_bytes"] + point["activation_bytes"]
    assert point["kv_cache_bytes"] == 1003 * 61_440


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--batch", "1,2", "--attention", "sdpa", "eager"), id="with commas and spaces"),
        pytest.param(("--batch", "1,2", "--attention", "SDPA, eager,sdpa"), id="attentions with commas"),
        pytest.param(("--batch", 1, 2, 1, "--attention=sdpa", "--attention", "eager", "sdpa"), id="repeated"),
    ],
)
def test_points_come_by_grid_batch_and_attention_each_once(vram, arguments):
    points = vram("--grids", "2x3", "3x2,2x3", *arguments)["points"]
    assert [(point["grid"], point["batch"], point["attention"]) for point in points] == [
        ([high, wide], batch, attention)
        for high, wide in ((2, 3), (3, 2))
        for batch in (1, 2)
        for attention in ("sdpa", "eager")
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        *(pytest.param(("--mode", mode), id=mode) for mode in ("tiny", "small", "base", "large")),
        pytest.param(("--mode", "base", "--grids", "none", "--batch", 3), id="base, by name, a batch"),
        pytest.param(("--grids", "none"), id="gundam, without crops"),
        pytest.param(("--mode", "gundam-m", "--grids", "NONE"), id="gundam-m, without crops, in capitals"),
    ],
)
def test_a_page_of_one_view_is_what_dsocr_cost_says_of_it(vram, cost, arguments):
    (point,) = vram(*arguments)["points"]
    without_grids = [one for one in arguments if str(one).lower() not in ("--grids", "none")]
    document = cost(*without_grids)
    vision, prefill, _, total = document["stages"].values()
    assert point["grid"] is None
    assert [point[size] for size in ("image_tokens", "context", "batch")] == [
        document["workload"][size] for size in ("image_tokens", "context", "batch")
    ]
    for count in ("tensor_flops", "cuda_flops", "io_bytes"):
        assert point[count] == vision[count] + prefill[count]
    for count in ("kv_cache_bytes", "activation_bytes", "weight_bytes"):
        assert point[count] == total[count]
    assert point["vram_bytes"] == total["allocated_bytes"]


def test_one_view_stands_among_grids_in_the_order_that_was_asked_for(run, vram, tmp_path):
    arguments = ("--grids", "2x3,none", "3x2", "none")
    assert [point["grid"] for point in vram(*arguments, "--csv", tmp_path / "vram.csv")["points"]] == [
        [2, 3],
        None,
        [3, 2],
    ]
    with (tmp_path / "vram.csv").open(newline="", encoding="utf-8") as file:
        assert [row["grid"] for row in csv.DictReader(file)] == ["2x3", "", "3x2"]
    assert [line.partition("  ")[0] for line in run("vram", *arguments).stdout.splitlines()[-3:]] == [
        "2x3",
        "one view",
        "3x2",
    ]


def test_without_grids_they_are_those_of_the_model(vram):
    assert len(vram()["points"]) == 22


def test_fits_says_whether_it_does(vram, run):
    """Of pages on an L4, in gigabytes: room is 24.15 less 0.54 and 0.28; see ``dsocr fit`` for the largest."""
    card = find_device("L4")
    document = vram("--grids", "2x3,12x12", "--device", "L4")
    assert document["card"]["room_bytes"] == card.usable_bytes
    assert {point["cuda_context_bytes"] for point in document["points"]} == {card.cuda_context_bytes}
    assert [point["fits"] for point in document["points"]] == [True, False]
    assert vram("--grids", "2x3")["points"][0]["fits"] is None
    lines = run("vram", "--grids", "2x3,12x12", "--device", "L4").stdout.splitlines()
    assert [line.split()[-1] for line in lines[-2:]] == ["yes", "no"]


def test_the_csv_has_a_row_a_point_with_every_count_in_full(run, vram, tmp_path):
    document = vram("--grids", "2x3,3x3", "--batch", "1,2", "--memory", "9GB", "--csv", tmp_path / "vram.csv")
    with (tmp_path / "vram.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["grid"] for row in rows] == ["2x3", "2x3", "3x3", "3x3"]
    for row, point in zip(rows, document["points"], strict=True):
        assert [*row] == [*point]
        assert {name: row[name] for name in row if name != "grid"} == {
            name: str(value) for name, value in point.items() if name != "grid"
        }


def test_what_is_the_same_everywhere_stands_in_the_heading(run):
    said = run("vram", "--grids", "2x3,3x3", "--cuda-context", "600MiB").stdout.split("\n\n")[0]
    assert " ".join(said.split()) == (
        "gundam, 10 text tokens, decode steps 100, transformers, bfloat16, batch 1, sdpa attention, peak in vision, "
        "weights 6.672 GB, FLOP and I/O of vision and prefill, CUDA context 629.1 MB"
    )


def test_what_differs_is_a_column(run):
    text = run("vram", "--grids", "2x3,15x26", "--batch", "1,2", "--attention", "sdpa", "eager").stdout
    heading, table = text.split("\n\n")
    assert "batch" not in heading
    for line, cells in zip(table.splitlines()[-2:], (["2", "sdpa", "vision"], ["2", "eager", "prefill"]), strict=True):
        assert [cell for cell in line.split() if cell in ("2", "sdpa", "eager", "vision", "prefill")] == cells


@pytest.mark.parametrize("columns", [80, 160])
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="one batch, one attention"),
        pytest.param(("--device", "RTX 5090"), id="a card"),
        pytest.param(("--device", "H200", "--batch", "1,8", "--attention", "sdpa", "eager"), id="all columns"),
    ],
)
def test_the_table_fits_the_terminal(run, monkeypatch, columns, arguments):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("vram", "--grids", "published", *arguments).stdout.splitlines()
    assert max(map(len, lines)) <= columns


def test_points_beyond_the_model_are_one_warning(run):
    result = run("vram", "--grids", "2x3,10x10")
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: in 1 of 2 points, at most: context and decode steps take 10,483 positions")


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        pytest.param("'--batch': got '0'", ("--batch", 0), id="batch 0"),
        pytest.param("'--batch': got '1,'", ("--batch", "1,"), id="nothing behind the comma"),
        pytest.param("'--batch': got '-1'", ("--batch", 2, -1), id="a negative batch"),
        pytest.param("--batch: tensor_flops of vision", ("--batch", 10**12), id="a batch whose counts leave int64"),
        pytest.param(
            "'--attention': got 'ring', allowed are eager, sdpa, flash",
            ("--attention", "sdpa", "ring"),
            id="no such attention",
        ),
        pytest.param("'--grids': got '0x2'", ("--grids", "0x2"), id="no such grid"),
        pytest.param("--grids: got 2x3 with mode tiny", ("--mode", "tiny", "--grids", "none,2x3"), id="no crops"),
        pytest.param("HIGHxWIDE, such as 2x3", ("--grids", "none,2y3"), id="no grid beside one view"),
        pytest.param("--batch: tensor_flops of vision", ("--mode", "tiny", "--batch", 10**13), id="views past int64"),
        pytest.param("--csv: got -, allowed is the path of a file", ("--csv", "-"), id="CSV to the standard output"),
        pytest.param("--json: got -, allowed is the path of a file", ("--json", "-"), id="JSON to the same"),
        pytest.param("--margin: got one of no memory", ("--margin", "5%"), id="a margin of nothing"),
        pytest.param("--device: got '5080'", ("--device", "5080"), id="no such card"),
        pytest.param("missing is no folder", ("--csv", "missing/vram.csv"), id="CSV in no folder"),
        pytest.param("--json: got out", ("--json", "out", "--csv", "out"), id="two outputs into one file"),
    ],
)
def test_what_cannot_be_is_exit_2_in_one_line_and_no_file(run, tmp_path, monkeypatch, message, arguments):
    monkeypatch.chdir(tmp_path)
    result = run("vram", *arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert message in result.stderr.splitlines()[-1]
    assert not result.stdout
    assert not list(tmp_path.iterdir())


def test_help_has_examples_and_fits(run):
    result = run("vram", "--help")
    assert result.exit_code == 0
    assert result.stdout.partition("Examples:\n")[2].count("    dsocr vram") == 4
    assert max(map(len, result.stdout.splitlines())) <= 80
