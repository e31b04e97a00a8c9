"""``dsocr fit``: its limits, the contract of its JSON, what it prints, what it refuses."""

import contextlib
import json
import re
from fractions import Fraction
from importlib.resources import files

import click
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import MODES, Execution, Grid, Workload
from dsocr_cost.device import find_device, known_devices
from dsocr_cost.fit import Room, find_limits
from pytest_dsocr.cli.types import BATCHES, BYTES, MARGIN, MEMORY

SCHEMA = json.loads(files("pytest_dsocr.cli").joinpath("fit.schema.json").read_text(encoding="utf-8"))
OWN_CARD = '[[device]]\nname = "Bench"\nmemory_bytes = 20_000_000_000\nreserved_bytes = 1_000_000_000\n'


@pytest.fixture
def fit(run):
    """Run ``dsocr fit --json`` on arguments; the document, which is what its schema says."""

    def document(*arguments):
        result = run("fit", "--json", *arguments)
        assert result.exit_code == 0, result.output
        read = json.loads(result.stdout)
        jsonschema.validate(read, SCHEMA)
        return read

    return document


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_refuses_a_document_with_a_fraction(fit):
    document = fit("--memory", "24GiB")
    document["limits"]["batch"]["largest"]["vram_bytes"] += 0.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


@pytest.mark.parametrize("attention", ["eager", "sdpa", "flash"])
def test_the_limits_are_those_of_the_model(fit, attention):
    card = find_device("L4")
    room = Room(card.memory_bytes, card.reserved_bytes, card.cuda_context_bytes)
    workload = Workload(MODES["gundam"], Grid(3, 2), 20, 50, 2)
    limits = find_limits(workload, room, execution=Execution(attention=attention))
    sizes = ("--grid", "3x2", "--text-tokens", 20, "--decode-steps", 50, "--batch", 2)
    document = fit("--device", "l4", *sizes, "--attention", attention)
    assert document["card"] == {
        "name": "L4",
        "memory_bytes": room.memory_bytes,
        "reserved_bytes": room.reserved_bytes,
        "cuda_context_bytes": room.cuda_context_bytes,
        "margin_bytes": 0,
        "room_bytes": room.bytes,
    }
    for name, limit in limits._asdict().items():
        for key, need in (("largest", limit.largest), ("next", limit.following)):
            shown = document["limits"][name][key]
            asked = need.workload
            assert shown["grid"] == list(asked.grid)
            assert [shown[size] for size in ("text_tokens", "decode_steps", "batch")] == [
                asked.text_tokens,
                asked.decode_steps,
                asked.batch,
            ]
            assert (shown["stage"], shown["op"]) == (need.stage, need.op)
            parts = ("weight_bytes", "kv_cache_bytes", "activation_bytes", "cuda_context_bytes")
            assert shown["vram_bytes"] == sum(shown[part] for part in parts)
            assert shown["vram_bytes"] == need.allocated_bytes + room.cuda_context_bytes
            assert shown["left_bytes"] == room.bytes - need.allocated_bytes


@pytest.mark.parametrize("limit", ["page", "square", "context", "batch"])
def test_dsocr_cost_says_that_the_largest_fits_and_the_next_does_not(fit, cost, limit):
    document = fit("--memory", "16GiB", "--cuda-context", "500MiB")
    room = 16 * 2**30 - 500 * 2**20
    for key, fits in (("largest", True), ("next", False)):
        sizes = document["limits"][limit][key]
        grid = ("--grid", f"{sizes['grid'][0]}x{sizes['grid'][1]}") if sizes["grid"] else ()
        stages = cost("--text-tokens", sizes["text_tokens"], "--batch", sizes["batch"], *grid)["stages"]
        assert stages["total"]["allocated_bytes"] == room - sizes["left_bytes"]
        assert (sizes["left_bytes"] >= 0) is fits


def test_a_mode_without_crops_has_context_and_batch_alone(fit, run):
    document = fit("--memory", "24GiB", "--mode", "base")
    assert (document["limits"]["page"], document["limits"]["square"]) == (None, None)
    assert document["model"]["crops"] == 0
    assert "crops" not in run("fit", "--memory", "24GiB", "--mode", "base").stdout


