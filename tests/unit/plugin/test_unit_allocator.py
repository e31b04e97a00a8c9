"""Freed memory stays with a process that measures on its CPU."""

import json
import platform
import subprocess
import sys

import pytest

from pytest_dsocr.measure import allocator

PROBE = """
import json, sys
import torch
from pytest_dsocr.measure.allocator import keep_freed_memory, page_faults

kept = sys.argv[1] == "kept" and keep_freed_memory()
faults = []
for _ in range(8):
    before = page_faults()
    torch.ones(64 * 2**20, dtype=torch.uint8)
    faults.append(page_faults() - before)
print(json.dumps([kept, min(faults)]))
"""


def probe(how):
    done = subprocess.run([sys.executable, "-c", PROBE, how], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are left alone")
def test_a_block_that_was_freed_comes_back_without_page_faults():
    """64 MiB are 16,384 pages of 4 KiB, or 32 huge ones: all are faults each time, or none once it has its place."""
    kept, faults = probe("kept")
    assert kept
    assert faults < 16
    assert probe("as it is")[1] >= 32


def test_another_library_than_glibc_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not allocator.keep_freed_memory.__wrapped__()
