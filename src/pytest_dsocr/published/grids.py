"""The published sweep tables: 90 crop grids, as the report's formula priced them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DECODE_STEPS", "TEXT_TOKENS", "PublishedGrid", "read_grids", "read_required", "table_rows"]

TEXT_TOKENS = 10
"""Text tokens after the image in the report's prefill."""

DECODE_STEPS = 100


@dataclass(frozen=True, slots=True)
class PublishedGrid:
    """One row of a sweep table; figures as printed, in TFLOPs (1e12)."""

    crops_high: int
    crops_wide: int
    image_tokens: int
    tensor_tflops: str
    cuda_tflops: str

    def __str__(self) -> str:
        return f"{self.crops_high}x{self.crops_wide}"

    @property
    def context(self) -> int:
        """Positions of the report's prefill."""
        return self.image_tokens + TEXT_TOKENS


def read_grids(table: Literal["vision", "vision_prefill", "decode_100_steps"]) -> list[PublishedGrid]:
    """Read one of the tables that ship with the package."""
    return [
        PublishedGrid(
            int(row["crops_high"]),
            int(row["crops_wide"]),
            int(row["image_tokens"]),
            row["tensor_tflops"],
            row["cuda_tflops"],
        )
        for row in table_rows(table)
    ]


def read_required(table: Literal["ttft_1s", "tpot_50ms"]) -> dict[tuple[int, int], str]:
    """Read the TFLOP/s that a target takes, as printed, by grid: 1 s to the first token, 50 ms for each one after."""
    return {(int(row["crops_high"]), int(row["crops_wide"])): row["required_tflops_per_s"] for row in table_rows(table)}


def table_rows(table: str) -> list[Mapping[str, str]]:
    """Read the rows of a CSV file beside this module, by the names in its first line."""
    text = files(__package__).joinpath(f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
