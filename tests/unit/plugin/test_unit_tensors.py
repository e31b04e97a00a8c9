"""The tensors of a call: which there are, which share memory, what they take as they are stored."""

from types import SimpleNamespace

import pytest
import torch

from pytest_dsocr.measure.tensors import (
    cached_tensors,
    dense_tensors,
    storage_key,
    stored_bytes,
    tensors_in,
    tensors_of,
)

A, B, C = (torch.zeros(size) for size in (1, 2, 3))


def same(found, *wanted):
    return [*map(id, found)] == [*map(id, wanted)]


def test_the_tensors_of_a_tree_come_in_its_order_and_nothing_else_does():
    assert same(tensors_of(((A, 7), {"b": [B, None], "c": "C"})), A, B)


def test_sparse_tensors_are_not_dense():
    assert same(dense_tensors(A, [B.to_sparse(), C]), A, C)


def test_arguments_are_looked_into_as_deep_as_lists_go_and_no_deeper():
    assert same(tensors_in((A, [B, (C,)], {"a": A}, 7)), A, B, C)


def cache(*layers):
    return SimpleNamespace(layers=[SimpleNamespace(keys=keys, values=values) for keys, values in layers])


def test_a_cache_has_the_keys_and_values_of_its_layers_once_however_often_it_is_given():
    two = cache((A, B), (C, None))
    assert same(cached_tensors(((two,), {"past_key_values": two, "x": torch.zeros(4)})), A, B, C)


def test_what_has_no_layers_is_no_cache():
    assert not [*cached_tensors(((A, SimpleNamespace(keys=B)), {}))]


def test_a_view_shares_its_memory_and_a_copy_does_not():
    x = torch.zeros(4, 4)
    assert storage_key(x) == storage_key(x[1:].T)
    assert storage_key(x) != storage_key(x.clone())


@pytest.mark.parametrize(
    ("tensor", "stored"),
    [
        (torch.zeros(4, 8), 4 * 8 * 4),
        (torch.zeros(4, 8, dtype=torch.bfloat16).T, 4 * 8 * 2),
        (torch.zeros(1, 8).expand(4, 8), 8 * 4),
        (torch.zeros(0, 8).expand(0, 8), 0),
        (torch.zeros(16, dtype=torch.uint64), 0),
    ],
    ids=["as it is", "transposed", "expanded", "empty", "a random state"],
)
def test_a_tensor_takes_what_is_stored_of_it(tensor, stored):
    assert stored_bytes(tensor) == stored
