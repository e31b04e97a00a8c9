"""Bad input: exit 2, the option's name on stderr, no traceback, nothing on stdout."""

import os

import pytest

LETTER = ("--size", "1700x2200")


def case(name, *arguments, id):  # noqa: A002  # as pytest.param spells it
    return pytest.param(name, arguments, id=id)


@pytest.mark.parametrize(
    ("option", "arguments"),
    [
        case("--grid", "cost", "--grid", "0x2", id="grid 0x2"),
        case("--grid", "cost", "--grid", "2x", id="grid 2x"),
        case("--grid", "cost", "--grid", "axb", id="grid axb"),
        case("--grid", "cost", "--grid", "1x100000", id="grid 1x100000"),
        case("--grid", "cost", "--grid", "", id="grid of nothing"),
        case("--grid", "cost", "--grid", "2x3", "--mode", "tiny", id="grid in a mode without crops"),
        case("--size", "cost", "--size", "0x5", id="size 0x5"),
        case("--size", "cost", "--size", "100000x100000", id="size 100000x100000"),
        case("--size", "cost", "--size", "1700", id="size of one side"),
        case("--size", "cost", "--size", "-1x5", id="size with a sign"),
        case("--context", "cost", "--grid", "2x3", "--context", "892", id="context shorter than the image tokens"),
        case("--context", "cost", "--context", "0", id="context 0"),
        case("--text-tokens", "cost", "--text-tokens", "-1", id="text tokens below 0"),
        case("--decode-steps", "cost", "--decode-steps", "0", id="no decode step"),
        case("--decode-steps", "cost", "--decode-steps", "-5", id="decode steps below 0"),
        case("--decode-steps", "cost", "--decode-steps", "ten", id="decode steps, no number"),
        case("--batch", "cost", "--batch", "0", id="batch 0"),
        case("--batch", "cost", "--batch", "1.5", id="batch 1.5"),
        case("--batch", "cost", "--batch", "nan", id="batch nan"),
        case("--batch", "cost", "--batch", str(10**19), id="batch past int64"),
        case("--batch", "cost", "--batch", str(2**63 - 1), id="a batch whose counts leave int64"),
        case("--decode-steps", "cost", "--decode-steps", str(10**12), id="decode steps whose counts leave int64"),
        case("--text-tokens", "cost", "--text-tokens", str(10**16), id="text tokens whose counts leave int64"),
        case("--context", "cost", "--context", str(10**16), id="a context whose counts leave int64"),
        case("--mode", "cost", "--mode", "huge", id="a mode that is none"),
        case("--attention", "cost", "--attention", "ring", id="an attention that is none"),
        case("--dtype", "cost", "--dtype", "int8", id="a dtype that is none"),
        case("--implementation", "cost", "--implementation", "mine", id="an implementation that is none"),
        case("--by", "cost", "--by", "kernel", id="a breakdown that is none"),
        case("--config", "cost", "--config", "missing.json", id="config that is missing"),
        case("--image and --size", "cost", "--image", "page.png", *LETTER, id="image and size"),
        case("--size and --grid", "cost", *LETTER, "--grid", "2x3", id="size and grid"),
        case("--image and --grid", "cost", "--grid", "2x3", "--image", "page.png", id="image and grid"),
        case("--context and --text-tokens", "cost", "--context", "9", "--text-tokens", "9", id="context and text"),
        case("--device and --profile", "cost", "--device", "4090", "--profile", "p.json", id="device and profile"),
        case("--devices", "cost", "--devices", "cards.toml", id="cards of one's own, and none of them"),
        case("--launch", "cost", "--launch", "graph", id="a launch of no machine"),
        case("--launch", "cost", "--device", "4090", "--launch", "lazy", id="a launch that is none"),
        case("--peak-tflops", "cost", "--peak-tflops", "100", id="a peak of no machine"),
        case(
            "--peak-tflops", "roofline", "--profile", "p.json", "--peak-tflops", "1", id="a peak beside measured roofs"
        ),
        case(
            "--peak-tflops",
            *("roofline", "--device", "4090", "--dtype", "float32", "--peak-tflops", "1"),
            id="a peak of 16 bits for roofs of 32",
        ),
        case("--peak-tflops", "cost", "--device", "4090", "--peak-tflops", "0", id="a peak of 0"),
        case("--peak-tflops", "cost", "--device", "4090", "--peak-tflops", "nan", id="a peak that is no number"),
        case("--peak-tflops", "cost", "--device", "4090", "--peak-tflops", "1e400", id="a peak of infinity"),
        case("--device", "cost", "--device", "RTX 9999", id="a device that nobody knows"),
        case("--profile", "cost", "--profile", "missing.json", id="a profile that is missing"),
        case("--profile", "cost", "--profile", "file", id="a profile that is empty"),
        case("--profile", "cost", "--profile", ".", id="a profile that is a folder"),
        case("--nonsense", "cost", "--nonsense", id="an option that is none"),
        case("--grids, --context", "sweep", id="a sweep over nothing"),
        case("--grids and --context", "sweep", "--grids", "model", "--context", "5", id="a sweep over both"),
        case("--grids", "sweep", "--grids", "2x3,axb", id="grids with axb"),
        case("--grids", "sweep", "--grids", "2x3,", id="grids with nothing behind the comma"),
        case("--grids", "sweep", "--grids", "modal", id="a table of grids that is none"),
        case("--grids", "sweep", "--grids", "model", "--mode", "tiny", id="grids in a mode without crops"),
        case("--grids", "sweep", "--grids", "2x3", "0x2", id="a second grid that is none"),
        case("--context", "sweep", "--context", "8:4:1", id="a range that goes down"),
        case("--context", "sweep", "--context", "8", "axb", id="a second context that is none"),
        case("--context", "sweep", "--context", str(10**16), id="contexts whose counts leave int64"),
        case("--batch", "sweep", "--grids", "model", "--batch", str(10**15), id="a sweep whose counts leave int64"),
        case("--mode and --context", "sweep", "--context", "8", "--mode", "tiny", id="contexts with a mode"),
        case("--text-tokens and --context", "sweep", "--context", "8", "--text-tokens", "1", id="contexts with text"),
        case("--csv", "sweep", "--grids", "model", "--csv", "missing/grids.csv", id="CSV in no folder"),
        case("--json", "sweep", "--grids", "model", "--json", ".", id="JSON that is a folder"),
        case("--csv: got -", "sweep", "--grids", "model", "--csv", "-", id="CSV to the standard output"),
        case("--json: got -", "sweep", "--grids", "model", "--json", "-", id="JSON to the standard output"),
        case("--plots", "sweep", "--grids", "model", "--plots", "file/figures", id="plots below a file"),
        case("'bash', 'zsh', 'fish'", "completion", "tcsh", id="a shell that is none"),
        case("'costs'", "costs", id="a command that is none"),
    ],
)
def test_bad_input_exits_with_2_and_names_the_option(run, tmp_path, monkeypatch, option, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    result = run(*arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert option in result.stderr.splitlines()[-1]
    assert not result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_context_that_is_too_short_says_what_the_image_takes(run):
    result = run("cost", "--grid", "2x3", "--context", "892")
    assert result.stderr == "Error: --context: got 892, allowed is at least the 893 image tokens that it holds\n"


def test_an_error_of_the_model_is_one_line_with_the_option(run):
    result = run("cost", "--grid", "2x3", "--mode", "base")
    assert result.stderr == (
        "Error: --grid: got 2x3 with mode base, which takes none; allowed are the modes gundam, gundam-m\n"
    )


@pytest.mark.parametrize("path", ["/dev/zero", "pipe"])
@pytest.mark.parametrize(
    ("option", "arguments"),
    [
        pytest.param("--config", ("cost",), id="cost"),
        pytest.param("--config", ("scaling", "--context", 16), id="scaling"),
        pytest.param("--devices", ("fit", "--device", "L4"), id="fit"),
        pytest.param("--devices", ("vram", "--device", "L4"), id="vram"),
    ],
)
def test_what_may_never_end_is_not_read(run, tmp_path, monkeypatch, option, arguments, path):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    result = run(*arguments, option, path)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {option}: {path}: is no regular file, allowed is a text file\n"


def test_counts_that_leave_int64_say_which_options_to_lower(run):
    result = run("cost", "--grid", "2x3", "--batch", 10**12, "--decode-steps", 10**6)
    (line,) = result.stderr.splitlines()
    assert line.endswith("allowed are counts up to 9223372036854775807: lower --grid, --decode-steps, --batch")


def test_a_sweep_without_matplotlib_says_what_to_install(run, monkeypatch, tmp_path):
    monkeypatch.setattr("pytest_dsocr.cli.outputs.find_spec", lambda name: None)
    result = run("sweep", "--grids", "model", "--plots", tmp_path)
    assert result.exit_code == 2
    assert result.stderr == "Error: --plots: needs matplotlib: pip install matplotlib\n"


def test_an_interrupt_exits_with_130_and_says_nothing(run, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pytest_dsocr.cli.cost.evaluate_workload", interrupt)
    result = run("cost")
    assert (result.exit_code, result.output) == (130, "")
