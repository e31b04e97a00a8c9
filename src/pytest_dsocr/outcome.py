"""What a test comes to by its comparisons, whatever it made of them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .compare import Verdict
from .report.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pytest

    from .row import Row

__all__ = ["correct"]

NOTHING = "asked for the fixture dsocr and compared nothing: a measurement of nothing is never a pass"


def correct(report: pytest.TestReport, path: Path, rows: Sequence[Row], is_advice: Callable[[Row], bool]) -> bool:
    """Let no test of the file ``path`` pass that compared nothing, or that caught a comparison which is no pass.

    One whose only such rows are advice is skipped: that it ran all the same is what this returns.
    """
    if report.when != "call":
        return False
    if report.outcome == "passed" and not rows:
        report.outcome, report.longrepr = "failed", NOTHING
    caught = [row for row in rows if row.verdict is not Verdict.PASS]
    if not caught or report.outcome == "failed" or hasattr(report, "wasxfail"):
        return False
    worse = next((row for row in caught if not is_advice(row)), None)
    if worse:
        report.outcome = "failed"
        report.longrepr = f"caught a comparison that came to {worse.verdict}: {printable(worse.reason)}"
        return False
    if report.outcome == "skipped":
        return False
    report.outcome = "skipped"
    report.longrepr = (str(path), report.location[1] or 0, f"Skipped: inconclusive: {caught[0].reason}")
    return True
