"""The README shows what really happens: examples run, tables are what is printed; its commands run in tests/docs."""

import re
import subprocess
import sys
from pathlib import Path

from pytest_dsocr import Results
from pytest_dsocr.metrics import LABELS, METRICS, families_of
from pytest_dsocr.report.terminal import summary_lines

ROOT = Path(__file__).parents[2]
FAMILIES = families_of(METRICS)
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def test_the_examples_for_ones_own_tests_pass(pytester):
    pytester.makepyfile("".join(blocks("python")))
    result = pytester.runpytest_subprocess("--dsocr-require", "flops")
    result.assert_outcomes(passed=2)


def test_the_failure_is_what_a_forgotten_term_prints(pytester):
    (shown,) = (block for block in blocks("") if "!=" in block)
    pytester.makepyfile(
        """
        from dsocr_cost.layers import Attention
        from pytest_dsocr import Case

        Attention._relative_positions = lambda self, *sizes: iter(())

        def test_windowed_attention(dsocr):
            layer = Attention.from_config(dsocr.config.sam, windowed=True)
            dsocr.compare(layer, Case("window, 1024", batch=25, height=14, width=14))
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    assert shown.strip() in "\n".join(line.rstrip() for line in result.outlines)


def test_the_table_is_what_the_layer_tests_print(tmp_path):
    (shown,) = (block for block in blocks("") if "comparisons that pass" in block)
    rows = tmp_path / "rows.json"
    command = [sys.executable, "-m", "pytest", "tests/layers", "-q", "-m", "not latency", "-p", "no:cacheprovider"]
    subprocess.run([*command, "--dsocr-json", str(rows)], cwd=ROOT, check=True, capture_output=True)
    results = Results.from_json(rows.read_text(encoding="utf-8"))
    printed = {line.text for line in summary_lines(results, LABELS, FAMILIES, width=80)}
    assert [line for line in shown.splitlines() if line not in printed] == ["..."]


def test_the_blind_spot_is_what_the_command_prints():
    (shown,) = (block for block in blocks("console") if "blind-spot" in block)
    done = subprocess.run(
        [sys.executable, "examples/blind_spot.py"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert shown.partition("\n")[2] == done.stdout
