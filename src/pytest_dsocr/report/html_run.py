"""What the figures depend on, the tolerances that judged them, and what did not run."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .text import allowed, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..row import NotRun, Row

__all__ = ["RuleLine", "devices_of", "environment_lines", "rules_of", "unmade"]

_FIRST = ("pytest-dsocr", "torch", "transformers", "numpy", "pytest", "python", "platform")


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule, what it judged, and the largest difference under it."""

    rule: str
    allowed: str
    because: str
    metrics: str
    devices: str
    count: int
    largest: str


def rules_of(rows: Sequence[Row], labels: Mapping[str, str]) -> tuple[RuleLine, ...]:
    """List the tolerances that judged rows, the widest first."""
    found: defaultdict[tuple[float, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        found[row.rtol, row.rule, row.because].append(row)
    return tuple(
        RuleLine(
            rule=rule,
            allowed=allowed(rtol),
            because=because,
            metrics=", ".join(dict.fromkeys(labels.get(row.metric, row.metric) for row in judged)),
            devices=", ".join(dict.fromkeys(f"{row.device.type} {row.device.name}".strip() for row in judged)),
            count=len(judged),
            largest=_largest(judged),
        )
        for (rtol, rule, because), judged in sorted(found.items(), key=lambda one: (-one[0][0], one[0][1:]))
    )


def unmade(not_run: Iterable[NotRun]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Group what did not run by its reason, the most frequent first."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for one in not_run:
        found[one.reason].append(one.test)
    return tuple((reason, tuple(tests)) for reason, tests in sorted(found.items(), key=lambda one: -len(one[1])))


def environment_lines(environments: Sequence[Mapping[str, str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Set the runs' versions side by side: a name, and its value in each run."""
    names = dict.fromkeys(name for one in environments for name in one)
    ordered = [name for name in _FIRST if name in names] + [name for name in names if name not in _FIRST]
    return tuple((name, tuple(one.get(name, "") for one in environments)) for name in ordered)


def devices_of(rows: Iterable[Row]) -> tuple[tuple[str, int], ...]:
    """Count the rows of each device."""
    return tuple((str(device), count) for device, count in Counter(row.device for row in rows).most_common())


def _largest(rows: Iterable[Row]) -> str:
    sizes = [abs(row.relative_difference) for row in rows if row.relative_difference is not None]
    known = [size for size in sizes if not math.isnan(size)]
    return share(max(known)) if known else "-"
