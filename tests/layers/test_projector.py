"""The projector: what the cost model predicts, against what torch's modules do.

It sees 256 patches of a 1024 view and 100 of a 640 crop, without CLIP's class token.
"""

import pytest

from dsocr_cost import ProjectorConfig
from dsocr_cost.layers import MlpProjector
from pytest_dsocr import Case

TRAFFIC = ("cuda_flops", "io_bytes", "launches", "compulsory_bytes")
MEMORY = ("activation_bytes", "peak_launch", "allocated_bytes")
WEIGHTS = ("params", "weight_bytes")

PATCHES = [
    Case("1024 view", batch=1, tokens=256),
    Case("two 1024 views", batch=2, tokens=256),
    Case("640 crop", batch=1, tokens=100),
    Case("six 640 crops", batch=6, tokens=100),
]
TWO_LAYER_PATCHES = [
    Case("published: mlp_gelu, 577 tokens", batch=1, tokens=577),
    Case("mlp_gelu, six 640 crops", batch=6, tokens=100),
]
TWO_LAYERS = MlpProjector(ProjectorConfig("mlp_gelu"))


@pytest.mark.flops
@pytest.mark.parametrize("case", PATCHES, ids=str)
def test_linear_flops(dsocr, case):
    """2 * 256 * 2048 * 1280 = 1,342,177,280."""
    dsocr.compare(MlpProjector(dsocr.config.projector), case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", PATCHES, ids=str)
def test_linear_traffic(dsocr, case):
    """One launch: 2 * (256 * 2048 + 2,622,720 + 256 * 1280) = 6,949,376 bytes, none of which could be spared."""
    dsocr.compare_all(MlpProjector(dsocr.config.projector), case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", PATCHES, ids=str)
def test_linear_memory(dsocr, case):
    """What comes in and goes out, 2 * 256 * (2048 + 1280) = 1,703,936 bytes; 5,245,440 of weights make 6,949,376."""
    dsocr.compare_all(MlpProjector(dsocr.config.projector), case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_linear_params(dsocr):
    """2048 * 1280 + 1280 = 2,622,720."""
    dsocr.compare_all(MlpProjector(dsocr.config.projector), Case("linear"), metrics=WEIGHTS)


@pytest.mark.flops
@pytest.mark.parametrize("case", TWO_LAYER_PATCHES, ids=str)
def test_two_layers_flops(dsocr, case):
    """2 * 577 * (2048 * 1280 + 1280 * 1280) = 4,915,855,360."""
    dsocr.compare(TWO_LAYERS, case)


@pytest.mark.flops
@pytest.mark.traffic
@pytest.mark.parametrize("case", TWO_LAYER_PATCHES, ids=str)
def test_two_layers_traffic(dsocr, case):
    """3 launches; GELU of 577 * 1280 numbers. Input, output, weights: 2 * (577 * (2048 + 1280) + 4,262,400) bytes."""
    dsocr.compare_all(TWO_LAYERS, case, metrics=TRAFFIC)


@pytest.mark.memory
@pytest.mark.parametrize("case", TWO_LAYER_PATCHES, ids=str)
def test_two_layers_memory(dsocr, case):
    """At the GELU, launch 2: 2 * 577 * (2048 + 2 * 1280) = 5,317,632 bytes."""
    dsocr.compare_all(TWO_LAYERS, case, metrics=MEMORY)


@pytest.mark.params
@pytest.mark.memory
def test_two_layers_params(dsocr):
    """2048 * 1280 + 1280 + 1280 * 1280 + 1280 = 4,262,400."""
    dsocr.compare_all(TWO_LAYERS, Case("mlp_gelu"), metrics=WEIGHTS)
