"""What the end-to-end tests share: a look at each op of a measurement, as this run's options say."""

import pytest

from pytest_dsocr import Case, NotSupportedError
from pytest_dsocr.state import run_of


@pytest.fixture
def bench(pytestconfig):
    """What this run measures: ``config``, ``device``, ``options``."""
    return run_of(pytestconfig).bench


@pytest.fixture
def subject(bench):
    """Build a layer's module and its inputs at some sizes."""

    def build(layer, **sizes):
        options = bench.options
        reference = bench.registry.reference_for(layer, options.reference)
        case = Case("sizes", **sizes)
        try:
            return reference.subject(layer, case, device=bench.device, dtype=options.dtype, attention=options.attention)
        except NotSupportedError as error:
            pytest.skip(str(error))

    return build


@pytest.fixture
def measured_ops(bench, subject):
    """Count a layer's FLOPs at some sizes, summed by the module that they ran in."""

    def count(layer, **sizes):
        measurement = bench.registry.measurers["tensor_flops"].measure(subject(layer, **sizes), device=bench.device)
        assert not measurement.problem
        by_module = {}
        for call in measurement.calls:
            by_module[call.module] = by_module.get(call.module, 0) + call.count
        return by_module

    return count
