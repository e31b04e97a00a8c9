"""Commands that no test runs, and what text says of commands: subcommands, options and targets of these names exist."""

import os
import re
import shlex

import click
import pytest
import yaml
from click.testing import CliRunner
from pages import LONG, PAGES, ROOT, blocks_of, text_of
from warm import run_warm

from pytest_dsocr.cli.main import COMMANDS, dsocr

OTHERS = {"git", "pip", "python", "source", "echo", "cat"}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def lines_of_workflow(block):
    """List the commands that a workflow's steps run."""
    steps = [step for job in yaml.safe_load(block.text)["jobs"].values() for step in job["steps"]]
    joined = "\n".join(step["run"] for step in steps if "run" in step).replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip()]


def unrun():
    """Find each command that is shown and not run, with where it stands."""
    for page in PAGES:
        for block in blocks_of(page):
            if block.language in ("sh", "console"):
                for command in block.commands:
                    if block.language == "sh" or command.line.startswith(LONG):
                        yield block.id, command.line
            if block.file.startswith(".github/workflows/"):
                for line in lines_of_workflow(block):
                    yield block.id, line


@pytest.fixture(scope="module")
def pytest_help(tmp_path_factory):
    """Get the options that pytest has here, ours among them, as it tells them."""
    _, text = run_warm(["pytest", "--help"], tmp_path_factory.mktemp("help"), os.environ)
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", text))


def missing_of_dsocr(words):
    """List what ``dsocr`` has nothing of among these words."""
    if words[0].startswith("-"):
        return []
    if words[0] not in COMMANDS:
        return [words[0]]
    command = dsocr.get_command(click.Context(dsocr), words[0])
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    return [word for word in words[1:] if word.startswith("-") and word.partition("=")[0] not in known]


@pytest.mark.parametrize("where_and_line", list(dict.fromkeys(unrun())), ids=lambda given: f"{given[0]} {given[1]}")
def test_what_a_command_is_given_exists(where_and_line, pytest_help):
    words = [word for word in shlex.split(where_and_line[1], comments=True) if not re.match(r"[A-Z_]+=", word)]
    program, *rest = words
    if program == "dsocr":
        assert missing_of_dsocr(rest) == []
    elif program == "pytest":
        options = [word.partition("=")[0] for word in rest if word.startswith("-")]
        assert [option for option in options if option not in pytest_help and option[:2] not in pytest_help] == []
    elif program == "make":
        targets = [word for word in rest if "=" not in word]
        assert [target for target in targets if not re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)] == []
    else:
        assert program in OTHERS, f"no test knows {program}"


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_a_page_names_is_one(page, pytest_help):
    """``--dsocr-json`` is pytest's; an ini key is the same with underscores."""
    named = set(re.findall(r"--dsocr-[a-z]+(?:-[a-z]+)*", text_of(page)))
    assert named - pytest_help == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_is_one(page):
    lines = re.findall(r"`dsocr ([a-z][^`\n]*)`", text_of(page))
    wrong = {line: missing_of_dsocr(shlex.split(line.replace("|", " "))) for line in lines}
    assert {line: missing for line, missing in wrong.items() if missing} == {}


@pytest.mark.parametrize("page", PAGES)
def test_every_target_that_a_page_names_is_one(page):
    named = set(re.findall(r"`make ([a-z-]+)", text_of(page)))
    assert {target for target in named if not re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)} == set()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_tells_how_it_is_used(command):
    assert CliRunner().invoke(dsocr, [command, "--help"]).exit_code == 0
