"""The KV cache by its sizes: bytes of a token, of a batch, of many lengths at once."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import DecoderConfig, SizeError, SyntheticKVCache

PUBLISHED = DecoderConfig()
TOKEN = 2 * 12 * 10 * 128 * 2
"""K and V of 12 layers, 10 heads x 128, 2 bytes each."""


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("bfloat16", TOKEN), ("float16", TOKEN), ("float32", 2 * TOKEN)],
    ids=["bfloat16", "float16", "float32"],
)
def test_bytes_of_a_token_in_the_published_model(dtype, size):
    assert TOKEN == 61_440
    assert SyntheticKVCache(PUBLISHED, 1, 1, dtype).kv_cache_bytes == size


def test_only_key_value_heads_are_kept():
    """2 * 12 layers * 5 heads * 128 * 2 bytes."""
    grouped = DecoderConfig(num_attention_heads=10, num_key_value_heads=5)
    assert SyntheticKVCache(grouped, 1, 1).kv_cache_bytes == TOKEN // 2


@given(st.integers(1, 1000), st.integers(0, 10**12))
def test_bytes_grow_with_batch_and_length(batch, length):
    assert SyntheticKVCache(PUBLISHED, batch, length).kv_cache_bytes == batch * length * TOKEN


def test_many_lengths_are_one_cache():
    cache = SyntheticKVCache(PUBLISHED, np.array([[1], [2]]), np.array([0, 1, 913]))
    assert cache.kv_cache_bytes.tolist() == [[0, TOKEN, 913 * TOKEN], [0, 2 * TOKEN, 2 * 913 * TOKEN]]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint16, np.int32, np.uint64])
def test_a_narrow_array_does_not_wrap(dtype):
    lengths = np.array([0, 1, 100], dtype=dtype)
    assert SyntheticKVCache(PUBLISHED, 8, lengths).kv_cache_bytes.tolist() == [0, 8 * TOKEN, 800 * TOKEN]
    assert SyntheticKVCache(PUBLISHED, lengths, 913).extended(lengths).length.tolist() == [913, 914, 1013]


def test_a_longer_cache_is_another_value():
    cache = SyntheticKVCache(PUBLISHED, 2, 913, "float32")
    assert cache.extended() == SyntheticKVCache(PUBLISHED, 2, 914, "float32")
    assert cache.extended(100).length == 1013
    assert cache.extended(np.arange(3)).length.tolist() == [913, 914, 915]
    assert cache.length == 913


@pytest.mark.parametrize(
    "size", [-1, True, 1.0, "3", None, np.array([1, -1]), np.array([1.5])], ids=lambda size: repr(size)
)
@pytest.mark.parametrize("name", ["batch", "length"])
def test_what_is_no_size_is_refused(name, size):
    with pytest.raises(SizeError, match=rf"^kv_cache\.{name}: got .*, allowed are whole numbers of at least 0"):
        SyntheticKVCache(PUBLISHED, **{"batch": 1, "length": 1, name: size})


@pytest.mark.parametrize("positions", [-1, 2.5, True], ids=repr)
def test_what_is_no_number_of_positions_is_refused(positions):
    with pytest.raises(SizeError, match=r"^positions: got .*, allowed are whole numbers of at least 0"):
        SyntheticKVCache(PUBLISHED, 1, 913).extended(positions)


def test_another_dtype_is_refused():
    message = "kv_cache.dtype: got 'int8', allowed are bfloat16, float16, float32"
    with pytest.raises(SizeError, match=f"^{re.escape(message)}$"):
        SyntheticKVCache(PUBLISHED, 1, 1, "int8")


def test_bytes_beyond_int64_are_refused_in_an_array_and_right_as_python_ints():
    """2**50 tokens are 6.9e19 bytes."""
    with pytest.raises(SizeError, match=r"^kv_cache_bytes: 6.92e\+19 does not fit into int64"):
        _ = SyntheticKVCache(PUBLISHED, 1, np.array([1, 2**50])).kv_cache_bytes
    with pytest.raises(SizeError, match=r"^kv_cache_bytes: 6.92e\+19 does not fit into int64"):
        _ = SyntheticKVCache(PUBLISHED, np.array([1, 2**50]), 1).kv_cache_bytes
    assert SyntheticKVCache(PUBLISHED, 1, 2**50).kv_cache_bytes == 2**50 * TOKEN
