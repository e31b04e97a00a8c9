"""The ``dsocr`` fixture's object: predict, measure, judge, tell."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from dsocr_cost import IMPLEMENTATIONS, DeepseekOCRConfig, Execution, SizeError
from dsocr_cost.layers import layer_name

from .compare import Verdict, judge
from .errors import MeasurementError, NotSupportedError, OptionError
from .measure.device import device_names, fingerprint
from .measure.measurement import Subject
from .report.failure import failure_text
from .results import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .case import Case
    from .measure.measurement import Measurement, Measurer
    from .metrics import Prediction
    from .options import Options
    from .registry import Registry
    from .results import Device
    from .tolerances import Tolerances

__all__ = ["Bench", "Comparer"]

USER = "user"


class Bench:
    """What all comparisons of a run share."""

    def __init__(self, options: Options, registry: Registry, tolerances: Tolerances, device: str) -> None:
        self.options = options
        self.registry = registry
        self.tolerances = tolerances
        self.device = device

    @cached_property
    def fingerprint(self) -> Device:
        """The device as rows name it."""
        return fingerprint(self.device)

    @cached_property
    def config(self) -> DeepseekOCRConfig:
        """The model's sizes: the published ones, or those of ``--dsocr-config``."""
        return DeepseekOCRConfig.from_hf(self.options.config) if self.options.config else DeepseekOCRConfig()


class Comparer:
    """Compares predictions with measurements for one test."""

    def __init__(self, bench: Bench, test: str, rows: list[Row]) -> None:
        self._bench = bench
        self._test = test
        self._rows = rows

    @property
    def config(self) -> DeepseekOCRConfig:
        """The model's sizes: the published ones, or those of ``--dsocr-config``."""
        return self._bench.config

    @property
    def device(self) -> str:
        """Where this run measures, as torch names it: build your modules there."""
        return self._bench.device

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
        inputs: Sequence[Any] | Callable[[], Sequence[Any]] = (),
        name: str | None = None,
    ) -> Row:
        """Hold what ``layer`` predicts at ``case`` against what its module does; the test fails unless they agree.

        Args:
            layer: a layer of :mod:`dsocr_cost.layers`, an object like one (``ops(**sizes, execution=...)`` and
                ``params``), or any callable that takes the case's sizes and returns ops or a figure.
            case: its name and sizes.
            metric: what is compared, ``tensor_flops`` or ``params``, or the metric of a measurer of your own.
            module: what is measured, a module or any callable; by default the one that the reference builds.
            inputs: what the module is called with, or a function that makes it anew for each run.
            name: how tables and rows name the layer; by default the class or function, ``group.ClassName``.

        Returns:
            The row, for a test that wants to look at more.

        Raises:
            pytest.fail.Exception: predicted and measured are further apart than the rule allows, or the measurement
                cannot be trusted. The message names layer, case, metric, both figures, the rule, and the terms.
            pytest.skip.Exception: it cannot be measured here; the run lists it as *not run*, with the reason.
        """
        measurer = self._measurer(metric)
        subject, model, implementation = self._subject(layer, case, module, inputs)
        try:
            prediction = measurer.metric.predict(layer, case, subject.execution or self._execution(implementation))
        except TypeError as error:
            msg = f"{name or _name(layer)} cannot be priced at {case!r}: {error}"
            raise SizeError(msg) from error
        measurement = self._measure(measurer, subject)
        row = self._judge(name or _name(layer), case, measurer, model, implementation, prediction, measurement)
        self._rows.append(row)
        if row.verdict is not Verdict.PASS:
            pytest.fail(failure_text(row, measurer.metric.label, prediction.ops, measurement.calls), pytrace=False)
        return row

    def _measurer(self, metric: str) -> Measurer:
        measurers = self._bench.registry.measurers
        if metric not in measurers:
            msg = f"metric: got {metric!r}, allowed are {', '.join(measurers)}"
            raise OptionError(msg)
        return measurers[metric]

    def _subject(
        self, layer: Any, case: Case, module: Any, inputs: Sequence[Any] | Callable[[], Sequence[Any]]
    ) -> tuple[Subject, str, str]:
        """Take the user's module, or have the reference build one; say whose model and implementation it is."""
        options = self._bench.options
        if module is not None:
            make = inputs if callable(inputs) else lambda: inputs
            return Subject(module, lambda: (tuple(make()), {})), USER, USER
        reference = self._bench.registry.reference_for(layer, options.reference)
        if reference is None:
            pytest.skip(f"no reference builds {_name(layer)}: give a module, or a reference by hook")
        try:
            subject = reference.subject(
                layer, case, device=self.device, dtype=options.dtype, attention=options.attention
            )
        except NotSupportedError as error:
            pytest.skip(str(error))
        return subject, reference.model, reference.implementation

    def _execution(self, implementation: str) -> Execution:
        """Predict what runs here; what a user's own layer makes of it is its own affair."""
        known = (name for name in IMPLEMENTATIONS if name == implementation)
        return Execution(next(known, "transformers"), self._bench.options.attention)

    def _measure(self, measurer: Measurer, subject: Subject) -> Measurement:
        try:
            return measurer.measure(subject, device=self.device)
        except NotSupportedError as error:
            pytest.skip(str(error))

    def _judge(
        self,
        layer: str,
        case: Case,
        measurer: Measurer,
        model: str,
        implementation: str,
        prediction: Prediction,
        measurement: Measurement,
    ) -> Row:
        device, metric = self._bench.fingerprint, measurer.metric.name
        rule = self._bench.tolerances.rule_for(layer=layer, case=case.name, devices=device_names(device), metric=metric)
        predicted = _number("predicted", prediction.value)
        measured = _number("measured", measurement.value)
        judgement = judge(predicted, measured, rule.rtol, spread=measurement.spread)
        return Row(
            model=model,
            implementation=implementation,
            attention=self._bench.options.attention,
            dtype=self._bench.options.dtype,
            layer=layer,
            case=case.name,
            metric=metric,
            device=device,
            sizes=case.sizes,
            predicted=predicted,
            measured=measured,
            difference=predicted - measured,
            relative_difference=(predicted - measured) / measured if measured else None,
            spread=measurement.spread,
            rtol=rule.rtol,
            rule=rule.origin,
            because=rule.because,
            verdict=Verdict.ERROR if measurement.problem else judgement.verdict,
            reason=measurement.problem or judgement.reason,
            test=self._test,
        )


def _number(name: str, value: Any) -> Any:
    """Turn numpy's and torch's numbers into Python's, which alone can be compared exactly and sent on."""
    number = value.item() if hasattr(value, "item") and getattr(value, "shape", ()) == () else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        msg = f"{name}: got {value!r}, allowed is one number"
        raise MeasurementError(msg)
    return number


def _name(layer: Any) -> str:
    if hasattr(type(layer), "group"):
        return layer_name(layer)
    own = layer if isinstance(getattr(layer, "__name__", None), str) else type(layer)
    return f"{USER}.{own.__name__}"
