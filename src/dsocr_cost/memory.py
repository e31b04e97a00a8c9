"""What is alive at once: the moments of a stage at which most activations are, and how much each holds.

A moment sums the storages that a forward pass holds while one kernel runs: its inputs and outputs, what waits for a
residual, and what the caller still holds. Weights and the KV cache stand apart. The peak is the largest moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .execution import FP32_BYTES, INT32_BYTES, INT64_BYTES
from .kernels import several
from .moment import Moment
from .workload import feature_side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .config import DecoderConfig, DeepseekOCRConfig
    from .execution import Execution
    from .op import Count
    from .workload import View

__all__ = ["decoder_moments", "vision_moments"]


def vision_moments(config: DeepseekOCRConfig, batches: Sequence[View], execution: Execution) -> Iterator[Moment]:
    """Look at SAM's global attention over each batch of views: its scores outweigh everything else in the tower.

    All pixels are there from the beginning, and the features of a batch stay until the last one is done.
    """
    item, sam = execution.item_bytes, config.sam
    pixels: Count = 0
    for view in batches:
        pixels = pixels + view.images * (sam.num_channels * view.size * view.size * item)
    features: Count = 0
    for view in batches:
        tokens = (view.size // sam.patch_size) ** 2
        x = view.images * (tokens * sam.hidden_size * item)
        # residual and normed input; qkv, and its copy in the order of heads
        held = 2 * x + 3 * x * (1 + several(view.images))
        pairs = view.images * (sam.num_attention_heads * tokens * tokens)
        if execution.fused:
            # the bias, and its copy in the shape of the scores
            yield Moment("sam.attn.rel_pos.contiguous", pixels + features + held + pairs * (2 * item))
        else:
            # the bias, scores with it, those in fp32, and their softmax
            in_fp32 = FP32_BYTES * (1 + (item != FP32_BYTES))
            yield Moment("sam.attn.sdpa.softmax", pixels + features + held + pairs * (2 * item + in_fp32))
        features = features + view.images * (feature_side(view.size, sam) ** 2 * config.projector.n_embed * item)


def decoder_moments(
    config: DecoderConfig, batch: Count, q_len: Count, kv_len: Count, execution: Execution
) -> Iterator[Moment]:
    """Look at the logits; at eager attention, whose scores outgrow them in a long context; at the experts.

    What a layer's caller holds: embeddings, residual and normed input, cosine, sine and positions, the mask.
    """
    item, rows, casted = execution.item_bytes, batch * q_len, execution.item_bytes != FP32_BYTES
    x = rows * (config.hidden_size * item)
    pairs = batch * q_len * kv_len
    held = 3 * x + q_len * (2 * config.head_dim * item + INT64_BYTES) + (0 if execution.fused else pairs * item)
    if not execution.fused:
        query = config.num_attention_heads * config.head_dim * item
        repeated = 2 * batch * kv_len * query if config.num_key_value_heads != config.num_attention_heads else 0
        # queries; keys and values, where heads share them; scores with the mask, those in fp32, and their softmax
        scores = pairs * (config.num_attention_heads * (item + FP32_BYTES * (1 + casted)))
        yield Moment("self_attn.sdpa.softmax", held + rows * query + repeated + scores)
    if config.first_k_dense_replace < config.num_hidden_layers:
        # the residual; scores of all experts; indices, of the best and sorted, their order and its inverse; weights, as
        # picked and sorted; counts. Then a row an expert of each token: gathered, out of its expert, weighed, put back
        routed = rows * config.num_experts_per_tok
        routing = rows * (config.n_routed_experts * FP32_BYTES) + routed * (4 * INT64_BYTES + 2 * FP32_BYTES)
        counts = routed * INT32_BYTES + 2 * config.n_routed_experts * INT32_BYTES
        moved = routed * (config.hidden_size * (2 * item + 2 * FP32_BYTES))
        yield Moment("mlp.experts.scatter", held + x + routing + counts + moved)
    # embeddings and normed output; logits, and those in fp32
    logits = rows * (config.vocab_size * (item + casted * FP32_BYTES))
    yield Moment("logits.to_fp32" if casted else "lm_head", 2 * x + logits)
