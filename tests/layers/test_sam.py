"""SAM, layer by layer: what the cost model predicts against what transformers' module does.

A 1024 view is 64 x 64 patches of 16 pixels, a 640 crop 40 x 40. Windows of 14 pad those to 70 x 70 (25 windows) and
42 x 42 (9 windows).
"""

import pytest

from dsocr_cost.layers import Attention, Block, ImageEncoderViT, LayerNorm2d, MLPBlock, PatchEmbed
from pytest_dsocr import Case

IMAGES = [
    Case("1024 view", batch=1, height=1024, width=1024),
    Case("two 1024 views", batch=2, height=1024, width=1024),
    Case("640 crop", batch=1, height=640, width=640),
    Case("six 640 crops", batch=6, height=640, width=640),
]
GRIDS = [
    Case("1024 view", batch=1, height=64, width=64),
    Case("two 1024 views", batch=2, height=64, width=64),
    Case("640 crop", batch=1, height=40, width=40),
    Case("six 640 crops", batch=6, height=40, width=40),
]
WINDOWS = [
    Case("window, 1024", batch=25, height=14, width=14),
    Case("window, two 1024", batch=2 * 25, height=14, width=14),
    Case("window, 640", batch=9, height=14, width=14),
    Case("window, six 640", batch=6 * 9, height=14, width=14),
]
