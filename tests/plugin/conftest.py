"""A user's project: small modules of plain torch on meta, the plugin installed, warnings as errors."""

import json
import textwrap

import pytest

INI = """
[pytest]
addopts = --strict-markers --strict-config
filterwarnings = error
"""

PREAMBLE = """
import pytest
import torch
from pytest_dsocr import Case

LINEAR = torch.nn.Linear(8, 16, device="meta")
FOUR = Case("4 tokens", tokens=4)
X = (torch.zeros(4, 8, device="meta"),)


def linear(tokens):
    return 2 * tokens * 8 * 16


def one_too_many(tokens):
    return linear(tokens) + 1
"""


class Project:
    """Writes a user's files, runs pytest over them, and reads the rows back."""

    def __init__(self, pytester):
        self.path = pytester.path
        self.pytester = pytester
        self.ini()

    def ini(self, *lines):
        """Write pytest.ini, with these lines at its end."""
        self.write("pytest.ini", "\n".join([INI.strip(), *lines]))

    def write(self, name, text):
        """Write a file, dedented."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
        return path

    def tests(self, source, name="test_it.py"):
        """Write a test module that has torch, Case, LINEAR, FOUR, X, ``linear`` and ``one_too_many``."""
        return self.write(name, PREAMBLE + "\n\n" + textwrap.dedent(source))

    def plain_test(self):
        """Write a test that leaves a mark when it runs, and needs nothing of the plugin."""
        self.write("test_plain.py", 'from pathlib import Path\n\n\ndef test_plain():\n    Path("ran").touch()\n')

    def run(self, *args):
        """Run pytest in this process, which has imported torch already."""
        return self.pytester.runpytest_inprocess(*args)

    def spawn(self, *args):
        """Run pytest in a process of its own."""
        return self.pytester.runpytest_subprocess(*args)

    def document(self, name="rows.json"):
        """Read a results file."""
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def rows(self, name="rows.json"):
        """Read the rows of a results file."""
        return self.document(name)["rows"]

    def files(self):
        """List all files but caches and what pytester itself leaves."""
        own = {"__pycache__", ".pytest_cache", "stdout", "stderr"}
        return sorted(
            str(path.relative_to(self.path))
            for path in self.path.rglob("*")
            if path.is_file() and not own & set(path.relative_to(self.path).parts)
        )


@pytest.fixture(scope="session")
def _torch_is_warm():
    """Import, once and for good, what a count imports: pytester forgets what a run in this process imports itself."""
    import torch

    from pytest_dsocr.measure.flops import FlopMeasurer
    from pytest_dsocr.measure.formulas import FORMULAS
    from pytest_dsocr.measure.measurement import Subject

    for device in ("meta", "cpu"):
        linear, x = torch.nn.Linear(8, 16, device=device), torch.zeros(4, 8, device=device)
        assert FlopMeasurer(FORMULAS).measure(Subject(linear, lambda x=x: ((x,), {})), device=device).value == 1024


@pytest.fixture
def project(pytester, _torch_is_warm, monkeypatch):
    """An empty project, run in this process or in one of its own, which is no worker of xdist though this one be.

    Nor does it know that it is run by GitHub, so it tells nothing to the page of that step.
    """
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by it pytest-benchmark knows one
    for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    return Project(pytester)


@pytest.fixture
def refused(project):
    """Check that a run is refused at once: exit code 4, a sentence with these words, no traceback, nothing run."""

    def check(*args, words, spawn=False):
        project.plain_test()
        before = project.files()
        result = (project.spawn if spawn else project.run)(*args)
        text = result.stdout.str() + result.stderr.str()
        assert result.ret == pytest.ExitCode.USAGE_ERROR, text
        assert "Traceback" not in text
        assert "INTERNALERROR" not in text
        for word in words:
            assert word in text, f"{word!r} is missing in:\n{text}"
        assert project.files() == before
        return result

    return check


@pytest.fixture
def hf_config():
    """A config.json in the published form, of a model much smaller than the published one."""
    return {
        "vision_config": {
            "image_size": 128,
            "width": {
                "sam_vit_b": {
                    "width": 32,
                    "layers": 2,
                    "heads": 2,
                    "global_attn_indexes": [1],
                    "downsample_channels": [32, 64],
                },
                "clip-l-14-224": {"image_size": 224, "patch_size": 14, "width": 64, "layers": 2, "heads": 4},
            },
        },
        "projector_config": {"projector_type": "linear", "input_dim": 128, "n_embed": 48},
        "language_config": {
            "vocab_size": 512,
            "hidden_size": 48,
            "intermediate_size": 96,
            "moe_intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "n_routed_experts": 4,
            "n_shared_experts": 1,
            "num_experts_per_tok": 2,
            "first_k_dense_replace": 1,
            "max_position_embeddings": 256,
        },
    }
