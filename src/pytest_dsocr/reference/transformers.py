"""The modules of the transformers library, layer by layer. They are imported when the first one is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsocr_cost.layers import LAYERS
from dsocr_cost.model import STAGES

from ..errors import NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Collection

    from dsocr_cost.execution import AttentionName

    from ..case import Case
    from ..measure.measurement import Subject

__all__ = ["TransformersReference"]


class TransformersReference:
    """DeepSeek-OCR as transformers ships it: SAM and the decoder of ``deepseek_ocr2``, ``clip``, ``llama``.

    Its experts run as grouped matmuls (its default). ``flash`` attention is torch's own flash kernel, on ``meta`` as
    the op without its work; SAM's bias keeps it on ``sdpa`` there. ``keep`` lets the last modules of the whole model
    stay, with their memory, for whoever runs one at many sizes.
    """

    name = "transformers"
    model = "deepseek-ocr"
    implementation = "transformers"
    layers: Collection[type] = (*LAYERS.values(), *STAGES)

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep

    def subject(self, layer: Any, case: Case, *, device: str, dtype: str, attention: AttentionName) -> Subject:
        """Build a layer's module on a device, and inputs of the case's sizes."""
        from .modules import BUILDERS
        from .workshop import Workshop

        builder = next((BUILDERS[kind] for kind in type(layer).__mro__ if kind in BUILDERS), None)
        if builder is None:
            msg = f"reference transformers builds no {type(layer).__name__}"
            raise NotSupportedError(msg)
        return builder(layer, case.sizes, Workshop(device, dtype, attention, self._keep))
