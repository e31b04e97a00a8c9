"""The rows file as text: what is read, what is refused and how; whatever is read, every later step takes."""

import copy
import errno
import json
import math
import os
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from report_rows import make_row

from pytest_dsocr import NotRun, Results, ResultsError, Row, Verdict
from pytest_dsocr.baseline import gated, has_moved, ungated
from pytest_dsocr.baseline_file import row_texts
from pytest_dsocr.cli.compare_document import compare_document
from pytest_dsocr.cli.compare_text import compare_text
from pytest_dsocr.comparison import Compared, Comparison
from pytest_dsocr.merging import merged
from pytest_dsocr.metrics import METRICS, families_of
from pytest_dsocr.results import json_text
from pytest_dsocr.row import AgainstBaseline, Change, Term
from pytest_dsocr.rows_document import MOST_BYTES, SCHEMA, rows_schema

COMPARED = jsonschema_rs.validator_for(
    json.loads(files("pytest_dsocr.cli").joinpath("compare.schema.json").read_text(encoding="utf-8"))
)
FAMILIES = families_of(METRICS)

COUNT = make_row(
    sizes={"batch": 1, "height": 64},
    measured=12,
    terms=(Term("layers.*.qkv", "linear", 12, 8, "aten::addmm", 12, 8), Term("proj", "linear", 1, 4, "", 0, 0)),
)
TIME = Row.from_dict(
    {
        **COUNT.to_dict(),
        "metric": "latency_s",
        "device": {**COUNT.to_dict()["device"], "type": "cpu", "name": "Bench, 2 threads"},
        "predicted": 0.5,
        "measured": 0.55,
        "difference": -0.05,
        "relative_difference": -0.1,
        "spread": 0.02,
        "rtol": 0.25,
        "details": {"mean_s": 0.55, "rounds": 4},
        "band": [0.4, 0.6],
        "source": "a profile",
        "notes": "cold caches",
        "samples": [0.54, 0.55, 0.55, 0.56],
        "terms": [],
        "baseline": AgainstBaseline(Change.REGRESSION, 0.4, 0.375, 0.0003, "base.json").to_dict(),
        "verdict": "fail",
        "reason": "regression: +37.5% of the stored (rank test: p = 0.0003)",
    }
)
ERROR = Row.from_dict(
    {**COUNT.to_dict(), "case": "nan", "measured": "nan", "difference": "inf", "verdict": "error", "terms": []}
)
WHOLE = Results(
    (COUNT, TIME, ERROR),
    (NotRun("tests/a.py::b", "no GPU"),),
    ({"torch": "2.13.0"},),
    ("--dsocr-require gpu: nothing was measured",),
)
DOCUMENT = json.loads(WHOLE.to_json())


def changed(**given):
    """Change fields of the first row of a document."""
    document = copy.deepcopy(DOCUMENT)
    document["rows"][0].update(given)
    return json.dumps(document)


def without(field):
    document = copy.deepcopy(DOCUMENT)
    del document["rows"][0][field]
    return json.dumps(document)


def refusal(text):
    with pytest.raises(ResultsError) as refused:
        Results.from_json(text, "head.json")
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    return message


# --- what is read ---


def test_rounds_terms_and_standing_survive_a_round_trip():
    assert Results.from_json(Results((COUNT, TIME)).to_json()) == Results((COUNT, TIME))


def test_the_document_is_what_its_schema_says():
    jsonschema.Draft202012Validator.check_schema(rows_schema())
    jsonschema.validate(DOCUMENT, rows_schema())


