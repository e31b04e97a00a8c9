"""What cannot work is refused before any test runs: exit code 4, and file, key, what it got and what is allowed."""

import json
import os

import pytest

LAYER = 'layer = "vision.MlpProjector"\n'
WHY = 'because = "a reason"\n'

BAD_TOLERANCES = {
    "no TOML": ("[default\n", ["is no TOML"]),
    "unknown table": ("[tolerance]\nflops = 0\n", ["'tolerance'", "default, rule"]),
    "unknown key of a rule": (
        f"[[rule]]\n{LAYER}{WHY}rol = 0.1\n",
        ["rule 1", "'rol'", "layer, case, device, metric, rtol"],
    ),
    "unknown layer": (
        f'[[rule]]\nlayer = "vision.Attn"\nrtol = 0.1\n{WHY}',
        ["rule 1", "layer", "'vision.Attn'", "vision.Attention"],
    ),
    "unknown metric of a rule": (
        f'[[rule]]\nmetric = "speed"\nrtol = 0.1\n{WHY}',
        ["rule 1", "metric", "'speed'", "params"],
    ),
    "unknown metric of a default": ("[default]\nspeed = 0.1\n", ["default", "metric", "'speed'", "tensor_flops"]),
    "unknown device": (
        f'[[rule]]\ndevice = "RTX 9090"\nrtol = 0.1\n{WHY}',
        ["rule 1", "device", "'RTX 9090'", "RTX 5090"],
    ),
    "negative": ("[default]\ntensor_flops = -0.1\n", ["default.tensor_flops", "-0.1", "a number of at least 0"]),
    "NaN": ("[default]\ntensor_flops = nan\n", ["default.tensor_flops", "nan", "a number of at least 0"]),
    "infinite": (f"[[rule]]\n{LAYER}{WHY}rtol = inf\n", ["rule 1: rtol", "inf", "a number of at least 0"]),
    "text": ('[default]\ntensor_flops = "10 %"\n', ["default.tensor_flops", "'10 %'", "a number of at least 0"]),
    "a truth value": (f"[[rule]]\n{LAYER}{WHY}rtol = true\n", ["rule 1: rtol", "True", "a number of at least 0"]),
    "no rtol": (f"[[rule]]\n{LAYER}{WHY}", ["rule 1", "rtol", "missing"]),
    "no reason": (f"[[rule]]\n{LAYER}rtol = 0.1\n", ["rule 1: because", "''", "reason"]),
    "a rule for nothing": (f"[[rule]]\n{WHY}rtol = 0.1\n", ["rule 1", "names nothing", "layer, case, device, metric"]),
    "a tie": (
        f'[[rule]]\n{LAYER}{WHY}rtol = 0.1\n[[rule]]\nmetric = "params"\n{WHY}rtol = 0.2\n',
        ["rule 1 and rule 2 tie"],
    ),
    "a table that is none": ("default = 3\n", ["default", "3", "a table"]),
    "rules that are none": ("rule = 3\n", ["rule", "3", "[[rule]]"]),
}


@pytest.mark.parametrize(("text", "words"), BAD_TOLERANCES.values(), ids=BAD_TOLERANCES)
def test_a_tolerance_file_that_is_wrong(project, refused, text, words):
    project.write("tolerances.toml", text)
    result = refused("--dsocr-json=rows.json", words=["tolerances.toml", *words])
    assert "allowed" in result.stderr.str() or "is no TOML" in words


def test_a_tolerance_file_that_cannot_be_read(project, refused):
    (project.path / "folder.toml").mkdir()
    (project.path / "latin.toml").write_bytes(b"# \xe9\n")
    refused("--dsocr-tolerances=nowhere.toml", words=["nowhere.toml", "cannot be read"])
    refused("--dsocr-tolerances=folder.toml", words=["folder.toml", "is a folder, allowed is a text file"])
    refused("--dsocr-tolerances=/dev/zero", words=["/dev/zero", "is no regular file"])
    refused("--dsocr-tolerances=latin.toml", words=["latin.toml", "is no UTF-8"])
    project.ini("dsocr_tolerances = elsewhere.toml")
    refused(words=["elsewhere.toml", "cannot be read"])


BAD_OPTIONS = {
    "device": ("gpu", ["'gpu'", "meta, cpu, cuda"]),
    "dtype": ("int8", ["'int8'", "bfloat16, float16, float32"]),
    "attention": ("paged", ["'paged'", "eager, sdpa, flash"]),
    "repeats": ("0", ["'0'", "whole numbers from 1"]),
    "cache": ("hot", ["'hot'", "cold, warm"]),
    "launch": ("fast", ["'fast'", "graph, eager"]),
    "latency": ("maybe", ["'maybe'", "gate, advisory"]),
    "reference": ("vendor", ["'vendor'", "transformers"]),
    "require": ("everything", ["'everything'", "all, gpu, baseline, flops", "tensor_flops", "vision.Attention"]),
}


@pytest.mark.parametrize(
    ("option", "got", "words"), [(key, *value) for key, value in BAD_OPTIONS.items()], ids=BAD_OPTIONS
)
def test_an_option_that_does_not_exist(project, refused, option, got, words):
    refused(f"--dsocr-{option}={got}", words=[f"--dsocr-{option}", "allowed", *words])
    project.ini(f"dsocr_{option} = {got}")
    refused(words=[f"dsocr-{option}", "allowed", *words])


def test_an_option_without_a_value(refused):
    refused("--dsocr-device=", words=["--dsocr-device", "got ''", "meta, cpu"])
    refused("--dsocr-json=", words=["is a folder"])


def test_a_gpu_that_is_not_there(refused):
    refused("--dsocr-device=cuda:99", words=["device", "'cuda:99'", "allowed", "meta, cpu"])


