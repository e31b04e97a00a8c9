"""Which code path is predicted: whose implementation, and which attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from .errors import SizeError

__all__ = ["ATTENTIONS", "IMPLEMENTATIONS", "AttentionName", "Execution", "ImplementationName"]

ImplementationName: TypeAlias = Literal["vendor", "transformers"]
AttentionName: TypeAlias = Literal["eager", "sdpa", "flash"]

IMPLEMENTATIONS: tuple[ImplementationName, ...] = get_args(ImplementationName)
ATTENTIONS: tuple[AttentionName, ...] = get_args(AttentionName)


@dataclass(frozen=True, slots=True)
class Execution:
    """The two choices that change which kernels run, and so which ops a layer yields.

    ``implementation``: ``vendor`` is the model's published code (transformers 4.46), ``transformers`` the library's
    own modules (5.10 or later). ``attention``: ``eager`` is two matmuls around a softmax, ``sdpa`` and ``flash`` are
    one fused kernel. SAM adds a relative-position bias, which no flash kernel takes: it runs ``sdpa`` under ``flash``.

    Raises:
        SizeError: an implementation or an attention of another name.
    """

    implementation: ImplementationName = "transformers"
    attention: AttentionName = "sdpa"

    def __post_init__(self) -> None:
        """Refuse names that no layer knows."""
        if self.implementation not in IMPLEMENTATIONS:
            msg = f"implementation: got {self.implementation!r}, allowed are {', '.join(IMPLEMENTATIONS)}"
            raise SizeError(msg)
        if self.attention not in ATTENTIONS:
            msg = f"attention: got {self.attention!r}, allowed are {', '.join(ATTENTIONS)}"
            raise SizeError(msg)

    @property
    def fused(self) -> bool:
        """Whether scores, softmax and weighted sum are one kernel."""
        return self.attention != "eager"
