"""The README shows what really happens: examples run, tables are what is printed; its commands run in tests/docs."""

import re
import subprocess
import sys
from pathlib import Path

from pytest_dsocr import Results
from pytest_dsocr.metrics import LABELS, METRICS, families_of
from pytest_dsocr.report.terminal import summary_lines
from pytest_dsocr.tolerances import Tolerances, Vocabulary

ROOT = Path(__file__).parents[2]
FAMILIES = families_of(METRICS)
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def test_the_examples_for_ones_own_tests_pass(pytester):
    first, second, third, *_ = blocks("python")
    pytester.makepyfile(first + second + third)
    result = pytester.runpytest_subprocess("--dsocr-require", "flops,traffic,memory", "--dsocr-grids", "1x2,2x3")
    result.assert_outcomes(passed=5)


def test_the_example_of_the_cost_model_runs(capsys):
    *_, example, _ = blocks("python")
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    # over 1, 913 and 8192 keys: 4 linears, scores and values, router, experts
    rest = 4 * 2 * 1280**2 + 2 * 1280 * 64 + 3 * 2 * 1280 * (6 * 896 + 1792)
    assert printed[0].strip("[]").split() == [str(rest + 4 * 1280 * keys) for keys in (1, 913, 8192)]
    assert "self_attn.sdpa" in printed[1]


def test_the_example_of_a_whole_run_runs(capsys):
    *_, example = blocks("python")
    exec(compile(example, "README.md", "exec"), {})
    total, largest, session = capsys.readouterr().out.splitlines()
    # that of the page above: 3.469 + 1.100 + 0.121 TFLOP
    assert int(total) == 4_689_117_483_008
    # 15x26: 39,150 tokens of crops, 273 of the view, 10 of text, at 61,440 bytes
    assert int(largest) == (39_150 + 273 + 10) * 61_440
    # 914 keys in the second step; see above
    rest = 12 * 4 * 2 * 1280**2 + 3 * 2 * 1280 * 6848 + 11 * (2 * 1280 * 64 + 3 * 2 * 1280 * (6 * 896 + 1792))
    flops = rest + 12 * 4 * 1280 * 915 + 2 * 1280 * 129280
    assert session == f"decode {flops} {914 * 61_440}"


def test_the_example_of_a_tolerance_file_is_one():
    (text,) = blocks("toml")
    defaults = {metric.name: metric.tolerance for metric in METRICS}
    vocabulary = Vocabulary(layers=["decoder.DeepseekV2MoE"], metrics=defaults)
    (rule,) = Tolerances.parse(text, "README.md", vocabulary, defaults).rules
    assert rule.rtol == 0.01


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
