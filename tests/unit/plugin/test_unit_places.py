"""Where in a module an op ran, and how that reads."""

import pytest
import torch
from torch.utils.module_tracker import ModuleTracker

from pytest_dsocr.measure.places import LONGEST, innermost, place, places


class Noting(torch.nn.Module):
    def __init__(self, tracker, seen):
        super().__init__()
        self.tracker, self.seen = tracker, seen

    def forward(self, x):
        self.seen.append(innermost(self.tracker))
        return x


def test_the_innermost_submodule_is_named_below_the_outermost():
    tracker, seen = ModuleTracker(), []
    whole = torch.nn.Sequential(Noting(tracker, seen), torch.nn.Sequential(Noting(tracker, seen)))
    with tracker:
        whole(torch.zeros(1))
        seen.append(innermost(tracker))
    assert seen == ["0", "1.0", ""]


@pytest.mark.parametrize(
    ("module", "named"), [("0.proj", "0.proj"), ("", "the top level")], ids=["inside", "outermost"]
)
def test_a_place_has_a_name(module, named):
    assert place(module) == named


def test_places_are_listed_once_each_in_their_order():
    assert places(["b", "", "b", "a"]) == "b, the top level, a"


def test_of_many_places_as_many_are_listed_as_fit():
    listed = places(f"layers.{number}" for number in range(100))
    assert listed.startswith("layers.0, layers.1, ")
    assert listed.endswith(" ...")
    assert len(listed) <= LONGEST
