"""The whole model: vision and decoder, each priced like a layer, and a whole run of both."""

from .decoder import Decoder
from .vision import Vision
from .whole import DeepseekOCR, run_moments

__all__ = ["STAGES", "Decoder", "DeepseekOCR", "Vision", "run_moments"]

STAGES: tuple[type[Vision | Decoder | DeepseekOCR], ...] = (Vision, Decoder, DeepseekOCR)
"""What tolerances and rows may name beside the layers."""
