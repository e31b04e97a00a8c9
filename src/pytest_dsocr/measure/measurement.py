"""What a measurement is, and what makes one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dsocr_cost import Execution

    from ..metrics import Metric

__all__ = ["Call", "Measurement", "Measurer", "Subject", "ToleranceAware"]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Subject:
    """Something that runs: a module or any callable, and how to make the inputs of one run.

    ``inputs`` is called anew for each run, since a run may change them (a KV cache grows). ``execution`` is what a
    prediction has to assume of the module; None is the usual one of its implementation. ``touched`` says how many of
    so many experts get one of so many rows, for devices without data to tell; None is as many as there can be.
    """

    module: Any
    inputs: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]
    execution: Execution | None = None
    touched: Callable[[int, int], int] | None = None

    def run(self) -> Any:
        """Run it once."""
        args, kwargs = self.inputs()
        return self.module(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Call:
    """One term of a count: an op as the counter saw it (``aten::mm``), or a parameter of the module.

    ``module`` is the submodule that it ran in, or the parameter's name; ``shapes`` are those of the op's inputs, or of
    the parameter; ``count`` is what it adds to the figure.
    """

    op: str
    module: str
    shapes: tuple[tuple[int, ...], ...]
    count: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """A figure, and how it came about.

    ``calls`` is the breakdown of a count, in the order of the run. ``spread`` is the relative noise of a time, None
    for a count. ``problem`` says why the figure cannot be trusted: its row is an error, never a pass. ``details`` are
    figures that were seen beside it, for the row, ``notes`` what a reader of it has to know. ``doubt`` says why a time
    speaks neither for nor against the prediction, whatever its spread: its row is inconclusive. ``samples`` are the
    rounds that a time is the median of.
    """

    value: int | float
    calls: tuple[Call, ...] = ()
    spread: float | None = None
    problem: str = ""
    details: Mapping[str, int | float] = field(default_factory=dict)
    notes: str = ""
    doubt: str = ""
    samples: tuple[float, ...] = ()


class Measurer(Protocol):
    """Measures one metric."""

    metric: Metric

    def measure(self, subject: Subject, *, device: str) -> Measurement:
        """Measure a subject whose tensors are on ``device``.

        Raises:
            NotSupportedError: it cannot be measured here; the comparison is *not run*.
            MeasurementError: it was tried and could not be measured; the test fails.
        """
        ...


@runtime_checkable
class ToleranceAware(Protocol):
    """A measurer that tries harder where its spread is wider than the tolerance that will judge it."""

    def within(self, rtol: float) -> Measurer:
        """Get the measurer for a relative tolerance."""
        ...
