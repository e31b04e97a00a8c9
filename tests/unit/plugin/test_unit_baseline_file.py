"""The stored rows: which file is whose, what is read, and that an update keeps all that did not move byte for byte."""

import errno
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_dsocr import Device, Results, ResultsError, Row, Verdict, baseline_file, baseline_lock, files
from pytest_dsocr.baseline_file import Baseline
from pytest_dsocr.baseline_text import row_texts
from pytest_dsocr.row import AgainstBaseline, Change, Term

META = Device("meta", torch="2.13.0")
H200 = Device("cuda", "NVIDIA H200", "9.0", "570.1", "2.13.0", "12.8")
HERE = ({"torch": "2.13.0"},)


@pytest.fixture
def run_of(make_row):
    """Make the results of a run that measured figures, each in a case of its own, ``a`` to ``z``."""

    def make(*figures, environments=HERE, **given):
        rows = (make_row(case=chr(97 + at), measured=one, rtol=0.3, **given) for at, one in enumerate(figures))
        return Results(tuple(rows), environments=environments)

    return make


def fail_with(code):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    return fail


# --- which file is whose ---


@pytest.mark.parametrize(
    ("device", "starts"),
    [
        (META, "meta-torch-2.13.0-"),
        (H200, "cuda-nvidia-h200-torch-2.13.0-"),
        (replace(H200, name="../../etc/x"), "cuda-..-..-etc-x-torch-2.13.0-"),
        (replace(H200, name="Ω\n" * 300), "cuda-torch-2.13.0-"),
        (replace(H200, name="long" * 300), "cuda-longlong"),
    ],
    ids=["meta", "a card", "a path for a name", "no letters", "a long name"],
)
def test_a_device_has_a_file_of_its_own_in_a_folder(tmp_path, device, starts):
    file = Baseline(tmp_path).file_of(device)
    assert file.parent == tmp_path
    assert file.name.startswith(starts)
    assert len(file.name) < 100
    assert re.fullmatch(r"[a-z0-9.-]+\.json", file.name)


@pytest.mark.parametrize("field", ["type", "name", "capability", "driver", "torch", "cuda"])
def test_devices_that_differ_at_all_have_different_files(tmp_path, field):
    baseline = Baseline(tmp_path)
    assert baseline.file_of(H200) != baseline.file_of(replace(H200, **{field: "other"}))


@pytest.mark.parametrize(
    ("name", "is_file"),
    [
        ("rows.json", True),
        ("kept", True),
        ("folder", False),
        ("folder.json", False),
        ("new.json", True),
        ("new", False),
    ],
)
def test_what_is_there_decides_and_else_the_ending(tmp_path, name, is_file):
    for folder in ("folder", "folder.json"):
        (tmp_path / folder).mkdir()
    for file in ("rows.json", "kept"):
        (tmp_path / file).write_text(Results().to_json(), encoding="utf-8")
    file = Baseline(tmp_path / name).file_of(META)
    assert (file == tmp_path / name) is is_file
    assert is_file or file.parent == tmp_path / name


@pytest.mark.parametrize("name", ["pipe", "pipe.json"])
def test_a_pipe_is_no_baseline(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ResultsError, match=r"pipe(\.json)?: is no regular file, allowed is a text file$"):
        Baseline(tmp_path / name).rows_of(META)


def test_a_name_that_no_file_has_is_refused(tmp_path):
    with pytest.raises(ResultsError, match=r"cannot be read: File name too long$"):
        Baseline(tmp_path / ("x" * 5000)).rows_of(META)


# --- what is read ---


def test_nothing_is_stored_where_there_is_no_file(tmp_path):
    baseline = Baseline(tmp_path / "baselines")
    assert (baseline.rows_of(META), baseline.others_in(META), baseline.files()) == ({}, (), ())


def test_of_a_file_of_several_devices_each_gets_its_own(tmp_path, run_of):
    path = tmp_path / "rows.json"
    ours, theirs = run_of(1, 2), run_of(3, device=H200)
    path.write_text(Results((*ours.rows, *theirs.rows)).to_json(), encoding="utf-8")
    baseline = Baseline(path)
    assert tuple(baseline.rows_of(META).values()) == ours.rows
    assert tuple(baseline.rows_of(H200).values()) == theirs.rows
    assert baseline.others_in(META) == (H200,)


