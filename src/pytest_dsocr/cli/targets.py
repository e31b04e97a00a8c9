"""What a machine must do a second at least for a page to meet a target of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..sweep_points import SweepPoint

__all__ = ["Targets"]


@dataclass(frozen=True, slots=True)
class Targets:
    """Seconds to the first token, which are vision and prefill, and seconds for each token after it."""

    ttft_s: float | None = None
    tpot_s: float | None = None

    def required(self, point: SweepPoint) -> dict[str, float]:
        """Say what a point takes: tensor FLOPs and, of bytes, the least to be moved, a second."""
        made: dict[str, float] = {}
        for name, seconds, runs, steps in (
            ("ttft", self.ttft_s, ("vision", "prefill"), 1),
            ("tpot", self.tpot_s, ("decode",), point.decode_steps),
        ):
            if seconds is not None:
                flops, moved = (_sum(point.stages, runs, count) for count in ("tensor_flops", "compulsory_bytes"))
                made[f"{name}_flops_per_s"] = flops / steps / seconds
                made[f"{name}_bytes_per_s"] = moved / steps / seconds
        return made


def _sum(stages: Mapping[str, Mapping[str, Any]], names: tuple[str, ...], count: str) -> int:
    return sum(stages[name][count] for name in names)
