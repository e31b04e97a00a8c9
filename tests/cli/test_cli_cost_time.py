"""``dsocr cost`` on a machine: the times of its JSON and its tables, their bands, and what bounds a layer."""

import json
import sys
from dataclasses import replace
from importlib.resources import files
from types import ModuleType

import jsonschema
import pytest

from dsocr_cost import MODES, DeepseekOCRConfig, Execution, Grid, Workload
from dsocr_cost.latency import BOUNDS, run_latency
from dsocr_cost.profile_json import Calibration

SCHEMA = json.loads(files("pytest_dsocr.cli").joinpath("cost.schema.json").read_text(encoding="utf-8"))
PAGE = Workload(MODES["gundam"], Grid(2, 3), 10, 100)
STAGES = ["vision", "prefill", "decode", "total"]


@pytest.fixture
def timed(cost, profile):
    """Price a page of 2x3 on the made-up machine; the document."""
    return lambda *arguments: cost("--grid", "2x3", "--profile", profile, *arguments)


@pytest.mark.parametrize("launch", ["eager", "graph"])
def test_the_times_are_those_of_the_model(timed, bench, launch):
    document, run = timed("--launch", launch), run_latency(DeepseekOCRConfig(), PAGE, Execution(), bench, launch)
    for stage in STAGES:
        time = document["latency"]["stages"][stage]
        assert document["stages"][stage]["latency_s"] == time["latency_s"] == float(getattr(run, stage).seconds)
        assert time["latency_low_s"] == float(getattr(run, stage).low) < time["latency_s"]
        assert time["latency_high_s"] == float(getattr(run, stage).high) > time["latency_s"]
    first, each = (document["latency"][name]["latency_s"] for name in ("time_to_first_token", "time_per_output_token"))
    seconds = {stage: document["stages"][stage]["latency_s"] for stage in STAGES}
    assert first == pytest.approx(seconds["vision"] + seconds["prefill"])
    assert each == pytest.approx(seconds["decode"] / 100)
    assert seconds["total"] == pytest.approx(first + seconds["decode"])


def test_eager_is_the_usual_launch_and_takes_longer(timed):
    eager, graph = timed(), timed("--launch", "graph")
    assert eager == timed("--launch", "eager")
    assert (eager["latency"]["launch"], graph["latency"]["launch"]) == ("eager", "graph")
    assert eager["stages"]["decode"]["latency_s"] > graph["stages"]["decode"]["latency_s"]


@pytest.mark.parametrize("command", ["cost", "roofline"])
def test_a_graph_on_a_cpu_is_refused(run, tmp_path, bench, command):
    """As pytest refuses it: kernels are captured on a card alone."""
    path = tmp_path / "cpu.json"
    cpu = replace(bench, host=replace(bench.host, overlaps=False))
    path.write_text(Calibration(cpu, {"type": "cpu", "name": "Bench 16"}).to_json(), encoding="utf-8")
    result = run(command, "--profile", path, "--launch", "graph")
    assert (result.exit_code, result.stdout) == (2, "")
    said = f"got graph, which needs a CUDA device, and {path} was calibrated on Bench 16; allowed is eager"
    assert result.stderr.splitlines()[-1] == f"Error: --launch: {said}"
    assert run(command, "--profile", path, "--launch", "eager").exit_code == 0


@pytest.mark.parametrize("by", ["stage", "layer", "op"])
def test_the_json_is_what_its_schema_says(timed, by):
    jsonschema.validate(timed("--by", by), SCHEMA)


def test_counts_are_what_they_are_without_a_machine(timed, cost):
    bare, with_time = cost("--grid", "2x3"), timed()
    assert "latency" not in bare
    assert [*with_time] == [*bare, "latency"]
    for stage in STAGES:
        assert with_time["stages"][stage] | {"latency_s": None} == bare["stages"][stage]


@pytest.mark.parametrize("by", ["layer", "op"])
@pytest.mark.parametrize("launch", ["eager", "graph"])
def test_the_parts_add_up_to_their_stages(timed, by, launch):
    document = timed("--by", by, "--launch", launch)
    for stage in STAGES[:3]:
        parts = [part for part in document["breakdown"] if part["stage"] == stage]
        seconds = sum(part["latency_s"] for part in parts)
        assert seconds == pytest.approx(document["stages"][stage]["latency_s"], rel=1e-9)
        assert {part["bound"] for part in parts} <= {*BOUNDS, None}
        assert all(part["latency_s"] == 0 for part in parts if part["bound"] is None)


def test_what_bounds_a_layer_is_what_takes_most_of_its_time(timed):
    """A block of SAM is matmuls of thousands of rows; an expert of one token is read for that token."""
    bounds = {
        (part["stage"], part["name"]): part["bound"]
        for part in timed("--by", "layer", "--launch", "graph")["breakdown"]
    }
    assert bounds["vision", "crops.sam.layers.2"] == "compute"
    assert bounds["decode", "layers.3.mlp"] == "memory"
    assert bounds["decode", "lm_head"] == "memory"


def test_the_host_bounds_the_norms_of_an_eager_decode(timed):
    """Each of their kernels is shorter than the 5 us in which the host launches the next one."""
    bounds = {part["name"]: part["bound"] for part in timed("--by", "layer")["breakdown"] if part["stage"] == "decode"}
    assert bounds["layers.3.other"] == "host"


def test_mfu_is_tensor_flops_over_time_and_peak(timed):
    document = timed()
    assert document["latency"]["peak_flops_per_s"] == 1e14
    for stage in STAGES:
        flops, seconds = (document["stages"][stage][name] for name in ("tensor_flops", "latency_s"))
        assert document["latency"]["stages"][stage]["mfu"] == flops / (seconds * 1e14)


