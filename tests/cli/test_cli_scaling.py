"""``dsocr scaling``: predicted against measured over the context, with a small model for speed."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from dsocr_cost import DeepseekOCRConfig
from pytest_dsocr import Measurement
from pytest_dsocr.cli import scaling as command
from pytest_dsocr.cli.main import dsocr
from pytest_dsocr.measure.flops import FlopMeasurer
from pytest_dsocr.measure.traced import TraceMeasurer
from pytest_dsocr.report.scaling import LABELS, METRICS
from pytest_dsocr.scaling import TRACED, DecoderRun, Measured, analytic_document

SMALL = Path(__file__).parents[1] / "data" / "odd_config.json"
DECODER = DeepseekOCRConfig.from_hf(SMALL).decoder
FILES = ["analytic_scaling.json", "measured_scaling.json", "scaling.md"]
SCHEMA = json.loads(files("pytest_dsocr").joinpath("scaling.schema.json").read_text(encoding="utf-8"))

# the small model: K and V of 3 heads x 24 channels in 5 layers, 2 bytes each; an expert's 3 matrices of 144 x 56
KV_TOKEN = 2 * 3 * 24 * 5 * 2
EXPERT = 3 * 144 * 56 * 2


@pytest.fixture
def run(tmp_path):
    def invoke(*arguments, config=SMALL):
        return CliRunner().invoke(
            dsocr, ["scaling", "--config", str(config), "--output", str(tmp_path / "out"), *map(str, arguments)]
        )

    return invoke


@pytest.fixture
def read(tmp_path):
    return lambda name: json.loads((tmp_path / "out" / name).read_text(encoding="utf-8"))


@pytest.fixture
def fake(monkeypatch):
    """Measure what is predicted; in the first prompt more by what a test says, of the prefill or of one decode step."""

    def install(**more):
        def measure(plan, reference, device):
            runs = [
                as_measured(point, plan.decode_steps, more if index == 0 else {})
                for index, point in enumerate(analytic_document(plan)["points"])
            ]
            kind, _, _ = device.partition(":")
            environment = {"python": "3", "torch": "2", "transformers": "5", "device": {"type": kind, "name": ""}}
            return Measured(tuple(runs), environment, "elementwise")

        monkeypatch.setattr(command, "measure_runs", measure)

    return install


def as_measured(point, steps, more):
    prefill, decode = point["prefill"], point["decode"]

    def every(count):
        """Give the prefill's count, then each decode step's: the first step has what no mean tells, and the most."""
        if count == "activation_bytes":
            each, first = decode[count], decode[count] + more.get(f"decode__{count}", 0)
        else:
            each, rest = divmod(round(decode[f"{count}_per_token"] * steps), steps)
            first = each + rest + more.get(f"decode__{count}", 0)
        return [prefill[count] + more.get(f"prefill__{count}", 0), first, *[each] * (steps - 1)]

    flops, *decode_flops = every("tensor_flops")
    traced = [dict(zip(TRACED, counts, strict=True)) for counts in zip(*map(every, TRACED), strict=True)]
    return DecoderRun(
        point["seq_len_prefill"],
        prefill_flops=flops,
        decode_flops=tuple(decode_flops),
        weight_bytes=prefill["weight_bytes"] + more.get("weight_bytes", 0),
        kv_bytes_after_prefill=prefill["kv_cache_bytes"] + more.get("prefill__kv_cache_bytes", 0),
        kv_bytes_after_decode=decode["kv_cache_bytes_final"] + more.get("decode__kv_cache_bytes", 0),
        traced=tuple(traced),
    )


def test_two_contexts_on_meta_are_exact(run, read, tmp_path):
    result = run("--context", 24, 33, "--decode-steps", 3, "--batch", 2)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[: len(LABELS)] == [f"{label}: exact at all 2 points" for label in LABELS.values()]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES

    analytic, measured = read("analytic_scaling.json"), read("measured_scaling.json")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for document in (analytic, measured):
        jsonschema.validate(document, SCHEMA)
        assert (document["schema"], document["batch_size"], document["decode_steps"]) == (1, 2, 3)
        assert (document["model"]["hidden_size"], document["model"]["num_layers"]) == (144, 5)
        assert [point["seq_len_prefill"] for point in document["points"]] == [24, 33]
    for ours, real in zip(analytic["points"], measured["points"], strict=True):
        assert [list(ours[stage]) for stage in ("prefill", "decode")] == [
            list(real[stage]) for stage in ("prefill", "decode")
        ]
        context = ours["seq_len_prefill"]
        assert ours["prefill"]["tensor_flops"] == real["prefill"]["tensor_flops"]
        assert ours["decode"]["tensor_flops_per_token"] == real["decode"]["tensor_flops_per_token"]
        assert real["prefill"]["kv_cache_bytes"] == 2 * context * KV_TOKEN
        assert real["decode"]["kv_cache_bytes_final"] == 2 * (context + 3) * KV_TOKEN
        assert real["prefill"]["weight_bytes"] == ours["prefill"]["weight_bytes"]
        assert real["prefill"]["time_ms"] is real["decode"]["time_ms_per_token"] is None
    assert measured["environment"]["device"]["type"] == "meta"
    assert {"python", "torch", "transformers"} <= set(measured["environment"])


def test_a_decode_step_costs_the_mean_over_the_steps(run, read):
    """One key more is, in each of 5 layers, scores and values of 6 heads x 24 channels; the mean of 1 to 4 is 2.5."""
    assert run("--context", 24, "--decode-steps", 1).exit_code == 0
    first = read("measured_scaling.json")["points"][0]["decode"]["tensor_flops_per_token"]
    assert run("--context", 24, "--decode-steps", 4).exit_code == 0
    mean = read("measured_scaling.json")["points"][0]["decode"]["tensor_flops_per_token"]
    assert mean - first == 1.5 * (5 * 2 * 2 * 6 * 24)


def test_time_is_taken_on_a_cpu_with_its_spread_and_how(run, read):
    assert run("--context", 9, "--decode-steps", 1, "--device", "cpu").exit_code == 0
    measured = read("measured_scaling.json")
    jsonschema.validate(measured, SCHEMA)
    (point,) = measured["points"]
    assert point["prefill"]["time_ms"] > 0
    assert point["decode"]["time_ms_per_token"] > 0
    assert point["prefill"]["time_spread"] >= 0
    assert "median of 3 runs" in measured["measured_by"]["time_ms"]


def test_a_measurement_off_by_one_percent_is_exit_1_and_its_line(run, fake, tmp_path):
    """Of 63,611,136 predicted FLOPs, 636,111 more measured."""
    fake(prefill__tensor_flops=636_111)
    result = run("--context", 24, 33)
    assert result.exit_code == 1
    flops, *others = result.output.splitlines()[: len(LABELS)]
    assert flops.startswith("tensor FLOPs: differ at 1 of 2 points; the largest, prefill of 24: ")
    assert flops.endswith("-0.99 %")
    assert all(line.endswith(": exact at all 2 points") for line in others)
    page = (tmp_path / "out" / "scaling.md").read_text(encoding="utf-8")
    assert f"- {flops}\n- {others[0]}\n" in page
    (row,) = (line for line in page.splitlines() if line.startswith("|        24 | prefill, tensor FLOPs "))
    assert row.endswith("-0.99 % |")
    # of the two points' absolute differences: mean, median, largest
    (row,) = (line for line in page.splitlines() if line.startswith("| prefill, tensor FLOPs "))
    assert [cell.strip() for cell in row.split("|")[2:5]] == ["0.495 %", "0.495 %", "0.99 %"]


OFF = [*(f"{stage}__{count}" for stage in ("prefill", "decode") for count in LABELS if count != "weight_bytes")]


@pytest.mark.parametrize("off", [*OFF, "weight_bytes"])
def test_any_figure_that_is_off_by_one_is_exit_1_and_named(run, fake, off):
    fake(**{off: 1})
    result = run("--context", 24, 33, "--decode-steps", 3)
    assert result.exit_code == 1
    (line,) = (line for line in result.output.splitlines() if "differ" in line)
    assert line.startswith(f"{LABELS[off.rpartition('__')[2]]}: differ at 1 of 2 points; the largest, ")
    assert ("prefill of 24" if "prefill" in off or off == "weight_bytes" else "decode after 24") in line


def test_every_count_of_the_files_is_judged(run, read, fake):
    """All but the context and the times."""
    fake()
    assert run("--context", 24).exit_code == 0
    for name in FILES[:2]:
        (point,) = read(name)["points"]
        counts = {(stage, count) for stage in ("prefill", "decode") for count in point[stage] if "time" not in count}
        assert counts == set(METRICS)
        assert all(point[stage][count] is not None for stage, count in counts)


@pytest.mark.parametrize("stage", ["prefill", "decode"])
@pytest.mark.parametrize(
    ("device", "apart", "code"),
    [
        pytest.param("cpu", 2 * EXPERT, 0, id="two experts more, on a CPU"),
        pytest.param("cpu", -EXPERT, 0, id="an expert less, on a CPU"),
        pytest.param("cpu", 2 * EXPERT + 2, 1, id="an element beyond, on a CPU"),
        pytest.param("meta", 2 * EXPERT, 1, id="two experts more, without data"),
    ],
)
def test_bytes_of_whole_experts_differ_where_data_picks_them(run, fake, tmp_path, stage, device, apart, code):
    fake(**{f"{stage}__io_bytes": apart})
    result = run("--context", 24, 33, "--decode-steps", 3, "--device", device)
    assert result.exit_code == code
    picked = "I/O bytes: exact at all 2 points, but for the experts that the data picked"
    assert (picked in result.output) == (code == 0)
    page = (tmp_path / "out" / "scaling.md").read_text(encoding="utf-8")
    assert (f"a whole number of experts, {EXPERT:,} bytes each" in page) == (code == 0)


def test_launches_of_whole_experts_are_no_excuse(run, fake):
    fake(prefill__launches=EXPERT)
    assert run("--context", 24, "--device", "cpu").exit_code == 1


@pytest.mark.parametrize(("device", "said"), [("meta", False), ("cpu", False), ("cuda:1", True)])
def test_the_page_says_for_which_kernels_bytes_are_predicted(run, fake, tmp_path, device, said):
    fake()
    assert run("--context", 24, "--device", device).exit_code == 0
    page = (tmp_path / "out" / "scaling.md").read_text(encoding="utf-8")
    assert ("predicted for the kernels that meta runs" in page) == said


def test_on_a_cpu_all_but_the_experts_that_the_data_picks_is_exact(run):
    """3 sequences of one token pick 4 of 10 experts each."""
    result = run("--context", 1, 2, "--decode-steps", 2, "--batch", 3, "--device", "cpu")
    assert result.exit_code == 0, result.output


def test_the_vendors_code_differs_by_its_rotary_tables(run, read):
    """In each of 5 layers 12 frequencies x 24 positions, a multiply-add each; transformers' is no matmul since 5.15."""
    result = run("--context", 24, "--decode-steps", 1, "--implementation", "vendor")
    assert result.exit_code == 1
    assert "launches: differ at 1 of 1 points" in result.output
    ours, real = (read(f"{name}_scaling.json")["points"][0]["prefill"] for name in ("analytic", "measured"))
    assert ours["tensor_flops"] - real["tensor_flops"] == 2 * 5 * 12 * 24