def test_a_run_that_no_page_fits_beside_still_has_a_batch(fit, run):
    arguments = ("--memory", "24GiB", "--batch", 60)
    limits = fit(*arguments)["limits"]
    assert [limits[name]["largest"] for name in ("page", "square", "context")] == [None, None, None]
    assert limits["batch"]["largest"]["batch"] < 60
    (line,) = (line for line in run("fit", *arguments).stdout.splitlines() if line.startswith("largest that fits"))
    assert line.split()[3:] == ["none", "none", "none", str(limits["batch"]["largest"]["batch"])]


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        pytest.param("2GiB", 2 * 2**30, id="a size"),
        pytest.param("5%", 25_000_000_000 // 20, id="a percentage of the memory"),
        pytest.param("0", 0, id="none"),
    ],
)
def test_a_margin_stays_free(fit, margin, expected):
    card = fit("--memory", "25GB", "--cuda-context", "1GB", "--margin", margin)["card"]
    assert card["margin_bytes"] == expected
    assert card["room_bytes"] == 24_000_000_000 - expected


def test_a_card_of_ones_own_needs_the_context_that_nobody_knows(fit, run, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN_CARD, encoding="utf-8")
    result = run("fit", "--device", "bench", "--devices", path)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: --device: got Bench, whose CUDA context is unknown")
    card = fit("--device", "bench", "--devices", path, "--cuda-context", "1GB")["card"]
    assert (card["name"], card["room_bytes"]) == ("Bench", 18_000_000_000)


def test_the_text_says_what_there_is_what_fits_and_what_is_in_the_way(run, fit):
    limits = fit("--device", "RTX 5090")["limits"]
    text = run("fit", "--device", "RTX 5090").stdout
    said = " ".join(text.split())
    assert said.startswith(
        "RTX 5090: 34.19 GB (31.84 GiB), less 529.5 MB for the driver: 33.66 GB, of it 629.1 MB for the CUDA context "
        "gundam, one view, 10 text tokens, decode steps 100, batch 1, transformers, sdpa attention, bfloat16"
    )
    batch, context = limits["batch"], limits["context"]
    high, wide = limits["page"]["next"]["grid"]
    assert f"crops {high * wide} ({high}x{wide}) vision.{limits['page']['next']['op']}" in said
    assert f"context {context['next']['context']:,} prefill.{context['next']['op']}" in said
    assert f"batch {batch['next']['batch']} vision.{batch['next']['op']}" in said
    assert "Grids of more than 9 crops are hypothetical" in said
    assert "The model has 8,192 positions, 8,092 beside 100 decode steps: beyond those it stands in the way" in said


def test_each_name_of_a_row_is_there_once_and_indented_below_the_run_that_it_is_of(run):
    table = run("fit", "--memory", "24GiB").stdout.split("\n\n")[1]
    assert [re.split(r"(?<=\S)  ", line)[0] for line in table.splitlines()[3:]] == [
        "largest that fits",
        "  the model's own",
        "  VRAM taken",
        "  VRAM left",
        "smallest too large",
        "  VRAM needed",
        "  VRAM missing",
        "  its peak in",
        "    weight bytes",
        "    KV cache bytes",
        "    activation bytes",
        "    CUDA context",
    ]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        pytest.param(1, "8,192 positions, 8,191 beside 1 decode steps", id="few steps"),
        pytest.param(9000, "8,192 positions, 0 beside 9,000 decode steps", id="more steps than positions"),
    ],
)
def test_the_model_has_its_positions_whatever_the_steps(run, fit, steps, said):
    arguments = ("--memory", "24GiB", "--decode-steps", steps)
    assert f"The model has {said}: " in " ".join(run("fit", *arguments).stdout.split())
    assert fit(*arguments)["model"]["positions"] == 8192


@pytest.mark.parametrize(
    ("name", "card"), [("4090", "RTX 4090"), ("geforce 3090", "RTX 3090"), ("6000", "RTX PRO 6000")]
)
def test_the_number_of_a_card_is_enough(fit, name, card):
    assert fit("--device", name)["card"]["name"] == card


@pytest.mark.parametrize("command", ["fit", "vram"])
def test_the_help_lists_the_known_cards(run, command):
    """A CPU has no memory that anybody could know: --memory says it."""
    text = " ".join(run(command, "--help").stdout.split())
    assert f"Known are {', '.join(device.name for device in known_devices() if device.name != 'CPU')}." in text


@pytest.mark.parametrize("command", ["fit", "vram"])
@pytest.mark.parametrize(
    "said",
    [
        pytest.param("its peak grows with the batch", id="vision"),
        pytest.param("logits for every position, in the model's dtype and in fp32", id="logits"),
        pytest.param("a cast before a softmax is a tensor of its own", id="eager attention"),
    ],
)
def test_the_help_says_what_the_memory_stands_on(run, command, said):
    assert said in " ".join(run(command, "--help").stdout.split())