def test_mfu_is_of_the_peak_of_the_dtype(cost, profile):
    assert cost("--profile", profile, "--dtype", "float16")["latency"]["peak_flops_per_s"] == 1e14


def test_another_peak_halves_mfu_and_leaves_what_was_measured(timed, monkeypatch):
    plain, doubled = timed(), timed("--peak-tflops", "200")
    monkeypatch.setenv("MFU_PEAK_TFLOPS", "200")
    assert timed() == doubled
    assert doubled["stages"] == plain["stages"]
    for stage in STAGES:
        mfu = [one["latency"]["stages"][stage]["mfu"] for one in (plain, doubled)]
        assert mfu[1] == pytest.approx(mfu[0] / 2)


def test_the_command_line_wins_over_the_environment(timed, monkeypatch):
    monkeypatch.setenv("MFU_PEAK_TFLOPS", "200")
    assert timed("--peak-tflops", "50.5")["latency"]["peak_flops_per_s"] == 50.5e12


def test_a_peak_in_the_environment_asks_for_no_machine(cost, monkeypatch):
    monkeypatch.setenv("MFU_PEAK_TFLOPS", "200")
    assert cost()["stages"]["total"]["latency_s"] is None


@pytest.mark.parametrize("given", ["fast", "0", "-1", "nan", "1e400"])
def test_a_bad_peak_in_the_environment_is_named_where_it_is_used(run, profile, monkeypatch, given):
    monkeypatch.setenv("MFU_PEAK_TFLOPS", given)
    said = f"Error: MFU_PEAK_TFLOPS: got '{given}', allowed is a number above 0, in TFLOP/s, such as 209.5\n"
    for arguments in (("cost", "--profile", profile), ("cost", "--device", "4090"), ("roofline", "--device", "4090")):
        result = run(*arguments)
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", said)


def test_a_bad_peak_in_the_environment_stops_nothing_that_does_not_use_it(run, profile, monkeypatch):
    """Without a machine there is no time; measured roofs are no share of it, nor is there a peak of 32 bits in it."""
    monkeypatch.setenv("MFU_PEAK_TFLOPS", "fast")
    unused = ("roofline", "--device", "4090", "--dtype", "float32")
    for arguments in (("cost",), ("cost", "--grid", "2x3", "--json"), ("roofline", "--profile", profile), unused):
        assert run(*arguments).exit_code == 0
    assert run("cost", "--profile", profile, "--peak-tflops", "50").exit_code == 0


def test_a_card_is_taken_by_its_architecture_with_its_peak(cost, bench, monkeypatch):
    asked = []

    def profile_of(device, peak_flops_per_s=None):
        asked.append((device.name, peak_flops_per_s))
        return bench

    module = ModuleType("dsocr_cost.architecture")
    module.profile_of = profile_of
    monkeypatch.setitem(sys.modules, "dsocr_cost.architecture", module)
    assert cost("--device", "4090")["latency"]["source"] == "made up"
    assert cost("--device", "4090", "--peak-tflops", "150")["latency"]["peak_flops_per_s"] == 150e12
    assert asked == [("RTX 4090", None), ("RTX 4090", 150e12)]


def test_a_profile_of_another_dtype_is_a_warning(run, profile):
    result = run("cost", "--json", "--profile", profile, "--dtype", "float32", "--attention", "flash")
    assert result.exit_code == 0
    said = "was calibrated with dtype bfloat16 and attention sdpa: its band does not hold for what is asked"
    assert result.stderr == f"warning: {profile} {said}\n"


def test_a_profile_that_was_changed_is_one_line(run, profile):
    profile.write_text(profile.read_text(encoding="utf-8").replace("0.7", "0.9"), encoding="utf-8")
    result = run("cost", "--profile", profile)
    assert (result.exit_code, result.stdout) == (2, "")
    said = "sha256: does not fit what the file says: it was changed; calibrate anew"
    assert result.stderr == f"Error: --profile: {profile}: {said}\n"


def test_the_text_says_times_bands_shares_and_where_they_come_from(run, profile):
    said = " ".join(run("cost", "--grid", "2x3", "--profile", profile).stdout.split())
    assert "latency 76.83 ms 23.30 ms 424.1 ms 524.2 ms latency, least" in said
    assert "MFU 45.15% 46.64% 0.28% 8.92% time to first token 100.1 ms (90.10 ms to 110.2 ms), time per" in said
    assert f"on Bench 16, eager launch, times and bands: calibrated, {profile}, MFU is of 100 TFLOP/s" in said


def test_layers_and_ops_say_their_time_and_what_bounds_them(run, profile):
    layers, ops = (run("cost", "--grid", "2x3", "--profile", profile, "--by", by).stdout for by in ("layer", "op"))
    assert any(line.split() == ["layer", "tensor", "CUDA", "I/O", "latency", "bound"] for line in layers.splitlines())
    (row,) = {
        tuple(line.split()[-3:]) for line in layers.splitlines() if line.startswith("sam.layers.2 ") and "184" in line
    }
    assert (row[1], row[2]) == ("ms", "compute")
    assert any(line.startswith("  logits ") or " host" in line for line in ops.splitlines())


@pytest.mark.parametrize("by", ["stage", "layer", "op"])
def test_the_tables_fit_80_columns(run, profile, by):
    """The paragraph with the path of the profile wraps too."""
    result = run("cost", "--grid", "2x3", "--profile", profile, "--by", by)
    lines = [line for line in result.stdout.splitlines() if str(profile) not in line]
    assert max(map(len, lines)) <= 80
