"""An analytic cost model of DeepSeek-OCR: sizes in, FLOPs and bytes out. No torch, no weights, no measurement.

>>> from dsocr_cost import DeepseekOCRConfig, total
>>> from dsocr_cost.layers import Attention
>>> windowed = Attention.from_config(DeepseekOCRConfig().sam, windowed=True)
>>> total(windowed.ops(batch=25, height=14, width=14)).tensor_flops
26282188800

The whole model: a page of 2x3 crops, ten tokens of text, a hundred decoded.

>>> from dsocr_cost import DeepseekOCRModel, Grid, MODES, Workload
>>> page = Workload(MODES["gundam"], Grid(2, 3), text_tokens=10, decode_steps=100)
>>> DeepseekOCRModel().run(page).total.tensor_flops
4676458385408

A sweep is one evaluation on arrays: :func:`dsocr_cost.sweep.evaluate`.
"""

from .config import ClipConfig, DecoderConfig, DeepseekOCRConfig, ProjectorConfig, SamConfig
from .errors import ConfigError, DsocrError, SessionError, SizeError
from .execution import ATTENTIONS, DTYPES, IMPLEMENTATIONS, Execution
from .kv_cache import SyntheticKVCache
from .op import Cost, Count, Matmul, Op, total
from .session import DeepseekOCRModel
from .stages import Stage, Stages
from .workload import MODES, Grid, Mode, Workload

__all__ = [
    "ATTENTIONS",
    "DTYPES",
    "IMPLEMENTATIONS",
    "MODES",
    "ClipConfig",
    "ConfigError",
    "Cost",
    "Count",
    "DecoderConfig",
    "DeepseekOCRConfig",
    "DeepseekOCRModel",
    "DsocrError",
    "Execution",
    "Grid",
    "Matmul",
    "Mode",
    "Op",
    "ProjectorConfig",
    "SamConfig",
    "SessionError",
    "SizeError",
    "Stage",
    "Stages",
    "SyntheticKVCache",
    "Workload",
    "total",
]
