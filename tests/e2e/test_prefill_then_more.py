"""A prefill of n + k positions is a prefill of n, then k positions more: one decode step, or a chunk of a prefill.

That holds op by op for all that treats positions one by one. Attention scores every new query against every key, and a
causal mask gives no discount: (n + k)**2 pairs, against n**2 + k * (n + k). The difference is n * k pairs, and a pair
is 4 * heads * head_dim FLOPs: two products, a multiply-add each.
"""

from itertools import product

import pytest

from dsocr_cost import ATTENTIONS, IMPLEMENTATIONS, DeepseekOCRModel, Execution, SyntheticKVCache, Workload
from dsocr_cost.model import Decoder

FIRST = 283
MORE = [pytest.param(1, id="a decode step"), pytest.param(37, id="a chunk of 37")]
BATCHES = [pytest.param(1, id="one page"), pytest.param(2, id="two pages")]


def split(count, batch, more):
    """Count a prefill of all positions, one of the first, and the rest over the cache of those."""
    whole = FIRST + more
    return [
        count(batch=batch, q_len=q_len, kv_len=kv_len)
        for q_len, kv_len in ((whole, whole), (FIRST, FIRST), (more, whole))
    ]


def assert_split(config, batch, more, counts, is_attention):
    """Hold each op of the whole against the same op of both of its parts."""
    whole, first, rest = counts
    assert list(whole) == list(first) == list(rest)
    pairs = batch * FIRST * more * 4 * config.num_attention_heads * config.head_dim
    attention = [name for name in whole if is_attention(name)]
    difference = {name: whole[name] - first[name] - rest[name] for name in whole}
    assert sum(difference.pop(name) for name in attention) == config.num_hidden_layers * pairs
    assert set(difference.values()) == {0}
    assert len(difference) > config.num_hidden_layers
    assert all(whole.values())


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("more", MORE)
def test_measured_ops_add_up_except_for_attention(bench, measured_ops, more, batch):
    decoder = Decoder(bench.config.decoder)
    counts = split(lambda **sizes: measured_ops(decoder, **sizes), batch, more)
    assert_split(decoder.config, batch, more, counts, lambda module: module.endswith("self_attn"))


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("more", MORE)
@pytest.mark.parametrize("execution", [Execution(*names) for names in product(IMPLEMENTATIONS, ATTENTIONS)], ids=str)
def test_predicted_ops_add_up_except_for_attention(bench, more, batch, execution):
    decoder = Decoder(bench.config.decoder)

    def count(**sizes):
        return {op.name: op.tensor_flops for op in decoder.ops(**sizes, execution=execution) if op.tensor_flops}

    assert_split(decoder.config, batch, more, split(count, batch, more), lambda name: ".sdpa" in name)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("more", MORE)
def test_the_real_cache_holds_what_is_predicted_either_way(bench, subject, more, batch):
    """Bytes of keys and values of all layers, after one prefill and after a prefill and more."""
    import torch

    decoder, whole = Decoder(bench.config.decoder), FIRST + more
    predicted = SyntheticKVCache(decoder.config, batch, whole, bench.options.dtype)
    with torch.no_grad():
        at_once = _cache_after(subject(decoder, batch=batch, q_len=whole, kv_len=whole))
        first = subject(decoder, batch=batch, q_len=FIRST, kv_len=FIRST)
        cache = _cache_after(first)
        (rest, _), _ = subject(decoder, batch=batch, q_len=more, kv_len=more).inputs()
        before = _bytes(cache)
        _, cache = first.module(rest, cache)
    assert before == SyntheticKVCache(decoder.config, batch, FIRST, bench.options.dtype).kv_cache_bytes
    assert _bytes(cache) == _bytes(at_once) == predicted.kv_cache_bytes


@pytest.mark.parametrize("batch", BATCHES)
def test_weights_and_cache_of_a_longer_prompt_are_those_of_a_decode_step_after_it(bench, batch):
    model = DeepseekOCRModel(bench.config)
    longer, _ = model.prefill(Workload(None, text_tokens=FIRST + 1, batch=batch))
    _, cache = model.prefill(Workload(None, text_tokens=FIRST, batch=batch))
    step = model.decode(cache)
    assert (step.weight_bytes, step.kv_cache_bytes) == (longer.weight_bytes, longer.kv_cache_bytes)


def _cache_after(subject):
    _, cache = subject.run()
    return cache


def _bytes(cache):
    tensors = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