def test_rows_of_one_key_are_refused(tmp_path, run_of):
    path = tmp_path / "rows.json"
    path.write_text(Results((*run_of(1).rows, *run_of(2).rows)).to_json(), encoding="utf-8")
    with pytest.raises(ResultsError, match=f"^{re.escape(str(path))}: rows: 2 have the key of vision.Attention, a, "):
        Baseline(path).rows_of(META)


def test_a_file_is_read_once(tmp_path, run_of):
    path = tmp_path / "rows.json"
    path.write_text(run_of(1).to_json(), encoding="utf-8")
    baseline = Baseline(path)
    before = baseline.rows_of(META)
    path.unlink()
    assert baseline.rows_of(META) == before


# --- the rows as they stand there ---


@st.composite
def layouts(draw):
    """Write a document of some rows in some layout: other blanks, other orders of keys, other ways to write a text."""
    text = st.text(st.characters(codec="utf-8"), max_size=5)
    row = st.dictionaries(text, st.one_of(text, st.integers(), st.floats(allow_nan=False), st.lists(text, max_size=2)))
    rows = draw(st.lists(row, max_size=4))
    others = {"schema": 2, "not_run": [{"test": '"rows": [{}]', "reason": "]}"}], "totals": {"rows": 1}}
    members = draw(st.permutations([*others.items(), ("rows", rows)]))
    blank = st.text(" \t\r\n", max_size=3)
    separators = (f"{draw(blank)},{draw(blank)}", f"{draw(blank)}:{draw(blank)}")
    made = json.dumps(
        dict(members),
        indent=draw(st.sampled_from([None, 0, 1, "\t"])),
        separators=separators,
        ensure_ascii=draw(st.booleans()),
    )
    return rows, f"{draw(blank)}{made}{draw(blank)}"


@given(layout=layouts())
@settings(max_examples=300)
def test_rows_are_cut_out_as_they_stand_whatever_the_layout(layout):
    rows, text = layout
    cut = row_texts(text)
    assert [json.loads(one) for one in cut] == rows
    at = 0
    for one in cut:
        at = text.index(one, at) + len(one)


# --- updates ---


def update(path, results):
    return Baseline(path).update(results)


def test_a_first_update_stores_the_rows_that_pass(tmp_path, run_of, make_row):
    passed = run_of(1, 2)
    failed = [make_row(case=verdict, verdict=verdict) for verdict in Verdict if verdict is not Verdict.PASS]
    (done,) = update(tmp_path, Results((*passed.rows, *failed), environments=HERE))
    assert done.path == Baseline(tmp_path).file_of(META)
    assert (done.stored, done.kept) == (passed.rows, 0)
    stored = Results.read(done.path)
    assert (stored.rows, stored.environments, stored.not_run) == (passed.rows, HERE, ())


def test_a_row_is_stored_on_a_line_without_terms_and_standing(tmp_path, make_row):
    terms = (Term("op", "linear", 1, 2, "call", 1, 2),)
    row = make_row(terms=terms, baseline=AgainstBaseline(Change.NEW), samples=(0.5, 0.25))
    (done,) = update(tmp_path / "rows.json", Results((row,), environments=HERE))
    (text,) = row_texts(done.path.read_text(encoding="utf-8"))
    assert "\n" not in text
    assert Results.read(done.path).rows == (replace(row, terms=(), baseline=None),)


def test_rows_stand_by_layer_case_and_metric(tmp_path, make_row):
    abouts = [("b", "y", "params"), ("a", "z", "params"), ("b", "x", "params"), ("b", "x", "launches")]
    rows = tuple(make_row(layer=layer, case=case, metric=metric) for layer, case, metric in abouts)
    (done,) = update(tmp_path / "rows.json", Results(rows))
    assert [(row.layer, row.case, row.metric) for row in Results.read(done.path).rows] == sorted(abouts)


def test_each_device_has_its_file(tmp_path, run_of):
    rows = (*run_of(1).rows, *run_of(2, device=H200).rows)
    assert {one.path.name.partition("-")[0] for one in update(tmp_path, Results(rows))} == {"meta", "cuda"}


