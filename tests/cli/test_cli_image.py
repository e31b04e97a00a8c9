"""``--image``: the size of real files from their headers, and files that have none."""

import io
import os
import struct
import tracemalloc
import warnings
import zlib

import pytest
from PIL import Image

from dsocr_cost.workload import MODES, crop_grid
from pytest_dsocr.cli.image import ImageError, image_size


def encoded(kind, width, height, orientation=None, **options):
    image, file = Image.new("RGB", (width, height), "white"), io.BytesIO()
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height):
    """Write a PNG by hand: its header may claim any size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def exif_without_an_end():
    """Write a JPEG whose thumbnail, in the header, is whole, and which is cut off itself."""
    whole = encoded("JPEG", 300, 200)
    thumbnail = b"Exif\x00\x00" + encoded("JPEG", 16, 16)
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    return whole[:2] + segment + whole[2:-2]


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "page"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("orientation", "shown"),
    [
        pytest.param(None, (1700, 2200), id="without EXIF"),
        *(pytest.param(one, (1700, 2200), id=f"orientation {one}") for one in (1, 2, 3, 4)),
        *(pytest.param(one, (2200, 1700), id=f"orientation {one}, on its side") for one in (5, 6, 7, 8)),
        pytest.param(9, (1700, 2200), id="orientation 9, which does not exist"),
    ],
)
def test_the_grid_is_that_of_the_image_as_it_is_shown(cost, written, kind, orientation, shown):
    path = written(encoded(kind, 1700, 2200, orientation))
    assert image_size(path) == shown
    assert cost("--image", path)["workload"]["grid"] == list(crop_grid(*shown, MODES["gundam"]))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(encoded("JPEG", 70, 50, progressive=True), id="progressive JPEG"),
        pytest.param(encoded("JPEG", 70, 50) + bytes(100), id="JPEG with bytes behind its end"),
        pytest.param(encoded("PNG", 70, 50) + bytes(100), id="PNG with bytes behind its end"),
        pytest.param(encoded("JPEG", 70, 50, exif=b"Exif\x00\x00broken"), id="JPEG with damaged EXIF"),
        pytest.param(png(70, 50), id="PNG without pixels, which nobody decodes"),
    ],
)
def test_the_header_alone_is_read(written, content):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert image_size(written(content)) == (70, 50)
    assert not caught


def test_a_large_image_is_read_without_a_warning_and_without_its_pixels(written):
    before = Image.MAX_IMAGE_PIXELS
    path = written(png(65_535, 65_535))  # 4.3e9 pixels: Image.open would refuse them
    tracemalloc.start()
    try:
        assert image_size(path) == (65_535, 65_535)
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_a_camera_writes_behind_the_pixels_is_no_cut(written, kind):
    """A film of a megabyte behind the end marker."""
    assert image_size(written(encoded(kind, 1700, 2200) + bytes(1_000_000))) == (1700, 2200)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "starts with b''", id="empty"),
        pytest.param(b"%PDF-1.7\n" + bytes(100), "allowed are PNG and JPEG", id="no image"),
        pytest.param(encoded("GIF", 70, 50), "allowed are PNG and JPEG", id="another format"),
        pytest.param(png(100_000, 100_000), "got 100,000 x 100,000 pixels", id="100,000 x 100,000"),
        pytest.param(png(65_536, 1), "allowed are 1 to 65,535 a side", id="one pixel too many"),
        pytest.param(png(0, 50), "0 pixels", id="no columns"),
        pytest.param(png(70, 0), "0 pixels", id="no rows"),
        pytest.param(encoded("PNG", 70, 50)[:8], "is a PNG whose header is cut off", id="PNG, its signature"),
        pytest.param(encoded("PNG", 70, 50)[:20], "is a PNG whose header is cut off", id="PNG, cut in its header"),
        pytest.param(encoded("PNG", 70, 50)[:-12], "is a PNG that is cut off", id="PNG, its end chunk is missing"),
        pytest.param(encoded("JPEG", 70, 50)[:3], "is a JPEG", id="JPEG, its signature"),
        pytest.param(encoded("JPEG", 70, 50)[:100], "is a JPEG", id="JPEG, cut in its header"),
        pytest.param(encoded("JPEG", 70, 50)[:-2], "is a JPEG that is cut off", id="JPEG, its end marker is missing"),
        pytest.param(exif_without_an_end(), "is a JPEG that is cut off", id="JPEG, only its thumbnail ends"),
    ],
)
def test_what_is_no_whole_image_exits_with_2_and_says_why(run, written, content, says):
    path = written(content)
    result = run("cost", "--image", path)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: --image: {path}: ")
    assert says in line


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("missing.png", "No such file or directory", id="missing"),
        pytest.param("folder", "is a folder", id="a folder"),
        pytest.param("pipe", "is no regular file", id="a pipe, which would wait for ever"),
        pytest.param("x" * 300, "File name too long", id="a name that no file has"),
        pytest.param("file/page.png", "Not a directory", id="below a file"),
    ],
)
def test_what_is_no_file_exits_with_2_and_says_why(run, tmp_path, name, says):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    result = run("cost", "--image", tmp_path / name)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: --image: ")
    assert says in line


def test_a_file_of_more_than_4_gib_is_not_searched_for_its_end(run, written):
    path = written(encoded("PNG", 70, 50)[:-12])
    os.truncate(path, 2**32 + 1)
    result = run("cost", "--image", path)
    assert result.stderr == f"Error: --image: {path}: got 4,294,967,297 bytes, allowed are at most 4,294,967,296\n"


def test_a_file_that_may_not_be_read_says_so(written, monkeypatch):
    path = written(encoded("PNG", 70, 50))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(ImageError, match=r"^image: .*: cannot be read: Permission denied$"):
        image_size(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_file_cut_off_anywhere_is_never_taken_and_never_crashes(written, kind):
    whole = encoded(kind, 70, 50, 6)
    for length in range(len(whole) - (4 if kind == "PNG" else 0)):  # a PNG's last 4 bytes are a checksum
        with pytest.raises(ImageError):
            image_size(written(whole[:length]))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_damaged_byte_is_taken_or_refused_and_never_crashes(written, kind):
    whole = encoded(kind, 70, 50, 6)
    for index in range(len(whole)):
        for value in (0, whole[index] ^ 0x55, 255):
            path = written(whole[:index] + bytes([value]) + whole[index + 1 :])
            try:
                size = image_size(path)
            except ImageError:
                continue
            assert 1 <= min(size) <= max(size) <= 65_535
