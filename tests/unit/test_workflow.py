"""The workflow and the hooks name commands and options that are there."""

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from pytest_dsocr.cli.main import COMMANDS
from pytest_dsocr.options import add_options

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/dsocr.yml").read_text(encoding="utf-8"))
STEPS = [
    pytest.param(step["run"], id=f"{name}, {step.get('name', step['run'])}")
    for name, job in WORKFLOW["jobs"].items()
    for step in job["steps"]
    if "run" in step
]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


class Options:
    """Notes the names of the options that are declared."""

    def __init__(self):
        self.names = set()

    def getgroup(self, *args):
        return self

    def addoption(self, name, **given):
        self.names.add(name)

    def addini(self, *args, **given):
        """An ini key is no option."""


@pytest.mark.parametrize("command", STEPS)
def test_each_step_runs_what_is_there(command):
    options = Options()
    add_options(options)
    program, *arguments = shlex.split(re.sub(r"\$\{\{.*?\}\}", "x", command))
    if program == "make":
        assert set(arguments) <= TARGETS
    elif program == ".venv/bin/dsocr":
        assert arguments[0] in COMMANDS
    else:
        assert [program, *arguments[:2]] == [".venv/bin/python", "-m", "pytest"]
        assert {one for one in arguments if one.startswith("--dsocr-")} <= options.names
        folders = [one for one in arguments[2:] if one.startswith("tests/")]
        assert all((ROOT / folder).is_dir() for folder in folders)


def test_the_workflow_is_one():
    """Against the schema of GitHub's workflows, which check-jsonschema brings."""
    tool = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*tool, ROOT / ".github/workflows/dsocr.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_hooks_of_this_repository_run_what_its_environment_has():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    programs = {
        hook["entry"].split()[0].removeprefix(".venv/bin/") for repo in config["repos"] for hook in repo["hooks"]
    }
    assert programs == {"ruff", "mypy", "lint-imports", "dsocr"}
    assert all(find_spec(module) for module in ("ruff", "mypy", "importlinter"))


def test_the_hook_for_other_repositories_runs_a_command_of_ours():
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    program, command = hook["entry"].split()
    assert program == "dsocr"
    assert command in COMMANDS
    assert re.search(hook["files"], "baselines/meta-torch-2.13.0.json")


def test_each_constraint_pins_one_version():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line)] == []