def test_a_file_in_which_nothing_moved_is_not_touched(tmp_path, run_of):
    path = tmp_path / "rows.json"
    path.write_text(run_of(1000, 2000).to_json(), encoding="utf-8")
    before = path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino
    (done,) = update(path, run_of(1099, 1801, environments=({"torch": "2.14.0"},)))
    assert (done.stored, done.kept) == ((), 2)
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before


@given(data=st.data(), indent=st.sampled_from([None, 0, 3, "\t"]), ascii_only=st.booleans())
def test_an_update_keeps_every_row_that_did_not_move_byte_for_byte(tmp_path_factory, data, indent, ascii_only):
    path = tmp_path_factory.mktemp("update") / "rows.json"
    before = data.draw(st.dictionaries(st.sampled_from("äbcdef"), st.integers(0, 10**6), min_size=1))
    after = data.draw(st.dictionaries(st.sampled_from("äbcdefgh"), st.integers(0, 10**6)))
    document = json.loads(Results(tuple(map(row_of, before, before.values())), environments=HERE).to_json())
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    old = dict(zip(before, row_texts(path.read_text(encoding="utf-8")), strict=True))
    update(path, Results(tuple(map(row_of, after, after.values())), environments=HERE))

    moved = {case for case, now in after.items() if case not in before or 30 * abs(now - before[case]) > before[case]}
    text = path.read_text(encoding="utf-8")
    new = {row.case: stands for row, stands in zip(Results.read(path).rows, row_texts(text), strict=True)}
    assert new.keys() == before.keys() | after.keys()
    assert {case: new[case] for case in before.keys() - moved} == {case: old[case] for case in before.keys() - moved}
    assert {row.case: row.measured for row in Results.read(path).rows} == before | {case: after[case] for case in moved}


def row_of(case, measured):
    """Make a row with a tolerance of a tenth, of which a third is a thirtieth."""
    return Row(
        *("deepseek-ocr", "transformers", "sdpa", "bfloat16", "vision.Attention", case, "tensor_flops", META),
        sizes={"batch": 1},
        predicted=measured,
        measured=measured,
        difference=0,
        relative_difference=None,
        spread=None,
        rtol=0.1,
        rule="[default] tensor_flops",
        because="",
        verdict=Verdict.PASS,
        reason="",
        test="tests/test_it.py::test",
    )


def test_rows_of_a_file_of_schema_1_are_kept_byte_for_byte(tmp_path, pytestconfig, run_of):
    path = tmp_path / "rows.json"
    path.write_bytes((pytestconfig.rootpath / "tests/data/rows_schema_1.json").read_bytes())
    before, old = row_texts(path.read_text(encoding="utf-8")), Results.read(path)
    (done,) = update(path, run_of(1))
    assert (len(done.stored), done.kept) == (1, len(before))
    assert {*before} < {*row_texts(path.read_text(encoding="utf-8"))}
    assert Results.read(path).environments == (*old.environments, *HERE)


def test_rows_of_other_devices_in_a_file_stay(tmp_path, run_of):
    path = tmp_path / "rows.json"
    path.write_text(Results((*run_of(1).rows, *run_of(1, device=H200).rows)).to_json(), encoding="utf-8")
    update(path, run_of(5))
    assert {row.device.type: row.measured for row in Results.read(path).rows} == {"meta": 5, "cuda": 1}


def test_the_versions_of_all_rows_that_stand_there_are_kept_once(tmp_path, run_of):
    path, later = tmp_path / "rows.json", ({"torch": "2.14.0"},)
    update(path, run_of(1, 2))
    update(path, run_of(1, 5, environments=later))
    update(path, run_of(1, 9, environments=later))
    assert Results.read(path).environments == (*HERE, *later)
    update(path, run_of(7, 90, environments=later))
    assert Results.read(path).environments == later


