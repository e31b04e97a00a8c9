"""A whole run by its moments and its look-ups: what no measured run of a published page tells."""

import numpy as np
import pytest

from dsocr_cost import MODES, DecoderConfig, DeepseekOCRConfig, Execution, SizeError, Workload
from dsocr_cost.layers import LlamaAttention
from dsocr_cost.model import Decoder, DeepseekOCR, Vision, run_moments
from dsocr_cost.moment import activation_bytes, live_bytes

CONFIG, EXECUTION = DeepseekOCRConfig(), Execution()
BASE = DeepseekOCR(CONFIG, MODES["base"], cropped=False)


def test_where_there_is_no_moment_nothing_is_alive_but_the_cache():
    assert (activation_bytes(()), live_bytes((), 7)) == (0, 7)


def test_what_is_looked_up_in_the_embedding_is_read_as_weights():
    """2 x 5 token numbers of 8 bytes, as many vectors of 1,280 of 2 bytes."""
    (embed,) = (op for op in BASE.ops(2, 5, 1) if op.name == "prefill.embed")
    vectors = 2 * 5 * 1280 * 2
    assert (embed.read_bytes, embed.weight_bytes, embed.write_bytes) == (2 * 5 * 8, vectors, vectors)


def test_a_prompt_holds_its_numbers_to_the_end_and_its_tokens_in_decode():
    """3 texts of 10, 4 steps: 240 bytes in either stage; in the last step 96 of tokens, and 3 x 14 keys are there."""
    moments = list(run_moments(CONFIG, Workload(None, text_tokens=10, decode_steps=4, batch=3), EXECUTION))
    decoder, token = Decoder(CONFIG.decoder), 3 * 61_440
    prefill = [("prefill", one, 240, -4 * token) for one in decoder.moments(3, 10, 10)]
    decode = [("decode.4", one, 240 + 96, 0) for one in decoder.moments(3, 1, 14)]
    assert [(one.op, one.bytes, one.cache_bytes) for one in moments] == [
        (f"{stage}.{one.op}", one.bytes + held, one.cache_bytes + cache) for stage, one, held, cache in prefill + decode
    ]


def test_a_context_may_be_a_size_of_its_own():
    """50 positions in place of 10: all moments are those of 50, but for the numbers of 40 tokens of 8 bytes."""
    given, own = (
        [(one.op, one.bytes - 8 * text, one.cache_bytes) for one in run_moments(CONFIG, workload, EXECUTION, context)]
        for text, workload, context in (
            (10, Workload(None, text_tokens=10, decode_steps=4), 50),
            (50, Workload(None, text_tokens=50, decode_steps=4), None),
        )
    )
    assert given == own


def test_the_last_of_many_numbers_of_steps_has_no_number():
    moments = run_moments(CONFIG, Workload(None, decode_steps=np.array([1, 4]), text_tokens=10), EXECUTION)
    assert {one.op.partition(".layers")[0] for one in moments} == {
        *("prefill", "prefill.logits.to_fp32", "decode", "decode.logits.to_fp32")
    }


def test_the_vendors_decoder_makes_no_rotary_table_outside_of_its_layers():
    decoder = Decoder(DecoderConfig(num_hidden_layers=2))
    makers = {
        name: {
            op.name.partition("rotary_emb")[0]
            for op in decoder.ops(1, 5, 5, execution=Execution(name))
            if "rotary_emb" in op.name
        }
        for name in ("vendor", "transformers")
    }
    assert makers == {"vendor": {"layers.0.self_attn.", "layers.1.self_attn."}, "transformers": {""}}


def test_a_chunk_under_flash_has_no_mask():
    """Nor do its queries and keys need copies for one."""
    launched = {
        op.name
        for op in Decoder(DecoderConfig(num_hidden_layers=1)).ops(2, 3, 7, execution=Execution(attention="flash"))
        if op.launches
    }
    assert not any(".mask" in name or name.startswith("mask") for name in launched)
    own = {op.name for op in LlamaAttention(96, 6, 3, 16).ops(2, 3, 7, execution=Execution(attention="flash"))}
    assert not any("mask" in name or "repeat" in name for name in own)


def test_the_logits_of_a_decoder_in_fp32_have_no_copy():
    """Beside embeddings and normed states, 2 x 5 positions of 1,280 each, 129,280 numbers of 4 bytes."""
    *_, last = Decoder(CONFIG.decoder).moments(2, 5, 5, execution=Execution(dtype="float32"))
    assert (last.op, last.bytes) == ("lm_head", 4 * 10 * (2 * 1280 + 129280))


@pytest.mark.parametrize("method", ["ops", "moments", "boundary"])
def test_crops_in_a_mode_without_any_are_refused(method):
    with pytest.raises(SizeError, match="mode base: got a crop grid, allowed is none"):
        list(getattr(Vision(CONFIG, MODES["base"], cropped=True), method)(1, 1, 2))
