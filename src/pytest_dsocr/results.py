"""The rows of a run and what did not run; their document, of a versioned schema."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .compare import Verdict
from .errors import ResultsError
from .report.text import printable
from .row import Key, NotRun, Row
from .rows_document import SCHEMA, checked_document, read_rows_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Results", "json_text"]


@dataclass(frozen=True, slots=True)
class Results:
    """All rows of a run, in the order of its tests, what did not run, and what made the run red beside its tests.

    ``environments`` are the versions that the figures depend on, one for each run that went into it.
    """

    rows: tuple[Row, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    environments: tuple[Mapping[str, str], ...] = ()
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
        found = {row.key: row for row in self.rows}
        if len(found) < len(self.rows):
            key, count = Counter(row.key for row in self.rows).most_common(1)[0]
            title = printable(f"{found[key].title} on {found[key].device}")
            msg = f"{source}: rows: {count} have the key of {title}, allowed is one"
            raise ResultsError(msg)
        return found

    def to_json(self) -> str:
        """Write the whole as a document of the newest schema. Figures that JSON cannot hold become strings."""
        document = {
            "schema": SCHEMA,
            "environments": [dict(one) for one in self.environments],
            "totals": {str(verdict): count for verdict, count in self.by_verdict.items()},
            "complaints": list(self.complaints),
            "rows": [row.to_dict() for row in self.rows],
            "not_run": [asdict(one) for one in self.not_run],
        }
        return json_text(document, indent=1) + "\n"

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
        return cls.from_json(read_rows_text(path), printable(str(path)))

    @classmethod
    def _from_document(cls, document: Mapping[str, Any]) -> Results:
        return cls(
            tuple(Row.from_dict(row) for row in document["rows"]),
            tuple(NotRun(**one) for one in document["not_run"]),
            tuple(document["environments"]),
            tuple(document.get("complaints", ())),
        )


def json_text(content: Any, *, indent: int | None = None) -> str:
    """Write strict JSON; figures that it cannot hold become strings."""
    write = partial(json.dumps, indent=indent, allow_nan=False, ensure_ascii=False)
    try:
        return write(content)
    except ValueError:
        return write(_jsonable(content))


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_jsonable(one) for one in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
