"""What no measured figure tells from the formula: the unit tests that do, and the few mutants that are no errors."""

LAYERS, DECODER = "unit/cost/test_unit_layers.py", "unit/cost/test_unit_moments_decoder.py"
SAM, VENDOR = "unit/cost/test_unit_moments_sam.py", "unit/cost/test_unit_vendor.py"
SIZES = f"{LAYERS}::test_a_layer_takes_its_sizes_from_the_config"
FIT, WHOLE = "unit/cost/test_unit_fit.py", "unit/cost/test_unit_whole.py"

UNIT: dict[str, list[str]] = {
    "kernels": ["unit/cost/test_unit_flags.py"],
    "layers.clip": [VENDOR],
    "layers.decoder": [f"{LAYERS}::test_the_first_layers_are_dense"],
    "layers.llama": [VENDOR, WHOLE, SIZES],
    "layers.llama_rotary": [VENDOR, SIZES],
    "layers.moe": [VENDOR, f"{DECODER}::test_moments_stand_at_ops_in_their_order"],
    "layers.sam": [
        SIZES,
        f"{SAM}::test_positions_are_held_in_fp32_only_where_they_are_stretched",
        "unit/cost/test_unit_layer_ops.py::test_submodules_stand_in_the_path_of_their_ops",
    ],
    "layers.sam_attention": [
        SIZES,
        f"{LAYERS}::test_relative_positions_over_a_grid_that_is_no_square",
    ],
    "model.decoder": [
        WHOLE,
        f"{DECODER}::test_however_many_layers_there_are_at_most_four_are_looked_at",
    ],
    "model.whole": [WHOLE],
    "fit": [
        f"{FIT}::test_{name}"
        for name in (
            "room_is_what_the_others_leave",
            "the_peak_of_one_view_by_hand",
            "the_cache_of_a_need_is_what_is_there_at_its_peak",
            "the_peak_is_that_of_activations_and_cache_together",
            "what_takes_all_of_the_room_fits",
        )
    ],
    "kv_cache": ["unit/cost/test_unit_kv_cache.py"],
    "moment": [WHOLE],
    "workload": ["unit/cost/test_unit_workload.py", WHOLE],
}
"""By module: who is asked about mutants that no measured figure catches."""

UNREAD = "a size that the method takes, as all of its kind do, and does not use"
ONE_PAGE = "the context is that of one page before it decodes: neither changes it"
LESS = "never the peak: the output that follows, or the query while it is turned, comes on top of as much"
GRID = "Grid(crops_high, crops_wide)"
NO_CROPS = "a page without crops has 0 of them, which add nothing"
REFUSED = "a grid in a mode without crops is refused before"

UNMEASURED: dict[str, dict[str, list[str]]] = {
    "layers.decoder": {UNREAD: ["DeepseekV2DecoderLayer.kv_cache_bytes: q_len -> 1 (1)"]},
    "fit": {
        UNREAD: [
            "RunMemory.__init__: ('crops_high', 'crops_wide') if cropped else () -> ('crops_high', 'crops_wide') (1)"
        ],
    },
    "layers.llama": {
        LESS: [
            "LlamaAttention._eager_moments: if self._views: -> if True (1)",
            "LlamaAttention._eager_moments: several(batch) * several(q_len) -> several(q_len) (1)",
            "LlamaAttention._eager_moments: several(q_len) * several(self.num_heads) -> several(q_len) (1)",
        ],
    },
    "model.decoder": {UNREAD: ["Decoder.moments: q_len -> 1 (1)"]},
    "model.vision": {
        NO_CROPS: [
            f"Vision.boundary: {GRID} if self.cropped else None -> {GRID} (1)",
        ],
        REFUSED: ["Vision._lay_out: self.cropped and self.mode.crop_size -> self.cropped (1)"],
    },
    "model.whole": {
        ONE_PAGE: [
            "DeepseekOCR.ops: batch -> 1 (3)",
            "DeepseekOCR.ops: decode_steps -> 1 (2)",
            "DeepseekOCR.kv_cache_bytes: batch -> 1 (1)",
            "DeepseekOCR.kv_cache_bytes: decode_steps -> 1 (1)",
        ],
    },
}
"""By module and reason: mutants that compute the same."""