@pytest.mark.parametrize("measurer", [FlopMeasurer, TraceMeasurer], ids=["FLOPs", "traced"])
def test_a_count_that_cannot_be_trusted_is_an_error_and_no_file(run, monkeypatch, tmp_path, measurer):
    monkeypatch.setattr(measurer, "measure", lambda *args, **kwargs: Measurement(1, problem="an op has no formula"))
    result = run("--context", 24)
    assert result.exit_code == 2
    assert "context 24: an op has no formula" in result.output
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "contexts",
    [
        pytest.param(["--context", "24", "33", "42"], id="after one flag"),
        pytest.param(["--context=24", "33", "42"], id="after an equals sign"),
        pytest.param(["--context", "24", "--context", "33", "42"], id="flags again"),
        pytest.param(["--context", "24:42:9"], id="a range"),
        pytest.param(
            ["--context", "24", "33", "--batch", "1", "--context", "33", "42"], id="one twice, around another"
        ),
    ],
)
def test_contexts_are_read_however_they_are_given(run, read, fake, contexts):
    fake()
    result = run(*contexts, "--decode-steps", "2")
    assert result.exit_code == 0, result.output
    assert [point["seq_len_prefill"] for point in read("analytic_scaling.json")["points"]] == [24, 33, 42]


@pytest.mark.parametrize("bad", ["0", "-5", "ten", "24.5", "9:1:1"])
@pytest.mark.parametrize("before", [pytest.param([], id="first"), pytest.param(["24"], id="after a good one")])
def test_contexts_that_no_prompt_has_name_the_option(run, fake, before, bad):
    fake()
    result = run("--context", *before, bad)
    assert result.exit_code == 2
    assert "'--context'" in result.output
    assert repr(bad) in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--context", 24, "--device", "tpu"], "'--device': got 'tpu'", id="no such device"),
        pytest.param(["--context", 24, "--decode-steps", 0], "'--decode-steps': got '0'", id="no decode step"),
        pytest.param(["--context", 24, "--batch", 0], "'--batch': got '0'", id="no sequence"),
        pytest.param([], "'--context'", id="no context"),
        pytest.param(["--context", 24, "--dtype", "float16"], "torch's grouped matmul", id="a dtype that meta lacks"),
        pytest.param(["--context", 10**14], "lower --context", id="counts beyond int64"),
        pytest.param(["--context", 9, "--batch", 2**62], "lower --context, --batch", id="a batch beyond int64"),
        pytest.param(["--context", 9, "--plots", "/dev/null/x"], "--plots: /dev/null/x", id="plots that cannot be"),
    ],
)
def test_what_cannot_be_run_is_exit_2_in_one_line(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_an_output_that_is_a_file_is_refused(run, tmp_path):
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    result = run("--context", 24)
    assert result.exit_code == 2
    assert "--output" in result.output
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("context", "warned"), [pytest.param(2044, False, id="to the last"), pytest.param(2045, True, id="one beyond")]
)
def test_more_positions_than_the_model_has_are_warned_of(run, fake, context, warned):
    """The small model has 2048; 4 of them are decoded."""
    fake()
    result = run("--context", context, "--decode-steps", 4)
    assert result.exit_code == 0
    assert ("warning" in result.stderr) == warned


def test_plots_go_into_their_folder(run, tmp_path):
    pytest.importorskip("matplotlib")
    result = run("--context", 24, 33, "--decode-steps", 1, "--plots", tmp_path / "figures")
    assert result.exit_code == 0, result.output
    svg = (tmp_path / "figures" / "predicted_and_measured.svg").read_text(encoding="utf-8")
    assert "<!-- transformers, sdpa attention, bfloat16, batch 1, decode: 1 steps -->" in svg
