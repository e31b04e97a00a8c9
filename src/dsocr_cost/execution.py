"""Which code path is predicted: whose implementation, and which attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from .errors import SizeError

__all__ = [
    "ATTENTIONS",
    "BOOL_BYTES",
    "DTYPES",
    "FP32_BYTES",
    "IMPLEMENTATIONS",
    "INT32_BYTES",
    "INT64_BYTES",
    "ITEM_BYTES",
    "ROTARIES",
    "AttentionName",
    "DtypeName",
    "Execution",
    "ImplementationName",
    "RotaryName",
]

ImplementationName: TypeAlias = Literal["vendor", "transformers"]
AttentionName: TypeAlias = Literal["eager", "sdpa", "flash"]
RotaryName: TypeAlias = Literal["matmul", "elementwise"]
DtypeName: TypeAlias = Literal["bfloat16", "float16", "float32"]

IMPLEMENTATIONS: tuple[ImplementationName, ...] = get_args(ImplementationName)
ATTENTIONS: tuple[AttentionName, ...] = get_args(AttentionName)
ROTARIES: tuple[RotaryName, ...] = get_args(RotaryName)
DTYPES: tuple[DtypeName, ...] = get_args(DtypeName)

ITEM_BYTES: dict[DtypeName, int] = {"bfloat16": 2, "float16": 2, "float32": 4}
"""Bytes of one element."""

FP32_BYTES, INT64_BYTES, INT32_BYTES, BOOL_BYTES = 4, 8, 4, 1


@dataclass(frozen=True, slots=True)
class Execution:
    """The choices that change which kernels run, and so which ops a layer yields.

    ``implementation``: ``vendor`` is the model's published code (transformers 4.46), ``transformers`` the library's
    own modules (5.10 or later). ``attention``: ``eager`` is two matmuls around a softmax, ``sdpa`` and ``flash`` are
    one fused kernel. SAM adds a relative-position bias, which no flash kernel takes: it runs ``sdpa`` under ``flash``.
    ``rotary`` is how the rotary table is made: as a batched ``matmul`` (the vendor, and transformers' ``llama`` before
    5.15) or ``elementwise`` (since then); None takes that of the implementation. ``dtype`` is that of weights and
    activations; it changes bytes, never FLOPs.

    Raises:
        SizeError: a name that is none of these.
    """

    implementation: ImplementationName = "transformers"
    attention: AttentionName = "sdpa"
    rotary: RotaryName | None = None
    dtype: DtypeName = "bfloat16"

    def __post_init__(self) -> None:
        """Refuse names that no layer knows."""
        _require("implementation", self.implementation, IMPLEMENTATIONS)
        _require("attention", self.attention, ATTENTIONS)
        _require("rotary", self.rotary, (None, *ROTARIES))
        _require("dtype", self.dtype, DTYPES)

    @property
    def rotary_is_matmul(self) -> bool:
        """Whether the rotary table costs tensor FLOPs."""
        return self.rotary == "matmul" or (self.rotary is None and self.implementation == "vendor")

    @property
    def item_bytes(self) -> int:
        """Bytes of an element of weights and activations."""
        return ITEM_BYTES[self.dtype]

    @property
    def fused(self) -> bool:
        """Whether scores, softmax and weighted sum are one kernel."""
        return self.attention != "eager"


def _require(name: str, got: object, allowed: tuple[object, ...]) -> None:
    if got not in allowed:
        msg = f"{name}: got {got!r}, allowed are {', '.join(str(one) for one in allowed)}"
        raise SizeError(msg)
