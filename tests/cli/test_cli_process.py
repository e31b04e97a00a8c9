"""The installed command as its own process: what it imports, how it ends."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_dsocr.cli.main import COMMANDS

SLOW = ("torch", "transformers", "matplotlib", "PIL")
WHAT_WAS_IMPORTED = f"""
import sys
from pytest_dsocr.cli.main import main
try:
    main()
finally:
    print([name for name in {SLOW} if name in sys.modules], file=sys.stderr)
"""
SMALL = Path(__file__).parents[1] / "data" / "odd_config.json"
ROWS = Path(__file__).parents[2] / "results" / "cpu-latency.json"
INSTALLED = Path(sys.executable).with_name("dsocr")
DSOCR = (sys.executable, "-W", "error", "-c", "from pytest_dsocr.cli.main import main; main()")


def dsocr(*arguments, command=DSOCR, **options):
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=60, **options)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--help",), id="help"),
        pytest.param(("cost", "--grid", "2x3", "--by", "op"), id="cost"),
        pytest.param(("sweep", "--context", "256"), id="sweep"),
        pytest.param(("fit", "--memory", "24GiB"), id="fit"),
        pytest.param(("vram", "--grids", "2x3"), id="vram"),
        pytest.param(("completion", "zsh"), id="completion"),
        pytest.param(("calibrate", "--help"), id="calibrate"),
        pytest.param(("roofline", "--help"), id="roofline"),
        pytest.param(("merge", "{rows}", "-o", "all.json"), id="merge"),
        pytest.param(("compare", "{rows}", "{rows}"), id="compare"),
        pytest.param(("report", "{rows}", "-o", "rows.json"), id="report"),
        pytest.param(("check", "{rows}"), id="check"),
        pytest.param(("forget", "{rows}", "vision.Attention, 1024 view, tensor_flops"), id="forget"),
    ],
)
def test_nothing_slow_is_imported(write, make_row, tmp_path, arguments):
    rows = write("rows.json", make_row())
    command = (sys.executable, "-c", WHAT_WAS_IMPORTED)
    result = dsocr(*(one.format(rows=rows) for one in arguments), command=command, cwd=tmp_path)
    assert result.returncode == 0
    assert result.stderr == "[]\n"


def test_what_measures_says_without_torch_that_it_needs_it(tmp_path):
    """A module that is None in ``sys.modules`` is one that is not there."""
    without = "import sys; sys.modules['torch'] = None; from pytest_dsocr.cli.main import main; main()"
    command = (sys.executable, "-c", without)
    result = dsocr("calibrate", "--device", "cpu", "-o", "cpu.json", command=command, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "Error: calibrate: needs torch, which is not installed\n"


def test_the_installed_command_prints_json():
    result = dsocr("cost", "--grid", "2x3", "--json", command=(str(INSTALLED),))
    assert result.returncode == 0
    assert not result.stderr
    assert json.loads(result.stdout)["stages"]["total"]["tensor_flops"] == 4_676_458_385_408


EVERY_COMMAND = pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--help",), id="help"),
        pytest.param(("--version",), id="version"),
        pytest.param(("cost",), id="cost"),
        pytest.param(("cost", "--json"), id="cost as JSON"),
        pytest.param(("sweep", "--context", "1:8000:1"), id="sweep"),
        pytest.param(("scaling", "--context", "16", "--decode-steps", "1", "--config", "{config}"), id="scaling"),
        pytest.param(("scaling", "--help"), id="help of a command"),
        pytest.param(("fit", "--memory", "24GiB"), id="fit"),
        pytest.param(("vram", "--grids", "model"), id="vram"),
        pytest.param(("completion", "bash"), id="completion"),
        pytest.param(("compare", "{rows}", "{rows}", "--all"), id="compare"),
    ],
)


def with_config(arguments):
    """Put the path of a small configuration where a command would measure the whole model, and that of a rows file."""
    return [one.format(config=SMALL, rows=ROWS) for one in arguments]


@EVERY_COMMAND
def test_a_reader_that_leaves_ends_it_in_silence_as_sigpipe_would(tmp_path, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", closefd=True) as gone:  # noqa: PTH123  # of a descriptor
        result = subprocess.run(
            [*DSOCR, *with_config(arguments)], stdout=gone, stderr=subprocess.PIPE, check=False, cwd=tmp_path
        )
    assert (result.returncode, result.stderr) == (141, b"")


def test_a_reader_that_leaves_after_a_line_is_no_error():
    with subprocess.Popen(
        [*DSOCR, "sweep", "--context", "1:8000:1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait(timeout=60)


@EVERY_COMMAND
def test_a_closed_output_is_one_line(tmp_path, arguments):
    command = shlex.join([*DSOCR, *with_config(arguments)])
    result = subprocess.run(
        ["sh", "-c", f"{command} >&-"], stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path
    )
    assert result.returncode == 2
    assert result.stderr == "Error: output: cannot be written: the standard output is closed\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("closed", [">&- 2>&-", "2>&-", "<&- >&- 2>&-"])
def test_an_exit_code_needs_no_output(closed):
    command = f"{shlex.join([*DSOCR, 'cost', '--grid', 'axb'])} {closed}"
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_a_full_disk_is_one_line():
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        result = subprocess.run([*DSOCR, "cost"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == "Error: output: cannot be written: No space left on device\n"


def test_bad_input_exits_with_2_and_without_a_traceback():
    result = dsocr("cost", "--grid", "2x3", "--mode", "tiny")
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1


def test_the_version_is_that_of_the_package():
    assert dsocr("--version").stdout.startswith("dsocr, version ")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help_with_examples(run, command, flag):
    result = run(command, flag)
    assert result.exit_code == 0
    _, _, examples = result.stdout.partition("Examples:\n")
    assert examples.count(f"    dsocr {command} ") >= 2
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_asks_the_command(run, shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_DSOCR_COMPLETE={shell}_complete" in result.stdout


def test_bash_takes_the_script_and_completes_an_option():
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    script = dsocr("completion", "bash").stdout
    asked = 'COMP_WORDS=(dsocr cost --im); COMP_CWORD=2; _dsocr_completion dsocr; printf "%s\\n" "${COMPREPLY[@]}"'
    path = {**os.environ, "PATH": f"{INSTALLED.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [bash, "-c", f"{script}\n{asked}"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=path)
    assert result.stdout.split() == ["--image", "--implementation"]


@pytest.fixture
def piped(monkeypatch):
    """Run it into a pipe, where nothing says how wide a line may be."""
    monkeypatch.delenv("COLUMNS", raising=False)
    return lambda *arguments: dsocr(*map(str, arguments)).stdout


def test_a_pipe_gets_every_column_of_a_table(piped):
    heads = piped("sweep", "--grids", "2x3", "--ttft", "1s", "--tpot", "50ms").splitlines()[0].split()
    assert heads[-3:] == ["I/O", "activation", "CUDA"]


def test_a_pipe_gets_every_name_of_a_comparison_in_full(piped, write, make_row):
    case = "a name that goes on " * 20
    rows = [make_row(case=case, measured=figure) for figure in (1000, 2000)]
    gone = make_row(case=f"{case}and is gone")
    printed = piped("compare", write("base.json", rows[0], gone), write("head.json", rows[1]))
    assert any(case in line and line.endswith("  regression") for line in printed.splitlines())
    assert gone.case in printed
    assert "…" not in printed


def test_columns_say_how_wide_a_pipe_is(piped, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, dsocr("sweep", "--grids", "2x3").stdout.splitlines())) <= 80
