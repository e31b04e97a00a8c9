"""An analytic cost model of DeepSeek-OCR: sizes in, FLOPs and parameters out. No torch, no weights, no measurement.

>>> from dsocr_cost import DeepseekOCRConfig, total
>>> from dsocr_cost.layers import Attention
>>> windowed = Attention.from_config(DeepseekOCRConfig().sam, windowed=True)
>>> total(windowed.ops(batch=25, height=14, width=14)).tensor_flops
26282188800
"""

from .config import ClipConfig, DecoderConfig, DeepseekOCRConfig, ProjectorConfig, SamConfig
from .errors import ConfigError, DsocrError, SizeError
from .execution import ATTENTIONS, IMPLEMENTATIONS, Execution
from .op import Cost, Count, Matmul, Op, total

__all__ = [
    "ATTENTIONS",
    "IMPLEMENTATIONS",
    "ClipConfig",
    "ConfigError",
    "Cost",
    "Count",
    "DecoderConfig",
    "DeepseekOCRConfig",
    "DsocrError",
    "Execution",
    "Matmul",
    "Op",
    "ProjectorConfig",
    "SamConfig",
    "SizeError",
    "total",
]
