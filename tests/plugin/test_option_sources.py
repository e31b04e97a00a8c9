"""Options: on the command line, as ini keys, by default; where their paths start; what the header and --help say."""

import json

import pytest

OPTIONS = ("tolerances", "device", "dtype", "attention", "reference", "config", "json", "require", "grids")
OPTIONS += ("repeats", "cache", "launch", "latency", "lock-timeout")


def header(result):
    return next(line for line in result.outlines if line.startswith("dsocr: "))


def test_defaults_stand_in_the_header(project):
    project.plain_test()
    assert header(project.run()).startswith("dsocr: transformers on meta, bfloat16, sdpa attention; ")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        pytest.param("device", "cpu", "transformers on cpu, bfloat16", id="device"),
        pytest.param("dtype", "float32", "on meta, float32, sdpa", id="dtype"),
        pytest.param("dtype", "fp16", "on meta, float16, sdpa", id="dtype, short"),
        pytest.param("attention", "eager", "bfloat16, eager attention", id="attention"),
        pytest.param("tolerances", "strict.toml", "strict.toml", id="tolerances"),
        pytest.param("reference", "other", "dsocr: other on meta", id="reference"),
    ],
)
def test_command_line_and_ini_take_the_same(project, option, value, words):
    project.plain_test()
    project.write("strict.toml", "[default]\nparams = 0\n")
    project.write(
        "conftest.py",
        """
        class Other:
            name = model = implementation = "other"
            layers = ()


        def pytest_dsocr_references():
            return [Other()]
        """,
    )
    assert words in header(project.run(f"--dsocr-{option}={value}"))
    project.ini(f"dsocr_{option} = {value}")
    assert words in header(project.run())


def test_the_command_line_wins_over_the_ini_file(project):
    project.plain_test()
    project.write("ours.toml", "")
    project.ini(
        "dsocr_device = nowhere",
        "dsocr_dtype = float16",
        "dsocr_attention = eager",
        "dsocr_tolerances = missing.toml",
        "dsocr_json = ini.json",
        "dsocr_require = gpu",
    )
    result = project.run(
        "--dsocr-device=cpu",
        "--dsocr-dtype=float32",
        "--dsocr-attention=flash",
        "--dsocr-tolerances=ours.toml",
        "--dsocr-json=ours.json",
        "--dsocr-require=latency",
    )
    assert header(result).startswith("dsocr: transformers on cpu, float32, flash attention; ")
    assert header(result).endswith("ours.toml")
    assert "--dsocr-require latency" in result.stdout.str()
    assert "--dsocr-require gpu" not in result.stdout.str()
    assert (project.path / "ours.json").exists()
    assert not (project.path / "ini.json").exists()


def test_rows_carry_what_was_asked_for(project):
    project.tests(
        """
        def test_linear(dsocr):
            assert (dsocr.device, dsocr.dtype) == ("cpu", "float32")
            x = torch.zeros(4, 8, device=dsocr.device, dtype=getattr(torch, dsocr.dtype))
            dsocr.compare(linear, FOUR, module=torch.nn.Linear(8, 16), inputs=[x])
        """
    )
    project.run(
        "--dsocr-device=cpu", "--dsocr-dtype=fp32", "--dsocr-attention=eager", "--dsocr-json=rows.json"
    ).assert_outcomes(passed=1)
    (row,) = project.rows()
    assert (row["device"]["type"], row["dtype"], row["attention"]) == ("cpu", "float32", "")
    assert row["device"]["torch"]


