"""Finds work in threads that a run starts: what follows ops sees those of its own thread only."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.thread import _worker
from typing import TYPE_CHECKING, Any, Self

from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Threads"]


class Threads:
    """Looks, while it is entered, for ops in threads that this one starts and in what it hands to an executor.

    An executor's own threads outlive a run: there, it is each piece of work that is looked into.
    """

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._watched = {threading.get_ident()}
        self._start, self._submit = threading.Thread.start, ThreadPoolExecutor.submit

    def __enter__(self) -> Self:
        """Begin to look."""
        start, submit = self._start, self._submit

        def start_watched(thread: threading.Thread) -> None:
            if threading.get_ident() in self._watched and getattr(thread, "_target", None) is not _worker:
                thread.run = self._looking(thread.run)  # type: ignore[method-assign]
            start(thread)

        def submit_watched(executor: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() in self._watched:
                work = self._looking(work)
            return submit(executor, work, *args, **kwargs)

        threading.Thread.start = start_watched  # type: ignore[method-assign,assignment]
        ThreadPoolExecutor.submit = submit_watched  # type: ignore[method-assign,assignment]
        return self

    def __exit__(self, *raised: object) -> None:
        """Put back what was there."""
        threading.Thread.start = self._start  # type: ignore[method-assign]
        ThreadPoolExecutor.submit = self._submit  # type: ignore[method-assign]

    def problem(self) -> str:
        """Say what ran unseen; empty if nothing did."""
        if not self._seen:
            return ""
        names = ", ".join(list(self._seen)[:3])
        return f"{self._seen.total()} ops ran in other threads that the module works in ({names}) and were not seen"

    def _looking(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def look(*args: Any, **kwargs: Any) -> Any:
            self._watched.add(threading.get_ident())
            try:
                with _Looking(self._seen):
                    return work(*args, **kwargs)
            finally:
                self._watched.discard(threading.get_ident())

        return look


class _Looking(TorchDispatchMode):
    def __init__(self, seen: Counter[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen = seen

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note the op's name."""
        self._seen[str(func.name()).split(".")[0]] += 1
        return func(*args, **(kwargs or {}))
