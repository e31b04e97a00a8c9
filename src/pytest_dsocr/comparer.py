"""The ``dsocr`` fixture's object: predict, measure, judge, tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from dsocr_cost import DTYPES, IMPLEMENTATIONS, Execution, SizeError
from dsocr_cost.layers import layer_name

from .bench import Origin
from .compare import Verdict
from .errors import MeasurementError, NotSupportedError, OptionError
from .measure.device import placement
from .measure.measurement import Subject, ToleranceAware
from .report.failure import failure_text
from .row import USER, Row
from .unmeasured import Unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from dsocr_cost import DeepseekOCRConfig

    from .bench import Bench
    from .case import Case
    from .measure.measurement import Measurement, Measurer
    from .metrics import Prediction
    from .row import NotRun

    Tell: TypeAlias = Callable[[Row, Sequence[float]], object]

__all__ = ["Comparer"]


class Comparer:
    """Compares predictions with measurements for one test; the fixture ``dsocr`` makes it.

    ``families`` are the metric families that the test is marked with: where there are any, it compares no other.
    ``rows`` and ``not_run`` are where it puts what it measured, and what it could not measure. ``device`` is where, if
    not where all tests of the run measure. ``tell`` gets each row of a time, with the rounds.
    """

    def __init__(
        self,
        bench: Bench,
        test: str,
        families: Collection[str],
        rows: list[Row],
        not_run: list[NotRun],
        *,
        device: str | None = None,
        tell: Tell = lambda row, rounds: None,
    ) -> None:
        self._bench = bench
        self._test = test
        self._families = families
        self._rows = rows
        self._not_run = not_run
        self._device = device or bench.device
        self._tell = tell
        self._ended = False

    def end(self) -> None:
        """Take no more comparisons: the test is over, and nobody would see their rows."""
        self._ended = True

    @property
    def config(self) -> DeepseekOCRConfig:
        """The model's sizes, the published ones or those of ``--dsocr-config``."""
        return self._bench.config

    @property
    def device(self) -> str:
        """Where this run measures, as torch names it; build your modules there."""
        return self._device

    @property
    def dtype(self) -> str:
        """The dtype of weights and activations, by torch's name."""
        return self._bench.options.dtype

    def compare(
        self,
        layer: Any,
        case: Case,
        *,
        metric: str = "tensor_flops",
        module: Any = None,
        inputs: Any = (),
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> Row:
        """Hold what ``layer`` predicts at ``case`` against what its module does; the test fails unless they agree.

        Args:
            layer: a layer of :mod:`dsocr_cost.layers`, an object like one (``ops(**sizes, execution=...)`` and
                ``params``), a callable that takes the case's sizes and returns ops or a figure, a figure, or a mapping
                that has one of these for each metric.
            case: its name and sizes.
            metric: what is compared: a name of :data:`pytest_dsocr.metrics.METRICS`, or of a measurer of your own.
            module: what is measured, a module or any callable; by default the one that the reference builds.
            inputs: what the module is called with, a tensor or several, or a function that makes them for each run.
            kwargs: what it is called with by name.
            name: how tables and rows name the layer; by default the class or function, ``group.ClassName``.

        Returns:
            The row, for a test that wants to look at more.

        Raises:
            pytest.fail.Exception: predicted and measured are further apart than the rule allows, or the measurement
                cannot be trusted. The message names layer, case, metric, both figures, the rule, and the terms.
            pytest.skip.Exception: it cannot be measured here; the run lists it as *not run*, with the reason.
            DsocrError: what was asked for cannot be: an unknown metric, sizes that the layer does not take, a layer
                that no reference builds.
        """
        __tracebackhide__ = True
        (row,) = self.compare_all(
            layer, case, metrics=(metric,), module=module, inputs=inputs, kwargs=kwargs, name=name
        )
        return row

    def compare_all(
        self,
        layer: Any,
        case: Case,
        *,
        metrics: Sequence[str],
        module: Any = None,
        inputs: Any = (),
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> tuple[Row, ...]:
        """Compare several metrics as :meth:`compare` does one; the test fails after the last, with all that differ.

        Metrics that come from one run, such as ``io_bytes`` and ``launches``, are measured in one run. One that cannot
        be measured keeps no other from it: each metric ends as a row, or is listed as *not run* with its reason.
        """
        __tracebackhide__ = True
        if self._ended:
            msg = (
                f"dsocr: got the one of {self._test}, which has ended; allowed is the fixture of the test that compares"
            )
            raise OptionError(msg)
        measurers = [self._measurer(metric) for metric in metrics]
        name = name or _name(module if isinstance(layer, Mapping) else layer)
        rows, failures = list[Row](), list[str]()
        try:
            subject, origin = self._subject(layer, case, module, inputs, kwargs or {})
        except NotSupportedError as error:
            pytest.skip(str(error))
        unmeasured = Unmeasured(self._test, f"{name}, {case.name}", self._not_run)
        for place, measurer in enumerate(measurers):
            try:
                prediction = self._predict(measurer, layer, case, subject.execution or self._execution(origin), name)
                rule = self._bench.rule(name, case, measurer.metric, origin)
                patient = measurer.within(rule.rtol) if isinstance(measurer, ToleranceAware) else measurer
                measurement = patient.measure(subject, device=origin.device)
                row = self._bench.judged(self._test, name, case, measurer.metric, origin, prediction, measurement, rule)
            except (MeasurementError, NotSupportedError) as error:
                unmeasured.note([measurer.metric.name], error)
                continue
            except Exception as error:  # what cannot be asked for, or a module that raises, ends the test at once
                unmeasured.note([one.metric.name for one in measurers[place:]], error)
                raise
            rows.append(row)
            self._keep(row, measurement)
            if row.verdict is not Verdict.PASS and not self._bench.is_advice(row):
                terms = prediction.ops, measurement.calls
                failures.append(failure_text(row, measurer.metric.label, *terms, self._bench.width))
        unmeasured.settle(failures)
        return tuple(rows)

    def _keep(self, row: Row, measurement: Measurement) -> None:
        self._rows.append(row)
        if row.verdict is not Verdict.ERROR:
            self._tell(row, measurement.samples)

    def _measurer(self, metric: str) -> Measurer:
        __tracebackhide__ = True
        measurers = self._bench.registry.measurers
        if metric not in measurers:
            msg = f"metric: got {metric!r}, allowed are {', '.join(measurers)}"
            raise OptionError(msg)
        family = measurers[metric].metric.family
        if self._families and family not in self._families:
            msg = f"metric: got {metric!r} of the family {family}, allowed are those the test is marked with"
            raise OptionError(f"{msg} ({', '.join(self._families)})")
        return measurers[metric]

    def _subject(
        self, layer: Any, case: Case, module: Any, inputs: Any, kwargs: Mapping[str, Any]
    ) -> tuple[Subject, Origin]:
        """Take the user's module, or have the reference build one; say what it is."""
        __tracebackhide__ = True
        options = self._bench.options
        if module is not None:
            device, dtype = placement(module, inputs, (self.device, options.dtype))
            subject = Subject(module, lambda: (_arguments(inputs), dict(kwargs)))
            return subject, Origin(USER, USER, attention="", dtype=dtype, device=device)
        reference = self._bench.registry.reference_for(layer, options.reference)
        if reference is None:
            msg = f"no reference builds {_name(layer)}: give a module, or a reference by hook"
            raise OptionError(msg)
        subject = reference.subject(layer, case, device=self.device, dtype=options.dtype, attention=options.attention)
        return subject, Origin(reference.model, reference.implementation, options.attention, options.dtype, self.device)

    def _execution(self, origin: Origin) -> Execution:
        """Predict what runs here; what a user's own layer makes of it is its own affair."""
        known = (name for name in IMPLEMENTATIONS if name == origin.implementation)
        dtype = next((name for name in DTYPES if name == origin.dtype), DTYPES[0])
        return Execution(next(known, "transformers"), self._bench.options.attention, dtype=dtype)

    def _predict(self, measurer: Measurer, layer: Any, case: Case, execution: Execution, name: str) -> Prediction:
        __tracebackhide__ = True
        if isinstance(layer, Mapping):
            if measurer.metric.name not in layer:
                msg = f"layer: got predictions of {', '.join(layer)}, allowed is one of {measurer.metric.name}, too"
                raise OptionError(msg)
            layer = layer[measurer.metric.name]
        try:
            return measurer.metric.predict(layer, case, execution)
        except TypeError as error:
            msg = f"{name} cannot be priced at {case!r}: {error}"
            raise SizeError(msg) from error


def _arguments(inputs: Any) -> tuple[Any, ...]:
    """Make the positional arguments of one run: a tensor alone is one of them."""
    made = inputs() if callable(inputs) else inputs
    if isinstance(made, Mapping):
        msg = f"inputs: got a mapping of {', '.join(map(str, made))}, allowed are positional arguments; use kwargs"
        raise OptionError(msg)
    return (made,) if hasattr(made, "shape") else tuple(made)


def _name(layer: Any) -> str:
    if hasattr(type(layer), "group"):
        return layer_name(layer)
    own = layer if isinstance(getattr(layer, "__name__", None), str) else type(layer)
    return f"{USER}.{own.__name__}"
