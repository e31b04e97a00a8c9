"""``dsocr sweep --ttft --tpot``: what a target takes, by hand, on all published grids, and in every form."""

import csv
import io
import json

import pytest

from pytest_dsocr.published.sweeps import grid_rows


@pytest.fixture
def swept(run, tmp_path):
    """Sweep to files with arguments; the rows of the CSV and the JSON."""

    def files(*arguments):
        paths = tmp_path / "points.csv", tmp_path / "points.json"
        result = run("sweep", *arguments, "--csv", paths[0], "--json", paths[1])
        assert result.exit_code == 0, result.output
        texts = [path.read_text(encoding="utf-8") for path in paths]
        return [*csv.DictReader(io.StringIO(texts[0]))], json.loads(texts[1])

    return files


def test_a_target_takes_flops_and_bytes_over_its_time(swept):
    ((row,), document) = swept("--grids", "2x3", "--ttft", "2s", "--tpot", "50 ms", "--decode-steps", "10")
    stages = document["points"][0]["stages"]
    for count, name in (("tensor_flops", "flops_per_s"), ("compulsory_bytes", "bytes_per_s")):
        first = stages["vision"][count] + stages["prefill"][count]
        assert float(row[f"ttft_{name}"]) == first / 2
        assert float(row[f"tpot_{name}"]) == pytest.approx(stages["decode"][count] / 10 / 0.05)
    assert document["targets"] == {"ttft_s": 2.0, "tpot_s": 0.05}
    assert document["points"][0]["required"] == {name: float(row[name]) for name in document["points"][0]["required"]}


def test_the_rates_of_the_published_grids_are_those_of_the_page(swept):
    rows, _ = swept("--grids", "published", "--ttft", "1s", "--tpot", "50ms")
    tables, by_label = grid_rows(), {row["label"]: row for row in rows}
    assert len(by_label) == 90
    for table, name in ((tables.prefill, "ttft_flops_per_s"), (tables.decode, "tpot_flops_per_s")):
        for row in table:
            assert f"{float(by_label[str(row.grid)][name]) / 1e12:.3f}" == row.our_rate


def test_one_target_has_its_columns_alone(swept):
    ((row,), document) = swept("--grids", "2x3", "--tpot", "50ms")
    assert [name for name in row if name.startswith(("ttft", "tpot"))] == ["tpot_flops_per_s", "tpot_bytes_per_s"]
    assert document["targets"] == {"tpot_s": 0.05}


def test_without_a_target_files_are_what_they_were(swept):
    ((row,), document) = swept("--grids", "2x3")
    assert not [name for name in row if "_per_s" in name]
    assert "targets" not in document
    assert "required" not in document["points"][0]


def test_a_prompt_without_an_image_has_a_first_token_too(swept):
    ((row,), document) = swept("--context", "512", "--ttft", "500ms")
    prefill = document["points"][0]["stages"]["prefill"]["tensor_flops"]
    assert float(row["ttft_flops_per_s"]) == prefill / 0.5


@pytest.mark.parametrize("value", ["0s", "1", "-1s", "nan s", "1h", "", "1e3s"])
@pytest.mark.parametrize("option", ["--ttft", "--tpot"])
def test_a_time_that_is_none_is_refused(run, option, value):
    result = run("sweep", "--grids", "2x3", option, value)
    assert (result.exit_code, result.stdout) == (2, "")
    said = f"got {value!r}, allowed is a time above 0 with its unit, s or ms, such as 1s or 50ms"
    assert result.stderr.splitlines()[-1] == f"Error: Invalid value for '{option}': {said}"
