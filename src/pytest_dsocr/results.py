"""The rows of a run and what did not run; their document, a versioned schema; their merge."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .compare import Verdict
from .errors import ResultsError
from .row import Key, NotRun, Row
from .rows_document import SCHEMA, checked_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Results", "merged"]


@dataclass(frozen=True, slots=True)
class Results:
    """All rows of a run, in the order of its tests, what did not run, and what made the run red beside its tests.

    ``environments`` are the versions that the figures depend on, one for each run that went into it.
    """

    rows: tuple[Row, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    environments: tuple[Mapping[str, str], ...] = field(default=())
    complaints: tuple[str, ...] = ()

    @property
    def by_verdict(self) -> dict[Verdict, int]:
        """How many rows came to each verdict; a comparison that did not run counts as *not run*."""
        counts = dict.fromkeys(Verdict, 0)
        for row in self.rows:
            counts[row.verdict] += 1
        counts[Verdict.NOT_RUN] += len(self.not_run)
        return counts

    def by_key(self, source: str) -> dict[Key, Row]:
        """Find rows by what they are about.

        Raises:
            ResultsError: two have the same key; ``source`` is where they stand.
        """
        return _by_key(self.rows, source)

    def to_json(self) -> str:
        """Write the whole as a document of the newest schema. Figures that JSON cannot hold become strings."""
        document = {
            "schema": SCHEMA,
            "environments": [dict(one) for one in self.environments],
            "totals": {str(verdict): count for verdict, count in self.by_verdict.items()},
            "complaints": list(self.complaints),
            "rows": [jsonable(row.to_dict()) for row in self.rows],
            "not_run": [asdict(one) for one in self.not_run],
        }
        return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = "<text>") -> Results:
        """Read such a document, of this schema or of one before.

        Raises:
            ResultsError: the text is no JSON, of a schema to come, or a field is missing, unknown or of a wrong type.
        """
        return cls._from_document(checked_document(text, source))

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read a file.

        Raises:
            ResultsError: it cannot be read, or as :meth:`from_json`.
        """
        from .rows_document import read_rows_text

        return cls.from_json(read_rows_text(path), str(path))

    @classmethod
    def _from_document(cls, document: Mapping[str, Any]) -> Results:
        return cls(
            tuple(Row.from_dict(row) for row in document["rows"]),
            tuple(NotRun(**one) for one in document["not_run"]),
            tuple(document["environments"]),
            tuple(document.get("complaints", ())),
        )


def jsonable(content: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the figures that JSON cannot hold into strings."""
    return {
        key: jsonable(value)
        if isinstance(value, dict)
        else repr(value)
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for key, value in content.items()
    }


def merged(parts: Sequence[tuple[str, Results]]) -> Results:
    """Put the results of shards or machines together, each with the name of its file.

    A row that stands in several is taken once if all agree on what was predicted, measured and judged. What did not
    run in one part and has rows in another did run.

    Raises:
        ResultsError: two parts disagree on a row.
    """
    rows: dict[Key, tuple[str, Row]] = {}
    for source, part in parts:
        for key, row in part.by_key(source).items():
            first, known = rows.setdefault(key, (source, row))
            if (known.predicted, known.measured, known.verdict) != (row.predicted, row.measured, row.verdict):
                figures = f"{known.measured!r}, {known.verdict}, and {row.measured!r}, {row.verdict}"
                msg = f"{source}: {row.title}: stands in {first}, too, and they differ: measured {figures}"
                raise ResultsError(msg)
    ran = {row.test for _, row in rows.values()}
    not_run = dict.fromkeys(one for _, part in parts for one in part.not_run if one.test not in ran)
    environments = {tuple(sorted(one.items())): one for _, part in parts for one in part.environments}
    complaints = dict.fromkeys(complaint for _, part in parts for complaint in part.complaints)
    return Results(
        tuple(row for _, row in rows.values()), tuple(not_run), tuple(environments.values()), tuple(complaints)
    )


def _by_key(rows: Iterable[Row], source: str) -> dict[Key, Row]:
    rows = tuple(rows)
    found = {row.key: row for row in rows}
    if len(found) < len(rows):
        key, count = Counter(row.key for row in rows).most_common(1)[0]
        msg = f"{source}: rows: {count} have the key of {found[key].title} on {found[key].device}, allowed is one"
        raise ResultsError(msg)
    return found
