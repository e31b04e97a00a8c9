"""The published sweep tables: 90 crop grids, as the report's formula priced them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

__all__ = ["DECODE_STEPS", "TEXT_TOKENS", "PublishedGrid", "read_grids"]

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

    def __str__(self) -> str:
        return f"{self.crops_high}x{self.crops_wide}"


def read_grids(table: Literal["vision", "vision_prefill", "decode_100_steps"]) -> list[PublishedGrid]:
    """Read one of the tables that ship with the package."""
    text = files(__package__).joinpath(f"{table}.csv").read_text(encoding="utf-8")
    return [
        PublishedGrid(int(row["crops_high"]), int(row["crops_wide"]), int(row["image_tokens"]), row["tensor_tflops"])
        for row in csv.DictReader(text.splitlines())
    ]
