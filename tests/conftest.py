"""What the tests of this folder share."""

import pytest


@pytest.fixture
def make_row():
    """Make a row of which a test names only what it is about."""
    import report_rows  # here: most tests need no rows

    return report_rows.make_row
