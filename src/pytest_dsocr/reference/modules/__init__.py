"""For each layer of the cost model: its module in transformers, and the inputs of its forward."""

from collections.abc import Mapping

from . import clip, decoder, llama, model, projector, sam
from .builder import Builder

__all__ = ["BUILDERS"]

BUILDERS: Mapping[type, Builder] = {
    **sam.BUILDERS,
    **clip.BUILDERS,
    **projector.BUILDERS,
    **decoder.BUILDERS,
    **llama.BUILDERS,
    **model.BUILDERS,
}
"""Layer class to the function that builds its module."""
