"""The pytest plugin: hooks only. Nothing here imports torch; the first comparison does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dsocr_cost import DsocrError

from . import hookspec
from .collector import attach
from .fixtures import dsocr
from .markers import MARKERS, bad_marks, missing_gpu
from .options import Options, add_options
from .outcome import settle
from .report.properties import properties_of
from .report.text import printable
from .startup import check
from .state import CALLED, FROM_SETUP, NOT_RUN, ROWS, RUN, SETTLED, USES, Run, run_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from _pytest.terminal import TerminalReporter

    from .measure.measurement import Measurer
    from .reference.reference import Reference
    from .row import NotRun, Row

__all__ = ["dsocr"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare options and ini keys."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks of :mod:`pytest_dsocr.hookspec`."""
    pluginmanager.add_hookspecs(hookspec)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, read the options, and refuse now what could not work later."""
    for signature, text in MARKERS.items():
        config.addinivalue_line("markers", f"{signature}: {text}")
    try:
        run = config.stash[RUN] = Run(config, Options.from_pytest_config(config))
        if not (config.option.help or config.option.collectonly):
            check(run, config)
        config.pluginmanager.register(run.collector, "dsocr-collector")
    except DsocrError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is held against what."""
    run = run_of(config)
    options = run.options
    file = options.tolerances
    rules = file.name if file and file.parent == config.rootpath else file or "built-in tolerances"
    execution = f"{options.reference} on {options.device}, {options.dtype}, {options.attention} attention"
    return [f"dsocr: {printable(line)}" for line in (f"{execution}; {rules}", run.baseline_header()) if line]


def pytest_dsocr_layers() -> Iterable[type]:
    """Bring the layers and the parts of DeepSeek-OCR."""
    from dsocr_cost.layers import LAYERS
    from dsocr_cost.model import STAGES

    return (*LAYERS.values(), *STAGES)


def pytest_dsocr_references() -> Iterable[Reference]:
    """Bring transformers."""
    from .reference.transformers import TransformersReference

    return (TransformersReference(),)


def pytest_dsocr_flop_formulas() -> Mapping[str, Callable[..., int]]:
    """Bring what transformers' experts need."""
    from .measure.formulas import FORMULAS

    return FORMULAS


def pytest_dsocr_measurers(
    flop_formulas: Mapping[str, Callable[..., int]], config: pytest.Config
) -> Iterable[Measurer]:
    """Bring FLOPs, traffic, parameters, memory and time."""
    from .measure.flops import FlopMeasurer
    from .measure.latency import LatencyMeasurer
    from .measure.params import ParameterMeasurer
    from .measure.traced import TRACED, TraceMeasurer, Tracer
    from .metrics import or_given

    run = run_of(config)
    tracer, latency = Tracer(), LatencyMeasurer(or_given(run.predict_latency), run.options.timing)
    counted = (ParameterMeasurer(name) for name in ("params", "weight_bytes"))
    return FlopMeasurer(flop_formulas), *counted, *(TraceMeasurer(name, tracer) for name in TRACED), latency


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``dsocr_grid`` once a grid of ``--dsocr-grids``, unless it names its own."""
    if "dsocr_grid" in metafunc.fixturenames and not _parametrizes(metafunc.definition, "dsocr_grid"):
        metafunc.parametrize("dsocr_grid", run_of(metafunc.config).options.grids, ids=str)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let a file whose tests carry bad markers fail to collect, wherever on a test the marker stands."""
    report = yield
    complaints = [bad_marks(node) for node in report.result or () if isinstance(node, pytest.Item)]
    if any(complaints):
        report.outcome, report.result = "failed", []
        report.longrepr = "\n".join(filter(None, complaints))
    return report


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember that this is not the full run."""
    if items:
        run_of(items[0].config).deselected = True


def pytest_collection_finish(session: pytest.Session) -> None:
    """Expect every test that compares, also those that a stopped run never reaches; workers tell theirs by report."""
    run_of(session.config).collector.expect(item.nodeid for item in session.items if _compares(item))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a GPU test without its GPU."""
    for brought in _brought(item):
        brought.clear()  # a test that is run again starts anew
    item.stash[CALLED], item.stash[SETTLED] = False, 0
    if FROM_SETUP in item.stash:
        del item.stash[FROM_SETUP]
    reason = missing_gpu(item.iter_markers(), run_of(item.config).device)
    if reason:
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Note when a test has ended: reports before that are those of its subtests.

    A test that is called again, without its setup, starts with what the setup brought.
    """
    rows, not_run = _brought(item)
    from_setup = item.stash.setdefault(FROM_SETUP, (len(rows), len(not_run)))
    del rows[from_setup[0] :], not_run[from_setup[1] :]
    item.stash[CALLED], item.stash[SETTLED] = False, 0
    try:
        yield
    finally:
        item.stash[CALLED] = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send rows home on the report, and let no test pass that compared nothing."""
    report = yield
    if not _compares(item):
        return report
    rows, not_run = _brought(item)
    report.user_properties += properties_of(rows)
    run = run_of(item.config)
    compared = settle(report, item, call, lambda row: run.bench.is_advice(row))
    expected = [] if run.announced else [other.nodeid for other in item.session.items if _compares(other)]
    run.announced = True
    if rows or not_run or expected:
        attach(
            report,
            rows=rows,
            not_run=not_run,
            expected=expected,
            deselected=run.deselected,
            compared=compared,
        )
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Close the books, write the rows, and let the gates speak."""
    run = run_of(session.config)
    if run.on_worker or session.config.option.collectonly:
        return
    run.finish()
    if run.complaints and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Print the table, and on GitHub the annotations."""
    from .github import commands_of
    from .report.against import baseline_lines
    from .report.terminal import summary_lines

    run = run_of(config)
    if run.results is None or not run.has_news:
        return
    terminalreporter.write_sep("=", "dsocr: predicted against measured")
    width = terminalreporter._tw.fullwidth  # noqa: SLF001 - pytest's own width, which it tells no other way
    for line in summary_lines(run.results, run.labels, run.families, width=width, verbosity=terminalreporter.verbosity):
        markup = {name: True for name in (line.colour, "bold" if line.bold else "") if name}
        terminalreporter.write_line(line.text, **markup)
    lines = baseline_lines(run.results.rows, run.missing, run.update_command)
    for text in (*lines, *(f"dsocr: {printable(notice)}" for notice in run.notices)):
        terminalreporter.write_line(text, yellow=True)
    for complaint in run.complaints:
        terminalreporter.write_line(f"dsocr: {printable(complaint)}", red=True, bold=True)
    for command in commands_of(run, config.rootpath):
        terminalreporter.write_line(command)


def _compares(item: pytest.Item) -> bool:
    """Whether a test uses the fixture, by its signature or, once it has asked for it by name, by its stash."""
    return "dsocr" in getattr(item, "fixturenames", ()) or item.stash.get(USES, False)


def _brought(item: pytest.Item) -> tuple[list[Row], list[NotRun]]:
    """What a test has brought so far; nothing, where another plugin has ended it before it began."""
    return item.stash.setdefault(ROWS, []), item.stash.setdefault(NOT_RUN, [])


def _parametrizes(item: pytest.Item, argument: str) -> bool:
    """Whether a parametrize marker of a test, its class or its module names an argument."""
    marks = item.iter_markers("parametrize")
    named = (mark.args[0] if mark.args else mark.kwargs["argnames"] for mark in marks)
    return any(argument in (names.replace(",", " ").split() if isinstance(names, str) else names) for names in named)
