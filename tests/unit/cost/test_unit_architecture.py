"""Cards that nobody calibrated: which architecture is theirs, what it says, and how sure it is."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from dsocr_cost import MODES, DeepseekOCRConfig, Execution, Grid, Workload
from dsocr_cost.architecture import architecture_of, known_architectures, profile_of
from dsocr_cost.device import find_device, known_devices, load_devices
from dsocr_cost.efficiency import CLASSES
from dsocr_cost.errors import DeviceError
from dsocr_cost.kernels import linear
from dsocr_cost.latency import run_latency

SAME = {"gemm": {"compute": 1}, "causal": {"compute": 1}, "full": {"compute": 1}, "decode": {}}
GA100 = ("A100 40GB", "A100 80GB", "A100 80GB PCIe")
CARDS = [device for device in known_devices() if device.name != "CPU"]


@pytest.mark.parametrize(
    ("device", "architecture"),
    [
        ("H200", "Hopper"),
        ("H100 PCIe", "Hopper"),
        ("B200", "Blackwell B200"),
        ("RTX 5090", "Blackwell GB20x"),
        ("RTX PRO 6000", "Blackwell GB20x"),
        ("A100 40GB", "Ampere GA100"),
        ("RTX 4090", "Ada"),
        ("L4", "Ada"),
    ],
)
def test_a_card_has_the_architecture_of_its_chip(device, architecture):
    assert architecture_of(find_device(device)).name == architecture


def test_ga102_takes_the_nearest_that_was_measured_and_is_unsure():
    """GA102 is called Ampere as GA100 is, but has GDDR memory and half as much of everything in an SM."""
    assert architecture_of(find_device("RTX 3090")).name == "Blackwell GB20x"
    assert profile_of(find_device("RTX 3090")).source == (
        "datasheet of RTX 3090, efficiencies of Blackwell GB20x, a neighbour: there is no table of Ampere 8.6 "
        "(efficiencies.toml)"
    )
    assert {model.error for model in profile_of(find_device("RTX 3090")).models.values()} == {0.5}


def test_ga100_takes_a_table_of_attention_that_it_does_not_have():
    architecture, other = (architecture_of(find_device(name)) for name in ("A100 40GB", "L40S"))
    assert replace(architecture.full, compute=other.gemm.compute) == other.full
    assert profile_of(find_device("A100 40GB")).source == (
        "datasheet of A100 40GB, efficiencies of Ampere GA100, those of full attention borrowed from the L40S "
        "(efficiencies.toml)"
    )


@pytest.mark.parametrize(
    "device", [card for card in CARDS if card.name not in ("RTX 3090", *GA100)], ids=lambda device: device.name
)
def test_every_other_card_has_tables_of_its_own_architecture(device):
    said = f"datasheet of {device.name}, efficiencies of {architecture_of(device).name} (efficiencies.toml)"
    assert profile_of(device).source == said
    assert not architecture_of(device).stands_in_for(device)


@pytest.mark.parametrize("table", ["gemm", "causal", "full", "decode"])
def test_what_two_architectures_share_one_of_them_says_to_have_borrowed(table):
    """Two fits never give the same; compute is that of an architecture's own matmuls."""
    for one, other in combinations(known_architectures(), 2):
        lent = {one.borrowed.get(table) == other.fitted_on, other.borrowed.get(table) == one.fitted_on}
        own, others = (replace(getattr(each, table), **SAME[table]) for each in (one, other))
        assert (own == others) == (True in lent)


@pytest.mark.parametrize("device", CARDS, ids=lambda device: device.name)
def test_every_known_card_can_be_predicted(device):
    profile = profile_of(device)
    assert set(profile.models) == set(CLASSES)
    assert all(0 < model.error <= 0.5 for model in profile.models.values())
    assert device.name in profile.source
    assert architecture_of(device).name in profile.source
    taken = profile.time(linear("x", 2, 4096, 4096, 4096), 2)
    assert 2 * 4096**3 / device.bf16_flops_per_s < taken.seconds < 2 * 2 * 4096**3 / device.bf16_flops_per_s
    assert str(taken.bound) == "compute"


@pytest.mark.parametrize("architecture", known_architectures(), ids=lambda one: one.name)
def test_the_card_that_was_fitted_is_surer_than_others(architecture):
    fitted = find_device(architecture.fitted_on)
    assert architecture_of(fitted) == architecture
    own, other = (architecture.models(device) for device in (fitted, replace(fitted, name="another")))
    assert own["gemm"].error == architecture.gemm.error
    assert other["gemm"].error == max(architecture.other_cards_error, own["gemm"].error)
    assert all(other[kind].error >= own[kind].error for kind in CLASSES)


@pytest.mark.parametrize("architecture", known_architectures(), ids=lambda one: one.name)
def test_a_share_is_at_most_all(architecture):
    gemm, causal, full, decode = architecture.gemm, architecture.causal, architecture.full, architecture.decode
    assert all(0 < one.bandwidth <= 1 for one in (gemm, causal, full, decode))
    assert gemm.compute == causal.compute == full.compute <= 1


