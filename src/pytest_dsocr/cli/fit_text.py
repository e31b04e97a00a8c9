"""What ``dsocr fit`` prints for people: what was asked, a column a limit, and where each of them comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from dsocr_cost.report import MISSING, bytes_text, count_text
from dsocr_cost.workload import Grid

from ..metrics import LABELS
from .tables import paragraph, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .card import Card

__all__ = ["fit_text"]

HEADS = {"page": "most\ncrops", "square": "square\npage", "context": "longest\ncontext", "batch": "largest\nbatch"}
SHARES = {
    **{name: LABELS[name] for name in ("weight_bytes", "kv_cache_bytes", "activation_bytes")},
    "cuda_context_bytes": "CUDA context",
}
LINES = [
    *("largest that fits", "  the model's own", "  VRAM taken", "  VRAM left"),
    *("smallest too large", "  VRAM needed", "  VRAM missing", "  its peak in"),
    *(f"    {share}" for share in SHARES.values()),
]
"""Two runs a column; what is indented is of the run above it."""


def fit_text(document: Mapping[str, Any], card: Card) -> str:
    """Write it all."""
    limits = {name: limit for name, limit in document["limits"].items() if limit}
    own = _own(document["model"])
    columns = [("", LINES), *((HEADS[name], _column(name, limit, own[name])) for name, limit in limits.items())]
    return "\n\n".join([_heading(document, card), table(columns), _in_the_way(limits), *_notes(document)])


def _heading(document: Mapping[str, Any], card: Card) -> str:
    asked = document["workload"]
    page = f"{Grid(*asked['grid'])} crops and a global view" if asked["grid"] else "one view"
    said = [
        asked["mode"],
        page,
        f"{asked['text_tokens']} text tokens",
        f"decode steps {asked['decode_steps']}",
        f"batch {asked['batch']}",
        asked["implementation"],
        f"{asked['attention']} attention",
        asked["dtype"],
    ]
    return f"{paragraph([str(card)])}\n{paragraph(said)}"


def _own(model: Mapping[str, int]) -> dict[str, str]:
    side = int(model["crops"] ** 0.5)
    return {
        "page": f"{model['crops']} crops",
        "square": f"{side}x{side}",
        "context": count_text(model["context"]),
        "batch": MISSING,
    }


def _column(name: str, limit: Mapping[str, Any], own: str) -> list[str]:
    largest, following = limit["largest"], limit["next"]
    fits, larger = ["none", own, MISSING, MISSING], [MISSING] * (len(LINES) - 4)
    if largest:
        fits = [_size(name, largest), own, bytes_text(largest["vram_bytes"]), bytes_text(largest["left_bytes"])]
    if following:
        larger = [
            _size(name, following),
            bytes_text(following["vram_bytes"]),
            bytes_text(-following["left_bytes"]),
            following["stage"],
            *(f"{following[key] / following['vram_bytes']:.1%}" for key in SHARES),
        ]
    return [*fits, *larger]


def _size(name: str, run: Mapping[str, Any]) -> str:
    if name == "page":
        return f"{run['grid'][0] * run['grid'][1]:,} ({Grid(*run['grid'])})"
    return str(Grid(*run["grid"])) if name == "square" else count_text(run[name])


def _in_the_way(limits: Mapping[str, Any]) -> str:
    kinds = {"page": "crops", "square": "crops", "context": "context", "batch": "batch"}
    rows = [
        (f"  {kinds[name]} {_size(name, limit['next'])}", f"{limit['next']['stage']}.{limit['next']['op']}")
        for name, limit in limits.items()
        if limit["next"]
    ]
    return f"in the way of\n{tabulate(rows, tablefmt='plain', disable_numparse=True, preserve_whitespace=True)}"


def _notes(document: Mapping[str, Any]) -> Iterator[str]:
    limits, model, steps = document["limits"], document["model"], document["workload"]["decode_steps"]
    crops = limits["page"] and limits["page"]["largest"]
    if crops and crops["grid"][0] * crops["grid"][1] > model["crops"]:
        yield paragraph(
            [f"Grids of more than {model['crops']} crops are hypothetical: the model's preprocessing makes none."]
        )
    longest = limits["context"]["largest"]
    if longest and longest["context"] > model["context"]:
        yield paragraph(
            [
                f"The model has {model['positions']:,} positions",
                f"{model['context']:,} beside {steps:,} decode steps: beyond those it stands in the way, not the card.",
            ]
        )
