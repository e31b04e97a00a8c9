"""``dsocr cost --by``: layers and ops add up to the stages, and have names of their own."""

from collections import Counter

import pytest

from dsocr_cost import DecoderConfig, Execution
from dsocr_cost.model import Decoder

ADDITIVE = ("tensor_flops", "cuda_flops", "io_bytes", "launches")
CASES = [
    pytest.param(("--grid", "2x3"), id="crops"),
    pytest.param(("--mode", "large"), id="one view"),
    pytest.param(("--grid", "1x2", "--batch", 8, "--implementation", "vendor", "--attention", "eager"), id="vendor"),
]


@pytest.mark.parametrize("by", ["layer", "op"])
@pytest.mark.parametrize("arguments", CASES)
def test_the_parts_of_a_stage_add_up_to_it(cost, by, arguments):
    document = cost("--by", by, *arguments)
    for stage in ("vision", "prefill", "decode"):
        parts = [item for item in document["breakdown"] if item["stage"] == stage]
        for count in ADDITIVE:
            whole = document["stages"][stage][count]
            assert whole is None or sum(item[count] for item in parts) == whole


@pytest.mark.parametrize("by", ["layer", "op"])
def test_no_name_stands_twice_in_a_stage(cost, by):
    names = Counter((item["stage"], item["name"]) for item in cost("--by", by, "--grid", "2x3")["breakdown"])
    assert set(names.values()) == {1}


def test_layers_are_blocks_of_vision_and_attention_or_feed_forward_of_the_decoder(cost):
    items = {(item["stage"], item["name"]) for item in cost("--by", "layer", "--grid", "2x3")["breakdown"]}
    for view in ("crops", "global"):
        for layer in ("sam.layers.3", "sam.neck", "sam.patch_embed", "clip.encoder.layers.7", "projector"):
            assert ("vision", f"{view}.{layer}") in items
    for stage in ("prefill", "decode"):
        for layer in ("layers.0.self_attn", "layers.5.mlp", "lm_head"):
            assert (stage, layer) in items


def test_without_crops_there_is_only_the_global_view(cost):
    names = {item["name"] for item in cost("--by", "layer")["breakdown"] if item["stage"] == "vision"}
    assert {name.partition(".")[0] for name in names} <= {"global", "layout"}
    assert "global.sam.neck" in names


def test_an_op_has_its_kind_and_its_sizes(cost):
    ops = {(item["stage"], item["name"]): item for item in cost("--by", "op", "--grid", "2x3")["breakdown"]}
    head = ops["prefill", "lm_head"]
    assert head["kind"] == "linear"
    assert head["matmul"] == {"batch": 1, "m": 903, "n": 129280, "k": 1280}
    assert head["tensor_flops"] == 2 * 903 * 129280 * 1280
    assert ops["prefill", "layers.1.mlp.experts.down_proj"]["kind"] == "grouped_linear"


def test_a_size_that_grows_in_decode_is_that_of_the_first_step_and_of_the_last(cost):
    arguments = ("--by", "op", "--grid", "2x3", "--attention", "eager", "--decode-steps", 5)
    ops = {(item["stage"], item["name"]): item for item in cost(*arguments)["breakdown"]}
    scores = ops["decode", "layers.0.self_attn.sdpa.scores"]
    assert scores["matmul"] == {"batch": 10, "m": 1, "n": [904, 908], "k": 128}
    assert scores["tensor_flops"] == sum(2 * 10 * keys * 128 for keys in (904, 905, 906, 907, 908))


def test_decode_by_op_is_the_sum_over_its_steps(cost):
    decoder, steps = Decoder(DecoderConfig()), range(283 + 1, 283 + 4)  # after 273 image and 10 text tokens
    one_by_one = Counter()
    for keys in steps:
        for op in decoder.ops(1, 1, keys, execution=Execution()):
            one_by_one[op.name] += op.tensor_flops
    items = cost("--by", "op", "--decode-steps", 3)["breakdown"]
    assert {item["name"]: item["tensor_flops"] for item in items if item["stage"] == "decode"} == one_by_one


def test_a_million_decode_steps_are_summed_without_going_through_them(cost):
    items = cost("--by", "layer", "--decode-steps", 10**6, "--mode", "tiny")["breakdown"]
    (head,) = (item for item in items if (item["stage"], item["name"]) == ("decode", "lm_head"))
    assert head["tensor_flops"] == 10**6 * 2 * 1280 * 129280


VIEWS = {"vision, all crops": "crops.", "vision, global view": "global.", "vision, layout of the tokens": "layout."}


def ops_as_told(text):
    """Read stages and names back from the table for people: a line's name goes on that of those it stands under."""
    for part in text.split("\n\n"):
        title, heading, *lines = part.splitlines()
        if not heading.startswith("op "):
            continue
        above = {}
        for line in lines[1:]:
            name, _, cells = line.strip().partition(" ")
            indent = line.index(name)
            above = {at: one for at, one in above.items() if at < indent} | {indent: name}
            if cells:
                yield title.partition(",")[0], VIEWS.get(title, "") + ".".join(above.values()).replace(".other", "")


@pytest.mark.parametrize("columns", [80, 90, 160])
def test_the_table_of_ops_has_every_op_by_its_whole_name(cost, run, monkeypatch, columns):
    arguments = ("--by", "op", "--grid", "2x3", "--attention", "eager")
    monkeypatch.setenv("COLUMNS", str(columns))
    told = run("cost", *arguments).stdout
    ops = [(item["stage"], item["name"]) for item in cost(*arguments)["breakdown"]]
    assert list(ops_as_told(told)) == ops
    assert max(map(len, told.splitlines())) <= columns
