"""Options: command line over ini over built-in defaults."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from dsocr_cost.workload import MODEL_GRIDS
from pytest_dsocr import OptionError
from pytest_dsocr.grids import published_grids
from pytest_dsocr.measure.settings import LatencySettings
from pytest_dsocr.options import Options


@pytest.fixture
def read(tmp_path):
    """Read options from a command line and an ini file, both given as dictionaries, of a worker of xdist or not.

    pytest was started in ``started``, the ini file stands in ``project/ini``, the rootdir is ``project``.
    """

    def read(command_line=None, ini=None, **of_a_worker):
        given, written = (
            command_line or {},
            {"dsocr_flop_formulas": [], "dsocr_require": [], "dsocr_report": [], **(ini or {})},
        )
        (tmp_path / "project").mkdir(exist_ok=True)
        config = SimpleNamespace(
            getoption=given.get,
            getini=written.get,
            rootpath=tmp_path / "project",
            inipath=tmp_path / "project/ini/pytest.ini",
            invocation_params=SimpleNamespace(dir=tmp_path / "started"),
            **of_a_worker,
        )
        return Options.from_pytest_config(config)

    return read


def test_the_defaults_measure_transformers_on_meta(read):
    assert read() == Options(
        tolerances=None,
        device="meta",
        dtype="bfloat16",
        attention="sdpa",
        reference="transformers",
        config=None,
        json=None,
        require=(),
        flop_formulas=(),
        grids=published_grids(),
    )


@pytest.mark.parametrize(
    ("name", "on_the_line", "in_the_file"),
    [
        ("device", "cpu", "cuda"),
        ("dtype", "float32", "float16"),
        ("attention", "eager", "flash"),
        ("reference", "mine", "yours"),
    ],
    ids=["device", "dtype", "attention", "reference"],
)
def test_the_command_line_stands_over_the_ini_file(read, name, on_the_line, in_the_file):
    key = f"dsocr_{name}"
    assert getattr(read({key: on_the_line}, {key: in_the_file}), name) == on_the_line
    assert getattr(read({}, {key: in_the_file}), name) == in_the_file


@pytest.mark.parametrize("name", ["tolerances", "config", "json"])
def test_a_path_starts_from_where_it_was_written(read, tmp_path, name):
    key = f"dsocr_{name}"
    assert getattr(read({key: "a/b"}, {key: "c"}), name) == tmp_path / "started/a/b"
    assert getattr(read({}, {key: "a/b"}), name) == tmp_path / "project/ini/a/b"
    assert getattr(read({key: "/a/b"}), name) == Path("/a/b")


def test_a_path_may_start_at_home(read, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert read({"dsocr_json": "~/rows.json"}).json == Path("/home/someone/rows.json")


def test_tolerances_of_the_project_are_found(read, tmp_path):
    usual = tmp_path / "project/tolerances.toml"
    usual.parent.mkdir()
    usual.touch()
    assert read().tolerances == usual
    assert read({"dsocr_tolerances": "other.toml"}).tolerances == tmp_path / "started/other.toml"


@pytest.mark.parametrize("device", ["meta", "cpu", "auto", "cuda", "cuda:0", "cuda:12"])
def test_a_device_is_taken_as_it_is_written(read, device):
    assert read({"dsocr_device": device}).device == device


@pytest.mark.parametrize(
    ("written", "dtype"),
    [
        ("bf16", "bfloat16"),
        ("bfloat16", "bfloat16"),
        ("fp16", "float16"),
        ("float16", "float16"),
        ("fp32", "float32"),
        ("float32", "float32"),
    ],
)
def test_a_dtype_has_a_short_name(read, written, dtype):
    assert read({"dsocr_dtype": written}).dtype == dtype


@pytest.mark.parametrize(
    ("name", "got", "allowed"),
    [
        ("device", "gpu", "meta, cpu, cuda, cuda:N, auto"),
        ("device", "cuda:", "meta, cpu, cuda, cuda:N, auto"),
        ("device", "cuda:-1", "meta, cpu, cuda, cuda:N, auto"),
        ("device", "cpu\n", "meta, cpu, cuda, cuda:N, auto"),
        ("device", "", "meta, cpu, cuda, cuda:N, auto"),
        ("dtype", "int8", "bfloat16, float16, float32"),
        ("attention", "flash_attention_2", "eager, sdpa, flash"),
    ],
    ids=["device", "no number", "negative number", "newline", "nothing", "dtype", "attention"],
)
def test_another_value_is_refused_with_what_is_allowed(read, name, got, allowed):
    message = f"--dsocr-{name} (ini: dsocr_{name}): got {got!r}, allowed are {allowed}"
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        read({f"dsocr_{name}": got})
    if got:
        with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
            read({}, {f"dsocr_{name}": got})


def test_requirements_of_the_command_line_replace_those_of_the_ini_file(read):
    assert read({"dsocr_require": ["gpu"]}, {"dsocr_require": ["all", "flops"]}).require == ("gpu",)
    assert read({}, {"dsocr_require": ["all", "flops"]}).require == ("all", "flops")


def test_formulas_come_from_the_ini_file(read):
    assert read({}, {"dsocr_flop_formulas": ["mine::mm = 0"]}).flop_formulas == ("mine::mm = 0",)


def test_grids_of_the_command_line_stand_over_those_of_the_ini_file(read):
    assert read({"dsocr_grids": "2x3,15x26"}, {"dsocr_grids": "model"}).grids == ((2, 3), (15, 26))
    assert read({}, {"dsocr_grids": "model"}).grids == MODEL_GRIDS


@pytest.mark.parametrize(
    ("written", "got"),
    [
        pytest.param("all", "all", id="word"),
        pytest.param("2x3,0x2", "0x2", id="no crops"),
        pytest.param("2x3,,3x2", "", id="nothing between commas"),
        pytest.param("", "", id="nothing"),
        pytest.param("1000x1", "1000x1", id="beyond every image"),
    ],
)
def test_other_grids_are_refused_with_what_is_allowed(read, written, got):
    allowed = "published, model and HIGHxWIDE, such as 2x3, with 1 to 999 crops a side, with commas between them"
    message = f"--dsocr-grids (ini: dsocr_grids): got {got!r}, allowed are {allowed}"
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        read({"dsocr_grids": written})
    if written:
        with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
            read({}, {"dsocr_grids": written})


# --- time ---


def test_a_time_is_measured_three_times_with_cold_caches_unless_asked_otherwise(read):
    assert read().timing == LatencySettings(repeats=3, cache="cold", launch=None, lock_timeout_s=600.0)
    assert read().advisory == ""


@pytest.mark.parametrize(
    ("name", "on_the_line", "in_the_file", "field", "values"),
    [
        ("repeats", "5", "1", "repeats", (5, 1)),
        ("cache", "warm", "cold", "cache", ("warm", "cold")),
        ("launch", "eager", "graph", "launch", ("eager", "graph")),
        ("lock_timeout", "0", "1.5", "lock_timeout_s", (0.0, 1.5)),
    ],
    ids=["repeats", "cache", "launch", "lock timeout"],
)
def test_how_a_time_is_measured_is_an_option_and_an_ini_key(read, name, on_the_line, in_the_file, field, values):
    key = f"dsocr_{name}"
    assert getattr(read({key: on_the_line}, {key: in_the_file}).timing, field) == values[0]
    assert getattr(read({}, {key: in_the_file}).timing, field) == values[1]


@pytest.mark.parametrize(
    ("given", "worker", "advisory"),
    [
        (None, {}, ""),
        ("gate", {}, ""),
        ("advisory", {}, "advisory"),
        (None, {"workerinput": {}}, "advisory under xdist"),
        ("advisory", {"workerinput": {}}, "advisory under xdist"),
        ("gate", {"workerinput": {}}, ""),
    ],
    ids=["plain", "plain, gate", "plain, advisory", "xdist", "xdist, advisory", "xdist, gate"],
)
def test_a_time_is_advice_under_xdist_unless_asked_otherwise(read, given, worker, advisory):
    assert read({"dsocr_latency": given}, **worker).advisory == advisory
    assert read({}, {"dsocr_latency": given}, **worker).advisory == advisory


@pytest.mark.parametrize(
    ("name", "got", "allowed"),
    [
        ("repeats", "0", "whole numbers from 1 to 9999"),
        ("repeats", "-1", "whole numbers from 1 to 9999"),
        ("repeats", "1.5", "whole numbers from 1 to 9999"),
        ("repeats", "10000", "whole numbers from 1 to 9999"),
        ("repeats", "", "whole numbers from 1 to 9999"),
        ("cache", "hot", "cold, warm"),
        ("launch", "compiled", "graph, eager, auto"),
        ("launch", "", "graph, eager, auto"),
        ("latency", "maybe", "gate, advisory"),
        ("lock-timeout", "-1", "seconds, 0 for not at all"),
        ("lock-timeout", "inf", "seconds, 0 for not at all"),
    ],
)
def test_no_other_way_to_measure_time_is_taken(read, name, got, allowed):
    key = f"dsocr_{name.replace('-', '_')}"
    message = f"--dsocr-{name} (ini: {key}): got {got!r}, allowed are {allowed}"
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        read({key: got})
