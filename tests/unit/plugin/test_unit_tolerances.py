"""Which rule holds, and which files are refused: an error names the file, the key, what it got and what is allowed."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_dsocr import ToleranceError
from pytest_dsocr.tolerances import KNOWN_DEVICES, Rule, Tolerances, Vocabulary, short_device_name

VOCABULARY = Vocabulary(layers=("vision.Attention", "decoder.LMHead"), metrics=("tensor_flops", "params", "latency_s"))
DEFAULTS = {"tensor_flops": 0.0, "params": 0.0, "latency_s": 0.1}
ROW = {"layer": "vision.Attention", "case": "1024 view", "devices": ("cuda", "H200"), "metric": "latency_s"}


def parse(text):
    return Tolerances.parse(text, "tolerances.toml", VOCABULARY, DEFAULTS)


def rule(**keys):
    """Write one [[rule]]; ``because`` and ``rtol`` are given where the test is not about them."""
    keys = {"rtol": "0.1", "because": '"clocks drift"', **keys}
    return "[[rule]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value is not None)


def refuses(text, message):
    with pytest.raises(ToleranceError, match=f"^{re.escape(f'tolerances.toml: {message}')}$"):
        parse(text)


# --- which rule holds ---


def test_an_empty_file_leaves_each_metric_its_own_default():
    assert parse("").rule_for(**ROW) == Rule(0.1, "built-in default latency_s")


def test_without_a_file_each_metric_has_its_own_default():
    assert Tolerances.builtin(DEFAULTS).rule_for(**ROW) == Rule(0.1, "built-in default latency_s")


def test_a_default_of_the_file_stands_over_that_of_the_metric():
    tolerances = parse("[default]\nlatency_s = 0.2")
    assert tolerances.rule_for(**ROW) == Rule(0.2, "[default] latency_s")
    assert tolerances.rule_for(**{**ROW, "metric": "params"}) == Rule(0.0, "built-in default params")


def test_a_rule_stands_over_the_default_and_says_why():
    tolerances = parse("[default]\nlatency_s = 0.2\n" + rule(rtol=0.3, metric='"latency_s"', because='" a reason "'))
    assert tolerances.rule_for(**ROW) == Rule(0.3, "rule 1", "a reason", {"metric": "latency_s"})


@pytest.mark.parametrize(
    "other",
    [
        {"layer": "decoder.LMHead"},
        {"case": "640 crop"},
        {"devices": ("cpu",)},
        {"metric": "params"},
    ],
    ids=["layer", "case", "device", "metric"],
)
def test_a_rule_holds_only_for_what_it_names(other):
    text = rule(layer='"vision.Attention"', case='"1024 view"', device='"H200"', metric='"latency_s"')
    assert parse(text).rule_for(**ROW).origin == "rule 1"
    assert parse(text).rule_for(**{**ROW, **other}).origin.startswith("built-in default")


NAMED = [
    ("metric", '"latency_s"'),
    ("layer", '"vision.Attention"'),
    ("device", '"H200"'),
    ("case", '"1024 view"'),
]


@pytest.mark.parametrize("most_first", [True, False], ids=["most first", "most last"])
def test_the_rule_that_names_most_wins_wherever_it_stands(most_first):
    """Four rules: the first names the metric, each next one more; they hold 0.1, 0.2, 0.3, 0.4."""
    rules = [rule(rtol=count / 10, **dict(NAMED[:count])) for count in range(1, 5)]
    tolerances = parse("\n".join(reversed(rules) if most_first else rules))
    assert tolerances.rule_for(**ROW).rtol == 0.4
    assert tolerances.rule_for(**{**ROW, "case": "640 crop"}).rtol == 0.3
    assert tolerances.rule_for(**{**ROW, "case": "640 crop", "devices": ("cpu",)}).rtol == 0.2
    assert tolerances.rule_for(**{**ROW, "layer": "decoder.LMHead"}).rtol == 0.1


@pytest.mark.parametrize("device", ["cuda", "H200"])
def test_a_rule_may_name_a_card_or_every_cuda_device(device):
    assert parse(rule(device=f'"{device}"')).rule_for(**ROW).origin == "rule 1"


def test_a_rule_for_another_card_does_not_hold():
    assert parse(rule(device='"H100"')).rule_for(**ROW).origin == "built-in default latency_s"


def test_unused_rules_are_those_that_judged_nothing_on_this_device():
    text = rule(metric='"params"') + rule(layer='"decoder.LMHead"', device='"H200"') + rule(case='"x"', device='"cpu"')
    tolerances = parse(text)
    assert [one.origin for one in tolerances.unused([], ("cuda", "H200"))] == ["rule 1", "rule 2"]
    assert [one.origin for one in tolerances.unused(["rule 1"], ("cpu",))] == ["rule 3"]
    assert tolerances.unused(["rule 1", "rule 2"], ("cuda", "H200")) == ()


# --- which files are refused ---


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "nowhere.toml"
    with pytest.raises(ToleranceError, match=f"^{re.escape(str(path))}: cannot be read: No such file or directory$"):
        Tolerances.load(path, VOCABULARY, DEFAULTS)


def test_a_folder_is_named(tmp_path):
    with pytest.raises(ToleranceError, match=f"^{re.escape(str(tmp_path))}: is a folder, allowed is a text file$"):
        Tolerances.load(tmp_path, VOCABULARY, DEFAULTS)


def test_a_file_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "tolerances.toml"
    path.write_bytes(b"# \xff\xfe")
    with pytest.raises(ToleranceError, match=f"^{re.escape(str(path))}: is no UTF-8: "):
        Tolerances.load(path, VOCABULARY, DEFAULTS)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "tolerances.toml"
    path.write_text("[default]\nlatency_s = 0.2", encoding="utf-8-sig")
    assert Tolerances.load(path, VOCABULARY, DEFAULTS).rule_for(**ROW).rtol == 0.2


def test_a_file_without_end_is_refused():
    with pytest.raises(ToleranceError, match=r"^/dev/zero: is no regular file, allowed is a text file$"):
        Tolerances.load(Path("/dev/zero"), VOCABULARY, DEFAULTS)


def test_a_file_is_read(tmp_path):
    path = tmp_path / "tolerances.toml"
    path.write_text("[default]\nlatency_s = 0.2", encoding="utf-8")
    tolerances = Tolerances.load(path, VOCABULARY, DEFAULTS)
    assert (tolerances.source, tolerances.rule_for(**ROW).rtol) == (str(path), 0.2)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[default", id="cut off"),
        pytest.param("a = 1\na = 2", id="a key twice"),
        pytest.param("a = " + "[" * 10_000, id="nested without end"),
        pytest.param("a = " + "9" * 5000, id="more digits than an int may have"),
    ],
)
def test_malformed_toml_is_refused(text):
    with pytest.raises(ToleranceError, match=r"^tolerances\.toml: is no TOML: "):
        parse(text)


NUMBER = "a number of at least 0 (0.1 is 10 %)"
METRICS = "latency_s, params, tensor_flops"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "[defaults]", "the top level: unknown key 'defaults', allowed are default, rule", id="key at the top"
        ),
        pytest.param("default = 0.1", "default: got 0.1, allowed is a table of metrics", id="number for [default]"),
        pytest.param(
            "[default]\nlatency = 0.1",
            f"default: unknown metric 'latency', allowed are {METRICS}",
            id="metric in [default]",
        ),
        pytest.param(
            "[default]\nparams = -0.1", f"default.params: got -0.1, allowed is {NUMBER}", id="default below 0"
        ),
        pytest.param(
            "[default]\nparams = true", f"default.params: got True, allowed is {NUMBER}", id="default of bool"
        ),
        pytest.param("rule = 1", "rule: got 1, allowed is [[rule]] tables", id="number for rules"),
        pytest.param("rule = [1]", "rule: got [1], allowed is [[rule]] tables", id="list of numbers for rules"),
        pytest.param("[rule]\nrtol = 1", "rule: got {'rtol': 1}, allowed is [[rule]] tables", id="one table for rules"),
        pytest.param(
            rule(metric='"params"', tolerance=1),
            "rule 1: unknown key 'tolerance', allowed are layer, case, device, metric, rtol, because",
            id="key in a rule",
        ),
        pytest.param(
            rule(layer='"vision.Attn"'),
            "rule 1: unknown layer 'vision.Attn', allowed are decoder.LMHead, vision.Attention",
            id="layer",
        ),
        pytest.param(rule(metric='"time"'), f"rule 1: unknown metric 'time', allowed are {METRICS}", id="metric"),
        pytest.param(
            rule(device='"RTX 6090"'),
            f"rule 1: unknown device 'RTX 6090', allowed are {', '.join(sorted(KNOWN_DEVICES))}",
            id="device",
        ),
        pytest.param(rule(case="1024"), "rule 1: case: got 1024, allowed is a string", id="number for a case"),
        pytest.param(rule(layer="[]"), "rule 1: layer: got [], allowed is a string", id="list for a layer"),
        pytest.param(
            rule(),
            "rule 1: names nothing, allowed is at least one of layer, case, device, metric; or use [default]",
            id="rule about nothing",
        ),
        pytest.param(
            rule(metric='"params"', rtol=None),
            "rule 1: rtol: is missing, allowed is a number of at least 0",
            id="no rtol",
        ),
        pytest.param(
            rule(metric='"params"', rtol="-0.1"), f"rule 1: rtol: got -0.1, allowed is {NUMBER}", id="rtol below 0"
        ),
        pytest.param(rule(metric='"params"', rtol="nan"), f"rule 1: rtol: got nan, allowed is {NUMBER}", id="nan"),
        pytest.param(rule(metric='"params"', rtol="inf"), f"rule 1: rtol: got inf, allowed is {NUMBER}", id="inf"),
        pytest.param(
            rule(metric='"params"', rtol='"10 %"'), f"rule 1: rtol: got '10 %', allowed is {NUMBER}", id="text"
        ),
        pytest.param(rule(metric='"params"', rtol="true"), f"rule 1: rtol: got True, allowed is {NUMBER}", id="bool"),
        pytest.param(
            rule(metric='"params"', because=None),
            "rule 1: because: got '', allowed is the reason for this tolerance, as a sentence",
            id="no reason",
        ),
        pytest.param(
            rule(metric='"params"', because='"  "'),
            "rule 1: because: got '  ', allowed is the reason for this tolerance, as a sentence",
            id="blank reason",
        ),
        pytest.param(
            rule(metric='"params"', because="7"),
            "rule 1: because: got 7, allowed is the reason for this tolerance, as a sentence",
            id="number for a reason",
        ),
        pytest.param(
            rule(metric='"params"') + rule(metric='"time"'),
            f"rule 2: unknown metric 'time', allowed are {METRICS}",
            id="second rule",
        ),
    ],
)
def test_a_bad_file_is_refused_with_key_and_what_is_allowed(text, message):
    refuses(text, message)


def test_an_rtol_beyond_all_floats_is_refused():
    with pytest.raises(ToleranceError, match=r"^tolerances\.toml: rule 1: rtol: got .* allowed is a number"):
        parse(rule(metric='"params"', rtol=10**400))


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        pytest.param({"metric": '"params"'}, {"metric": '"params"'}, 1, id="the same name"),
        pytest.param({"metric": '"params"'}, {"layer": '"decoder.LMHead"'}, 1, id="names of different keys"),
        pytest.param({"device": '"cuda"'}, {"device": '"H200"'}, 1, id="every cuda device and one card"),
        pytest.param(
            {"metric": '"params"', "case": '"a"'}, {"case": '"a"', "layer": '"decoder.LMHead"'}, 2, id="two each"
        ),
    ],
)
def test_rules_that_tie_are_refused(one, other, count):
    refuses(
        rule(**one) + rule(**other),
        f"rule 1 and rule 2 tie: both name {count} of layer, case, device, metric and can match the same row; "
        "allowed is one rule that names more",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"metric": '"params"'}, {"metric": '"latency_s"'}, id="two metrics"),
        pytest.param({"device": '"H100"'}, {"device": '"H200"'}, id="two cards"),
        pytest.param({"device": '"cuda"'}, {"device": '"cpu"'}, id="every cuda device and the cpu"),
        pytest.param({"device": '"meta"'}, {"device": '"cuda"'}, id="meta and every cuda device"),
        pytest.param({"metric": '"params"'}, {"metric": '"params"', "case": '"a"'}, id="one names more"),
        pytest.param(
            {"metric": '"params"', "case": '"a"'}, {"metric": '"latency_s"', "layer": '"decoder.LMHead"'}, id="apart"
        ),
    ],
)
def test_rules_that_no_row_can_match_both_are_taken(one, other):
    assert len(parse(rule(**one) + rule(**other)).rules) == 2


# --- names of cards ---


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA GeForce RTX 5090", "RTX 5090"),
        ("NVIDIA GeForce RTX 5090 D", "RTX 5090"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTX PRO 6000"),
        ("NVIDIA L40", "L40"),
        ("NVIDIA GB300", "GB300"),
    ],
    ids=lambda name: name,
)
def test_a_card_has_a_short_name(name, short):
    assert short_device_name(name) == short


# --- anything at all ---


@given(st.text())
def test_any_text_is_read_or_refused_as_a_tolerance_error(text):
    try:
        tolerances = parse(text)
    except ToleranceError as error:
        assert str(error).startswith("tolerances.toml: ")  # noqa: PT017 - either outcome is right
    else:
        assert tolerances.rules == ()


VALUE = st.sampled_from(
    [
        "0",
        "0.5",
        "-1",
        "nan",
        "true",
        '""',
        '"params"',
        '"cuda"',
        '"H200"',
        '"vision.Attention"',
        "[]",
        "{}",
        "1979-05-27",
    ]
)
TABLE = st.dictionaries(
    st.sampled_from(["layer", "case", "device", "metric", "rtol", "because", "params", "other"]), VALUE
)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(["[[rule]]", "[[default]]", "[[other]]"]), TABLE), max_size=4))
def test_any_tables_are_read_or_refused_as_a_tolerance_error(tables):
    text = "\n".join(
        f"{head}\n" + "".join(f"{key} = {value}\n" for key, value in table.items()) for head, table in tables
    )
    try:
        tolerances = parse(text)
    except ToleranceError as error:
        assert str(error).startswith("tolerances.toml: ")  # noqa: PT017 - either outcome is right
    else:
        assert len(tolerances.rules) == len(tables)
