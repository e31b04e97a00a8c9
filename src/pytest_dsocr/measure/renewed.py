"""Inputs for many runs: made once where the runs leave them as they are."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from .tensors import cached_tensors, tensors_of

if TYPE_CHECKING:
    import torch

    from .measurement import Subject

__all__ = ["RenewedRun"]


class RenewedRun:
    """A subject's run whose inputs :meth:`renew` makes as they were before.

    A KV cache grows by taking new tensors in the place of old ones, and what is kept of it is a new cache of the same
    tensors: filling one anew takes longer than the run. A run that writes into its inputs, or whose inputs cannot be
    copied, has them made from nothing each time.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._first: Any = None
        self._tensors: list[torch.Tensor] = []
        self._versions: list[int] = []
        self._given: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        self.renew()

    def __call__(self) -> Any:
        """Run once with the inputs that stand ready."""
        args, kwargs = self._given
        return self._subject.module(*args, **kwargs)

    def renew(self) -> None:
        """Make the inputs of the next run ready."""
        if self._first is None or self._versions != self._written():
            self._make()
        try:
            self._given = copy.deepcopy(self._first, {id(tensor): tensor for tensor in self._tensors})
        except (TypeError, RuntimeError, copy.Error):
            self._make()
            self._given = self._first

    def _make(self) -> None:
        self._first = self._given = ((), {})  # let go of the old ones before there are new ones
        self._tensors = []
        self._first = self._subject.inputs()
        self._tensors = [*tensors_of(self._first), *cached_tensors(self._first)]
        self._versions = self._written()

    def _written(self) -> list[int]:
        """Read how often each tensor was written to."""
        return [tensor._version for tensor in self._tensors]  # noqa: SLF001 - torch's own count has no public name
