"""The session: where it stands, what its queries answer there, and what does not follow from where it stands."""

import re

import numpy as np
import pytest

from dsocr_cost import (
    MODES,
    DecoderConfig,
    DeepseekOCRConfig,
    DeepseekOCRModel,
    Execution,
    SessionError,
    SizeError,
    SyntheticKVCache,
    Workload,
)
from dsocr_cost.stages import prefill

CONFIG = DeepseekOCRConfig()
QUERIES = {
    "forward_tensor_core_flops": "tensor_flops",
    "forward_cuda_core_flops": "cuda_flops",
    "forward_cal_io": "io_bytes",
    "forward_memory_weight": "weight_bytes",
    "forward_memory_activation": "activation_bytes",
}
"""Each answers with a figure of the stage that the session stands at."""


@pytest.fixture
def model():
    return DeepseekOCRModel()


def answers(model):
    return {figure: getattr(model, query)() for query, figure in QUERIES.items()}


def figures(stage):
    return {figure: getattr(stage, figure) for figure in QUERIES.values()}


def test_a_new_session_stands_nowhere(model):
    assert model.operation_mode is None


@pytest.mark.parametrize("execution", [Execution(), Execution("vendor", "eager", dtype="float32")], ids=str)
@pytest.mark.parametrize("batch", [1, 2], ids=["one", "two"])
def test_a_prefill_answers_for_all_its_positions(execution, batch):
    model = DeepseekOCRModel(execution=execution)
    cache = model.start_prefill(903, batch_size=batch)
    stage, left = model.prefill(Workload(MODES["gundam"], None, text_tokens=903 - 273, batch=batch))
    assert model.operation_mode == "prefill"
    assert cache == left == SyntheticKVCache(CONFIG.decoder, batch, 903, execution.dtype)
    assert answers(model) == figures(stage)
    assert model.forward_memory_kvcache() == stage.kv_cache_bytes


def test_a_chunk_of_a_prefill_runs_over_the_cache_of_those_before_it(model):
    """100 positions, then 803 more that attend to all 903."""
    first = model.start_prefill(100)
    both = model.start_prefill(803, kv_cache=first)
    assert both.length == 903
    assert answers(model) == figures(prefill(CONFIG, 803, both, Execution()))
    assert model.forward_memory_kvcache() == 903 * 61_440
    first_flops = prefill(CONFIG, 100, first, Execution()).tensor_flops
    whole_flops = prefill(CONFIG, 903, both, Execution()).tensor_flops
    # no causal discount: a prefill in one counts the 100 queries against the 803 keys after them, too
    unseen = 12 * 4 * 10 * 128 * 100 * 803
    assert first_flops + model.forward_tensor_core_flops() == whole_flops - unseen


def test_decode_starts_after_the_sessions_own_prefill(model):
    cache = model.start_prefill(903)
    assert model.start_decode() == cache
    assert model.operation_mode == "decode"
    assert answers(model) == figures(model.decode(cache))
    assert model.forward_memory_kvcache() == 903 * 61_440


def test_decode_starts_after_a_given_cache_without_a_prefill(model):
    cache = SyntheticKVCache(CONFIG.decoder, 4, 50)
    assert model.start_decode(cache) == cache
    assert answers(model) == figures(model.decode(cache))


def test_each_token_makes_the_cache_longer_and_the_next_step_dearer(model):
    """Step n of 5 is what the values say of a cache of 903 + n - 1 positions; a key costs 12 * 4 * 10 * 128 FLOPs."""
    cache = model.start_prefill(903, batch_size=2)
    model.start_decode()
    flops = []
    for step in range(5):
        assert answers(model) == figures(model.decode(cache.extended(step)))
        assert model.forward_memory_kvcache() == 2 * (903 + step) * 61_440
        flops.append(model.forward_tensor_core_flops())
        assert model.decode_one_token() == cache.extended(step + 1)
        assert model.operation_mode == "decode"
    assert np.diff(flops).tolist() == 4 * [2 * 12 * 4 * 10 * 128]


