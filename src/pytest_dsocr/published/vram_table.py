"""The published VRAM table: 47 crop grids, as the report's memory formulas priced them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from importlib.resources import files

from dsocr_cost import MODES, DeepseekOCRConfig, Grid
from dsocr_cost.workload import image_tokens

from ..errors import ResultsError

__all__ = ["PublishedVram", "parse_vram", "read_vram"]

_GRIDS = 47
_FORMS = {
    "tflops": (re.compile(r"[0-9]\.[0-9]{6}e[+-][0-9]{2}"), "a figure such as 2.495323e+00"),
    "gb": (re.compile(r"[0-9]+\.[0-9]{3}"), "a figure such as 2.487"),
    "": (re.compile(r"[1-9][0-9]{0,8}"), "a whole number of at least 1"),
}
"""What a cell may hold, by the end of its column's name."""


@dataclass(frozen=True, slots=True)
class PublishedVram:
    """One row of ``vram.csv``; figures as printed, in TFLOPs (1e12), and in GB or GiB as the page says."""

    crops_high: int
    crops_wide: int
    image_tokens: int
    tensor_tflops: str
    cuda_tflops: str
    forward_io_gb: str
    kv_cache_gb: str
    peak_activation_gb: str
    vram_gb: str

    def __str__(self) -> str:
        return f"{self.crops_high}x{self.crops_wide}"


_COLUMNS = tuple(field.name for field in fields(PublishedVram))


def read_vram() -> list[PublishedVram]:
    """Read the table that ships with the package.

    Raises:
        ResultsError: the file is not the table.
    """
    return parse_vram(files(__package__).joinpath("vram.csv").read_bytes().decode(errors="replace"))


def parse_vram(text: str) -> list[PublishedVram]:
    """Read the rows of a table of 47 grids, each of them once.

    Raises:
        ResultsError: another header or number of rows, a cell of another form, a grid twice or with other image tokens.
    """
    header, *lines = text.splitlines() or [""]
    if header != ",".join(_COLUMNS):
        msg = f"vram.csv, line 1: got {header!r}, allowed is {','.join(_COLUMNS)}"
        raise ResultsError(msg)
    rows = [_parse_row(number, line) for number, line in enumerate(lines, start=2)]
    grids = len({str(row) for row in rows})
    if (len(rows), grids) != (_GRIDS, _GRIDS):
        msg = f"vram.csv: got {len(rows)} rows of {grids} grids, allowed are {_GRIDS} of as many"
        raise ResultsError(msg)
    return rows


def _parse_row(number: int, line: str) -> PublishedVram:
    cells = line.split(",")
    if len(cells) != len(_COLUMNS):
        msg = f"vram.csv, line {number}: got {len(cells)} cells, allowed are {len(_COLUMNS)}"
        raise ResultsError(msg)
    for name, cell in zip(_COLUMNS, cells, strict=True):
        form, allowed = next(one for end, one in _FORMS.items() if name.endswith(end))
        if not form.fullmatch(cell):
            msg = f"vram.csv, line {number}: {name}: got {cell!r}, allowed is {allowed}"
            raise ResultsError(msg)
    high, wide, tokens = (int(cell) for cell in cells[:3])
    row = PublishedVram(high, wide, tokens, *cells[3:])
    expected = image_tokens(MODES["gundam"], Grid(high, wide), DeepseekOCRConfig().sam)
    if tokens != expected:
        msg = f"vram.csv, line {number}: image_tokens: got {tokens}, allowed is {expected} for {row}"
        raise ResultsError(msg)
    return row
