"""Text files that people write for us: what is read, and what is refused before it is read without end."""

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost import DeepseekOCRConfig, DsocrError
from dsocr_cost.device import find_device, load_devices
from dsocr_cost.text_file import MOST_BYTES, read_text_file


class OursError(DsocrError):
    pass


def read(path):
    return read_text_file(path, OursError)


def test_text_is_read_as_it_stands(tmp_path):
    path = tmp_path / "ours.txt"
    path.write_bytes("größer\r\n".encode())
    assert read(path) == read(str(path)) == "größer\r\n"


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "ours.txt"
    path.write_bytes(b"\xef\xbb\xbfname")
    assert read(path) == "name"


def test_a_mebibyte_is_read_and_a_byte_more_is_not(tmp_path):
    path = tmp_path / "ours.txt"
    path.write_bytes(b" " * MOST_BYTES)
    assert len(read(path)) == 2**20
    path.write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(OursError, match=f"^{re.escape(f'{path}: is too large: allowed are at most 1,048,576 bytes')}$"):
        read(path)


def test_of_a_huge_file_no_more_is_read(tmp_path):
    path = tmp_path / "ours.txt"
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(OursError, match="is too large"):
        read(path)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        pytest.param("folder", "is a folder, allowed is a text file", id="a folder"),
        pytest.param("pipe", "is no regular file, allowed is a text file", id="a pipe that nobody writes to"),
        pytest.param("endless", "is no regular file, allowed is a text file", id="a link to a device without end"),
        pytest.param("missing", "cannot be read: No such file or directory", id="missing"),
        pytest.param("x" * 300, "cannot be read: File name too long", id="a name that no file has"),
        pytest.param("latin", "is no UTF-8: 'utf-8' codec can't decode byte 0xff in position 0", id="latin letters"),
    ],
)
def test_what_is_no_text_file_is_refused_with_its_path(tmp_path, name, what):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(OursError, match=f"^{re.escape(f'{tmp_path / name}: {what}')}"):
        read(tmp_path / name)


def test_a_path_that_would_break_the_line_is_quoted():
    with pytest.raises(OursError, match=r"^'a\\nb': cannot be read: No such file or directory$"):
        read("a\nb")


@given(path=st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda path: "/" not in path))
def test_any_path_is_an_error_of_ours_in_one_line(path):
    with pytest.raises(OursError) as caught:
        read(f"/dev/null/{path}")
    assert len(str(caught.value).splitlines()) == 1


def test_devices_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[[device]]\nname = "Bench"\n', encoding="utf-8-sig")
    assert find_device("bench", load_devices(path)).name == "Bench"


def test_a_config_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"vision_config": 3}', encoding="utf-8-sig")
    with pytest.raises(DsocrError, match=r": vision_config: got 3, allowed is an object with keys$"):
        DeepseekOCRConfig.from_hf(path)