@pytest.mark.parametrize(
    ("before", "now", "known"),
    [
        pytest.param({"platform": "Linux-6.1"}, {"platform": "Linux-6.2"}, 1, id="another build of the kernel"),
        pytest.param({"platform": "Linux-6.1"}, {"platform": "macOS-15"}, 2, id="another system"),
        pytest.param({"numpy": "2.3"}, {"numpy": "2.4"}, 2, id="another numpy"),
        pytest.param({"torch": "2.13.0+cpu"}, {"torch": "2.13.0+cu128"}, 2, id="another build of torch"),
        pytest.param({"torch": "2.12.0"}, {}, 1, id="a torch that no row is of"),
    ],
)
def test_versions_that_no_row_can_be_of_go_with_an_update(tmp_path, run_of, before, now, known):
    usual = {"torch": "2.13.0", "platform": "Linux-6.1", "numpy": "2.4"}
    update(tmp_path / "rows.json", run_of(1, 2, environments=({**usual, **before},)))
    update(tmp_path / "rows.json", run_of(1, 9, environments=({**usual, **now},)))
    environments = Results.read(tmp_path / "rows.json").environments
    assert len(environments) == known
    assert environments[-1] == {**usual, **now}


def test_versions_stay_as_they_are_where_nothing_moved(tmp_path, run_of):
    path = tmp_path / "rows.json"
    update(path, run_of(1, environments=({"torch": "2.12.0"}, *HERE)))
    before = path.read_bytes()
    update(path, run_of(1, environments=({"torch": "2.13.0", "numpy": "2.5"},)))
    assert path.read_bytes() == before


def test_two_rows_of_one_key_store_nothing(tmp_path, run_of):
    with pytest.raises(ResultsError, match=r"^the run: rows: 2 have the key of"):
        update(tmp_path / "rows.json", Results((*run_of(1).rows, *run_of(2).rows)))
    assert not [*tmp_path.iterdir()]


# --- without loss ---


@pytest.fixture
def stored(tmp_path, run_of):
    """Make a folder of baselines with a file for each of two devices."""
    folder = tmp_path / "baselines"
    folder.mkdir()
    update(folder, Results((*run_of(1).rows, *run_of(1, device=H200).rows), environments=HERE))
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("owner", "name", "code"),
    [
        pytest.param(os, "fsync", errno.ENOSPC, id="a full disk"),
        pytest.param(Path, "replace", errno.EACCES, id="a rename that is denied"),
        pytest.param(Path, "open", errno.EACCES, id="a file that takes no writing"),
        pytest.param(files.tempfile, "NamedTemporaryFile", errno.EROFS, id="a folder that takes no file"),
    ],
)
def test_what_cannot_be_written_stays_as_it_was(stored, run_of, monkeypatch, owner, name, code):
    before = contents(stored)
    baseline, run = Baseline(stored), Results((*run_of(9).rows, *run_of(9, device=H200).rows))
    fail, kept = fail_with(code), Path.open
    if owner is Path and name == "open":
        monkeypatch.setattr(
            Path, "open", lambda path, mode="r", **by: (kept if mode == "rb" else fail)(path, mode, **by)
        )
    else:
        monkeypatch.setattr(owner, name, fail)
    with pytest.raises(ResultsError, match=f"cannot be written: {os.strerror(code)}$"):
        baseline.update(run)
    monkeypatch.undo()
    assert contents(stored) == before


def test_if_one_file_cannot_be_written_none_is(stored, run_of):
    before = contents(stored)
    Baseline(stored).file_of(H200).unlink()
    Baseline(stored).file_of(H200).mkdir()
    with pytest.raises(ResultsError, match=r"is a folder, allowed is a text file$"):
        update(stored, Results((*run_of(9).rows, *run_of(9, device=H200).rows)))
    meta = Baseline(stored).file_of(META)
    assert meta.read_bytes() == before[meta.name]


def test_a_file_that_is_broken_is_kept(stored, run_of):
    file = Baseline(stored).file_of(META)
    file.write_text(file.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    before = contents(stored)
    with pytest.raises(ResultsError, match=f"^{re.escape(str(file))}: is no JSON"):
        update(stored, run_of(9))
    assert contents(stored) == before


def test_a_path_is_found_writable_before_anything_runs_and_left_as_it_is(stored, tmp_path):
    before = contents(stored)
    for path in (stored, tmp_path / "new.json", *stored.iterdir()):
        Baseline(path).check_writable()
    assert contents(stored) == before
    assert not (tmp_path / "new.json").exists()


def test_a_new_folder_is_made_before_anything_runs(tmp_path):
    Baseline(tmp_path / "new" / "baselines").check_writable()
    assert (tmp_path / "new" / "baselines").is_dir()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param("file/baselines", "cannot be made: Not a directory", id="below a file"),
        pytest.param("missing/rows.json", "is no folder", id="in a folder that is missing"),
        pytest.param("pipe", "is no regular file", id="a pipe"),
    ],
)
def test_a_path_that_could_not_be_updated_is_refused_before_anything_runs(tmp_path, path, said):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ResultsError, match=said):
        Baseline(tmp_path / path).check_writable()


