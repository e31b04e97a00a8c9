"""Everything that can be compared: layers, metrics with their measurers, references, as the hooks name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsocr_cost.layers import layer_name

from .errors import OptionError
from .measure.formulas import parse_formulas
from .metrics import FAMILIES
from .tolerances import Tolerances, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .measure.measurement import Measurer
    from .metrics import Metric
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
    def from_hooks(cls, hook: Any, options: Options) -> Registry:
        """Ask every plugin. pluggy answers last registered first, so what is asked first has the last word.

        Raises:
            OptionError: a formula, a reference or a requirement that is not there.
        """
        formulas = {
            name: formula for given in reversed(hook.pytest_dsocr_flop_formulas()) for name, formula in given.items()
        }
        formulas |= parse_formulas(options.flop_formulas, "ini dsocr_flop_formulas")
        registry = cls(
            layers={layer_name(kind): kind for given in hook.pytest_dsocr_layers() for kind in given},
            measurers={
                measurer.metric.name: measurer
                for given in reversed(hook.pytest_dsocr_measurers(flop_formulas=formulas))
                for measurer in given
            },
            references={one.name: one for given in reversed(hook.pytest_dsocr_references()) for one in given},
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
        return next((reference for reference in able if type(layer) in reference.layers), None)

    def _require(self, options: Options) -> None:
        if options.reference not in self.references:
            msg = f"--dsocr-reference: got {options.reference!r}, allowed are {', '.join(self.references)}"
            raise OptionError(msg)
        allowed = ("all", "gpu", *FAMILIES, *self.measurers, *self.layers)
        for what in options.require:
            if what not in allowed:
                msg = f"--dsocr-require: got {what!r}, allowed are {', '.join(allowed)}"
                raise OptionError(msg)
