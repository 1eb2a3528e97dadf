"""Photos with rubbish beside their pixels, and those of the largest cameras."""

import io
import struct
import sys
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from drawn import corners_upright, draw_picture
from PIL import Image

from dancepipe.building.photos import photo_files
from dancepipe.errors import BadImageError
from dancepipe.media import image
from dancepipe.media.image import load_photo

SIZE_WH = (80, 60)
QUARTER_TURN = (0x112, 3, 1, struct.pack("<H", 6))


def exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """A block of tag, type, count and value, as they are; values of more than 4 bytes behind."""
    lines, behind = [], b""
    for tag, kind, count, value in entries:
        if len(value) > 4:
            place = 14 + 12 * len(entries) + len(behind)
            behind += value
            value = struct.pack("<I", place)
        lines.append(struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0"))
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + b"".join(lines) + bytes(4) + behind


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def chunk(kind: bytes, body: bytes, is_whole: bool = True) -> bytes:
    check = zlib.crc32(kind + body) ^ (not is_whole)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def write_lying(path, kind: str, beside: Sequence[bytes]) -> None:
    """The drawn picture turned on its side, with something before its pixels."""
    lying = np.ascontiguousarray(np.rot90(draw_picture(5, SIZE_WH)))
    buffer = io.BytesIO()
    Image.fromarray(lying).save(buffer, kind, quality=95)
    data, head = buffer.getvalue(), 2 if kind == "JPEG" else 33
    path.write_bytes(data[:head] + b"".join(beside) + data[head:])


WRONG_TAGS = {
    "resolution as text": (QUARTER_TURN, (0x11A, 2, 6, b"72dpi\0"), (0x128, 3, 1, b"\2\0")),
    "resolution by zero": (QUARTER_TURN, (0x11A, 5, 1, struct.pack("<II", 72, 0))),
    "date as a number": (QUARTER_TURN, (0x132, 4, 1, struct.pack("<I", 5))),
    "two places of the EXIF": (QUARTER_TURN, (0x8769, 4, 2, struct.pack("<II", 26, 26))),
    "a place as text": (QUARTER_TURN, (0x8769, 2, 6, b"hello\0")),
    "a type that is none": (QUARTER_TURN, (0x132, 77, 9, b"123456789")),
    "orientation as text": ((0x112, 2, 2, b"6\0"),),
    "orientation as a byte": ((0x112, 1, 1, b"\6"),),
    "orientation twice": ((0x112, 3, 2, struct.pack("<HH", 6, 6)),),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("name", WRONG_TAGS)
def test_a_photo_with_wrongly_typed_tags_is_turned(tmp_path, kind, name):
    block = exif(*WRONG_TAGS[name])
    written = segment(0xE1, b"Exif\0\0" + block) if kind == "JPEG" else chunk(b"eXIf", block)
    write_lying(tmp_path / "a", kind, [written])
    photo = load_photo(tmp_path / "a")
    assert photo.shape == (60, 80, 3) and corners_upright(photo)


RUBBISH = {
    "JFIF cut off": ("JPEG", segment(0xE0, b"JFIF\0")),
    "Adobe cut off": ("JPEG", segment(0xEE, b"Adobe")),
    "profile cut off": ("JPEG", segment(0xE2, b"ICC_PROFILE\0")),
    "a long text": ("PNG", chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2_000_000)))),
    "a text with a wrong sum": ("PNG", chunk(b"tEXt", b"a\0b", is_whole=False)),
    "no gamma": ("PNG", chunk(b"gAMA", b"\1")),
    "no animation": ("PNG", chunk(b"acTL", b"\0")),
}


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_beside_the_pixels_is_left_out_and_said(tmp_path, name):
    kind, rubbish = RUBBISH[name]
    block = exif(QUARTER_TURN)
    turn = segment(0xE1, b"Exif\0\0" + block) if kind == "JPEG" else chunk(b"eXIf", block)
    write_lying(tmp_path / "a", kind, [rubbish, turn])
    said = []
    photo = load_photo(tmp_path / "a", said.append)
    assert photo.shape == (60, 80, 3) and corners_upright(photo)
    assert len(said) == 1 and "beside its pixels is damaged" in said[0]


def test_damaged_pixels_stay_an_error(tmp_path):
    write_lying(tmp_path / "a", "PNG", [chunk(b"gAMA", b"\1")])
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadImageError, match="damaged or cut off"):
        load_photo(tmp_path / "a")


@pytest.mark.parametrize("most, part", [(80 * 60 - 1, 2), (80 * 60 // 4 - 1, 4)])
@pytest.mark.parametrize("settings", [{}, {"progressive": True}])
def test_the_largest_photos_are_read_smaller_and_said(tmp_path, monkeypatch, most, part, settings):
    monkeypatch.setattr(image, "MOST_PIXELS", most)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's own limit, of 179 megapixels
    lying = np.rot90(draw_picture(5, SIZE_WH))
    block = b"Exif\0\0" + exif(QUARTER_TURN)
    Image.fromarray(lying).save(tmp_path / "a.jpg", quality=95, exif=block, **settings)
    said = []
    photo = load_photo(tmp_path / "a.jpg", said.append)
    assert photo.shape == (60 // part, 80 // part, 3) and corners_upright(photo, 60)
    assert len(said) == 1 and f"read as {60 // part}x{80 // part}" in said[0]
    monkeypatch.setattr(image, "MOST_JPEG_PIXELS", 80 * 60 - 1)
    with pytest.raises(BadImageError, match="60x80 is more than"):
        load_photo(tmp_path / "a.jpg")


def write_heic(path) -> None:
    """The drawn picture, turned by its EXIF."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    pillow_heif.register_heif_opener()
    lying = np.ascontiguousarray(np.rot90(draw_picture(5, (160, 120))))
    Image.fromarray(lying).save(path, format="HEIF", exif=b"Exif\0\0" + exif(QUARTER_TURN))


def test_heic_is_read_with_its_extra(tmp_path):
    write_heic(tmp_path / "a.heic")
    photo = load_photo(tmp_path / "a.heic")
    assert photo.shape == (120, 160, 3) and corners_upright(photo)


def test_heic_without_its_extra_is_one_line_and_nothing_is_left_out_silently(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.HEIC").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(100))
    assert photo_files(tmp_path) == [tmp_path / "a.HEIC"]
    with pytest.raises(BadImageError, match=r"HEIC.*dancepipe\[heif\].*JPEG"):
        load_photo(tmp_path / "a.HEIC")
