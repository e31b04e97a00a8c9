"""Times in a user's project: rows, verdicts, what a run that fails leaves, xdist, and pytest-benchmark's own files."""

import json

import pytest

from pytest_dsocr.measure.allocator import keep_freed_memory
from pytest_dsocr.measure.device import cpu_name

KEPT = ", freed memory kept" if keep_freed_memory() else ""

FAKE_CLOCK = """
from dataclasses import replace

from pytest_dsocr import Measurement
from pytest_dsocr.metrics import LATENCY




class FakeClock:
    metric = LATENCY

    def measure(self, subject, *, device):
        return subject.run()


def pytest_dsocr_measurers():
    return [FakeClock()]
"""

TIMES = """
from pytest_dsocr import Measurement, Prediction

ANY = Case("any")


def shown(*rounds, spread=0.01, **given):
    return lambda: Measurement(sorted(rounds)[len(rounds) // 2], spread=spread, samples=rounds, **given)


def compare(dsocr, predicted, measure, name="user.layer"):
    return dsocr.compare(predicted, ANY, metric="latency_s", module=measure, name=name)
"""


@pytest.fixture
def times(project):
    """Write tests whose measured times are what they say."""
    project.write("conftest.py", FAKE_CLOCK)
    return lambda source: project.tests(TIMES + source)


def by_case(rows):
    return {row["layer"]: (row["verdict"], row["reason"]) for row in rows}


ALL_VERDICTS = """
@pytest.mark.latency
@pytest.mark.parametrize(
    ("name", "predicted", "measure"),
    [
        ("right", 1.0, shown(1.05)),
        ("faster", 1.0, shown(0.5)),
        ("slower", 1.0, shown(1.5)),
        ("noisy", 1.0, shown(1.5, spread=0.3)),
        ("hot", 1.0, shown(1.5, doubt="the card was throttled: power brake")),
        ("impossible", Prediction(1.0, floor=0.9, band=(0.9, 1.2), source="a profile"), shown(0.5)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_time(dsocr, name, predicted, measure):
    compare(dsocr, predicted, measure, f"user.{name}")
"""

SLOWER = "slower than predicted by more than the rule allows"
VERDICTS = {
    "user.right": ("pass", ""),
    "user.faster": ("pass", "notice: faster than predicted by more than the rule allows"),
    "user.slower": ("fail", SLOWER),
    "user.noisy": ("inconclusive", "the measurement's spread of 30% is wider than 10%"),
    "user.hot": ("inconclusive", "the card was throttled: power brake"),
    "user.impossible": (
        "error",
        "measured 0.5, the least that is physically possible is 0.9: the measurement is wrong",
    ),
}


def test_each_verdict_of_a_time(times, project):
    times(ALL_VERDICTS)
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(passed=2, failed=4)
    assert by_case(project.rows()) == VERDICTS
    impossible = project.rows()[-1]
    assert (impossible["band"], impossible["source"]) == ([0.9, 1.2], "a profile")
    result.stdout.fnmatch_lines(["user.faster, any, latency: pass +100%", "  notice: faster than predicted*"])


@pytest.mark.parametrize(
    ("args", "why"), [(("-n1",), "advisory under xdist"), (("--dsocr-latency=advisory",), "advisory")], ids=str
)
def test_where_times_are_advice_none_fails_and_none_passes_in_doubt(times, project, args, why):
    """What is slower is inconclusive, and its test is skipped; what cannot be true is an error as ever."""
    times(ALL_VERDICTS)
    result = project.spawn(*args, "--dsocr-json=rows.json", "-rs")
    result.assert_outcomes(passed=2, skipped=3, failed=1)
    assert by_case(project.rows()) == {**VERDICTS, "user.slower": ("inconclusive", f"{why}: {SLOWER}")}
    assert project.document()["not_run"] == []
    result.stdout.fnmatch_lines(f"SKIPPED*inconclusive: {why}: {SLOWER}")


def test_times_are_a_gate_under_xdist_when_asked_for(times, project):
    times(ALL_VERDICTS)
    project.spawn("-n1", "--dsocr-latency=gate", "--dsocr-json=rows.json").assert_outcomes(passed=2, failed=4)
    assert by_case(project.rows()) == VERDICTS


