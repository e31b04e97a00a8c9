"""Everything that can be compared: layers, metrics with their measurers, references, as the hooks name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsocr_cost.layers import layer_name

from .errors import OptionError
from .measure.formulas import parse_formulas
from .metrics import FAMILIES, Metric
from .tolerances import Tolerances, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .measure.measurement import Measurer
    from .options import Options
    from .reference.reference import Reference

__all__ = ["Registry"]


@dataclass(frozen=True, slots=True)
class Registry:
    """What the hooks of all plugins add up to."""

    layers: Mapping[str, type]
    measurers: Mapping[str, Measurer]
    references: Mapping[str, Reference]

    @classmethod
    def from_hooks(cls, config: Any, options: Options) -> Registry:
        """Ask every plugin; of two answers under one name, that of the plugin registered later holds.

        Raises:
            OptionError: a hook's answer, a formula, a reference or a requirement that cannot be.
        """
        hook = config.hook
        given = hook.pytest_dsocr_flop_formulas()
        formulas = dict(
            _answers(
                "pytest_dsocr_flop_formulas",
                [answer.items() if isinstance(answer, Mapping) else answer for answer in given],
                lambda one: isinstance(one, tuple) and isinstance(one[0], str) and callable(one[1]),
                "a mapping of 'namespace::op' to a function",
            )
        )
        formulas |= parse_formulas(options.flop_formulas, "ini dsocr_flop_formulas")
        layers = _answers(
            "pytest_dsocr_layers",
            hook.pytest_dsocr_layers(),
            lambda one: isinstance(one, type) and hasattr(one, "group"),
            "classes with a group",
        )
        measurers = _answers(
            "pytest_dsocr_measurers",
            hook.pytest_dsocr_measurers(flop_formulas=formulas, config=config),
            lambda one: isinstance(getattr(one, "metric", None), Metric),
            "measurers, each with a metric",
        )
        references = _answers(
            "pytest_dsocr_references",
            hook.pytest_dsocr_references(),
            lambda one: hasattr(one, "name") and hasattr(one, "layers"),
            "references, each with a name and layers",
        )
        registry = cls(
            layers={layer_name(kind): kind for kind in layers},
            measurers={measurer.metric.name: measurer for measurer in measurers},
            references={reference.name: reference for reference in references},
        )
        registry._require(options)
        return registry

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that have a measurer."""
        return tuple(measurer.metric for measurer in self.measurers.values())

    def tolerances(self, options: Options) -> Tolerances:
        """Load the tolerance file, or take the metrics' own defaults.

        Raises:
            ToleranceError: the file cannot be used.
        """
        defaults = {metric.name: metric.tolerance for metric in self.metrics}
        if options.tolerances is None:
            return Tolerances.builtin(defaults)
        return Tolerances.load(options.tolerances, Vocabulary(self.layers, defaults), defaults)

    def reference_for(self, layer: object, asked: str) -> Reference | None:
        """Find who builds a layer: the reference that was asked for, else the first that can."""
        able = (self.references[asked], *self.references.values())
        return next((one for one in able if any(kind in one.layers for kind in type(layer).__mro__)), None)

    def _require(self, options: Options) -> None:
        if options.reference not in self.references:
            msg = f"--dsocr-reference: got {options.reference!r}, allowed are {', '.join(self.references)}"
            raise OptionError(msg)
        allowed = dict.fromkeys(("all", "gpu", "baseline", *FAMILIES, *self.measurers, *self.layers))
        for what in options.require:
            if what not in allowed:
                msg = f"--dsocr-require: got {what!r}, allowed are {', '.join(allowed)}"
                raise OptionError(msg)
        if "baseline" in options.require and options.baseline is None:
            msg = "--dsocr-require baseline: there is none to hold rows against; name it with --dsocr-baseline PATH"
            raise OptionError(msg)


def _answers(hook: str, answers: Iterable[Any], is_one: Callable[[Any], bool], allowed: str) -> Iterator[Any]:
    """Go through what the plugins answered, in the order of their registration: pluggy asks the last one first."""
    for answer in reversed(list(answers)):
        for one in answer if isinstance(answer, Iterable) else (answer,):
            if not is_one(one):
                msg = f"hook {hook}: got {one!r}, allowed are {allowed}"
                raise OptionError(msg)
            yield one
