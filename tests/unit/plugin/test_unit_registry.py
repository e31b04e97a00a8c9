"""What the hooks of all plugins add up to. pluggy answers last registered first."""

from types import SimpleNamespace

import pytest

from dsocr_cost.layers import LAYERS, LMHead
from pytest_dsocr import OptionError
from pytest_dsocr.metrics import metric_named
from pytest_dsocr.options import Options
from pytest_dsocr.registry import Registry

FLOPS, PARAMS = metric_named("tensor_flops"), metric_named("params")
OPTIONS = {
    "tolerances": None,
    "device": "meta",
    "dtype": "bfloat16",
    "attention": "sdpa",
    "reference": "transformers",
    "config": None,
    "json": None,
    "require": (),
    "flop_formulas": (),
}


def reference(name, layers=(), model=""):
    return SimpleNamespace(name=name, layers=layers, model=model)


def registry(references=None, measurers=None, formulas=(), **options):
    """Ask hooks whose answers are given, the last registered first; formulas come back as the measurer's."""
    references = [[reference("transformers")]] if references is None else references
    measurers = [[SimpleNamespace(metric=FLOPS)]] if measurers is None else measurers
    hook = SimpleNamespace(
        pytest_dsocr_layers=lambda: [LAYERS.values()],
        pytest_dsocr_references=lambda: references,
        pytest_dsocr_flop_formulas=lambda: list(formulas),
        pytest_dsocr_measurers=lambda flop_formulas, config: [
            *measurers,
            [SimpleNamespace(metric=PARAMS, formulas=flop_formulas)],
        ],
    )
    return Registry.from_hooks(SimpleNamespace(hook=hook), Options(**{**OPTIONS, **options}))


def test_layers_stand_under_their_names():
    assert registry().layers == LAYERS


def test_of_two_measurers_of_a_metric_the_one_registered_later_holds():
    later, earlier = SimpleNamespace(metric=FLOPS), SimpleNamespace(metric=FLOPS)
    assert registry(measurers=[[later], [earlier]]).measurers["tensor_flops"] is later


def test_of_two_references_of_a_name_the_one_registered_later_holds():
    later, earlier = reference("transformers"), reference("transformers")
    assert registry(references=[[later], [earlier]]).references["transformers"] is later


def test_of_two_formulas_for_an_op_the_one_registered_later_holds_and_the_ini_file_over_both():
    given = [{"a::b": max, "c::d": max}, {"a::b": min, "e::f": min}]
    formulas = registry(formulas=given, flop_formulas=("c::d = 0",)).measurers["params"].formulas
    assert (formulas["a::b"], formulas["e::f"]) == (max, min)
    assert formulas["c::d"]() == 0


def test_the_reference_that_was_asked_for_builds_what_it_can():
    mine, theirs = reference("mine", [LMHead]), reference("transformers", [LMHead])
    found = registry(references=[[mine], [theirs]])
    assert found.reference_for(LMHead(8, 16), "mine") is mine
    assert found.reference_for(LMHead(8, 16), "transformers") is theirs


def test_another_reference_builds_what_the_one_that_was_asked_for_cannot():
    mine, theirs = reference("mine"), reference("transformers", [LMHead])
    assert registry(references=[[mine], [theirs]]).reference_for(LMHead(8, 16), "mine") is theirs


def test_a_layer_that_no_reference_builds_has_none():
    assert registry().reference_for(LMHead(8, 16), "transformers") is None


def test_an_unknown_reference_is_refused_with_those_that_are_there():
    with pytest.raises(OptionError, match=r"^--dsocr-reference: got 'vllm', allowed are transformers$"):
        registry(reference="vllm")


@pytest.mark.parametrize("what", ["all", "gpu", "latency", "tensor_flops", "vision.Attention"])
def test_a_requirement_may_be_a_family_a_metric_or_a_layer(what):
    registry(require=(what,))


def test_an_unknown_requirement_is_refused_with_what_is_allowed():
    with pytest.raises(OptionError, match=r"^--dsocr-require: got 'speed', allowed are all, gpu, baseline, flops, "):
        registry(require=("all", "speed"))


def test_a_baseline_cannot_be_required_of_a_run_without_one():
    with pytest.raises(OptionError, match=r"^--dsocr-require baseline: there is none to hold rows against"):
        registry(require=("baseline",))


def test_without_a_file_the_tolerances_are_those_of_the_metrics():
    assert registry().tolerances(Options(**OPTIONS)).defaults["params"].rtol == 0