def test_a_count_that_is_wrong_fails_beside_a_time_that_is_advice(times, project):
    times(
        """
def test_both(dsocr):
    compare(dsocr, 1.0, shown(1.5))
    dsocr.compare(one_too_many, FOUR, module=LINEAR, inputs=X)


def test_the_rest_runs(dsocr):
    compare(dsocr, 1.0, shown(1.5), "user.first")
    compare(dsocr, 1.0, shown(1.0), "user.second")
"""
    )
    result = project.run("--dsocr-latency=advisory", "--dsocr-json=rows.json")
    result.assert_outcomes(failed=1, skipped=1)
    assert [row["verdict"] for row in project.rows()] == ["inconclusive", "fail", "inconclusive", "pass"]


def test_a_comparison_that_did_not_run_beside_advice_is_listed(times, project):
    times(
        """
def test_both(dsocr):
    compare(dsocr, 1.0, shown(1.5))
    pytest.skip("no more today")
"""
    )
    project.run("--dsocr-latency=advisory", "--dsocr-json=rows.json").assert_outcomes(skipped=1)
    assert [one["reason"] for one in project.document()["not_run"]] == ["no more today"]


# --- measured for real ---


def test_a_module_is_timed_on_the_cpu(project):
    """It takes at least the 2 ms that it sleeps; how long beyond is the machine's affair."""
    project.tests(
        """
        import time


        def test_sleep(dsocr):
            asleep = lambda rows: time.sleep(0.002)
            with pytest.raises(BaseException):
                dsocr.compare(1e-9, Case("any"), metric="latency_s", module=asleep, inputs=torch.zeros(1))
        """
    )
    project.run("--dsocr-repeats=1", "--dsocr-json=rows.json", "--dsocr-cache=warm")
    (row,) = project.rows()
    assert 0.002 <= row["measured"] < 1
    assert row["verdict"] in ("fail", "inconclusive")
    assert row["details"]["rounds"] >= 5
    assert row["details"]["repeats"] == 1
    assert row["notes"].startswith(f"warm cache{KEPT}, eager, spread by ")
    assert 0 <= row["details"]["contention"] <= row["spread"]


def test_a_run_that_goes_out_of_memory_is_an_error_row_and_the_next_test_measures(project):
    project.tests(
        """
        RAN = []


        def full(rows):
            RAN.append(1)
            if len(RAN) == 3:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


        def test_full(dsocr):
            dsocr.compare(1.0, Case("any"), metric="latency_s", module=full, inputs=torch.zeros(1))


        def test_next(dsocr):
            row = dsocr.compare(9.0, Case("any"), metric="latency_s", module=torch.neg, inputs=torch.zeros(1))
        """
    )
    result = project.run("--dsocr-repeats=1", "--dsocr-json=rows.json", "--dsocr-latency=advisory")
    assert result.parseoutcomes()["failed"] == 1
    first, second = project.rows()
    assert (first["verdict"], first["measured"]) == ("error", "nan")
    assert first["reason"] == "the module raised OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"
    assert second["measured"] > 0
    assert second["verdict"] in ("pass", "inconclusive")


def test_on_meta_there_is_no_time(project):
    project.tests("def test_it(dsocr):\n    dsocr.compare(1.0, FOUR, metric='latency_s', module=LINEAR, inputs=X)\n")
    project.run("--dsocr-json=rows.json").assert_outcomes(skipped=1)
    assert [one["reason"] for one in project.document()["not_run"]] == [
        "user.float, 4 tokens, latency_s: time needs a real device: give --dsocr-device cpu or cuda"
    ]


def test_a_layer_on_a_cpu_that_nobody_calibrated_is_not_run(project):
    project.tests(
        """
        from dsocr_cost import ProjectorConfig
        from dsocr_cost.layers import MlpProjector


        def test_it(dsocr):
            layer = MlpProjector(ProjectorConfig("linear", 8, 16))
            dsocr.compare(layer, Case("4 tokens", batch=1, tokens=4), metric="latency_s")
        """
    )
    project.run("--dsocr-device=cpu", "--dsocr-json=rows.json").assert_outcomes(skipped=1)
    (not_run,) = project.document()["not_run"]
    assert "no datasheet says how fast" in not_run["reason"]
    assert "calibrate it (dsocr calibrate --device cpu -o FILE), and give --dsocr-profile FILE" in not_run["reason"]


# --- pytest-benchmark ---

BENCHMARKED = """
def test_time(dsocr):
    compare(dsocr, 2.0, shown(1.75, 2.0, 2.25, 1.0))
"""
EXTRA = {
    "predicted_s": 2.0,
    "layer": "user.layer",
    "case": "any",
    "device": cpu_name(),
    "rtol": 0.1,
    "verdict": "pass",
}


def benchmarks(project):
    return json.loads((project.path / "benchmark.json").read_text(encoding="utf-8"))["benchmarks"]


