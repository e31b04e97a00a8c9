"""Who does not compare does not pay: no torch, no transformers, no numpy until the first comparison."""

import json
import sys

import pytest

HEAVY = {"torch", "transformers", "numpy"}

WITNESS = """
import json
import sys
from pathlib import Path


def pytest_unconfigure(config):
    Path("modules.json").write_text(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture
def heavy_modules(project):
    """Run pytest in a process of its own; which heavy packages has it imported at its end?"""
    project.write("conftest.py", WITNESS)

    def run(*args):
        result = project.spawn(*args)
        assert result.ret == pytest.ExitCode.OK
        return HEAVY & set(json.loads((project.path / "modules.json").read_text(encoding="utf-8")))

    return run


@pytest.mark.parametrize("option", ["--version", "-VV", "--help", "--markers"])
def test_asking_pytest_about_itself_imports_nothing_heavy(project, option):
    result = project.pytester.run(sys.executable, "-X", "importtime", "-m", "pytest", option)
    assert result.ret == pytest.ExitCode.OK
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.errlines}
    assert "_pytest" in imported
    assert not imported & HEAVY


def test_a_run_without_a_comparison_imports_nothing_heavy(project, heavy_modules, hf_config):
    """Not even with every option given, a tolerance file, and GPU tests that are skipped."""
    project.write("config.json", json.dumps(hf_config))
    project.write("tolerances.toml", '[[rule]]\nlayer = "vision.Attention"\nrtol = 0.1\nbecause = "checked"\n')
    project.write(
        "test_it.py",
        """
        import pytest


        def test_plain():
            pass


        @pytest.mark.gpu
        def test_gpu(dsocr):
            pass
        """,
    )
    assert heavy_modules("--dsocr-config=config.json", "--dsocr-json=rows.json", "--dsocr-device=cpu") == set()
    assert project.document()["not_run"]


def test_a_comparison_of_a_users_module_imports_no_transformers(project, heavy_modules):
    project.tests("def test_linear(dsocr):\n    dsocr.compare(linear, FOUR, module=LINEAR, inputs=X)\n")
    imported = heavy_modules()
    assert "torch" in imported
    assert "transformers" not in imported
