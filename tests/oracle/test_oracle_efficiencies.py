"""What efficiencies.toml says of an architecture is what the table of its card gives."""

import judge
import numpy as np
import pytest
import tables

from dsocr_cost.architecture import known_architectures
from dsocr_cost.flash import SharedKeys

pytestmark = pytest.mark.oracle

ARCHITECTURES = {one.fitted_on: one for one in known_architectures()}
FORM = {"prefill": "causal", "encoder": "full", "decode": "decode"}
ATTENTION = [(system, name) for system in ARCHITECTURES for name in FORM if (system, name) != ("A100 80GB", "encoder")]
"""There is no table of an encoder on an A100."""

ROUNDING = 0.5  # per cent: a fit to other rows, and parameters of three digits


def off(predicted, seconds):
    return 100 * np.mean(np.abs(predicted / seconds - 1))


@pytest.mark.parametrize("system", ARCHITECTURES)
def test_its_matmul_is_as_near_to_the_table_as_a_new_fit(system):
    table, machine = tables.gemm(system), tables.machine(system)
    kept, fitted = ARCHITECTURES[system].gemm, judge.gemm_of_few(system)
    errors = [
        off(one.of_op(table.op, machine, judge.ITEM_BYTES, cold_weights=False), table.seconds) for one in (kept, fitted)
    ]
    assert errors[0] == pytest.approx(errors[1], abs=ROUNDING)


@pytest.mark.parametrize(("system", "name"), ATTENTION, ids=lambda one: one)
def test_its_attention_is_as_near_to_the_table_as_a_new_fit(system, name):
    table, architecture = judge.ATTENTION[name](system), ARCHITECTURES[system]
    kept = getattr(architecture, FORM[name])
    fitted = judge.attention_model(system, name, table, architecture.gemm.compute)
    errors = [off(judge.attention_seconds(system, name, one, table.op), table.seconds) for one in (kept, fitted)]
    assert isinstance(kept, SharedKeys) == (name == "decode")
    assert errors[0] == pytest.approx(errors[1], abs=ROUNDING)


@pytest.mark.parametrize("system", ARCHITECTURES)
def test_nine_of_ten_matmuls_stay_under_the_error_that_it_tells(system):
    """It is that of held-out rows; of all rows, some of which were fitted to, about as many stay under it."""
    table, machine, gemm = tables.gemm(system), tables.machine(system), ARCHITECTURES[system].gemm
    predicted = gemm.of_op(table.op, machine, judge.ITEM_BYTES, cold_weights=False)
    assert np.mean(np.abs(predicted / table.seconds - 1) <= gemm.error) == pytest.approx(0.9, abs=0.02)


def test_another_card_of_an_architecture_stays_under_its_wider_error():
    """What was fitted on an H200 predicts an H100, whose table no fit has seen."""
    table, machine, hopper = tables.gemm("H100 SXM"), tables.machine("H100 SXM"), ARCHITECTURES["H200"]
    predicted = hopper.gemm.of_op(table.op, machine, judge.ITEM_BYTES, cold_weights=False)
    assert off(predicted, table.seconds) <= 10
    assert np.mean(np.abs(predicted / table.seconds - 1) <= hopper.other_cards_error) >= 0.9


def test_the_nearest_architecture_stays_under_the_widest_error():
    """What was fitted on an RTX PRO 6000 predicts an L40S: as far away as the cards for which it has to stand in."""
    table, machine, near = tables.gemm("L40S"), tables.machine("L40S"), ARCHITECTURES["RTX PRO 6000 Server"]
    predicted = near.gemm.of_op(table.op, machine, judge.ITEM_BYTES, cold_weights=False)
    assert np.mean(np.abs(predicted / table.seconds - 1) <= near.farther_error) >= 0.9
