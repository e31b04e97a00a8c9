"""``dsocr cost``: the figures, the contract of its JSON, what it prints for people."""

import json
from dataclasses import asdict
from importlib.resources import files

import jsonschema
import pytest

from dsocr_cost import DeepseekOCRConfig, Execution
from dsocr_cost.session import DeepseekOCRModel
from dsocr_cost.workload import MODES, Grid, Workload

SCHEMA = json.loads(files("pytest_dsocr.cli").joinpath("cost.schema.json").read_text(encoding="utf-8"))
STAGE = [
    "tensor_flops",
    "cuda_flops",
    "io_bytes",
    "launches",
    "compulsory_bytes",
    "weight_bytes",
    "activation_bytes",
    "kv_cache_bytes",
    "allocated_bytes",
    "latency_s",
]
ASKED = {
    "image_tokens": 273 + 20 * 31,  # the global view, then 2 x 10 rows of 3 x 10 features and a newline
    "text_tokens": 10,
    "context": 903,
    "decode_steps": 100,
    "batch": 1,
    "dtype": "bfloat16",
    "implementation": "transformers",
    "attention": "sdpa",
}


def keys(document):
    return [[*document], [*document["workload"]], [*document["stages"]], *map(list, document["stages"].values())]


def test_the_json_has_the_keys_of_the_contract_in_its_order(cost):
    asked = ["mode", "grid", *ASKED]
    stages = ["vision", "prefill", "decode", "total"]
    assert keys(cost()) == [["schema", "workload", "params", "stages"], asked, stages, *[STAGE] * 4]


def test_a_page_of_2x3_with_the_published_prompt(cost):
    document = cost("--grid", "2x3")
    assert document["schema"] == 1
    assert document["workload"] == {"mode": "gundam", "grid": [2, 3]} | ASKED
    assert document["params"] == 3_336_106_240
    total = document["stages"]["total"]
    assert total["tensor_flops"] == 4_676_458_385_408
    assert total["weight_bytes"] == 2 * 3_336_106_240
    assert total["kv_cache_bytes"] == (903 + 100) * 61_440


@pytest.mark.parametrize(
    ("arguments", "workload", "execution"),
    [
        pytest.param(("--grid", "2x3"), Workload(MODES["gundam"], Grid(2, 3), 10, 100), Execution(), id="2x3"),
        pytest.param((), Workload(MODES["gundam"], None, 10, 100), Execution(), id="one view"),
        pytest.param(
            ("--mode", "Tiny", "--text-tokens", 0, "--decode-steps", 1, "--batch", 8),
            Workload(MODES["tiny"], None, 0, 1, 8),
            Execution(),
            id="tiny, no text, one step, a batch",
        ),
        pytest.param(
            ("--mode", "gundam-m", "--size", "1100x2200", "--implementation", "vendor", "--attention", "eager"),
            Workload(MODES["gundam-m"], Grid(2, 1), 10, 100),
            Execution("vendor", "eager"),
            id="gundam-m, by size, vendor, eager",
        ),
        pytest.param(
            ("--grid", "1x2", "--context", 500, "--attention", "flash", "--dtype", "float32"),
            Workload(MODES["gundam"], Grid(1, 2), 500 - 483, 100),
            Execution(attention="flash", dtype="float32"),
            id="1x2, by context, flash, float32",
        ),
    ],
)
def test_the_stages_are_those_of_the_model(cost, arguments, workload, execution):
    stages = DeepseekOCRModel(DeepseekOCRConfig(), execution).run(workload)
    document = cost(*arguments)
    assert document["stages"] == {name: asdict(stage) for name, stage in stages._asdict().items()}
    assert document["workload"]["context"] == workload.context(DeepseekOCRConfig().sam)


@pytest.mark.parametrize("by", ["stage", "layer", "op"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_the_json_is_what_its_schema_says(cost, by, attention):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(cost("--by", by, "--grid", "2x3", "--attention", attention), SCHEMA)
    jsonschema.validate(cost("--by", by, "--mode", "base", "--decode-steps", "1"), SCHEMA)


def test_the_schema_refuses_a_document_with_a_fraction(cost):
    document = cost()
    document["stages"]["total"]["tensor_flops"] += 0.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        pytest.param("640x640", None, id="fits into one crop"),
        pytest.param("641x640", [2, 2], id="larger, and square"),
        pytest.param("1700x2200", [3, 2], id="a letter page"),
        pytest.param("65535x1", [1, 9], id="the widest"),
    ],
)
def test_the_size_picks_the_grid_of_the_preprocessing(cost, size, grid):
    assert cost("--size", size)["workload"]["grid"] == grid


def test_a_config_has_its_own_sizes(cost, pytestconfig):
    path = pytestconfig.rootpath / "tests/data/odd_config.json"
    config = DeepseekOCRConfig.from_hf(path)
    stages = DeepseekOCRModel(config).run(Workload(MODES["gundam"], Grid(2, 1), 10, 100))
    document = cost("--config", path, "--grid", "2x1")
    assert document["stages"]["total"]["tensor_flops"] == stages.total.tensor_flops
    assert document["params"] == stages.total.weight_bytes // 2


@pytest.mark.parametrize(
    ("context", "steps", "warned"),
    [
        pytest.param(8092, 100, False, id="the last position"),
        pytest.param(8093, 100, True, id="one beyond it"),
    ],
)
def test_more_positions_than_the_model_has_are_a_warning_beside_clean_json(run, context, steps, warned):
    result = run("cost", "--json", "--context", context, "--decode-steps", steps)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["workload"]["context"] == context
    warning = "warning: context and decode steps take 8,193 positions, the model has 8,192"
    assert result.stderr.startswith(warning) if warned else not result.stderr


def test_a_context_of_the_image_alone_has_no_text(cost):
    assert cost("--grid", "2x3", "--context", 893)["workload"]["text_tokens"] == 0


def test_the_text_says_what_was_priced_and_every_stage_with_units(run):
    result = run("cost", "--grid", "2x3")
    said = " ".join(result.stdout.split())
    assert said.startswith(
        "gundam, 2x3 crops and a global view, context 903 (893 image + 10 text tokens), decode steps 100, batch 1, "
        "transformers, sdpa attention, bfloat16, 3,336,106,240 parameters"
    )
    assert "tensor FLOPs 3.469 TFLOP 1.087 TFLOP 120.7 GFLOP 4.676 TFLOP" in said
    assert "weight bytes 802.7 MB 5.869 GB 5.869 GB 6.672 GB" in said
    assert "latency - - - -" in said


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("by", ["stage", "layer", "op"])
def test_the_text_fits_80_columns(run, by, attention):
    result = run("cost", "--grid", "15x26", "--by", by, "--attention", attention)
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_names_are_whole_on_every_terminal(run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert "…" not in run("cost", "--by", "op", "--attention", "eager", "--batch", 64).stdout


def test_the_help_says_what_weights_a_stage_has(run):
    text = " ".join(run("cost", "--help").stdout.split())
    assert "the total holds those of all stages, and pixels, prompt and tokens until the run is over." in text
    assert "The weights of a stage are its own" in text
