"""What a reference is: something that builds, for a layer of the cost model, the module that it predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from dsocr_cost.execution import AttentionName

    from ..case import Case
    from ..measure.measurement import Subject

__all__ = ["Reference"]


class Reference(Protocol):
    """A source of real modules.

    ``name`` is what ``--dsocr-reference`` asks for, ``model`` and ``implementation`` what its rows say. ``layers``
    are the classes that it can build.
    """

    name: str
    model: str
    implementation: str
    layers: Collection[type]

    def subject(self, layer: Any, case: Case, *, device: str, dtype: str, attention: AttentionName) -> Subject:
        """Build the module of a layer with random weights, and inputs of the case's sizes.

        Raises:
            NotSupportedError: it has no such module for this layer, device, dtype or attention.
        """
        ...