def test_the_file_that_the_docs_show_is_read(pytestconfig):
    page = (pytestconfig.rootpath / "docs/rows.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)
    (row,) = Results.from_json(shown).rows
    assert row.to_dict().keys() == json.loads(shown)["rows"][0].keys()
    assert sum(term.measured for term in row.terms) == row.measured
    assert json.loads(shown)["schema"] == SCHEMA


def test_figures_that_json_cannot_hold_are_read_back_wherever_they_stand():
    odd = make_row(
        verdict=Verdict.ERROR,
        measured=math.inf,
        difference=-math.inf,
        relative_difference=None,
        samples=(1.0, math.inf),
        terms=(Term("op", "linear", 1, math.inf, "call", 1, -math.inf),),
        baseline=AgainstBaseline(Change.UNCERTAIN, 1, math.inf, None),
    )
    assert Results.from_json(Results((odd,)).to_json()).rows == (odd,)


def test_a_file_of_schema_1_is_read_and_written_anew(pytestconfig):
    """Rows of times, as they were written before there were baselines."""
    path = pytestconfig.rootpath / "tests/data/rows_schema_1.json"
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == 1
    old = Results.read(path)
    assert len(old.rows) == 66
    assert [one["torch"] for one in old.environments] == ["2.13.0+cpu"]
    assert Results.from_json(old.to_json()) == old
    assert json.loads(old.to_json())["schema"] == SCHEMA


def test_a_byte_order_mark_is_read_over(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(WHOLE.to_json(), encoding="utf-8-sig")
    assert Results.read(path).to_json() == WHOLE.to_json()


def test_a_pair_of_surrogates_is_one_character():
    assert Results.from_json(changed(case="\N{FACE WITH TEARS OF JOY}")).rows[0].case == "\N{FACE WITH TEARS OF JOY}"


def test_rows_of_one_key_are_read_and_refused_where_a_row_is_looked_for():
    twice = Results((make_row(), make_row(case="other"), make_row()))
    assert len(Results.from_json(twice.to_json()).rows) == 3
    message = (
        r"^head\.json: rows: 2 have the key of vision\.Attention, 1024 view, tensor_flops on meta, torch 2\.13\.0, "
        "allowed is one$"
    )
    with pytest.raises(ResultsError, match=message):
        twice.by_key("head.json")


# --- what is refused ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "is no JSON: Expecting value: line 1 column 1 (char 0)", id="empty"),
        pytest.param("schema: 2\n", "is no JSON: Expecting value: line 1", id="YAML"),
        pytest.param(json.dumps(DOCUMENT)[:500], "is no JSON: ", id="cut off"),
        pytest.param("[" * 100_000, "is no JSON: maximum recursion depth exceeded", id="nested without end"),
        pytest.param("[]", "got a JSON array, allowed is a rows file, which is an object", id="a list"),
        pytest.param("null", "got a JSON null, allowed is a rows file", id="null"),
        pytest.param("true", "got a JSON boolean, allowed is a rows file", id="true"),
        pytest.param("{}", "got no schema, allowed are rows files of schemas 1 to 2", id="no schema"),
        pytest.param('{"schema": true}', "got schema true, allowed are", id="schema true"),
        pytest.param('{"schema": 1.0}', "got schema 1.0, allowed are", id="schema 1.0"),
        pytest.param('{"schema": "2"}', 'got schema "2", allowed are', id="schema as text"),
        pytest.param('{"schema": 0}', "got schema 0, allowed are", id="schema 0"),
        pytest.param('{"schema": [2]}', "got schema [2], allowed are", id="schema in a list"),
        pytest.param(
            '{"schema": 3, "rows": 7}',
            "got schema 3, allowed are rows files of schemas 1 to 2; it was written by a later version: update "
            "pytest-dsocr",
            id="a later schema",
        ),
        pytest.param('{"schema": 1}', 'the document: "rows" is a required property', id="schema 1 and nothing else"),
        pytest.param('{"schema": 2}', 'the document: "environments" is a required', id="schema 2 and nothing else"),
        pytest.param('{"schema": 2, "schema": 2}', "is no JSON: the key 'schema' stands twice", id="a key twice"),
        pytest.param('{"schema": 2, "rows": [NaN]}', "is no JSON: NaN is no number", id="NaN"),
        pytest.param('{"schema": 2, "rows": [-Infinity]}', "is no JSON: -Infinity is no number", id="Infinity"),
        pytest.param('{"schema": 1e999}', "is no JSON: 1e999 is beyond the range of a float", id="1e999"),
        pytest.param(
            '{"schema": 1' + "0" * 400 + "}",
            "is no JSON: 1000000000… of 401 characters is beyond the range of a float",
            id="10**400",
        ),
        pytest.param('{"schema": 2' + "0" * 308 + "}", "is no JSON: 2000000000… of 309", id="2e308 as an integer"),
        pytest.param('{"schema": ' + "9" * 5000 + "}", "is no JSON: 9999999999… of 5000 characters", id="10**5000"),
        pytest.param('{"schema": 2, "rows": ["\\ud800"]}', "is no JSON: 'utf-8' codec can't", id="half a character"),
    ],
)
def test_what_is_no_rows_file_is_refused(text, said):
    assert refusal(text).startswith(f"head.json: {said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(without("rtol"), 'rows[0]: "rtol" is a required property', id="a field is missing"),
        pytest.param(changed(speed=1), "rows[0]: Additional properties are not allowed ('speed' was", id="one more"),
        pytest.param(changed(measured="12"), 'rows[0].measured: "12" is not of type "number"', id="text for a number"),
        pytest.param(changed(measured="nan"), 'rows[0].measured: "nan" is not of type "number"', id="nan in a pass"),
        pytest.param(changed(measured=True), 'rows[0].measured: true is not of type "number"', id="true for a number"),
        pytest.param(changed(measured=None), "rows[0].measured: null is not of type", id="no figure"),
        pytest.param(
            changed(measured=-12), "rows[0].measured: -12 is less than the minimum of 0", id="a negative count"
        ),
        pytest.param(changed(predicted=-12), "rows[0].predicted: -12 is less than the", id="a negative prediction"),
        pytest.param(changed(rtol=-0.1), "rows[0].rtol: -0.1 is less than the minimum of 0", id="a negative tolerance"),
        pytest.param(changed(sizes={"batch": 1.5}), 'rows[0].sizes.batch: 1.5 is not of type "integer"', id="a half"),
        pytest.param(changed(device=None), 'rows[0].device: null is not of type "object"', id="no device"),
        pytest.param(changed(device={"kind": "cpu"}), "rows[0].device: ", id="a device of other fields"),
        pytest.param(changed(verdict="great"), 'rows[0].verdict: "great" is not one of "pass", ', id="no verdict"),
        pytest.param(changed(verdict="error", measured="+inf"), 'rows[0].measured: "+inf" does not match', id="+inf"),
        pytest.param(changed(samples=[0.5, -0.5]), "rows[0].samples[1]: -0.5 is less than", id="a negative round"),
        pytest.param(changed(terms=[["op"]]), "rows[0].terms[0]: ", id="half a term"),
        pytest.param(changed(band=[1]), "rows[0].band: [1] has less than 2 items", id="half a band"),
        pytest.param(changed(baseline={}), 'rows[0].baseline: "change" is a required property', id="half a standing"),
        pytest.param(changed(sizes={"\x1b[31m\n": "x"}), r"rows[0].sizes.\x1b[31m\n: ", id="a name that paints"),
        pytest.param(changed(case=["x" * 10_000]), "rows[0].case: ", id="much for a name"),
    ],
)
def test_a_row_of_other_fields_or_types_is_refused(text, said):
    assert refusal(text).startswith(f"head.json: {said}")


