# ruff: noqa: E501 - a mutant is named by its code
"""Mutants that no measured figure tells from the formula, by reason."""

VENDOR = "the vendor's own code, which no module here runs: unit tests hold it against figures by hand"
MATMUL = "a rotary table made as a matmul, as transformers did before 5.15 and the vendor does: no module here runs it"
SAME = "no figure can tell: the factor is 1 or not used, or the op is launched 0 times, or the mutant computes the same"
SHAPE = "a layer's own shape, from a config: the module under test is built from it, so both sides are alike"
NEVER_MOST = "never the peak at the sizes that are measured"
FLOAT32 = "mixtures in float32 do not run on meta"
UNIT = "only arrays, or callers other than a layer, come here: unit tests"
NO_CASE = "sizes that no case has yet"

UNMEASURED: dict[str, dict[str, list[str]]] = {
    "layers.clip": {
        VENDOR: [
            "NoTPAttention.ops: if execution.implementation == 'vendor': -> if False (1)",
            "NoTPAttention.ops: yield linear('qkv_proj', item, rows, width, 3 * width, bias=True) -> nothing (1)",
            "NoTPAttention.ops: item -> 1 (4)",
            "NoTPAttention.ops: rows -> 1 (2)",
            "NoTPAttention.ops: width -> 1 (4)",
            "NoTPAttention.ops: 3 * width -> 3 (1)",
            "NoTPAttention.ops: 3 * width -> width (1)",
            "NoTPAttention.ops: 3 -> 4 (1)",
            "NoTPAttention.ops: True -> False (2)",
            "NoTPAttention.returned_scores: execution.fused or execution.implementation == 'vendor' -> execution.fused (1)",
        ],
    },
    "layers.decoder": {
        NEVER_MOST: [
            "DeepseekV2RMSNorm.moments: 2 + casted -> 2 (1)",
            "DeepseekV2RMSNorm.moments: 2 + casted -> - (1)",
        ],
        NO_CASE: [
            "DeepseekV2DecoderLayer.mlp: self.config.first_k_dense_replace -> 1 (1)",
        ],
        SAME: [
            "DeepseekV2DecoderLayer.kv_cache_bytes: q_len -> 1 (1)",
        ],
    },
    "layers.llama": {
        SHAPE: [
            "LlamaRotaryEmbedding.from_config: config.head_dim -> 1 (1)",
        ],
        MATMUL: [
            "LlamaRotaryEmbedding.ops: if execution.rotary_is_matmul: -> if False (1)",
            "LlamaRotaryEmbedding.ops: yield bmm('freqs', FP32_BYTES, batch, half, q_len, 1) -> nothing (1)",
            "LlamaRotaryEmbedding.ops: batch -> 1 (1)",
            "LlamaRotaryEmbedding.ops: half -> 1 (1)",
            "LlamaRotaryEmbedding.ops: q_len -> 1 (2)",
            "LlamaRotaryEmbedding.ops: 1 -> 2 (1)",
            "LlamaRotaryEmbedding.moments: rows * (execution.rotary_is_matmul * FP32_BYTES) -> execution.rotary_is_matmul * FP32_BYTES (1)",
            "LlamaRotaryEmbedding.moments: execution.rotary_is_matmul * FP32_BYTES -> execution.rotary_is_matmul (1)",
            "LlamaRotaryEmbedding.moments: inputs + positions -> inputs (1)",
            "LlamaRotaryEmbedding.moments: inputs + positions -> - (1)",
        ],
        VENDOR: [
            "LlamaAttention.ops: if execution.implementation == 'vendor': -> if False (1)",
            "LlamaAttention.ops: yield from under('rotary_emb', LlamaRotaryEmbedding(self.head_dim).ops(batch, q_len, execution=execution)) -> nothing (1)",
            "LlamaAttention.ops: batch * q_len * self.head_dim -> batch * q_len (1)",
            "LlamaAttention.ops: batch * q_len * self.head_dim -> self.head_dim (1)",
            "LlamaAttention.ops: item -> 1 (5)",
            "LlamaAttention.ops: batch * q_len -> batch (2)",
            "LlamaAttention.ops: batch * q_len -> q_len (2)",
            "LlamaAttention.ops: batch -> 1 (2)",
            "LlamaAttention.ops: q_len -> 1 (2)",
            "LlamaAttention.ops: self.head_dim -> 1 (1)",
            "LlamaAttention.boundary: INT64_BYTES if vendor else 2 * self.head_dim * item -> 2 * self.head_dim * item (1)",
            "LlamaAttention.boundary: x if vendor else x + scores -> x + scores (1)",
            "LlamaAttention.boundary: x -> 1 (2)",
            "LlamaAttention.moments: if execution.implementation == 'vendor': -> if False (1)",
            "LlamaAttention.moments: inputs + 2 * batch * q_len * (self.head_dim * item) -> inputs (1)",
            "LlamaAttention.moments: inputs + 2 * batch * q_len * (self.head_dim * item) -> 2 * batch * q_len * (self.head_dim * item) (1)",
            "LlamaAttention.moments: inputs + 2 * batch * q_len * (self.head_dim * item) -> - (1)",
            "LlamaAttention.moments: inputs -> 1 (1)",
            "LlamaAttention.moments: 2 * batch * q_len * (self.head_dim * item) -> 2 * batch * q_len (1)",
            "LlamaAttention.moments: 2 * batch * q_len * (self.head_dim * item) -> self.head_dim * item (1)",
            "LlamaAttention.moments: 2 * batch * q_len -> 2 * batch (1)",
            "LlamaAttention.moments: 2 * batch * q_len -> q_len (1)",
            "LlamaAttention.moments: self.head_dim * item -> self.head_dim (1)",
            "LlamaAttention.moments: self.head_dim * item -> item (1)",
            "LlamaAttention.moments: 2 * batch -> 2 (1)",
            "LlamaAttention.moments: 2 * batch -> batch (1)",
            "LlamaAttention.moments: 2 -> 3 (4)",
        ],
        SAME: [
            "LlamaAttention.boundary: pairs * self._masked(q_len, kv_len, execution) * BOOL_BYTES -> pairs * self._masked(q_len, kv_len, execution) (1)",
            "LlamaAttention._fused: if execution.attention == 'sdpa': -> if True (1)",
            "LlamaAttention._fused: masked * q_len -> q_len (1)",
        ],
    },
    "layers.moe": {
        NEVER_MOST: [
            "DeepseekV2MoE.moments: batch -> 1 (2)",
            "DeepseekV2MoE.moments: q_len -> 1 (3)",
        ],
        VENDOR: [
            "DeepseekV2MoE._experts: if execution.implementation == 'vendor': -> if False (1)",
            "DeepseekV2MoE._experts: yield grouped_linear('gate_proj', item, rows, hidden, intermediate, experts, ends) -> nothing (1)",
            "DeepseekV2MoE._experts: yield grouped_linear('up_proj', item, rows, hidden, intermediate, experts, ends) -> nothing (1)",
            "DeepseekV2MoE._experts: item -> 1 (5)",
            "DeepseekV2MoE._experts: rows -> 1 (6)",
            "DeepseekV2MoE._experts: hidden -> 1 (2)",
            "DeepseekV2MoE._experts: intermediate -> 1 (2)",
            "DeepseekV2MoE._experts: experts -> 1 (2)",
            "DeepseekV2MoE._experts: item -> 1 (6)",
            "DeepseekV2MoE._experts: rows -> 1 (7)",
            "DeepseekV2MoE._experts: hidden -> 1 (3)",
            "DeepseekV2MoE._experts: intermediate -> 1 (3)",
            "DeepseekV2MoE._experts: experts -> 1 (3)",
        ],
        FLOAT32: [
            "DeepseekV2MoE._experts_moments: if item != FP32_BYTES: -> if True (1)",
            "DeepseekV2MoE._experts_moments: item -> 1 (1)",
        ],
    },
    "layers.sam": {
        SHAPE: [
            "LayerNorm2d.from_config: config.output_channels -> 1 (1)",
        ],
        SAME: [
            "ImageEncoderViT._neck: 1 -> 2 (2)",
        ],
        NO_CASE: [
            "ImageEncoderViT.boundary: -1 -> 1 (1)",
        ],
        NEVER_MOST: [
            "ImageEncoderViT.moments: 0 -> 1 (1)",
            "ImageEncoderViT.moments: (pixels + patches + positions) * self._is_other_grid(rows, columns) -> pixels + patches + positions (1)",
            "ImageEncoderViT.moments: rows -> 1 (2)",
            "ImageEncoderViT.moments: columns -> 1 (2)",
        ],
    },
    "layers.sam_attention": {
        SHAPE: [
            "Attention.from_config: config.window_size if windowed else config.trained_grid -> config.window_size (1)",
            "Attention.from_config: config.window_size if windowed else config.trained_grid -> config.trained_grid (1)",
            "Attention.from_config: config.window_size -> 1 (1)",
            "Attention.from_config: config.trained_grid -> 1 (1)",
            "Attention.from_config: config.hidden_size -> 1 (1)",
            "Attention.from_config: config.num_attention_heads -> 1 (1)",
            "Attention.from_config: side -> 1 (1)",
            "Attention.from_config: side -> 1 (2)",
        ],
        SAME: [
            "Attention._relative_positions: 0 -> 1 (1)",
        ],
    },
    "layers.sam_block": {
        NEVER_MOST: [
            "Block.moments: batch -> 1 (3)",
        ],
    },
}
