"""Times of layers, predicted from a calibration of this CPU: made up here, so that it is known what it says."""

import json
from dataclasses import asdict

import pytest

from dsocr_cost.efficiency import CLASSES, Machine, Smooth
from dsocr_cost.profile import Host, Profile
from dsocr_cost.profile_json import Calibration
from pytest_dsocr.measure.device import fingerprint

LAYER = """
from dsocr_cost import ProjectorConfig
from dsocr_cost.layers import MlpProjector


def test_it(dsocr):
    layer = MlpProjector(ProjectorConfig("linear", 8, 16))
    dsocr.compare(layer, Case("4 tokens", batch=1, tokens=4), metric="latency_s")
"""
MACHINE = Machine("a made-up one", {2: 1e15, 4: 1e15}, 1e15, 2**25, 1e15)


def calibration(fixed_s, **device):
    """Say that every kernel takes ``fixed_s``, within a tenth, and the host nothing."""
    models = dict.fromkeys(CLASSES, Smooth(fixed_s, 1.0, 1.0, 4.0, 0.1))
    profile = Profile(MACHINE, models, Host(0.0, 0.0, overlaps=False, error=0.0), "made up")
    return Calibration(profile, asdict(fingerprint("cpu")) | device).to_json()


@pytest.fixture
def timed(project):
    """Run the layer's test with a calibration, and get the outcomes."""

    def run(text, *options):
        project.tests(LAYER)
        project.write("tolerances.toml", "[default]\nlatency_s = 0.99\n")  # wider than the noise of a busy machine
        (project.path / "cpu.json").write_text(text, encoding="utf-8")
        return project.run("--dsocr-device=cpu", "--dsocr-profile=cpu.json", "--dsocr-json=rows.json", *options)

    return run


def test_a_layer_takes_what_the_calibration_says_of_its_kernels(timed, project):
    """One kernel of 1000 s, between 900 and 1100; how long it took is the machine's affair."""
    timed(calibration(1000.0))
    (row,) = project.rows()
    assert row["predicted"] == pytest.approx(1000.0)
    assert row["band"] == pytest.approx([900.0, 1100.0])
    assert row["source"].endswith("cpu.json, eager")
    assert row["verdict"] in ("pass", "inconclusive")


def test_a_layer_that_takes_longer_than_predicted_is_no_pass(timed, project):
    """A millionth of a microsecond, and next to nothing for its bytes."""
    timed(calibration(1e-12)).assert_outcomes(failed=1)
    (row,) = project.rows()
    assert row["predicted"] < 1e-11
    assert row["verdict"] in ("fail", "inconclusive")


def test_a_calibration_of_another_device_is_refused_before_anything_runs(timed):
    result = timed(calibration(1.0, name="Another CPU, 64 threads"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*cpu.json: device: got a calibration of cpu Another CPU, 64 threads, allowed is one of cpu *threads*"]
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text.replace("1000.0", "1001.0"), "*cpu.json: sha256: *changed*calibrate anew*"),
        (lambda text: text[: len(text) // 2], "*cpu.json: is no JSON, or was cut off*"),
        (lambda text: json.dumps(json.loads(text) | {"schema": 99}), "*cpu.json: schema: got 99, allowed is 1*"),
    ],
    ids=["edited", "cut off", "of a later schema"],
)
def test_a_calibration_that_cannot_be_trusted_is_refused_before_anything_runs(timed, change, complaint):
    result = timed(change(calibration(1000.0)))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([complaint])


@pytest.mark.parametrize("from_ini", [False, True], ids=["option", "ini"])
def test_a_peak_beside_a_calibration_is_refused_before_anything_runs(timed, project, from_ini):
    if from_ini:
        project.ini("dsocr_peak_tflops = 100")
    result = timed(calibration(1.0), *([] if from_ini else ["--dsocr-peak-tflops=100"]))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--dsocr-peak-tflops (ini: dsocr_peak_tflops): got one beside a profile*leave out*"])


@pytest.mark.parametrize("given", ["0", "-1", "fast", "nan"])
def test_a_peak_that_is_none_is_refused(timed, given):
    result = timed(calibration(1.0), f"--dsocr-peak-tflops={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--dsocr-peak-tflops (ini: dsocr_peak_tflops): got *allowed are numbers above 0*"])