def test_a_config_that_cannot_be_read(project, refused):
    project.write("config.json", "{")
    refused("--dsocr-config=config.json", words=["config.json", "is no JSON"])
    refused("--dsocr-config=nowhere.json", words=["nowhere.json", "cannot be read"])
    refused("--dsocr-config=/dev/zero", words=["/dev/zero", "is no regular file"])
    project.write("config.json", "[]")
    refused("--dsocr-config=config.json", words=["config.json", "list", "allowed is an object"])


BAD_CONFIGS = {
    "missing section": (["projector_config"], None, ["projector_config", "missing", "an object"]),
    "missing key": (["language_config", "hidden_size"], None, ["language_config.hidden_size", "missing", "a whole"]),
    "wrong type": (
        ["vision_config", "image_size"],
        "1024",
        ["vision_config.image_size", "'1024'", "allowed is a whole number"],
    ),
    "heads that do not divide": (
        ["language_config", "num_attention_heads"],
        7,
        ["language_config", "hidden_size", "48", "a multiple of num_attention_heads (7)"],
    ),
    "parts that do not fit": (["projector_config", "n_embed"], 50, ["n_embed", "50", "hidden_size (48)"]),
    "nothing of it": (["vision_config", "width", "sam_vit_b", "layers"], 0, ["sam_vit_b", "0", "at least 1"]),
}


@pytest.mark.parametrize(("keys", "value", "words"), BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_a_config_of_impossible_sizes(project, refused, hf_config, keys, value, words):
    *sections, last = keys
    section = hf_config
    for key in sections:
        section = section[key]
    section.pop(last) if value is None else section.update({last: value})
    project.write("config.json", json.dumps(hf_config))
    refused("--dsocr-config=config.json", words=["config.json", "allowed", *words])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("nowhere/rows.json", ["nowhere is no folder"], id="missing folder"),
        pytest.param("results", ["results: is a folder", "allowed is a file"], id="a folder"),
        pytest.param("pytest.ini/rows.json", ["pytest.ini is no folder"], id="a file as folder"),
    ],
)
def test_a_results_file_that_could_not_be_written(project, refused, path, words):
    (project.path / "results").mkdir()
    refused(f"--dsocr-json={path}", words=[path, *words])
    project.ini(f"dsocr_json = {path}")
    refused(words=[path, *words])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("mylib::matmul: 3", ["'namespace::op = 0'"], id="form"),
        pytest.param("mylib.matmul = 0", ["'namespace::op = 0'"], id="name"),
        pytest.param("mylib::matmul = 12", ["'namespace::op = 0'"], id="number"),
        pytest.param("mylib::matmul = no_such_module:f", ["no_such_module"], id="module"),
        pytest.param("mylib::matmul = math:no_such_function", ["no_such_function"], id="function"),
        pytest.param("mylib::matmul = math:pi", ["math:pi is no function"], id="no function"),
    ],
)
def test_a_formula_line_that_is_wrong(project, refused, line, words):
    project.ini("dsocr_flop_formulas =", f"    {line}")
    refused(words=["dsocr_flop_formulas", line, *words])


def test_a_formula_module_that_is_broken(project, refused):
    project.write("broken.py", "1 / 0\n")
    project.ini("pythonpath = .", "dsocr_flop_formulas =", "    mylib::matmul = broken:matmul")
    refused(words=["dsocr_flop_formulas", "broken:matmul", "division by zero"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param(["--dsocr-tolerances=bad.toml"], ["bad.toml", "'speed'"], id="tolerances"),
        pytest.param(["--dsocr-json=nowhere/rows.json"], ["nowhere is no folder"], id="json"),
        pytest.param(["--dsocr-device=cuda:99"], ["'cuda:99'"], id="device"),
    ],
)
def test_no_worker_starts_after_a_refusal(project, refused, args, words):
    project.write("bad.toml", "[default]\nspeed = 0\n")
    result = refused("-n2", *args, words=words, spawn=True)
    assert "workers" not in result.stdout.str()


WITHOUT_TORCH = """
import sys


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")


sys.meta_path.insert(0, Refuse())
"""


@pytest.fixture
def without_torch(project, monkeypatch):
    """Run processes in which torch is not installed."""
    project.write("absent/sitecustomize.py", WITHOUT_TORCH)
    monkeypatch.setenv("PYTHONPATH", str(project.path / "absent"), prepend=os.pathsep)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        (("--dsocr-baseline=base.json",), "--dsocr-baseline (ini: dsocr_baseline)"),
        (("--dsocr-baseline=base.json", "--dsocr-update-baseline"), "--dsocr-baseline (ini: dsocr_baseline)"),
        (("--dsocr-device=cuda",), "--dsocr-device (ini: dsocr_device)"),
        (("--dsocr-device=auto", "--dsocr-baseline=base"), "--dsocr-device (ini: dsocr_device)"),
        (("--dsocr-device=cpu", "--dsocr-profile=cpu.json"), "--dsocr-profile (ini: dsocr_profile)"),
    ],
    ids=["a baseline", "an update of it", "a card", "whatever is there", "a profile"],
)
@pytest.mark.usefixtures("without_torch")
def test_what_needs_torch_is_refused_without_it(refused, options, option):
    refused(*options, words=[f"{option}: needs torch, which cannot be imported: No module named 'torch'"], spawn=True)


@pytest.mark.usefixtures("without_torch")
def test_reports_and_requirements_need_no_torch(project):
    project.plain_test()
    outputs = ("--dsocr-json=rows.json", "--dsocr-report=rows.html")
    assert project.spawn(*outputs).ret == pytest.ExitCode.OK
    assert project.spawn(*outputs, "--dsocr-require=flops").ret == pytest.ExitCode.TESTS_FAILED
