"""A case: a name and sizes."""

import pytest

from pytest_dsocr import Case


def test_a_case_tells_its_name_and_its_sizes():
    case = Case("1024 view", batch=1, height=64)
    assert (str(case), case.name, dict(case.sizes), case["height"]) == (
        "1024 view",
        "1024 view",
        {"batch": 1, "height": 64},
        64,
    )


def test_a_size_may_be_called_name():
    assert Case("1024 view", name=3)["name"] == 3


def test_sizes_cannot_be_changed_from_outside():
    case = Case("1024 view", batch=1)
    case.sizes["batch"] = 2
    assert case["batch"] == 1


def test_a_case_is_written_as_it_is_made():
    case = Case("it's", batch=1, height=64)
    assert eval(repr(case)) == case


def test_cases_are_equal_when_name_and_sizes_are():
    assert Case("a", batch=1, height=2) == Case("a", height=2, batch=1)
    assert hash(Case("a", batch=1, height=2)) == hash(Case("a", height=2, batch=1))


@pytest.mark.parametrize(
    "other", [Case("b", batch=1), Case("a", batch=2), Case("a"), "a"], ids=["name", "size", "sizes", "no case"]
)
def test_cases_differ_by_name_or_by_sizes(other):
    assert Case("a", batch=1) != other
