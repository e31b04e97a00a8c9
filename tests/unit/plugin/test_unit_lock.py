"""One measurement at a time on a device, among processes; who dies lets go."""

import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from pytest_dsocr.errors import MeasurementError
from pytest_dsocr.measure import device, lock
from pytest_dsocr.measure.device import free_card
from pytest_dsocr.measure.lock import first_free, lock_folder, lock_key, one_at_a_time

HOLDER = """
import sys
from pathlib import Path

from pytest_dsocr.measure.lock import one_at_a_time

with one_at_a_time(sys.argv[2], timeout_s=0, folder=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "locks"


@pytest.fixture
def held_elsewhere(folder):
    """Hold a device's lock in another process, until the block ends or somebody kills it."""

    @contextmanager
    def hold(key):
        command = [sys.executable, "-c", HOLDER, str(folder), key]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "held\n"
            yield process
            if process.poll() is None:
                process.stdin.close()

    return hold


def take(folder, key="cpu", timeout_s=0.0):
    with one_at_a_time(key, timeout_s=timeout_s, folder=folder):
        return True


def test_a_free_device_is_taken_and_given_back(folder):
    assert take(folder)
    assert take(folder)


def test_a_device_that_is_measured_on_is_refused_with_who_does(folder, held_elsewhere):
    with held_elsewhere("cpu") as process:
        told = (
            rf"^cpu is being measured by process {process.pid} since \d\d:\d\d:\d\d: waited 0 s, --dsocr-lock-timeout"
        )
        with pytest.raises(MeasurementError, match=told):
            take(folder)
        assert take(folder, "gpu-1")
    assert take(folder)


def test_a_holder_that_is_paused_is_told_as_such(folder, held_elsewhere):
    with held_elsewhere("cpu") as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        try:
            with pytest.raises(MeasurementError, match=r" since \d\d:\d\d:\d\d, which is paused: waited 0 s"):
                take(folder)
        finally:
            process.send_signal(signal.SIGCONT)


def test_who_waits_gets_the_device_when_the_other_is_done(folder, held_elsewhere):
    with held_elsewhere("cpu") as process:
        process.stdin.close()
        assert take(folder, timeout_s=30)


def test_a_killed_run_blocks_nobody(folder, held_elsewhere):
    """Its files stay behind, and mean nothing."""
    with held_elsewhere("cpu") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert {file.name for file in folder.iterdir()} == {"cpu.lock", "cpu.json"}
    assert take(folder)
    assert {file.name for file in folder.iterdir()} == {"cpu.lock"}


def test_a_measurement_that_fails_gives_the_device_back(folder):
    with pytest.raises(RuntimeError, match="lost"), one_at_a_time("cpu", timeout_s=0, folder=folder):
        raise RuntimeError("the device is lost")
    assert take(folder)


def test_all_users_may_lock(folder):
    """Whatever the umask: the folder and the file are for all, and the folder is not sticky."""
    before = os.umask(0o077)
    try:
        take(folder)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777
    assert stat.S_IMODE((folder / "cpu.lock").stat().st_mode) == 0o666


def test_who_holds_is_written_through_no_link(folder, tmp_path):
    """Somebody laid one from where the holder is written to a file of ours."""
    ours = tmp_path / "ours"
    ours.write_text("precious", encoding="utf-8")
    folder.mkdir()
    (folder / "cpu.json").symlink_to(ours)
    with one_at_a_time("cpu", timeout_s=0, folder=folder):
        assert json.loads((folder / "cpu.json").read_text(encoding="utf-8"))["pid"] == os.getpid()
    assert ours.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"pid": "\\u001b[31m", "since": 0}', '{"pid": 1, "since": 1e99}'],
    ids=["nothing", "no JSON", "a list", "colours", "no time"],
)
def test_what_does_not_say_who_holds_is_another_process(folder, held_elsewhere, content):
    with held_elsewhere("cpu"):
        (folder / "cpu.json").write_text(content, encoding="utf-8")
        with pytest.raises(MeasurementError, match="measured by another process: waited"):
            take(folder)


@pytest.mark.parametrize("what", ["file", "link"])
def test_a_folder_that_is_none_is_refused(folder, tmp_path, what):
    if what == "file":
        folder.touch()
    else:
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MeasurementError, match="is no folder, allowed is one that all users can write to"):
        take(folder)


def test_the_folder_is_the_machines_whatever_tmpdir_says(monkeypatch, tmp_path):
    before = lock_folder()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert lock_folder() == before


# --- which device ---


@pytest.fixture
def cards(monkeypatch, folder):
    """Pretend that this machine has so many cards, and locks in a folder of its own."""

    def pretend(count):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(device, "card_of", lambda name: SimpleNamespace(uuid=f"uuid-{name}"))
        monkeypatch.setattr(lock, "lock_folder", lambda: folder)

    return pretend


def test_a_card_is_locked_by_its_uuid_and_the_cpu_as_a_whole(cards):
    cards(2)
    assert [lock_key(name) for name in ("cpu", "cuda:1")] == ["cpu", "gpu-uuid-cuda:1"]


def test_the_first_free_device_is_taken(folder, held_elsewhere):
    with held_elsewhere("a"):
        assert first_free(["a", "b", "c"], folder=folder) == 1
        assert first_free(["a"], folder=folder) == 0  # the one that there is, to wait for
    assert first_free(["a", "b"], folder=folder) == 0


def test_workers_spread_over_the_cards(cards):
    cards(2)
    assert [free_card(worker) for worker in range(4)] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]


def test_a_worker_takes_another_card_while_its_own_is_measured_on(cards, held_elsewhere):
    cards(3)
    with held_elsewhere("gpu-uuid-cuda:2"):
        assert free_card(2) == "cuda:0"


def test_one_card_is_shared_without_a_look(cards):
    cards(1)
    assert free_card(5) == "cuda:0"
