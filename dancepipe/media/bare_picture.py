"""Pictures without what is written beside their pixels: Pillow gives up on some of it."""

import struct
from collections.abc import Iterator
from contextlib import suppress

_PNG_START = b"\x89PNG\r\n\x1a\n"
_EXIF, _ADOBE, _ICC = b"Exif\0\0", b"Adobe", b"ICC_PROFILE\0"
_PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def bare_picture(data: bytes) -> tuple[bytes, bytes | None] | None:
    """The file with its pixels, its colour profile and nothing more, and the EXIF that it had.

    None for what is neither JPEG nor PNG, or ends in the middle of a header.
    """
    with suppress(struct.error, IndexError):
        if data[:3] == b"\xff\xd8\xff":
            return _bare_jpeg(data)
        if data[:8] == _PNG_START:
            return _bare_png(data)
    return None


def _bare_jpeg(data: bytes) -> tuple[bytes, bytes | None]:
    kept, exif, place = [data[:2]], None, 2
    while data[place + 1] != 0xDA:  # the pixels follow
        (length,) = struct.unpack_from(">H", data, place + 2)
        marker, body = data[place + 1], data[place + 4 : place + 2 + length]
        if marker == 0xE1 and body.startswith(_EXIF):
            exif = exif or body
        is_used = (
            marker not in (*range(0xE0, 0xF0), 0xFE)
            or (marker == 0xEE and body.startswith(_ADOBE) and len(body) >= 12)
            or (marker == 0xE2 and body.startswith(_ICC) and len(body) > 14)
        )
        if is_used:
            kept.append(data[place : place + 2 + length])
        place += 2 + length
        while data[place : place + 2] == b"\xff\xff":  # padding
            place += 1
    return b"".join([*kept, data[place:]]), exif


def _bare_png(data: bytes) -> tuple[bytes, bytes | None]:
    kept, exif = [_PNG_START], None
    for kind, body, whole in _chunks(data):
        if kind == b"eXIf":
            exif = exif or _EXIF + body
        if kind in _PNG_PIXELS or (kind == b"iCCP" and b"\0\0" in body[:81]):
            kept.append(whole)
    return b"".join(kept), exif


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Kind, content and the whole of each chunk."""
    place = len(_PNG_START)
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, data[place + 8 : place + 8 + length], data[place : place + 12 + length]
        place += 12 + length
