"""What all comparisons of a run share, and how each of them is judged."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dsocr_cost import DeepseekOCRConfig

from .baseline import gated
from .baseline_run import check_identity
from .compare import Judgement, Verdict, judge
from .figures import plain_band, plain_number
from .files import shown
from .measure.device import device_names, fingerprint
from .row import Row
from .terms import terms_of

if TYPE_CHECKING:
    from .baseline_file import Baseline
    from .case import Case
    from .measure.measurement import Measurement
    from .metrics import Metric, Prediction
    from .options import Options
    from .registry import Registry
    from .tolerances import Rule, Tolerances

__all__ = ["Bench", "Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose module a row is about, and what it is made of: the part of the row's key that the layer does not know."""

    model: str
    implementation: str
    attention: str
    dtype: str
    device: str


class Bench:
    """What all comparisons of a run share. ``baseline`` is None in a run that is held against none."""

    def __init__(
        self,
        options: Options,
        registry: Registry,
        tolerances: Tolerances,
        device: str,
        width: int | None = None,
        baseline: Baseline | None = None,
    ) -> None:
        self.options = options
        self.registry = registry
        self.tolerances = tolerances
        self.device = device
        self.width = width
        self._baseline = baseline
        self._stored = functools.cache(baseline.rows_of if baseline else lambda device: {})
        self.fingerprint = functools.cache(fingerprint)

    @cached_property
    def config(self) -> DeepseekOCRConfig:
        """The model's sizes: the published ones, or those of ``--dsocr-config``."""
        return DeepseekOCRConfig.from_hf(self.options.config) if self.options.config else DeepseekOCRConfig()

    def is_advice(self, row: Row) -> bool:
        """Whether a row is an inconclusive time in a run where times make no test fail."""
        family = self.registry.measurers[row.metric].metric.family
        return row.verdict is Verdict.INCONCLUSIVE and bool(self.options.advisory) and family == "latency"

    def rule(self, layer: str, case: Case, metric: Metric, origin: Origin) -> Rule:
        """Find the tolerance of a comparison."""
        devices = device_names(self.fingerprint(origin.device))
        return self.tolerances.rule_for(layer=layer, case=case.name, devices=devices, metric=metric.name)

    def judged(
        self,
        test: str,
        layer: str,
        case: Case,
        metric: Metric,
        origin: Origin,
        prediction: Prediction,
        measurement: Measurement,
        rule: Rule,
    ) -> Row:
        """Hold a prediction against its measurement, and that against the baseline."""
        predicted = plain_number("predicted", prediction.value)
        measured = plain_number("measured", measurement.value)
        judgement = judge(
            predicted,
            measured,
            rule.rtol,
            spread=measurement.spread,
            one_sided=metric.one_sided,
            floor=prediction.floor,
            doubt=measurement.doubt,
        )
        advisory = self.options.advisory if metric.family == "latency" else ""
        if advisory and judgement.verdict is Verdict.FAIL:
            judgement = Judgement(Verdict.INCONCLUSIVE, f"{advisory}: {judgement.reason}")
        problem = measurement.problem or _problem(case, measurement)
        row = Row(
            model=origin.model,
            implementation=origin.implementation,
            attention=origin.attention,
            dtype=origin.dtype,
            layer=layer,
            case=case.name,
            metric=metric.name,
            device=self.fingerprint(origin.device),
            sizes=case.sizes,
            predicted=predicted,
            measured=measured,
            difference=predicted - measured,
            relative_difference=(predicted - measured) / measured if measured else None,
            spread=measurement.spread,
            rtol=rule.rtol,
            rule=rule.origin,
            because=rule.because,
            verdict=Verdict.ERROR if problem else judgement.verdict,
            reason=problem or judgement.reason,
            test=test,
            details={detail: plain_number(detail, value) for detail, value in measurement.details.items()},
            band=plain_band(prediction.band),
            source=prediction.source,
            notes=measurement.notes,
            samples=() if problem else tuple(float(f"{seconds:.6g}") for seconds in measurement.samples),
            terms=terms_of(metric.name, prediction.ops, measurement.calls),
        )
        return self._gated(row, advisory)

    def _gated(self, row: Row, advisory: str) -> Row:
        if self._baseline is None:
            return row
        check_identity(row.device)
        stored = self._stored(row.device)
        if not stored:  # a device without a baseline is told once, not with every row
            return row
        source = shown(self._baseline.file_of(row.device))
        updating = self.options.update_baseline
        return gated(row, stored.get(row.key), source, advisory=advisory, updating=updating)


def _problem(case: Case, measurement: Measurement) -> str:
    """Say what speaks against any figure; empty for nothing."""
    if 0 in case.sizes.values():
        return "a size is 0: nothing was measured"
    odd = next((seconds for seconds in measurement.samples if not 0 <= seconds < math.inf), None)
    return f"rounds: got {odd!r}, allowed are finite numbers of at least 0" if odd is not None else ""