def test_decode_fed_step_by_step_is_the_decode_of_a_run(model):
    page = Workload(MODES["base"], text_tokens=10, decode_steps=100)
    _, cache = model.prefill(page)
    model.start_decode(cache)
    flops = 0
    for _ in range(100):
        flops += model.forward_tensor_core_flops()
        last = model.decode_one_token()
    assert flops == model.run(page).decode.tensor_flops
    assert last.kv_cache_bytes == model.run(page).decode.kv_cache_bytes


def test_a_session_may_be_started_again(model):
    model.start_decode(model.start_prefill(903))
    model.decode_one_token()
    assert model.start_prefill(10).length == 10
    assert model.operation_mode == "prefill"


def test_values_leave_the_session_where_it_stands(model):
    model.start_prefill(903)
    before = answers(model)
    model.run(Workload(MODES["tiny"], decode_steps=2))
    model.decode(SyntheticKVCache(CONFIG.decoder, 1, 5))
    assert (model.operation_mode, answers(model)) == ("prefill", before)


@pytest.mark.parametrize("call", [*QUERIES, "forward_memory_kvcache", "start_decode"])
def test_nothing_is_answered_before_the_start(model, call):
    message = f"{call}: got a session that was not started, allowed is one after start_prefill()"
    with pytest.raises(SessionError, match=f"^{re.escape(message)}$"):
        getattr(model, call)()
    assert model.operation_mode is None


def test_no_token_is_decoded_before_decode_starts(model):
    for standing in ("no mode", "prefill"):
        message = f"decode_one_token: got a session in {standing}, allowed is one after start_decode()"
        with pytest.raises(SessionError, match=f"^{re.escape(message)}$"):
            model.decode_one_token()
        model.start_prefill(10)


@pytest.mark.parametrize(
    "size", [0, -1, True, 903.0, "903", None, np.array([903]), np.int64(903)], ids=lambda size: repr(size)
)
@pytest.mark.parametrize("name", ["context_len", "batch_size"])
def test_what_is_no_size_is_refused_and_the_session_stays(model, name, size):
    model.start_decode(model.start_prefill(7))
    with pytest.raises(
        SizeError, match=rf"^{name}: got {re.escape(repr(size))}, allowed are whole numbers of at least"
    ):
        model.start_prefill(**{"context_len": 10, name: size})
    assert model.operation_mode == "decode"
    assert model.forward_memory_kvcache() == 7 * 61_440


@pytest.mark.parametrize("start", ["start_prefill", "start_decode"])
@pytest.mark.parametrize(
    ("cache", "message"),
    [
        pytest.param(
            SyntheticKVCache(DecoderConfig(num_hidden_layers=6), 1, 10),
            "kv_cache: got one of another model or dtype (bfloat16), allowed is one of this model",
            id="another model",
        ),
        pytest.param(
            SyntheticKVCache(CONFIG.decoder, 1, 10, "float32"),
            "kv_cache: got one of another model or dtype (float32), allowed is one of this model",
            id="another dtype",
        ),
        pytest.param(
            SyntheticKVCache(CONFIG.decoder, 1, np.array([10, 11])),
            "kv_cache.length: got array([10, 11]), allowed is a whole number: a session has one length",
            id="many lengths",
        ),
        pytest.param(
            SyntheticKVCache(CONFIG.decoder, np.array([1]), 10),
            "kv_cache.batch: got array([1]), allowed is a whole number: a session has one length",
            id="many batches",
        ),
        pytest.param(
            SyntheticKVCache(CONFIG.decoder, 0, 10),
            "kv_cache.batch: got 0, allowed are whole numbers of at least 1",
            id="nobody",
        ),
    ],
)
def test_a_cache_of_another_kind_is_refused_and_the_session_stays(model, start, cache, message):
    model.start_prefill(7)
    sizes = (3,) if start == "start_prefill" else ()
    with pytest.raises(SizeError, match=f"^{re.escape(message)}$"):
        getattr(model, start)(*sizes, kv_cache=cache)
    assert (model.operation_mode, model.forward_memory_kvcache()) == ("prefill", 7 * 61_440)


def test_a_cache_of_another_batch_is_refused(model):
    message = "batch_size: got 2, allowed is that of the cache, 3"
    with pytest.raises(SizeError, match=f"^{re.escape(message)}$"):
        model.start_prefill(10, batch_size=2, kv_cache=SyntheticKVCache(CONFIG.decoder, 3, 10))