def test_its_table_and_its_file_hold_our_times(times, project):
    """1 to 2.25 s: their mean is 1.75."""
    times(BENCHMARKED)
    result = project.spawn("--benchmark-json=benchmark.json", "--dsocr-device=cpu")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*benchmark: 1 tests*", "test_time*"])
    (benchmark,) = benchmarks(project)
    stats = benchmark["stats"]
    assert stats["data"] == [1.75, 2.0, 2.25, 1.0]
    assert (stats["min"], stats["max"], stats["mean"], stats["rounds"]) == (1.0, 2.25, 1.75, 4)
    assert benchmark["extra_info"] == EXTRA


def test_it_compares_our_times_with_those_of_a_run_before(times, project):
    """Twice as slow: its own gate, at 50 %, is red."""
    times(BENCHMARKED)
    project.spawn("--benchmark-save=before").assert_outcomes(passed=1)
    times(BENCHMARKED.replace("2.0, shown(1.75, 2.0, 2.25, 1.0)", "4.0, shown(3.5, 4.0, 4.5, 2.0)"))
    result = project.spawn("--benchmark-compare=0001", "--benchmark-compare-fail=mean:50%")
    assert "Performance has regressed" in result.stdout.str() + result.stderr.str()


def test_a_test_that_fails_is_in_its_file_with_the_verdict(times, project):
    times("def test_time(dsocr):\n    compare(dsocr, 0.5, shown(1.0, 1.0))\n")
    project.spawn("--benchmark-json=benchmark.json").assert_outcomes(failed=1)
    (benchmark,) = benchmarks(project)
    assert benchmark["extra_info"]["verdict"] == "fail"


def test_it_holds_one_time_a_test(times, project):
    times(
        """
def test_times(dsocr):
    compare(dsocr, 2.0, shown(2.0, 2.0), "user.first")
    compare(dsocr, 1.0, shown(1.0, 1.0), "user.second")
"""
    )
    project.spawn("--benchmark-json=benchmark.json", "--dsocr-json=rows.json").assert_outcomes(passed=1)
    assert [one["extra_info"]["layer"] for one in benchmarks(project)] == ["user.first"]
    assert [row["layer"] for row in project.rows()] == ["user.first", "user.second"]


def test_a_test_that_uses_it_itself_keeps_it(times, project):
    times(
        """
def test_times(dsocr, benchmark):
    compare(dsocr, 2.0, shown(2.0, 2.0))
    benchmark.pedantic(lambda: None, rounds=7)
"""
    )
    project.spawn("--benchmark-json=benchmark.json").assert_outcomes(passed=1)
    assert [(one["stats"]["rounds"], one["extra_info"]) for one in benchmarks(project)] == [(7, {})]


def test_its_marker_on_a_test_is_heeded(times, project):
    times("@pytest.mark.benchmark(group='attention')\n" + BENCHMARKED.strip() + "\n")
    project.spawn("--benchmark-json=benchmark.json").assert_outcomes(passed=1)
    assert [(one["group"], one["stats"]["max"]) for one in benchmarks(project)] == [("attention", 2.25)]


@pytest.mark.parametrize(
    "args",
    [("-p", "no:benchmark"), ("--benchmark-disable",), ("--benchmark-skip",), ("-n1",)],
    ids=["not there", "disabled", "skipped", "under xdist"],
)
def test_without_it_times_are_measured_all_the_same(times, project, args):
    times(BENCHMARKED)
    project.spawn(*args, "--dsocr-json=rows.json").assert_outcomes(passed=1)
    assert [(row["measured"], row["verdict"]) for row in project.rows()] == [(2.0, "pass")]


def test_rounds_that_are_no_times_make_an_error_row_and_the_run_goes_on(project):
    project.write("conftest.py", FAKE_CLOCK)
    project.tests(
        """
        from pytest_dsocr import Measurement


        @pytest.mark.parametrize("seconds", [float("nan"), 0.5], ids=["odd", "good"])
        def test_time(dsocr, seconds):
            module = lambda: Measurement(0.5, spread=0.01, samples=(seconds,) * 9)
            dsocr.compare(lambda: 0.5, Case(f"{seconds}"), metric="latency_s", module=module, name="user.clock")
        """
    )
    result = project.run("--dsocr-json=rows.json")
    result.assert_outcomes(failed=1, passed=1)
    odd, good = project.rows()
    assert odd["verdict"] == "error"
    assert odd["reason"] == "rounds: got nan, allowed are finite numbers of at least 0"
    assert good["verdict"] == "pass"
