"""``dsocr calibrate``: what it refuses before it works, what it writes and says; a stand-in measures in an instant."""

import pytest
from click.testing import CliRunner

from dsocr_cost.efficiency import CLASSES, Machine, Smooth
from dsocr_cost.profile import Host, Profile, Sample, Site
from dsocr_cost.profile_json import Calibration, read_profile
from pytest_dsocr import MeasurementError
from pytest_dsocr.calibrate import calibration as measuring
from pytest_dsocr.cli.calibration_text import calibration_text, doubts
from pytest_dsocr.cli.main import dsocr

MEASURED = {"seconds": 143.2, "runs": 5, "passes": 2, "kernels": 4321, "repeatability": 0.021, "contention": 0.004}


def made(**measured):
    machine = Machine("Bench, 2 threads", {2: 9.9e10, 4: 4.3e10}, 8.1e9, 2**25, 1.76e11)
    models = {kind: Smooth(2e-6, 0.7, 0.8, 2.0, 0.12) for kind in CLASSES}
    sites = {"llama.LlamaAttention.q_proj 1280x1280": Site((Sample(1, 2, 3, 1e-3, 1.1),), 0.03)}
    profile = Profile(machine, models, Host(1.2e-5, 0.0, overlaps=False, error=0.3), "", sites)
    return Calibration(profile, {"type": "cpu", "name": "Bench"}, {}, MEASURED | measured)


@pytest.fixture
def measure(monkeypatch):
    """Put a function in the place of the one that measures for minutes; what it was asked for."""
    asked = []

    def stand_in(device, config, execution, reference, *, tell, runs, points, **_):
        asked.append((device, config, execution, reference.name, runs, [point.case.name for point in points]))
        tell("view of 432: 12.0 ms, 97% of it in 100 kernels")
        return made()

    monkeypatch.setattr(measuring, "calibrate", stand_in)
    return asked


def test_it_writes_a_profile_that_a_prediction_reads(run, measure, tmp_path):
    path = tmp_path / "cpu.json"
    result = run("calibrate", "--device", "cpu", "-o", path)
    assert result.exit_code == 0, result.output
    assert path.read_text(encoding="utf-8") == made().to_json()
    assert read_profile(path).profile.machine.name == "Bench, 2 threads"
    assert run("cost", "--profile", path).exit_code == 0
    assert [one.name for one in tmp_path.iterdir()] == ["cpu.json"]


def test_it_measures_what_was_asked_for(run, measure, tmp_path, pytestconfig):
    config = pytestconfig.rootpath / "tests/data/odd_config.json"
    options = ("--dtype", "float32", "--attention", "eager", "--runs", "3", "--config", config)
    assert run("calibrate", "--device", "cpu", "-o", tmp_path / "cpu.json", *options).exit_code == 0
    ((device, config, execution, reference, runs, _),) = measure
    assert (device, reference, runs) == ("cpu", "transformers", 3)
    assert (execution.dtype, execution.attention) == ("float32", "eager")
    assert config.decoder.hidden_size != 1280


def test_named_pages_run_beside_the_usual_sizes(run, measure, tmp_path):
    options = ("--device", "cpu", "-o", tmp_path / "cpu.json")
    assert run("calibrate", *options).exit_code == 0
    assert run("calibrate", *options, "--text-tokens", "20", "--grids", "1x2", "2x2,none", "1x2").exit_code == 0
    (*_, usual), (*_, with_pages) = measure
    assert with_pages == [
        *usual,
        "vision of 1x2",
        "prefill of 1x2, 503",
        "vision of 2x2",
        "prefill of 2x2, 713",
        "vision of gundam",
        "prefill of gundam, 293",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            ("--grids", "2by3"), "'--grids': got '2by3', allowed are published, model and HIGHxWIDE", id="no-grid"
        ),
        pytest.param(("--grids", "2x3", "--mode", "base"), "got 2x3 with mode base, which takes none", id="one-view"),
        pytest.param(
            ("--mode", "base"), "--mode: got one that changes nothing here, allowed is one beside", id="no-page"
        ),
    ],
)
def test_a_page_that_there_is_not_is_refused_before_anything_runs(run, measure, tmp_path, options, said):
    result = run("calibrate", "--device", "cpu", "-o", tmp_path / "cpu.json", *options)
    assert (result.exit_code, measure) == (2, [])
    assert said in " ".join(result.stderr.split())


