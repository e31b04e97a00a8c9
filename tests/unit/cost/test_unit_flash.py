"""The time of a fused attention: each term by hand, and what holds for all sizes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import Matmul
from dsocr_cost.efficiency import Machine
from dsocr_cost.flash import FlashAttention, ScoreTiles, SharedKeys
from dsocr_cost.kernels import NOTHING, Tensor, fused_attention

US = 1e-6
MACHINE = Machine("made up", {2: 8e12}, 1e9, 2**20, 1e10, sms=8)
TILES = ScoreTiles(
    fixed_s=1 * US,
    compute=0.5,
    rest_s=1 * US,
    start_s=0.5 * US,
    bandwidth=1e12,
    sharpness=4.0,
    kept=0.0,
    uneven=0.0,
    tile=64,
)
"""Only compute takes time, 0.5e12 FLOP/s an SM."""

TILE_US = 4 * 64 * 64 * 64 / 0.5e12 / US + 1  # two products of 64 x 64 x 64, and the rest: 3.097 us
KEYS = SharedKeys(
    fixed_s=1 * US,
    bandwidth=1e12,
    load_bytes_per_s=1e9,
    block_s=2 * US,
    sharpness=4.0,
    kept=0.0,
    split_s=3 * US,
    most_splits=128,
)
REAL = FlashAttention(
    ScoreTiles(1.6e-6, 0.9, 0.3e-6, 2e-6, 0.9, 1.4, 0.6, 0.9, 64),
    ScoreTiles(1.6e-6, 0.9, 0.3e-6, 1e-6, 0.9, 5.0, 0.8, 0.9, 128),
    SharedKeys(1.6e-6, 0.9, 30e9, 2e-6, 8.0, 1.0, 2e-6, 128),
    0.2,
)
DECODER, VISION = "llama.LlamaAttention.sdpa", "vision.NoTPAttention.sdpa"


def attention(heads, queries, keys, head_dim=64, bias=NOTHING, site=VISION):
    op = fused_attention("x", 2, Matmul(heads, queries, keys, head_dim), heads * keys * head_dim, bias)
    return replace(op, site=site)


def seconds(model, op, **how):
    return model.seconds(op, MACHINE, 2, **how)


def test_blocks_on_sms_of_their_own_take_what_the_longest_takes():
    """2 heads of 128 queries are 4 blocks, of 2 tiles each, on 8 SMs."""
    taken = seconds(TILES, attention(2, 128, 128), causal=True)
    assert taken == pytest.approx((1 + 2 * TILE_US + 0.5) * US)
    assert seconds(TILES, attention(2, 128, 128), causal=False) == taken


@pytest.mark.parametrize(
    ("causal", "uneven", "expected"),
    [
        pytest.param(True, 0, 2 * (1.5 * TILE_US + 0.5), id="causal, spread evenly: the mean of 1 and 2 tiles"),
        pytest.param(True, 1, 2 * (1.5 * TILE_US + 0.5) + 2 * TILE_US + 0.5, id="causal, the longest comes last"),
        pytest.param(False, 0, 2 * (2 * TILE_US + 0.5), id="all keys"),
    ],
)
def test_more_blocks_than_sms_take_turns(causal, uneven, expected):
    """8 heads of 128 queries are 16 blocks on 8 SMs."""
    tiles = replace(TILES, uneven=uneven)
    assert seconds(tiles, attention(8, 128, 128), causal=causal) == pytest.approx((1 + expected) * US)


def test_a_last_wave_that_is_not_full_takes_as_long_as_a_full_one():
    """5 heads of 128 queries are 10 blocks on 8 SMs: 1.25 waves if spread evenly, but for the longest; else 2."""
    even, uneven = (seconds(replace(TILES, uneven=one), attention(5, 128, 128), causal=False) for one in (0, 1))
    block = (2 * TILE_US + 0.5) * US
    assert (even, uneven) == (pytest.approx(1 * US + 1.25 * block), pytest.approx(1 * US + 2 * block))


def test_a_bias_adds_its_bytes():
    """2 * 128 * 128 numbers of 2 bytes at half of 1e9 a second, beside 128 KiB of queries and keys."""
    tiles, bias = replace(TILES, bandwidth=0.5, sharpness=200.0), Tensor(2 * 128 * 128, 2)
    without, with_it = (seconds(tiles, attention(2, 128, 128, bias=one), causal=False) for one in (NOTHING, bias))
    memory, compute = without - 1 * US, (2 * TILE_US + 0.5) * US
    assert memory == pytest.approx((4 * 2 * 128 * 64 * 2 + 2 * 128 * 4) / 0.5e9, rel=1e-3)
    assert with_it - 1 * US == pytest.approx(max(memory, compute + 65536 / 0.5e9), rel=0.01)


def test_a_chunk_of_a_prompt_looks_at_every_key():
    """The mask is a bias there, and no tile is left out."""
    model = replace(REAL, causal=replace(TILES, uneven=0))
    chunk = seconds(model, attention(8, 128, 256, site=DECODER))
    assert chunk == pytest.approx((1 + 2 * (4 * TILE_US + 0.5)) * US)


def test_a_single_query_shares_out_its_keys():
    """256 keys of one head, 4 * 64 bytes each, as 4 blocks of 64: 16.384 us in place of 65.536, and 3 us to join."""
    assert seconds(KEYS, attention(1, 1, 256)) == pytest.approx((1 + 2 + 16.384 + 3) * US)
    assert seconds(replace(KEYS, most_splits=1), attention(1, 1, 256)) == pytest.approx((1 + 2 + 65.536) * US)


def test_keys_are_cold_in_a_run_and_warm_in_a_benchmark():
    """65,536 bytes of keys and values at half of 1e9 a second, of which 1 in 17 is missed in twice their room."""
    keys = replace(KEYS, bandwidth=0.5, load_bytes_per_s=1e24, kept=1 / 8)
    op = attention(1, 1, 256)
    assert seconds(keys, op) == pytest.approx(1 * US + 65536 / 0.5e9, rel=1e-3)
    assert seconds(keys, op, cold=False) == pytest.approx(1 * US + 65536 / 17 / 0.5e9, rel=0.02)


def test_a_query_count_tells_prefill_from_decode():
    op = attention(10, np.array([1, 913]), np.array([945, 913]), 128, site=DECODER)
    decode, prefill = attention(10, 1, 945, 128, site=DECODER), attention(10, 913, 913, 128, site=DECODER)
    assert list(seconds(REAL, op)) == [seconds(REAL.decode, decode), seconds(REAL.causal, prefill, causal=True)]


def test_vision_has_no_mask():
    op = attention(16, 101, 101)
    assert seconds(REAL, op) == seconds(REAL.full, op, causal=False)
    assert seconds(REAL, replace(op, site=DECODER)) == seconds(REAL.causal, op, causal=True)


HEADS, LENGTH = st.integers(1, 600), st.integers(2, 3000)


@given(heads=HEADS, length=LENGTH, more=st.integers(1, 200), site=st.sampled_from([DECODER, VISION]))
def test_more_heads_or_a_longer_prompt_take_no_less(heads, length, more, site):
    once = seconds(REAL, attention(heads, length, length, site=site))
    assert once > 1.6e-6
    assert seconds(REAL, attention(heads + more, length, length, site=site)) >= once * (1 - 1e-9)
    assert seconds(REAL, attention(heads, length + more, length + more, site=site)) >= once * (1 - 1e-9)


@given(heads=HEADS, keys=LENGTH, more=st.integers(1, 200))
def test_more_sequences_take_no_less_in_decode(heads, keys, more):
    once = seconds(REAL, attention(heads, 1, keys, site=DECODER))
    assert once > 1.6e-6
    assert seconds(REAL, attention(heads + more, 1, keys, site=DECODER)) >= once * (1 - 1e-9)


@given(keys=st.lists(LENGTH, min_size=1, max_size=6), single=st.booleans(), site=st.sampled_from([DECODER, VISION]))
def test_arrays_are_what_each_is_alone(keys, single, site):
    lengths = np.array(keys)
    together = seconds(REAL, attention(10, 1 if single else lengths, lengths, 128, site=site))
    alone = [seconds(REAL, attention(10, 1 if single else one, one, 128, site=site)) for one in keys]
    assert list(together) == pytest.approx(alone, rel=1e-12)