def test_auto_without_a_card_is_the_cpu(project, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    project.tests("def test_device(dsocr):\n    pytest.skip(f'on {dsocr.device}')\n")
    result = project.run("--dsocr-device=auto")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines("*on cpu")


def test_ini_paths_start_at_the_ini_file_and_others_where_pytest_starts(project, hf_config, monkeypatch):
    """Started in sub/: the ini file's are ../rules/ini.toml and ../ini.json, the command line's are in sub/."""
    project.plain_test()
    (project.path / "sub").mkdir()
    project.write("rules/ini.toml", "")
    project.write("sub/line.toml", "")
    project.write("config.json", json.dumps(hf_config))
    project.ini("dsocr_tolerances = rules/ini.toml", "dsocr_json = ini.json", "dsocr_config = config.json")
    monkeypatch.chdir(project.path / "sub")

    result = project.run("..")
    result.assert_outcomes(passed=1)
    assert "rules/ini.toml" in header(result)
    assert (project.path / "ini.json").exists()

    result = project.run(
        "..", "--dsocr-tolerances=line.toml", "--dsocr-json=line.json", "--dsocr-config=../config.json"
    )
    result.assert_outcomes(passed=1)
    assert "sub/line.toml" in header(result)
    assert (project.path / "sub" / "line.json").exists()


def test_workers_find_relative_paths_too(project, hf_config, monkeypatch):
    project.plain_test()
    project.write("sub/line.toml", "")
    project.write("sub/config.json", json.dumps(hf_config))
    monkeypatch.chdir(project.path / "sub")
    before = project.files()
    result = project.spawn(
        "..", "-n2", "--dsocr-tolerances=line.toml", "--dsocr-json=line.json", "--dsocr-config=config.json"
    )
    result.assert_outcomes(passed=1)
    assert project.files() == sorted([*before, "sub/ran", "sub/line.json"])


def test_tolerances_toml_in_the_rootdir_is_taken_unasked(project):
    project.plain_test()
    project.write("tolerances.toml", "")
    assert header(project.run()).endswith("tolerances.toml")


def test_a_file_outside_of_the_rootdir_is_named_in_full(project, tmp_path_factory):
    project.plain_test()
    outside = tmp_path_factory.mktemp("outside") / "rules.toml"
    outside.write_text("", encoding="utf-8")
    assert header(project.run(f"--dsocr-tolerances={outside}")).endswith(str(outside))


def test_help_shows_every_option_and_every_ini_key(project):
    text = project.run("--help").stdout.str()
    for option in OPTIONS:
        assert f"--dsocr-{option}=" in text
        assert f"dsocr_{option.replace('-', '_')} (" in text
    assert "dsocr_flop_formulas (linelist)" in text


def test_another_config_gives_other_sizes(project, hf_config):
    project.write("config.json", json.dumps(hf_config))
    project.tests(
        """
        from dsocr_cost.layers import MlpProjector


        def test_sizes(dsocr):
            assert dsocr.config.decoder.hidden_size == 48
            assert dsocr.config.sam.downsample_channels == (32, 64)
            row = dsocr.compare(
                MlpProjector(dsocr.config.projector),
                Case("projector"),
                metric="params",
                module=torch.nn.Linear(128, 48, device="meta"),
            )
            assert row.measured == 128 * 48 + 48
        """
    )
    project.run("--dsocr-config=config.json").assert_outcomes(passed=1)
    project.run().assert_outcomes(failed=1)


def test_broken_options_do_not_stand_in_the_way_of_help(project):
    project.ini("dsocr_tolerances = missing.toml")
    assert project.run("--help").ret == pytest.ExitCode.OK


def test_an_ini_file_in_another_folder_than_the_rootdir_starts_its_own_paths(project):
    project.plain_test()
    project.write("conf/rules.toml", "")
    project.write("tolerances.toml", "[default]\nspeed = 0\n")
    project.write("conf/ours.ini", "[pytest]\ndsocr_tolerances = rules.toml\ndsocr_json = rows.json\n")
    result = project.run("-c", "conf/ours.ini", "--rootdir=.")
    result.assert_outcomes(passed=1)
    assert header(result).endswith("conf/rules.toml")
    assert (project.path / "conf" / "rows.json").exists()


@pytest.mark.parametrize("table", ["tool.pytest.ini_options", "tool.pytest"])
def test_pyproject_toml_takes_the_same_keys(project, table):
    project.plain_test()
    (project.path / "pytest.ini").unlink()
    project.write(
        "pyproject.toml",
        f"""
        [{table}]
        dsocr_device = "cpu"
        dsocr_json = "rows.json"
        dsocr_require = ["gpu", "latency"]
        dsocr_flop_formulas = ["mylib::scale = 0"]
        """,
    )
    result = project.run("-rA")
    assert "transformers on cpu" in header(result)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["dsocr: --dsocr-require gpu: *", "dsocr: --dsocr-require latency: *"])
    assert project.rows() == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("dsocr_device = 3", ["dsocr_device", "3"], id="device"),
        pytest.param("dsocr_require = 'gpu'", ["dsocr_require", "gpu"], id="require"),
        pytest.param("dsocr_flop_formulas = 'mylib::scale = 0'", ["dsocr_flop_formulas"], id="formulas"),
    ],
)
def test_a_key_of_the_wrong_type_is_refused(project, refused, line, words):
    (project.path / "pytest.ini").unlink()
    project.write("pyproject.toml", f"[tool.pytest]\n{line}\n")
    refused(words=words)


def test_the_reference_builds_what_another_config_says(project, hf_config):
    """2 * 5 tokens * 128 * 48 = 61,440 FLOPs, on a real module of transformers' side."""
    project.write("config.json", json.dumps(hf_config))
    project.write(
        "test_it.py",
        """
        from dsocr_cost.layers import LlamaAttention, MlpProjector
        from pytest_dsocr import Case


        def test_projector(dsocr):
            dsocr.compare(MlpProjector(dsocr.config.projector), Case("5 tokens", batch=1, tokens=5))


        def test_attention(dsocr):
            case = Case("5 positions", batch=1, q_len=5, kv_len=5)
            dsocr.compare(LlamaAttention.from_config(dsocr.config.decoder), case)
        """,
    )
    result = project.spawn("--dsocr-config=config.json", "--dsocr-attention=eager", "--dsocr-json=rows.json")
    result.assert_outcomes(passed=2)
    projector, attention = project.rows()
    assert projector["measured"] == 61_440
    assert attention["measured"] == 2 * 5 * 4 * 48 * 48 + 2 * 2 * 2 * 5 * 5 * 24
    assert {(row["model"], row["implementation"]) for row in project.rows()} == {("deepseek-ocr", "transformers")}
    assert attention["attention"] == "eager"