def test_a_device_s_file_that_takes_no_writing_is_refused_before_anything_runs(stored, monkeypatch):
    monkeypatch.setattr(Path, "open", fail_with(errno.EACCES))
    with pytest.raises(ResultsError, match=r"\.json: cannot be written: Permission denied$"):
        Baseline(stored).check_writable()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_disk_that_fills_up_while_the_second_file_is_written_changes_neither(stored, run_of, monkeypatch):
    """The second temporary file stands on a device that takes nothing."""
    before, opened = contents(stored), []
    make = files.tempfile.NamedTemporaryFile

    def filling_up(*args, **given):
        if not given.get("delete", True):
            opened.append(given["prefix"])
        file = make(*args, **given)
        if len(opened) == 2 and not given.get("delete", True):
            os.dup2(os.open("/dev/full", os.O_WRONLY), file.fileno())
        return file

    monkeypatch.setattr(files.tempfile, "NamedTemporaryFile", filling_up)
    with pytest.raises(ResultsError, match=f"cannot be written: {os.strerror(errno.ENOSPC)}$"):
        update(stored, Results((*run_of(9).rows, *run_of(9, device=H200).rows)))
    assert len(opened) == 2
    assert contents(stored) == before


# --- one at a time ---


@pytest.mark.parametrize("name", ["the folder", "the file", "a link to the folder"])
def test_another_run_that_does_not_end_is_told_by_whatever_name(stored, run_of, monkeypatch, name):
    """The second one begins when the first one writes."""
    file = Baseline(stored).file_of(META)
    link = stored.with_name("link")
    link.symlink_to(stored)
    other = {"the folder": stored, "the file": file, "a link to the folder": link}[name]
    monkeypatch.setattr(baseline_lock, "LOCK_TIMEOUT_S", 0)
    monkeypatch.setattr(baseline_file, "write_texts_atomically", lambda texts: update(other, run_of(10)))
    before = contents(stored)
    with pytest.raises(ResultsError, match=rf"{re.escape(file.name)}: another run has been updating it for 0 s$"):
        update(stored, run_of(9))
    assert contents(stored) == before


UPDATES = """
import sys
from pathlib import Path
from pytest_dsocr import Results
from pytest_dsocr.baseline_file import Baseline
for rows in sys.argv[2:]:
    Baseline(Path(sys.argv[1])).update(Results.read(Path(rows)))
"""


def test_of_many_runs_at_once_each_stores_its_rows(tmp_path, make_row):
    """Four processes, half of which name the folder and half the file, each with six rows of its own, one at a time."""
    folder = tmp_path / "baselines"
    folder.mkdir()
    cases = [[f"{process} {number}" for number in range(6)] for process in "abcd"]
    for case in (one for of_process in cases for one in of_process):
        (tmp_path / case).write_text(Results((make_row(case=case),)).to_json(), encoding="utf-8")
    names = [folder, Baseline(folder).file_of(META)] * 2
    runs = [
        subprocess.Popen([sys.executable, "-c", UPDATES, name, *of_process], cwd=tmp_path)
        for name, of_process in zip(names, cases, strict=True)
    ]
    assert [run.wait(timeout=120) for run in runs] == [0] * 4
    (file,) = folder.iterdir()
    assert sorted(row.case for row in Results.read(file).rows) == sorted(
        one for of_process in cases for one in of_process
    )


def test_a_lock_that_cannot_be_made_is_told(stored, run_of, monkeypatch):
    monkeypatch.setattr(baseline_lock.tempfile, "gettempdir", lambda: "/dev/null")
    with pytest.raises(ResultsError, match=r"\.lock: cannot be locked: "):
        update(stored, run_of(9))