def test_what_is_long_is_quoted_without_its_middle():
    assert refusal(changed(case=["x" * 10_000])).endswith("…" + "x" * 74 + '"] is not of type "string"')


def deep(levels):
    nested = {}
    for _ in range(levels):
        nested = {"a": nested}
    return nested


@pytest.mark.parametrize("levels", [200, 400, 900])
def test_what_is_nested_deep_is_refused(levels):
    assert refusal(changed(sizes=deep(levels))).startswith(
        ("head.json: rows[0].sizes", "head.json: is nested too deep")
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("folder", "is a folder, allowed is a text file", id="a folder"),
        pytest.param("pipe", "is no regular file, allowed is a text file", id="a pipe that nobody writes to"),
        pytest.param("latin", "is no UTF-8: 'utf-8' codec can't decode byte 0xff", id="no UTF-8"),
        pytest.param("missing", "cannot be read: No such file or directory", id="nothing"),
        pytest.param("large", f"is too large: allowed are at most {MOST_BYTES:,} bytes", id="100 MB"),
    ],
)
def test_a_file_that_is_none_of_rows_is_refused_unread(tmp_path, monkeypatch, name, said):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b'{"schema": 2, "rows": "\xff"}')
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 100_000_000)
    if name != "latin":
        monkeypatch.setattr("dsocr_cost.text_file._start", None)
    with pytest.raises(ResultsError, match=f"^{re.escape(f'{tmp_path / name}: {said}')}"):
        Results.read(tmp_path / name)


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    def deny(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    path = tmp_path / "rows.json"
    path.write_text(WHOLE.to_json(), encoding="utf-8")
    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(ResultsError, match=f"^{re.escape(f'{path}: cannot be read: Permission denied')}$"):
        Results.read(path)


# --- whatever stands in it ---

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**63, 10**308, 10**400, 1e-320, 1e300, "nan", "inf", "-inf", "", "::error::", "\x1b[2J"]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from([*Verdict, *Change]).map(str),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner)),
    max_leaves=5,
)


