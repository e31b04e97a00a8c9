"""A built wheel works the same as this folder."""

import importlib.metadata
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_it_brings_types_tables_and_the_schema(installed):
    brought = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert brought >= {
        "dsocr_cost/devices.toml",
        "dsocr_cost/efficiencies.toml",
        "dsocr_cost/py.typed",
        "pytest_dsocr/py.typed",
        "pytest_dsocr/rows.schema.json",
        "pytest_dsocr/scaling.schema.json",
        "pytest_dsocr/report/page/report.html.jinja",
        "pytest_dsocr/report/page/report.css",
        "pytest_dsocr/report/page/main.js",
        "pytest_dsocr/cli/fit.schema.json",
        "pytest_dsocr/cli/vram.schema.json",
        "pytest_dsocr/cli/cost.schema.json",
        "pytest_dsocr/published/layers.csv",
        "pytest_dsocr/published/rtx5090_kernels.csv",
    }
    assert not [name for name in brought if name.startswith(("tests", "docs", "conftest"))]


def test_it_declares_the_plugin_and_what_it_needs(installed):
    (metadata,) = importlib.metadata.distributions(path=[str(installed)])
    assert {(one.group, one.name, one.value) for one in metadata.entry_points} == {
        ("pytest11", "dsocr", "pytest_dsocr.plugin"),
        ("console_scripts", "dsocr", "pytest_dsocr.cli.main:main"),
    }
    needed = {re.match(r"[\w-]+", requirement)[0] for requirement in metadata.requires if "extra ==" not in requirement}
    assert needed == {
        "click",
        "filelock",
        "jinja2",
        "jsonschema-rs",
        "junitparser",
        "numpy",
        "nvidia-ml-py",
        "packaging",
        "pillow",
        "psutil",
        "pytest",
        "pytest-benchmark",
        "pytest-xdist",
        "scipy",
        "tabulate",
        "torch",
        "transformers",
    }


def test_it_brings_the_plots_as_an_extra(installed):
    (metadata,) = importlib.metadata.distributions(path=[str(installed)])
    assert [one for one in metadata.requires if "extra ==" in one] == ["matplotlib>=3.8; extra == 'plots'"]


def test_it_measures_a_layer(installed, pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(installed))
    pytester.makepyfile(
        f"""
        import dsocr_cost
        import pytest_dsocr
        from dsocr_cost.layers import MoEGate
        from pytest_dsocr import Case

        def test_gate(dsocr):
            assert pytest_dsocr.__file__.startswith({str(installed)!r})
            assert dsocr_cost.__file__.startswith({str(installed)!r})
            dsocr.compare(MoEGate.from_config(dsocr.config.decoder), Case("512", batch=1, q_len=512))
        """
    )
    result = pytester.runpytest_subprocess("--dsocr-require", "decoder.MoEGate")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*83,886,080*83,886,080*pass"])
