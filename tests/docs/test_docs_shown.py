"""What a page shows is held against what was printed: all of it, but for what is left out or varies."""

import pytest
from shown import differences

PRINTED = """\
==== test session starts ====
plugins: xdist
collected 2 items

user.head: pass
user.body: fail, in /tmp/x/costs.json
==== 1 failed in 0.53s ====
"""


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(PRINTED, id="all of it"),
        pytest.param("...\nuser.head: pass\n...\n", id="a line out of it"),
        pytest.param("...\nuser.body: fail, in ...costs.json\n...\n", id="a path left out"),
        pytest.param(PRINTED.replace("0.53s", "61.20s").replace("====", "========"), id="another duration and width"),
    ],
)
def test_what_was_printed_may_be_shown(shown):
    assert differences(shown, PRINTED) == ""


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("", id="nothing of it"),
        pytest.param("user.head: pass\n", id="lines left out unsaid"),
        pytest.param("...\nuser.head: fail\n...\n", id="another verdict"),
        pytest.param("...\nuser.body: fail, in ...costs.json\nuser.head: pass\n...\n", id="another order"),
        pytest.param(PRINTED + "and more\n", id="more than there was"),
    ],
)
def test_what_was_not_printed_is_told(shown):
    assert "printed:" in differences(shown, PRINTED)


def test_a_warning_that_is_not_shown_is_left_out():
    assert differences("a table\n", "warning: beyond the model\na table\n") == ""
    assert differences("warning: within the model\na table\n", "warning: beyond the model\na table\n")


def test_where_nothing_is_shown_nothing_may_be_printed():
    assert differences("", "") == ""
    assert differences("", "warning: beyond the model\n") == ""
    assert differences("", "1 stored\n")