def test_shares_are_those_of_the_smallest_too_large(run, fit):
    batch = fit("--memory", "24GiB", "--mode", "base")["limits"]["batch"]["next"]
    lines = run("fit", "--memory", "24GiB", "--mode", "base").stdout.splitlines()
    for label, key in (("    weight bytes", "weight_bytes"), ("    activation bytes", "activation_bytes")):
        (line,) = (line for line in lines if line.startswith(label))
        assert line.split()[-1] == f"{batch[key] / batch['vram_bytes']:.1%}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--text-tokens", 10, "--memory", "9GB"), False, id="the card is the smaller"),
        pytest.param(("--text-tokens", 10, "--memory", "24GB"), True, id="the model is the smaller"),
    ],
)
def test_the_model_stands_in_the_way_where_its_positions_are_fewer(run, arguments, said):
    assert ("stands in the way, not the card" in " ".join(run("fit", *arguments).stdout.split())) is said


@pytest.mark.parametrize("columns", [80, 160])
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--device", "H200"), id="a large card"),
        pytest.param(("--memory", "1000TB", "--attention", "eager"), id="no card that there is"),
        pytest.param(("--device", "RTX PRO 6000", "--margin", "5%", "--grid", "15x26", "--batch", 2), id="a grid"),
    ],
)
def test_the_text_fits_the_terminal(run, monkeypatch, columns, arguments):
    monkeypatch.setenv("COLUMNS", str(columns))
    result = run("fit", *arguments)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= columns


def test_a_card_on_which_nothing_fits_says_what_is_missing(run):
    """6,672,212,480 bytes of weights, 843,055,104 of activations for one view without text, 0.5 GB of context."""
    result = run("fit", "--memory", "6GiB", "--cuda-context", "0.5GB")
    assert result.stderr == (
        "Error: --memory: got 6.442 GB for a process, allowed is at least 8.015 GB, which batch 1 of one view and "
        "0 text tokens takes: 1.573 GB are missing\n"
    )
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("command", ["fit", "vram"])
@pytest.mark.parametrize(
    ("figures", "said"),
    [
        pytest.param(
            ("memory_bytes = 5_000_000_000_000_000",),
            "memory_bytes: got 5000000000000000 bytes, allowed are at most 1125899906842624",
            id="memory past what is searched",
        ),
        pytest.param(
            ("memory_bytes = 2_000", "reserved_bytes = 2_001"),
            "reserved_bytes: got 2001 bytes, allowed is less than the 2000 that are left of the memory",
            id="the driver keeps more than there is",
        ),
    ],
)
def test_a_figure_of_a_file_is_refused_as_the_files(run, tmp_path, command, figures, said):
    path = tmp_path / "own.toml"
    path.write_text("\n".join(("[[device]]", 'name = "Bench"', *figures)), encoding="utf-8")
    result = run(command, "--device", "bench", "--devices", path, "--cuda-context", "0")
    assert result.exit_code == 2
    assert result.stderr == f"Error: --devices: {path}: Bench: {said}\n"


def test_a_card_whose_driver_keeps_nobody_knows_what_says_so(run, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        '[[device]]\nname = "Bench"\nmemory_bytes = 9_000_000_000\nunknown = ["reserved_bytes"]', encoding="utf-8"
    )
    result = run("fit", "--device", "bench", "--devices", path)
    assert result.stderr == (
        "Error: --device: got Bench, whose share of the driver is unknown; allowed is --memory in place of it\n"
    )


