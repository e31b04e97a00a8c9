"""The results of shards and machines, put together as if one run had made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .baseline_run import stored_and_not_measured
from .errors import ResultsError
from .gates import required, unmet_requirements, unused_rule
from .markers import is_for_another_device
from .report.text import printable, shorten
from .results import Results

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .row import Device, Key, NotRun, Row

__all__ = ["merged"]

_AGREED = ("sizes", "predicted", "measured", "rtol", "verdict", "test")
"""What a row has to say alike wherever it stands."""

_LONGEST = 100


def merged(parts: Sequence[tuple[str, Results]], families: Mapping[str, str]) -> Results:
    """Put results together, each with the name of its file; rows stand in the order in which they are given.

    A row that stands in several is taken once. What did not run in one part and did in another is not listed. What a
    part complained of is looked at anew: a requirement of one part is one of the whole. ``families`` maps metrics to
    their family, by which a requirement may name them.

    Raises:
        ResultsError: two parts disagree on a row, or one has two rows of one key.
    """
    rows = tuple(_rows(parts))
    not_run = tuple(dict.fromkeys(_not_run([_Part(part) for _, part in parts])))
    environments = {tuple(sorted(one.items())): one for _, part in parts for one in part.environments}
    whole = Results(rows, not_run, tuple(environments.values()))
    said = dict.fromkeys(complaint for _, part in parts for complaint in part.complaints)
    return Results(rows, not_run, whole.environments, tuple(_complaints(said, whole, families)))


def _rows(parts: Iterable[tuple[str, Results]]) -> Iterable[Row]:
    """Take each row once."""
    known: dict[Key, tuple[str, Row]] = {}
    differing: list[str] = []
    for source, part in parts:
        for key, row in part.by_key(source).items():
            first, other = known.setdefault(key, (source, row))
            if other.baseline is None and row.baseline is not None:
                known[key] = source, row
            if differences := ", ".join(_differences(other, row)):
                differing.append(
                    f"{source}: {printable(row.title)}: stands in {first}, too, and differs: {differences}"
                )
    if differing:
        more = f"; and {len(differing) - 1} more rows" if len(differing) > 1 else ""
        msg = f"{differing[0]}; allowed are rows that agree{more}"
        raise ResultsError(msg)
    return [row for _, row in known.values()]


def _differences(first: Row, second: Row) -> Iterable[str]:
    for name in _AGREED:
        one, other = getattr(first, name), getattr(second, name)
        if one != other and (one == one or other == other):
            yield f"{name} {_shown(one)} there, {_shown(other)} here"


def _shown(value: Any) -> str:
    return shorten(printable(str(value)), _LONGEST)


class _Part:
    """One part, looked at by test."""

    def __init__(self, results: Results) -> None:
        self.not_run = results.not_run
        self.devices = {row.device for row in results.rows}
        self._rows: dict[str, list[Row]] = {}
        for row in results.rows:
            self._rows.setdefault(row.test, []).append(row)
        self._incomplete = {one.test for one in results.not_run}

    def ran(self, one: NotRun, devices: set[Device]) -> bool:
        """Whether here ran what did not run elsewhere, on one of these devices; on any, if there are none.

        That is a test of which nothing is missing here, or the one metric that is missing there.
        """
        rows = [row for row in self._rows.get(one.test, ()) if not devices or row.device in devices]
        complete = bool(rows) and one.test not in self._incomplete
        return complete or any(one.reason.startswith(f"{row.title}: ") for row in rows)


def _not_run(parts: Sequence[_Part]) -> Iterable[NotRun]:
    """List what ran in no part. What failed on one machine and ran on another is missing from the first one."""
    for part in parts:
        for one in part.not_run:
            devices: set[Device] = set() if is_for_another_device(one.reason) else part.devices
            if not any(other.ran(one, devices) for other in parts if other is not part):
                yield one


def _complaints(said: Iterable[str], whole: Results, families: Mapping[str, str]) -> Iterable[str]:
    """Say anew what can be told from all rows together, and keep the rest.

    Which rows are stored they do not tell, so what one part misses is missing unless another part has it.
    """
    rules = {row.rule for row in whole.rows}
    titles = {row.title for row in whole.rows}
    requirements: dict[str, None] = {}
    for complaint in said:
        if what := required(complaint):
            requirements[what] = None
            if not titles.issuperset(stored_and_not_measured(complaint)):
                yield complaint
        elif unused_rule(complaint) not in rules:
            yield complaint
    yield from unmet_requirements(whole, requirements, families)
