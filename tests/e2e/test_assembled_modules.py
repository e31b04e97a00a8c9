"""The assembled reference computes what the model does: the same logits, however the positions are shared out.

Small sizes in float32 on the CPU, where figures can be looked at.
"""

from pathlib import Path

import pytest
import torch
from transformers import DynamicCache

from dsocr_cost import DeepseekOCRConfig
from dsocr_cost.model import Decoder, DeepseekOCR
from dsocr_cost.workload import Mode
from pytest_dsocr import Case
from pytest_dsocr.reference.transformers import TransformersReference

CONFIG = DeepseekOCRConfig.from_hf(Path(__file__).parents[1] / "data/odd_config.json")
THUMBNAIL = Mode("thumbnail", 128)  # 2 x 2 features


@pytest.fixture(params=["eager", "sdpa"])
def build(request):
    """Build a module and its inputs, the same in every run."""

    def subject(layer, **sizes):
        torch.manual_seed(0)
        case = Case("sizes", **sizes)
        return TransformersReference().subject(layer, case, device="cpu", dtype="float32", attention=request.param)

    return subject


@torch.no_grad()
def logits(module, embeddings, *chunks):
    """Run positions in chunks over one cache."""
    cache, out = DynamicCache(), []
    for chunk in embeddings.split(chunks, dim=1):
        one, cache = module(chunk, cache)
        out.append(one)
    return torch.cat(out, dim=1)


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param((18, 1, 1), id="decode steps after a prefill"),
        pytest.param((7, 11, 2), id="chunks of a prefill"),
    ],
)
def test_positions_in_parts_give_the_logits_of_one_prefill(build, chunks):
    decoder = build(Decoder(CONFIG.decoder), batch=2, q_len=20, kv_len=20)
    (embeddings, _), _ = decoder.inputs()
    torch.testing.assert_close(logits(decoder.module, embeddings, *chunks), logits(decoder.module, embeddings, 20))


@torch.no_grad()
def test_greedy_decode_gives_the_tokens_of_a_prefill_a_token(build):
    """Token n is the likeliest one after image, text and the n tokens before it, run anew without a cache."""
    run = build(DeepseekOCR(CONFIG, THUMBNAIL, cropped=False), batch=2, text_tokens=5, decode_steps=3)
    (batches, crops, text, cache, steps), _ = run.inputs()
    model = run.module
    tokens = model(batches, crops, text, cache, steps)
    assert tokens.shape == (2, 1 + 3)
    seen = torch.cat([model.vision(batches, crops), model.decoder.embed(text)], dim=1)
    for token in tokens.unbind(dim=1):
        assert torch.equal(logits(model.decoder, seen, seen.shape[1])[:, -1].argmax(dim=-1), token)
        seen = torch.cat([seen, model.decoder.embed(token[:, None])], dim=1)
    assert cache.get_seq_length() == seen.shape[1] - 1  # the last token was not fed