def test_an_unknown_card_is_told_those_that_there_are_the_closest_first(run, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(OWN_CARD, encoding="utf-8")
    result = run("fit", "--device", "bensh", "--devices", path)
    listed = result.stderr.partition("allowed is one of ")[2].partition(";")[0].split(", ")
    assert result.exit_code == 2
    assert listed[0] == "Bench"
    assert sorted(listed) == sorted(["Bench", *(device.name for device in known_devices())])


def test_a_card_by_name_on_which_nothing_fits_says_what_is_missing(run, tmp_path):
    """One view without text takes 7,515,267,584 bytes and the context's; there are 6 GB less 1 for the driver."""
    path = tmp_path / "own.toml"
    path.write_text(OWN_CARD.replace("20_000_000_000", "6_000_000_000"), encoding="utf-8")
    result = run("fit", "--device", "bench", "--devices", path, "--cuda-context", "0.5GB")
    assert result.stderr == (
        "Error: --device: got Bench with 5.000 GB for a process, allowed is at least 8.015 GB, which batch 1 of one "
        "view and 0 text tokens takes: 3.015 GB are missing\n"
    )
    assert (result.exit_code, result.stdout) == (2, "")


def refused(start, *arguments, id):  # noqa: A002  # as pytest.param spells it
    return pytest.param(start, arguments, id=id)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        refused("--device, --memory: got none of them", id="no card"),
        refused("--device and --memory: got 2 of them", "--device", "L4", "--memory", "1GB", id="two cards"),
        refused("--device: got '5080', allowed is one of RTX 5090, ", "--device", "5080", id="no such card"),
        refused("--device: got CPU, whose memory is unknown", "--device", "CPU", id="a card of unknown memory"),
        refused("--devices: missing.toml: cannot be read", "--device", "L4", "--devices", "missing.toml", id="no file"),
        refused("--devices: got a file", "--memory", "9GB", "--devices", "own.toml", id="a file of no card"),
        refused(
            "'--memory': got '-5GB', allowed is a number of at least 0 with its unit",
            "--memory",
            "-5GB",
            id="memory below 0",
        ),
        refused("'--memory': got '0GB', allowed is more than 0 bytes", "--memory", "0GB", id="no memory"),
        refused("'--memory': got '24'", "--memory", "24", id="memory without a unit"),
        refused("'--memory': got 'nanGB'", "--memory", "nanGB", id="memory that is no number"),
        refused("--memory: got 5000000000000000 bytes", "--memory", "5000TB", id="memory past what is searched"),
        refused("'--cuda-context': got '1'", "--memory", "9GB", "--cuda-context", "1", id="context without a unit"),
        refused("--cuda-context: got 9000000000", "--memory", "9GB", "--cuda-context", "9GB", id="context takes all"),
        refused("--margin: got 50000000000 bytes", "--device", "L4", "--margin", "50GB", id="margin past the memory"),
        refused(
            "--margin: got 23000000000", "--memory", "24GB", "--cuda-context", "1GB", "--margin", "23GB", id="none"
        ),
        refused("'--margin': got '100%'", "--memory", "24GB", "--margin", "100%", id="margin of everything"),
        refused("'--margin': got '-5%'", "--memory", "24GB", "--margin", "-5%", id="margin below 0"),
        refused("--grid: got 2x3 with mode tiny", "--memory", "24GB", "--mode", "tiny", "--grid", "2x3", id="no crops"),
        refused("lower --text-tokens", "--memory", "24GB", "--text-tokens", 10**16, id="text past int64"),
        refused("--device: got L4 with 23.61 GB", "--device", "L4", "--decode-steps", 10**7, id="a cache too large"),
    ],
)
def test_what_cannot_be_is_exit_2_in_one_line(run, tmp_path, monkeypatch, message, arguments):
    monkeypatch.chdir(tmp_path)
    result = run("fit", *arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert message in result.stderr.splitlines()[-1]
    assert not result.stdout


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param("24GiB", 24 * 2**30, id="binary"),
        pytest.param("32GB", 32 * 10**9, id="decimal"),
        pytest.param("1.5 tib", 3 * 2**39, id="a fraction, small letters, a space"),
        pytest.param("600 MiB", 600 * 2**20, id="megabytes"),
        pytest.param("7kB", 7000, id="kilobytes"),
        pytest.param("7B", 7, id="bytes"),
        pytest.param("0.3B", 0, id="less than a byte"),
        pytest.param("0", 0, id="nothing"),
    ],
)
def test_a_size_is_a_number_with_a_unit(text, size):
    assert BYTES.convert(text, None, None) == size


@given(st.integers(0, 10**6), st.sampled_from([("", 0), ("k", 1), ("M", 2), ("G", 3)]), st.booleans())
def test_sizes_are_read_in_full(number, prefix, binary):
    letter, power = prefix
    text = f"{number}{letter}{'i' if binary and letter else ''}B"
    assert BYTES.convert(text, None, None) == number * (1024 if binary and letter else 1000) ** power


@given(st.text(max_size=8))
def test_any_text_is_a_size_or_an_error_of_ours(text):
    for kind in (BYTES, MEMORY, MARGIN, BATCHES):
        with contextlib.suppress(click.BadParameter):
            assert isinstance(kind.convert(text, None, None), int | Fraction | tuple)


def test_help_has_examples_and_fits(run):
    result = run("fit", "--help")
    assert result.exit_code == 0
    assert result.stdout.partition("Examples:\n")[2].count("    dsocr fit ") == 4
    assert max(map(len, result.stdout.splitlines())) <= 80