def test_a_kernel_of_torch_begins_as_a_matmul_does():
    """A call of a framework takes longer: its own fixed time is not that of one kernel."""
    architecture = architecture_of(find_device("H200"))
    attention = architecture.models(find_device("H200"))["attention"]
    fixed = {one.fixed_s for one in (attention.causal, attention.full, attention.decode)}
    assert fixed == {architecture.gemm.fixed_s}
    assert architecture.gemm.fixed_s < architecture.causal.fixed_s
    assert attention.decode.most_splits == 128


def test_a_peak_of_ones_own_takes_the_place_of_the_datasheets():
    """Half the peak: the matmul takes nearly twice as long."""
    card, op = find_device("H200"), linear("x", 2, 8192, 8192, 8192)
    usual, halved = (profile_of(card, peak).time(op, 2).seconds for peak in (None, card.bf16_flops_per_s / 2))
    assert halved == pytest.approx(2 * usual, rel=0.1)
    assert profile_of(replace(card, bf16_flops_per_s=None), 1e12).machine.flops_per_s[2] == 1e12


def test_a_whole_run_takes_time_that_can_be_true():
    """The published model reads 1.2 GB of weights a token, at most at the bandwidth; eager, the host sets the pace."""
    page = Workload(MODES["gundam"], Grid(2, 3), text_tokens=10, decode_steps=100)
    for device in (find_device("RTX 5090"), find_device("H200")):
        profile = profile_of(device)
        graph, eager = (
            run_latency(DeepseekOCRConfig(), page, Execution(), profile, launch) for launch in ("graph", "eager")
        )
        token = graph.time_per_output_token.seconds
        assert 1.1e9 / device.bandwidth_bytes_per_s < token < 4e-3
        assert eager.time_per_output_token.seconds == pytest.approx(10e-3, rel=0.05)
        assert graph.total.low < graph.total.seconds < graph.total.high


def test_sizes_may_be_arrays():
    page = Workload(MODES["gundam"], Grid(np.array([1, 2]), np.array([2, 3])), text_tokens=10, decode_steps=100)
    profile = profile_of(find_device("RTX 5090"))
    total = run_latency(DeepseekOCRConfig(), page, Execution(), profile, "graph").total.seconds
    alone = Workload(MODES["gundam"], Grid(2, 3), text_tokens=10, decode_steps=100)
    assert total[1] == pytest.approx(
        run_latency(DeepseekOCRConfig(), alone, Execution(), profile, "graph").total.seconds
    )


# --- what it refuses ---


def refusal(device):
    with pytest.raises(DeviceError) as caught:
        profile_of(device)
    return str(caught.value)


def test_a_cpu_has_to_be_measured():
    assert refusal(find_device("CPU")) == (
        "device CPU: nothing is known of architecture 'any', allowed are Hopper, Blackwell B200, Blackwell GB20x, "
        "Ampere GA100, Ada; else measure it: dsocr calibrate --device cpu -o profile.json"
    )


def test_so_has_a_card_of_an_unknown_architecture():
    turing = replace(find_device("L4"), name="T4", architecture="Turing", compute_capability=(7, 5))
    assert refusal(turing).startswith("device T4: nothing is known of compute capability 7.5, allowed are Hopper, ")
    assert refusal(turing).endswith("measure it: dsocr calibrate --device cuda:0 -o profile.json")


def test_figures_that_nobody_gave_are_asked_for():
    card = replace(find_device("H200"), sms=None, l2_bytes=None)
    assert refusal(card) == (
        "device H200: l2_bytes, sms are unknown, and time needs that: give it in a file of devices, or measure it: "
        "dsocr calibrate --device cuda:0 -o profile.json"
    )
    assert "bf16_flops_per_s is unknown" in refusal(replace(find_device("H200"), bf16_flops_per_s=None))


def test_a_name_alone_will_do_where_one_architecture_has_it():
    assert architecture_of(replace(find_device("H200"), compute_capability=None)).name == "Hopper"


def test_a_name_of_two_architectures_needs_a_capability():
    assert refusal(replace(find_device("B200"), compute_capability=None)) == (
        "device B200: architecture 'Blackwell' is one of Blackwell B200 [[10, 0], [10, 3]], "
        "Blackwell GB20x [[12, 0], [12, 1]]: give its compute_capability too"
    )


def test_ampere_alone_does_not_say_which_chip_it_is(tmp_path):
    """GA100 has a table, GA102 a neighbour's: by its name alone a card could be either."""
    file = tmp_path / "cards.toml"
    file.write_text('[[device]]\nname = "Bench"\narchitecture = "Ampere"\n', encoding="utf-8")
    card = find_device("Bench", load_devices(file))
    with pytest.raises(DeviceError, match=r"'Ampere' is one of Blackwell GB20x .*, Ampere GA100 .*compute_capability"):
        architecture_of(card)
