"""The plugin's markers: --markers, strict markers, arguments that cannot be, and what a GPU test needs."""

import types

import pytest

MARKERS = ("gpu", "rtx5090", "flops", "params", "memory", "traffic", "latency")


@pytest.fixture
def card(monkeypatch):
    """Put a card into this machine."""

    def put(name, gib, capability):
        import torch

        major, minor = capability
        properties = types.SimpleNamespace(name=name, total_memory=int(gib * 2**30), major=major, minor=minor)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device=None: properties)

    return put


def test_markers_lists_ours_with_what_they_mean(project):
    result = project.run("--markers")
    for name in MARKERS:
        result.stdout.fnmatch_lines([f"@pytest.mark.{name}*: ?*"])


def test_strict_markers_know_ours(project):
    marks = "".join(f"@pytest.mark.{name}\n" for name in MARKERS if name not in ("gpu", "rtx5090"))
    project.write("test_it.py", f"import pytest\n\n\n{marks}def test_all():\n    pass\n")
    project.run("--strict-markers").assert_outcomes(passed=1)


def test_a_family_selects_its_tests(project):
    project.write(
        "test_it.py",
        """
        import pytest

        pytestmark = pytest.mark.flops


        def test_one():
            pass


        @pytest.mark.latency
        def test_two():
            pass
        """,
    )
    project.run("-m", "latency").assert_outcomes(passed=1, deselected=1)
    project.run("-m", "flops").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        pytest.param("gpu(80)", ["80", "memory_gib=NUMBER"], id="positional"),
        pytest.param("gpu(memory=80)", ["memory", "memory_gib=NUMBER"], id="unknown argument"),
        pytest.param("gpu(memory_gib='80')", ["memory_gib", "'80'", "a number above 0"], id="text"),
        pytest.param("gpu(memory_gib=0)", ["memory_gib", "got 0", "a number above 0"], id="no memory"),
        pytest.param("gpu(memory_gib=float('nan'))", ["memory_gib", "nan", "a number above 0"], id="NaN"),
        pytest.param("gpu(capability=9)", ["capability", "got 9", "(8, 0)"], id="one number"),
        pytest.param("gpu(capability=(9,))", ["capability", "(9,)", "(8, 0)"], id="half a pair"),
        pytest.param("gpu(capability='9.0')", ["capability", "'9.0'", "(8, 0)"], id="capability as text"),
        pytest.param("gpu(capability=(9.0, 0))", ["capability", "(9.0, 0)", "(8, 0)"], id="fractions"),
        pytest.param("rtx5090('laptop')", ["rtx5090", "'laptop'", "no arguments"], id="a 5090 with an argument"),
        pytest.param("flops(exact=True)", ["flops", "exact=True", "no arguments"], id="a family with an argument"),
    ],
)
def test_a_marker_with_impossible_arguments_stops_the_collection(project, mark, words):
    project.write("test_it.py", f"import pytest\n\n\n@pytest.mark.{mark}\ndef test_marked():\n    pass\n")
    result = project.run()
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    text = result.stdout.str()
    assert "INTERNALERROR" not in text
    for word in ("test_it.py::test_marked", "allowed", *words):
        assert word in text


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            "@pytest.mark.gpu(80)\nclass TestMarked:\n    def test_marked(self):\n        pass\n", id="on a class"
        ),
        pytest.param("pytestmark = pytest.mark.gpu(80)\n\n\ndef test_marked():\n    pass\n", id="on a module"),
        pytest.param(
            "@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.gpu(80))])\n"
            "def test_marked(x):\n    pass\n",
            id="on a parameter",
        ),
        pytest.param(
            "import unittest\n\n\nclass TestMarked(unittest.TestCase):\n"
            "    @pytest.mark.gpu(80)\n    def test_marked(self):\n        pass\n",
            id="on a unittest",
        ),
    ],
)
def test_it_does_so_wherever_the_marker_stands(project, source):
    project.write("test_it.py", f"import pytest\n\n\n{source}")
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*test_marked*marker gpu: got*80*allowed are memory_gib=NUMBER*")


GPU_TESTS = """
import pytest


@pytest.mark.gpu
def test_any(dsocr):
    pass


@pytest.mark.rtx5090
def test_5090():
    pass
"""


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_gpu_tests_are_skipped_without_a_gpu(project, device):
    project.write("test_it.py", GPU_TESTS)
    result = project.run("-rs", f"--dsocr-device={device}", "--dsocr-json=rows.json")
    result.assert_outcomes(skipped=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(f"SKIPPED*needs a GPU, and this run measures on {device}*--dsocr-device cuda*")
    (not_run,) = project.document()["not_run"]
    assert not_run["test"] == "test_it.py::test_any"
    assert device in not_run["reason"]


NEEDS = """
import pytest


@pytest.mark.gpu
def test_any():
    pass


@pytest.mark.gpu(memory_gib=100)
def test_memory():
    pass


@pytest.mark.gpu(capability=(10, 0))
def test_capability():
    pass


@pytest.mark.rtx5090
def test_5090():
    pass


@pytest.mark.gpu(memory_gib=1)
class TestClass:
    @pytest.mark.gpu(memory_gib=1000)
    def test_both_marks_hold(self):
        pass
"""


def test_a_large_card_of_another_kind_skips_what_is_not_for_it(project, card):
    card("NVIDIA H200", 140, (9, 0))
    project.write("test_it.py", NEEDS)
    result = project.run("-rs", "--dsocr-device=cuda")
    result.assert_outcomes(passed=2, skipped=3)
    text = result.stdout.str()
    assert "needs compute capability (10, 0), and cuda:0 (NVIDIA H200) has 9.0" in text
    assert "needs an RTX 5090, and cuda:0 is NVIDIA H200" in text
    assert "needs 1000 GiB, and cuda:0 (NVIDIA H200) has 140.0" in text


def test_an_rtx_5090_runs_its_own_tests(project, card):
    card("NVIDIA GeForce RTX 5090", 31.4, (12, 0))
    project.write("test_it.py", NEEDS)
    result = project.run("-rs", "--dsocr-device=auto")
    result.assert_outcomes(passed=3, skipped=2)
    assert "needs 100 GiB, and cuda:0 (NVIDIA GeForce RTX 5090) has 31.4" in result.stdout.str()


def test_a_second_card_is_refused_where_there_is_one(card, refused):
    card("NVIDIA H200", 140, (9, 0))
    refused("--dsocr-device=cuda:1", words=["'cuda:1'", "allowed", "meta, cpu, cuda:0"])