def test_progress_is_on_stderr_and_the_summary_on_stdout(run, measure, tmp_path):
    result = run("calibrate", "--device", "cpu", "-o", tmp_path / "cpu.json")
    assert result.stderr == "view of 432: 12.0 ms, 97% of it in 100 kernels\n"
    said = " ".join(result.stdout.split())
    assert said.startswith(
        "Bench, 2 threads, 0.099 TFLOP/s in 16 bits, 0.043 TFLOP/s in 32 bits, 8.1 GB/s from memory, 176 GB/s in "
        "33.55 MB of cache"
    )
    assert "grouped gemm 2.000 µs 70% 80% 12.0%" in said
    assert (
        "the host takes 12.00 µs a launch before each kernel (within 30%), "
        "4,321 kernels in 143 s, 5 runs of each in 2 passes" in said
    )
    assert "1 places in the model (half of them within 3.0% between sizes), repeatability 2.1%, others took" in said
    assert said.endswith(f"wrote {tmp_path / 'cpu.json'}")


def test_the_summary_fits_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, calibration_text(made()).splitlines())) <= 80


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        pytest.param({}, [], id="a quiet machine"),
        pytest.param({"contention": 0.12}, ["others took 12% of the CPU meanwhile: calibrate again"], id="a busy one"),
        pytest.param(
            {"repeatability": 0.2}, ["kernels varied by 20% from run to run: calibrate"], id="an unsteady one"
        ),
    ],
)
def test_what_speaks_against_it_is_said(measured, said):
    got = list(doubts(MEASURED | measured))
    assert len(got) == len(said)
    assert all(one.startswith(start) for one, start in zip(got, said, strict=True))


def test_a_busy_machine_is_a_warning_beside_the_profile(run, monkeypatch, tmp_path):
    monkeypatch.setattr(measuring, "calibrate", lambda *_, **__: made(contention=0.5))
    result = run("calibrate", "--device", "cpu", "-o", tmp_path / "cpu.json")
    assert result.exit_code == 0
    assert result.stderr == ("warning: others took 50% of the CPU meanwhile: calibrate again when nothing else runs\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--device", "cpu"), "Missing option '-o' / '--output'", id="no output"),
        pytest.param(("-o", "cpu.json"), "Missing option '--device'", id="no device"),
        pytest.param(("--device", "meta", "-o", "p.json"), "got 'meta', allowed are cpu, cuda and cuda:N", id="meta"),
        pytest.param(
            ("--device", "cuda:9999", "-o", "p.json"), "--device: got 'cuda:9999', which is not", id="no card"
        ),
        pytest.param(("--device", "cpu", "-o", "missing/p.json"), "/missing/p.json: cannot be", id="no folder"),
        pytest.param(("--device", "cpu", "-o", "."), ": is a folder, allowed is a file", id="a folder"),
        pytest.param(("--device", "cpu", "-o", "-"), "--output: got -, allowed is the path", id="standard output"),
        pytest.param(("--device", "cpu", "-o", "p.json", "--runs", "0"), "got '0', allowed are whole", id="no run"),
        pytest.param(("--device", "cpu", "-o", "p.json", "--config", "no.json"), "--config: no.json", id="no config"),
    ],
)
def test_bad_input_is_refused_before_anything_is_measured(measure, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(dsocr, ["calibrate", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
    assert not result.stdout
    assert not measure
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        pytest.param(KeyboardInterrupt(), 130, "", id="interrupted"),
        pytest.param(MeasurementError("cpu: in use"), 2, "Error: cpu: in use\n", id="a device in use"),
    ],
)
def test_what_ends_it_leaves_the_old_profile(run, monkeypatch, tmp_path, error, code, said):
    def end(*_, **__):
        raise error

    path = tmp_path / "cpu.json"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(measuring, "calibrate", end)
    result = run("calibrate", "--device", "cpu", "-o", path)
    assert (result.exit_code, result.stderr) == (code, said)
    assert path.read_text(encoding="utf-8") == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["cpu.json"]


def test_too_little_memory_is_one_line(run, monkeypatch, tmp_path):
    import torch

    def end(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has none.")

    monkeypatch.setattr(measuring, "calibrate", end)
    result = run("calibrate", "--device", "cpu", "-o", tmp_path / "cpu.json")
    assert result.exit_code == 2
    assert result.stderr == "Error: --device: cpu has too little memory free: CUDA out of memory\n"
