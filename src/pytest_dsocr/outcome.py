"""What becomes of a test by the rows that it brought: no way to end it makes green what its comparisons came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .baseline import is_regression
from .compare import Verdict
from .report.text import printable
from .state import CALLED, ROWS, SETTLED

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from .row import Row

__all__ = ["settle"]

NOTHING = "asked for the fixture dsocr and compared nothing: a measurement of nothing is never a pass"


def settle(
    report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None], is_advice: Callable[[Row], bool]
) -> bool:
    """Let no phase of a test pass, or be skipped, that compared nothing or caught what its comparisons came to.

    Rows are looked at in the phase in which they came; those of the setup with those of the call, unless that is
    skipped. A failure that is expected (xfail) may be off its prediction, but not above what is stored.

    Returns:
        Whether the test is skipped only because of times that are advice: it compared all that it had to.
    """
    if call.when == "call" and not item.stash.get(CALLED, False):
        return False  # a subtest's: the test goes on
    rows = item.stash[ROWS]
    caught = [row for row in rows[item.stash.get(SETTLED, 0) :] if row.verdict is not Verdict.PASS]
    goes_on = call.when == "setup" and report.outcome == "passed"
    item.stash[SETTLED] = 0 if goes_on else len(rows)
    if call.when == "call" and report.outcome == "passed" and not rows:
        _fail(report, NOTHING)
    if report.outcome == "failed" or goes_on:
        return False
    if hasattr(report, "wasxfail"):
        regressed = next(filter(is_regression, caught), None)
        if regressed:
            said = (
                f"an expected failure does not excuse it: {printable(regressed.title)}: {printable(regressed.reason)}"
            )
            _fail(report, "\n\n".join(filter(None, (said, report.longreprtext))))
        return False
    worse = next((row for row in caught if not is_advice(row)), None)
    if worse:
        _fail(report, f"caught a comparison that came to {worse.verdict}: {printable(worse.reason)}")
        return False
    if caught and call.when == "call" and report.outcome == "passed":
        reason = f"Skipped: inconclusive: {printable(caught[0].reason)}"
        report.outcome, report.longrepr = "skipped", (str(item.path), item.location[1] or 0, reason)
        return True
    return False


def _fail(report: pytest.TestReport, why: str) -> None:
    vars(report).pop("wasxfail", None)  # pytest does not count a failure that was expected
    report.outcome, report.longrepr = "failed", why
