"""Cold and warm caches: how large they are, and what is written before a run."""

from types import SimpleNamespace

import pytest
import torch

from pytest_dsocr.measure.cache import TIMES_THE_CACHE, UNKNOWN_BYTES, evictor, last_level_bytes


@pytest.fixture
def caches(tmp_path):
    """Write what Linux tells of a CPU's caches, a folder for each."""

    def write(*sizes):
        for index, size in enumerate(sizes):
            (tmp_path / f"index{index}").mkdir()
            (tmp_path / f"index{index}/size").write_text(size, encoding="ascii")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        pytest.param(("32K\n", "1024K\n", "32768K\n"), 32 * 2**20, id="three levels"),
        pytest.param(("2M\n",), 2 * 2**20, id="in MiB"),
        pytest.param(("4096\n",), 4096, id="in bytes"),
        pytest.param((), UNKNOWN_BYTES, id="none told"),
        pytest.param(("", "large\n"), UNKNOWN_BYTES, id="unreadable"),
    ],
)
def test_the_last_level_of_a_cpu_is_its_largest(caches, sizes, found):
    assert last_level_bytes("cpu", caches(*sizes)) == found


def test_the_last_level_of_a_card_is_its_l2(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(L2_cache_size=96 * 2**20))
    assert last_level_bytes("cuda:0") == 96 * 2**20


def test_cold_reads_and_writes_several_times_the_cache(monkeypatch):
    monkeypatch.setattr("pytest_dsocr.measure.cache.last_level_bytes", lambda device: 1024)
    evict = evictor("cold", "cpu")
    first, second = evict().clone(), evict()
    assert second.nbytes == TIMES_THE_CACHE * 1024
    assert torch.equal(second, first + 1)


def test_warm_touches_nothing():
    assert evictor("warm", "cpu")() is None
