"""What becomes of a test when some of the metrics that it compares could not be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .errors import MeasurementError, NotSupportedError
from .report.text import printable
from .row import NotRun

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Unmeasured"]


class Unmeasured:
    """Lists each metric that was asked for and not measured, with the reason; ``what`` is its layer and case."""

    def __init__(self, test: str, what: str, not_run: list[NotRun]) -> None:
        self._test = test
        self._what = what
        self._not_run = not_run
        self._errors: dict[str, Exception] = {}

    def note(self, metrics: Iterable[str], error: Exception) -> None:
        """List metrics that an error kept from being measured."""
        ours = isinstance(error, MeasurementError | NotSupportedError)
        reason = str(error) if ours else f"{type(error).__name__}: {error}"
        for metric in metrics:
            self._errors[metric] = error
            self._not_run.append(NotRun(self._test, f"{self._what}, {metric}: {reason}"))

    def settle(self, failures: list[str]) -> None:
        """End the test that compared them, with its other failures; if nothing kept a metric from it, do nothing.

        Raises:
            MeasurementError: the one that kept all these metrics, if nothing else is to be told.
            pytest.fail.Exception: there are others.
            pytest.skip.Exception: nothing failed, and some could not be measured here.
        """
        __tracebackhide__ = True
        failed = {str(one): one for one in self._errors.values() if not isinstance(one, NotSupportedError)}
        if len(failed) == 1 and not failures:
            raise next(iter(failed.values()))
        if failures or failed:
            pytest.fail("\n\n".join([*failures, *map(self._text, failed)]), pytrace=False)
        if self._errors:
            pytest.skip("; ".join(dict.fromkeys(map(str, self._errors.values()))))

    def _text(self, reason: str) -> str:
        metrics = ", ".join(metric for metric, error in self._errors.items() if str(error) == reason)
        return f"{printable(f'{self._what}, {metrics}')}: not measured\n  reason      {printable(reason)}"
