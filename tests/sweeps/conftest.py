"""What the sweeps share."""

import pytest

from dsocr_cost import DeepseekOCRConfig


@pytest.fixture(scope="session")
def model_config():
    return DeepseekOCRConfig()
