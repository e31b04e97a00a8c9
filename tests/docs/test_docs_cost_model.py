"""The examples of docs/cost-model.md print what is derived here by hand."""

from pages import blocks_of


def examples():
    return [block.text for block in blocks_of("docs/cost-model.md") if block.language == "python"]


def test_the_example_of_a_layer_prints_its_flops(capsys):
    example, _ = examples()
    exec(compile(example, "cost-model.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    # over 1, 913 and 8192 keys: 4 linears, scores and values, router, experts
    rest = 4 * 2 * 1280**2 + 2 * 1280 * 64 + 3 * 2 * 1280 * (6 * 896 + 1792)
    assert printed[0].strip("[]").split() == [str(rest + 4 * 1280 * keys) for keys in (1, 913, 8192)]
    assert "self_attn.sdpa" in printed[1]


def test_the_example_of_a_whole_run_prints_its_figures(capsys):
    _, example = examples()
    exec(compile(example, "cost-model.md", "exec"), {})
    total, largest, session = capsys.readouterr().out.splitlines()
    # that of the page in the README: 3.469 + 1.100 + 0.121 TFLOP
    assert int(total) == 4_689_117_483_008
    # 15x26: 39,150 tokens of crops, 273 of the view, 10 of text, at 61,440 bytes
    assert int(largest) == (39_150 + 273 + 10) * 61_440
    # 914 keys in the second step; see above
    rest = 12 * 4 * 2 * 1280**2 + 3 * 2 * 1280 * 6848 + 11 * (2 * 1280 * 64 + 3 * 2 * 1280 * (6 * 896 + 1792))
    flops = rest + 12 * 4 * 1280 * 915 + 2 * 1280 * 129280
    assert session == f"decode {flops} {914 * 61_440}"
