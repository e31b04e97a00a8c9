"""What one pytest run knows, in one place on its config."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from dsocr_cost import DsocrError

from .collector import Collector
from .environment import environment
from .markers import is_for_another_device
from .metrics import families_of, labels_of
from .results import Results
from .row import NotRun, Row

if TYPE_CHECKING:
    from dsocr_cost import Execution

    from .baseline_file import Baseline
    from .bench import Bench
    from .case import Case
    from .latency_model import LatencyModel
    from .metrics import Prediction
    from .options import Options
    from .registry import Registry
    from .tolerances import Tolerances

__all__ = ["CALLED", "FROM_SETUP", "NOT_RUN", "ROWS", "RUN", "SETTLED", "USES", "Run", "run_of"]

STOPPED = "the run ended before it"
NARROWING = ("keyword", "markexpr", "lf", "deselect", "ignore", "ignore_glob")
"""pytest's options that leave tests out."""


class Run:
    """One run's options and books; the registry, the tolerances and the device are made when something needs them."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        self._config = config
        self.options = options
        self.collector = Collector()
        self.results: Results | None = None
        self.complaints: list[str] = []
        self.notices: list[str] = []
        self.missing: list[Row] = []
        self.deselected = False
        self.announced = False
        self.width = shutil.get_terminal_size().columns  # here: a test's own output is captured

    @property
    def on_worker(self) -> bool:
        """Whether this process is one of xdist's workers, which print and write nothing."""
        return hasattr(self._config, "workerinput")

    @cached_property
    def registry(self) -> Registry:
        """What the hooks of all plugins add up to."""
        from .registry import Registry

        return Registry.from_hooks(self._config, self.options)

    @cached_property
    def tolerances(self) -> Tolerances:
        """The rules of this run."""
        return self.registry.tolerances(self.options)

    @cached_property
    def device(self) -> str:
        """Where this run measures, as torch names it."""
        from .measure.device import resolve_device

        return resolve_device(self.options.device)

    def device_for_test(self) -> str:
        """Find where the next test measures: under xdist and with several cards for ``cuda``, on one that is free."""
        if self.options.device != "cuda" or not self.on_worker:
            return self.device
        from .measure.device import free_card

        return free_card(int(self._config.workerinput["workerid"].removeprefix("gw")))  # type: ignore[attr-defined]

    @cached_property
    def bench(self) -> Bench:
        """What all comparisons share."""
        from .bench import Bench

        return Bench(self.options, self.registry, self.tolerances, self.device, self.width, self.baseline)

    @cached_property
    def baseline(self) -> Baseline | None:
        """The stored rows that this run is held against."""
        from .baseline_file import Baseline

        return Baseline(self.options.baseline) if self.options.baseline else None

    def baseline_header(self) -> str:
        """Say what this device's rows are held against; empty for nothing.

        Raises:
            DsocrError: the baseline cannot be read.
        """
        if self.baseline is None:
            return ""
        from .baseline_run import header
        from .measure.device import fingerprint

        return header(self.baseline, fingerprint(self.device), updating=self.options.update_baseline)

    @cached_property
    def latency_model(self) -> LatencyModel:
        """What times are predicted with."""
        from .latency_model import LatencyModel
        from .measure.device import fingerprint

        asked = self.options
        return LatencyModel(
            lambda: self.device,
            fingerprint,
            asked.timing.launch,
            profile=asked.profile,
            devices=asked.devices,
            peak_flops_per_s=asked.peak_flops_per_s,
            cold=asked.timing.cache == "cold",
        )

    def predict_latency(self, layer: Any, case: Case, execution: Execution) -> Prediction:
        """Predict a layer's time; the model of this device is made when the first one asks."""
        return self.latency_model.predict(layer, case, execution)

    @property
    def takes_all(self) -> bool:
        """Whether this run took on everything that the project has for this device."""
        config, option = self._config, self._config.option
        narrowed = any(getattr(option, name, None) for name in NARROWING)
        source, sources = config.args_source, pytest.Config.ArgsSource
        at_the_top = source is sources.TESTPATHS or config.invocation_params.dir == config.rootpath
        deselected = self.deselected or self.collector.deselected
        return source is not sources.ARGS and at_the_top and not narrowed and not deselected

    @property
    def full(self) -> bool:
        """Whether this run took on everything, and ended it."""
        not_run = self.results.not_run if self.results else ()
        missing = any(not is_for_another_device(one.reason) for one in not_run) or self.results is None
        return self.takes_all and not missing

    @property
    def update_command(self) -> str:
        """The command that does this run again and takes over what has moved; empty where this one does."""
        if self.options.update_baseline:
            return ""
        return shlex.join(["pytest", *self._config.invocation_params.args, "--dsocr-update-baseline"])

    @property
    def labels(self) -> dict[str, str]:
        """The metrics' names for people."""
        return labels_of(self.registry.metrics)

    @property
    def families(self) -> dict[str, str]:
        """The families of the metrics."""
        return families_of(self.registry.metrics)

    def finish(self) -> None:
        """Close the books, write the rows, and note what makes the run red although no test failed."""
        from .gates import repeated_keys, unheeded, unmet_requirements, unused_rules
        from .github import add_to_step_summary
        from .measure.device import device_names

        self.results = self.collector.results(environment(), stopped=STOPPED)
        self.complaints += repeated_keys(self.results)
        self.complaints += unheeded(self.results, self.collector.failed, self.collector.expected_to_fail)
        if self.options.require:
            self.complaints += unmet_requirements(self.results, self.options.require, self.families)
        if self.results.rows and self.full:
            device = self.results.rows[0].device
            self.complaints += unused_rules(self.results, self.tolerances, device_names(device))
        try:
            self._settle_baseline(self.results)
        except DsocrError as error:
            self.complaints.append(str(error))
        self.results = replace(self.results, complaints=tuple(self.complaints))
        if self.collector.heard:  # a run that ran no test has nothing to put over older rows
            self._write(self.results)
            self.notices += add_to_step_summary(self)

    def _settle_baseline(self, results: Results) -> None:
        """Note what of the baseline was not measured, and take over what has moved where that was asked for."""
        if self.baseline is None or not self.collector.heard:
            return
        from .baseline_run import foreign, missing_rows, not_measured, refusals, told
        from .measure.device import fingerprint

        devices = dict.fromkeys([fingerprint(self.device), *(row.device for row in results.rows)])
        stored = [row for device in devices for row in self.baseline.rows_of(device).values()]
        missing = missing_rows(results, stored, full=self.takes_all)
        if not self.options.update_baseline:
            self.missing = missing
            self.complaints += foreign(results, stored)
            if missing and "baseline" in self.options.require:
                self.complaints.append(f"--dsocr-require baseline: {not_measured(missing)}")
            return
        commands = self.baseline.forget_commands(missing)
        refused = refusals(missing, self.collector.lost(results), commands)
        self.complaints += refused
        if not refused:
            self.notices += told(self.baseline.update(results))

    def _write(self, results: Results) -> None:
        """Write rows and reports; what cannot be written makes the run red, and leaves the old file as it was."""
        from .files import write_text_atomically
        from .report.written import report_text

        files = {self.options.json: ".json"} if self.options.json else {}
        files |= {path: path.suffix for path in self.options.reports}
        for path, ending in files.items():
            try:
                write_text_atomically(path, report_text(results, ending, self.labels, self.families))
            except DsocrError as error:
                self.complaints.append(str(error))

    @property
    def has_news(self) -> bool:
        """Whether there is anything to tell: a run in which nothing compares says nothing."""
        return self.results is not None and bool(self.results.rows or self.results.not_run or self.complaints)

    @property
    def told(self) -> Results:
        """The results with all that made the run red, also what came up while they were written."""
        return replace(self.results or Results(), complaints=tuple(self.complaints))


RUN = pytest.StashKey[Run]()
ROWS = pytest.StashKey[list[Row]]()
NOT_RUN = pytest.StashKey[list[NotRun]]()
USES = pytest.StashKey[bool]()
CALLED = pytest.StashKey[bool]()
"""Whether a test's own call has ended."""
SETTLED = pytest.StashKey[int]()
"""How many of a test's rows an earlier phase has answered for."""
FROM_SETUP = pytest.StashKey[tuple[int, int]]()
"""How many rows, and how many that were not run, a test's setup has brought."""


def run_of(config: pytest.Config) -> Run:
    """Get the run that a config belongs to."""
    return config.stash[RUN]
