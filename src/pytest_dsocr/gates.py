"""What makes a run red although no test failed: what was required and not measured, and rules that hold nothing."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from .baseline import is_regression
from .baseline_run import named
from .compare import Verdict
from .metrics import FAMILIES
from .row import Change

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from .results import Results
    from .row import Row
    from .tolerances import Tolerances

__all__ = ["repeated_keys", "required", "unheeded", "unmet_requirements", "unused_rule", "unused_rules"]


def unmet_requirements(results: Results, required: Collection[str], families: Mapping[str, str]) -> list[str]:
    """List, as sentences, what ``--dsocr-require`` asked for and the run did not bring.

    ``families`` maps metrics to their family. Something is there when a row was measured for it, whatever its
    verdict; ``all`` also wants that nothing is *not run*.
    """
    measured = [row for row in results.rows if row.verdict is not Verdict.NOT_RUN]
    complaints = []
    for what in required:
        if not any(_speaks_of(row, what, families) for row in measured):
            complaints.append(f"--dsocr-require {what}: nothing was measured")
        if what == "baseline":
            complaints += _without_baseline(measured)
        if what == "all" and results.not_run:
            complaints.append(f"--dsocr-require all: {len(results.not_run)} comparisons did not run")
    return complaints


def _without_baseline(rows: Iterable[Row]) -> list[str]:
    """Say what no stored row was held against, and which times had too few rounds for that."""
    rows = list(rows)
    bare = [row.title for row in rows if row.baseline is None or row.baseline.change is Change.NEW]
    untold = [row.title for row in rows if _is_untold(row)]
    return [
        *([f"--dsocr-require baseline: {len(bare)} rows have no stored row: {named(bare)}"] if bare else []),
        *([f"--dsocr-require baseline: too few rounds to tell: {named(untold)}"] if untold else []),
    ]


def _is_untold(row: Row) -> bool:
    stored = row.baseline
    return bool(stored and stored.change is Change.UNCERTAIN and stored.p_value is None) and row.verdict is Verdict.PASS


def _speaks_of(row: Row, what: str, families: Mapping[str, str]) -> bool:
    if what in ("all", "baseline"):
        return True
    if what == "gpu":
        return row.device.type == "cuda"
    if what in FAMILIES and families.get(row.metric) == what:
        return True
    return what in (row.metric, row.layer)


def unused_rules(results: Results, tolerances: Tolerances, device_names: Collection[str]) -> list[str]:
    """List, as sentences, the rules that judged no row of a full run on this device."""
    used = {row.rule for row in results.rows}
    return [
        f"{tolerances.source}: {rule.origin} ({', '.join(f'{key} = {name}' for key, name in rule.names.items())}) "
        "judged no row: remove it, or correct its names"
        for rule in tolerances.unused(used, device_names)
    ]


def required(complaint: str) -> str:
    """Tell what was required, of a sentence of :func:`unmet_requirements`; empty for any other."""
    match = re.match(r"--dsocr-require (.+?): ", complaint)
    return match[1] if match else ""


def unused_rule(complaint: str) -> str:
    """Tell the rule, of a sentence of :func:`unused_rules`; empty for any other."""
    match = re.search(r": (rule \d+) \(.*\) judged no row: ", complaint)
    return match[1] if match else ""


def repeated_keys(results: Results) -> list[str]:
    """List, as sentences, the rows that another row's key makes ambiguous."""
    counts = Counter(row.key for row in results.rows)
    repeated = {row.key: row for row in results.rows if counts[row.key] > 1}
    return [
        f"{counts[key]} comparisons of {row.layer}, {row.case}, {row.metric} have the same key, one of them in "
        f"{row.test}: give the cases, or the layers, different names"
        for key, row in repeated.items()
    ]


def unheeded(results: Results, failed: Collection[str], expected: Collection[str]) -> list[str]:
    """List, as a sentence, the rows that fail although their tests did not, whoever has seen to that.

    ``expected`` are tests of which the failure was; that excuses no regression.
    """
    red = (Verdict.FAIL, Verdict.ERROR)
    rows = [
        row
        for row in results.rows
        if row.verdict in red and row.test not in failed and (row.test not in expected or is_regression(row))
    ]
    if not rows:
        return []
    said = "1 row fails, and its test" if len(rows) == 1 else f"{len(rows)} rows fail, and their tests"
    return [f"{said} did not: {named([row.title for row in rows])}"]
