"""docs/devices.md: its cards, its keys and its example are those that the command has."""

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from dsocr_cost.device import Device, known_devices, load_devices

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")
MIB, GIB = 2**20, 2**30


@pytest.fixture
def example(tmp_path):
    """Write the page's example as a file, and return its path."""
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "cards.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_page_has_every_card_whose_memory_is_known():
    rows = re.findall(r"^\| (\S.*?) \| (\d+\.\d\d) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert rows == [
        (
            card.name,
            f"{card.memory_bytes / GIB:.2f}",
            str(card.reserved_bytes // MIB),
            str(card.cuda_context_bytes // MIB),
        )
        for card in known_devices()
        if card.memory_bytes is not None
    ]


def test_the_page_has_every_key():
    keys = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert keys == [*(field.name for field in fields(Device)), "unknown"]


def test_the_page_says_what_becomes_of_a_key_that_is_left_out(tmp_path):
    path = tmp_path / "cards.toml"
    path.write_text('[[device]]\nname = "Bench"\nmemory_bytes = 9\n', encoding="utf-8")
    device = load_devices(path)[0]
    said = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+?) \|$", PAGE, re.MULTILINE))
    values = {"the name": ("Bench",), "empty": "", "unknown": None, "0 where the memory is known": 0}
    for key in set(said) - {"name", "memory_bytes", "unknown"}:
        assert getattr(device, key) == values[said[key]], key


def test_the_example_has_six_lines_and_fits(run, example):
    """16 GiB less 500 and 600 MiB."""
    name, *lines = example.read_text(encoding="utf-8").splitlines()
    assert (name, len(lines)) == ("# cards.toml", 6)
    assert tomllib.loads(example.read_text(encoding="utf-8"))["device"][0]["name"] == "Bench 16"
    (command,) = re.findall(r'^\$ dsocr fit --device "(.+)" --devices cards.toml$', PAGE, re.MULTILINE)
    result = run("fit", "--device", command, "--devices", example, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["card"]["room_bytes"] == 16 * GIB - 1100 * MIB


FIGURES = {
    "bf16_flops_per_s": "1e14",
    "fp32_flops_per_s": "5e13",
    "bandwidth_bytes_per_s": "1e12",
    "l2_bytes": "40_000_000",
    "sms": "80",
    "compute_capability": "[9, 0]",
}


@pytest.fixture
def times(run, tmp_path):
    """Price a page on a card with these keys."""

    def result(figures, *arguments):
        path = tmp_path / "cards.toml"
        lines = [f"{key} = {value}" for key, value in figures.items()]
        path.write_text("\n".join(["[[device]]", 'name = "Bench"', *lines]), encoding="utf-8")
        return run("cost", "--device", "Bench", "--devices", path, *arguments)

    return result


def test_the_page_says_which_keys_times_need(times):
    (said,) = re.findall(r"^Times .* need other keys, and no memory: (.*?)\. ", PAGE, re.MULTILINE | re.DOTALL)
    assert re.findall(r"`(\w+)`", said) == [*FIGURES]
    assert times(FIGURES).exit_code == 0


@pytest.mark.parametrize("key", FIGURES)
def test_each_of_them_is_asked_for(times, key):
    result = times({name: figure for name, figure in FIGURES.items() if name != key})
    assert (result.exit_code, result.stdout) == (2, "")
    assert (key if key != "compute_capability" else "nothing is known of architecture ''") in result.stderr


@pytest.mark.parametrize(
    ("key", "given", "arguments"),
    [
        pytest.param("bf16_flops_per_s", {}, ("--peak-tflops", "100"), id="a peak by hand"),
        pytest.param("compute_capability", {"architecture": '"Hopper"'}, (), id="Hopper"),
        pytest.param("compute_capability", {"architecture": '"Ada Lovelace"'}, (), id="Ada Lovelace"),
    ],
)
def test_what_stands_in_for_one_does(times, key, given, arguments):
    assert times({name: figure for name, figure in FIGURES.items() if name != key} | given, *arguments).exit_code == 0


@pytest.mark.parametrize("command", ["fit", "vram"])
def test_the_help_names_the_page(run, command):
    assert "docs/devices.md" in run(command, "--help").stdout