def places(value, path=()):
    """List every place in a document."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


PLACES = places(DOCUMENT)[1:]


NUMBERS = st.one_of(
    st.integers(0), st.floats(0, allow_infinity=False), st.sampled_from([0, 1, 0.0, 1e-320, 10**308, 1.7e308, -1, -0.0])
)
NAMES = st.one_of(
    st.text(max_size=6), st.sampled_from(["", "::error::", "\x1b[2J", "\u2028", "latency_s", *Verdict, *Change])
)


def alike(value):
    """Make values of the sort of one, which more often can stand where it does."""
    if isinstance(value, bool | str):
        return NAMES.map(str)
    return NUMBERS if isinstance(value, int | float) else VALUES


@st.composite
def mutants(draw):
    """Replace or drop what stands at some places of a document."""
    document = copy.deepcopy(DOCUMENT)
    for *path, last in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        how = draw(st.sampled_from(["drop", "any", "alike", "alike", "alike"]))
        try:
            parent = document
            for step in path:
                parent = parent[step]
            if how == "drop":
                del parent[last]
            else:
                parent[last] = draw(VALUES if how == "any" else alike(parent[last]))
        except (KeyError, IndexError, TypeError):  # what stood there is gone already
            continue
    return document


def read_or_refused(text):
    """Read a document; None where it is refused, in a line."""
    try:
        return Results.from_json(text, "head.json")
    except ResultsError as error:
        said = str(error)
    assert len(said.splitlines()) == 1, said
    return None


def take_every_step(results):
    """Do all with rows that is done with rows that were read."""
    written = results.to_json()
    assert Results.from_json(written).to_json() == written
    assert [json.loads(text) for text in row_texts(written)] == json.loads(written)["rows"]
    pairs = [(head, base) for head in results.rows for base in (*results.rows, None)]
    compared = [Compared(gated(ungated(head), base, "base.json"), ungated(head).verdict) for head, base in pairs]
    stood = Results(tuple(one.row for one in compared))
    assert Results.from_json(stood.to_json()).to_json() == stood.to_json()
    for head, base in pairs:
        has_moved(head, base)
    comparison = Comparison(tuple(compared), results.rows)
    text = compare_text(comparison, results, {}, everything=True, require_all=True)
    assert all(char.isprintable() or char == "\n" for char in text)
    COMPARED.validate(json.loads(json_text(compare_document(comparison, Path("a"), Path("b"), everything=True))))
    if len({row.key for row in results.rows}) == len(results.rows):
        again = merged([("a", results), ("b", results)], FAMILIES)
        assert json.loads(again.to_json())["rows"] == json.loads(written)["rows"]


@given(document=mutants())
@example(document=DOCUMENT)
@settings(max_examples=400)
def test_any_document_is_read_or_refused_and_what_is_read_is_taken(document):
    results = read_or_refused(json.dumps(document))
    if results is not None:
        take_every_step(results)


@given(end=st.integers(0, len(WHOLE.to_json()) - 3))
@settings(max_examples=200)
def test_a_document_that_is_cut_off_anywhere_is_refused(end):
    assert read_or_refused(WHOLE.to_json()[:end]) is None


@given(text=st.text(max_size=30))
def test_any_text_is_refused(text):
    assert read_or_refused(text) is None


@given(content=st.binary(max_size=30))
def test_any_bytes_are_refused(content, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "bytes.json"
    path.write_bytes(content)
    with pytest.raises(ResultsError):
        Results.read(path)


@pytest.mark.parametrize(
    "given",
    [
        {"measured": 10**308, "predicted": 0, "rtol": 1e300},
        {"measured": 10**308, "predicted": 1e-320, "rtol": 0.0, "relative_difference": None},
        {"measured": 1e-320, "predicted": 10**308, "rtol": 1e-320},
        {"measured": 0, "predicted": 0},
        {"measured": 1.7e308, "predicted": 1.7e308, "samples": [10**308, 0, 1e-320]},
        {"layer": "", "case": "", "metric": "", "model": "", "test": "", "rule": ""},
        {"metric": "_s", "measured": 10**308, "samples": [1], "verdict": "inconclusive"},
        {"metric": "latency_s", "measured": "nan", "verdict": "error", "samples": ["nan", "inf"]},
        {"case": "\x1b[2J\r\n::stop-commands::x \u2028 ##[error] \ud83d\ude02"},
    ],
    ids=["huge", "huge on nothing", "tiny", "zero", "rounds", "no names", "a time", "no number", "a name that paints"],
)
def test_extremes_that_are_read_are_taken(given):
    results = Results.from_json(changed(**given))
    take_every_step(results)
