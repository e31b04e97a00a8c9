"""One comparison: what was compared, what came of it, and how it stands against the baseline."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from .compare import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["USER", "AgainstBaseline", "Change", "Device", "Key", "NotRun", "Row", "Term"]

USER = "user"
"""The model and the implementation of a module that a test brings itself."""

_FIGURES = ("predicted", "measured", "difference")
_RATIOS = ("relative_difference", "spread", "rtol")

Key: TypeAlias = "tuple[str, str, str, str, str, str, str, Device]"


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """Where a row was measured: the fingerprint that tells one machine's figures from another's.

    ``name`` is what the driver calls the card, or the processor with the threads that torch uses; ``capability`` is the
    card's compute capability; it, ``driver`` and ``cuda`` are empty for ``meta`` and ``cpu``, ``name`` for ``meta``.
    """

    type: str
    name: str = ""
    capability: str = ""
    driver: str = ""
    torch: str = ""
    cuda: str = ""

    def __str__(self) -> str:
        """Name it in a line: ``cuda NVIDIA H200, capability 9.0, driver 570.1, torch 2.13.0, cuda 12.8``."""
        said = (f"{one.name} {value}" for one in fields(self)[2:] if (value := getattr(self, one.name)))
        return ", ".join((f"{self.type} {self.name}".strip(), *said))


class Term(NamedTuple):
    """A line of a figure's breakdown: ops of one name as predicted, and what was counted for them.

    Layers that repeat are one line, with ``*`` for their number. ``launches`` ops are predicted, as many as ``calls``
    stand for; the side that has nothing is empty, with 0.
    """

    op: str
    kind: str
    launches: int
    predicted: int | float
    call: str
    calls: int
    measured: int | float


class Change(StrEnum):
    """How a measured figure stands against the stored one of its key."""

    SAME = "same"
    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    NEW = "new"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class AgainstBaseline:
    """A row held against the baseline.

    ``measured`` is the stored figure (None where there is none), ``relative_change`` measured - stored over stored
    (None where that is no number), ``p_value`` that of the rank test (None for a count), ``source`` the file, and
    ``reason`` what a reader has to know.
    """

    change: Change
    measured: int | float | None = None
    relative_change: float | None = None
    p_value: float | None = None
    source: str = ""
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Turn into built-in types only."""
        return {**asdict(self), "change": str(self.change)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> AgainstBaseline:
        """Read back what :meth:`to_dict` made."""
        ratios = {name: _ratio(content[name]) for name in ("relative_change", "p_value")}
        return cls(
            **{**content, **ratios, "measured": _figure(content["measured"]), "change": Change(content["change"])}
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. The first seven fields and ``device`` are its key; ``test`` only says where it came from.

    ``difference`` is predicted - measured, ``relative_difference`` that over measured (None where measured is 0).
    ``rtol``, ``rule`` and ``because`` are the tolerance that judged it, where it stands and its reason; ``reason``
    says why the verdict is no pass, or is a notice beside one. ``spread`` is the measurement's relative noise, None for
    a count. ``details`` are figures that were seen beside the measured one, by name. ``band`` is what the prediction's
    own doubt leaves open and ``source`` where it comes from, ``notes`` how it was measured. ``samples`` are the rounds,
    in seconds, that a time is the median of, ``terms`` what a sum over ops is made of. ``baseline`` is how it stands
    against the stored row, None where there is no baseline.
    """

    model: str
    implementation: str
    attention: str
    dtype: str
    layer: str
    case: str
    metric: str
    device: Device
    sizes: Mapping[str, int]
    predicted: int | float
    measured: int | float
    difference: int | float
    relative_difference: float | None
    spread: float | None
    rtol: float
    rule: str
    because: str
    verdict: Verdict
    reason: str
    test: str
    details: Mapping[str, int | float] = field(default_factory=dict)
    band: tuple[float, float] | None = None
    source: str = ""
    notes: str = ""
    samples: tuple[float, ...] = ()
    terms: tuple[Term, ...] = ()
    baseline: AgainstBaseline | None = None

    @property
    def key(self) -> Key:
        """What the row is about, whichever test made it."""
        return (
            self.model,
            self.implementation,
            self.attention,
            self.dtype,
            self.layer,
            self.case,
            self.metric,
            self.device,
        )

    @property
    def title(self) -> str:
        """Its name for people, of layer, case and metric."""
        return f"{self.layer}, {self.case}, {self.metric}"

    def to_dict(self) -> dict[str, Any]:
        """Turn into built-in types only, as JSON and the channel between xdist's processes need."""
        content = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            **content,
            "device": asdict(self.device),
            "sizes": dict(self.sizes),
            "details": dict(self.details),
            "verdict": str(self.verdict),
            "band": list(self.band) if self.band else None,
            "samples": list(self.samples),
            "terms": [list(term) for term in self.terms],
            "baseline": self.baseline.to_dict() if self.baseline else None,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Row:
        """Read back what :meth:`to_dict` made, and the strings that stand for figures that JSON cannot hold."""
        stored = content.get("baseline")
        made = {
            **{name: _figure(content[name]) for name in _FIGURES},
            **{name: _ratio(content[name]) for name in _RATIOS},
            "device": Device(**content["device"]),
            "verdict": Verdict(content["verdict"]),
            "details": {name: _figure(value) for name, value in content.get("details", {}).items()},
            "band": tuple(float(end) for end in content["band"]) if content.get("band") else None,
            "samples": tuple(float(sample) for sample in content.get("samples", ())),
            "terms": tuple(_term(*term) for term in content.get("terms", ())),
            "baseline": AgainstBaseline.from_dict(stored) if stored else None,
        }
        return cls(**{**content, **made})


@dataclass(frozen=True, slots=True)
class NotRun:
    """A comparison that was expected and not made, and why."""

    test: str
    reason: str


def _term(op: str, kind: str, launches: int, predicted: Any, call: str, calls: int, measured: Any) -> Term:
    return Term(op, kind, launches, _figure(predicted), call, calls, _figure(measured))


def _figure(value: Any) -> Any:
    """Take a string back that stands for a figure that JSON cannot hold."""
    return float(value) if isinstance(value, str) else value


def _ratio(value: Any) -> float | None:
    """The same of what is no count."""
    return None if value is None else float(value)
