"""Runs only where it is asked for, with tables that others measured: ``make oracle``."""

import pytest
import tables

REPORT = pytest.StashKey[list]()


def pytest_configure(config):
    config.stash[REPORT] = []


def pytest_collection_modifyitems(config, items):
    if config.option.markexpr != "oracle":
        reason = "takes minutes, and a package of tables: run it with `make oracle`, or -m oracle"
    elif not tables.is_installed():
        reason = "aiconfigurator-core or pyarrow is not installed: `make oracle` does that"
    else:
        return
    for item in items:
        if item.get_closest_marker("oracle"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def told(request):
    """Take lines that stand below the run, whether it passes or fails."""
    return request.config.stash[REPORT].extend


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[REPORT]:
        terminalreporter.section("relative errors in per cent: mean, median, p90")
        for line in config.stash[REPORT]:
            terminalreporter.write_line(line)
