"""How time is measured, as the options say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from .cache import CacheName

__all__ = ["LAUNCHES", "LatencySettings", "LaunchName"]

LaunchName: TypeAlias = Literal["graph", "eager"]
LAUNCHES: tuple[LaunchName, ...] = get_args(LaunchName)


@dataclass(frozen=True, slots=True)
class LatencySettings:
    """Repeats of the whole measurement; caches cold or warm; how kernels are launched; how long to wait for the device.

    ``launch`` None is ``graph`` on CUDA and ``eager`` elsewhere.
    """

    repeats: int = 3
    cache: CacheName = "cold"
    launch: LaunchName | None = None
    lock_timeout_s: float = 600.0
