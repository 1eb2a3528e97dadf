"""npz files that anybody may have written: sizes and kinds are looked at before memory is taken."""

import ast
import math
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from dancepipe.files.plain_text import plain_words

MOST_BYTES = 512 << 20
_KINDS = "biufSU"  # numbers and plain text; objects would be unpickled
_LONGEST_HEADER = 10_000


def read_npz(
    path: Path, names: Collection[str] | None = None, most_bytes: int = MOST_BYTES
) -> dict[str, np.ndarray]:
    """The arrays of those names, all for None.

    OSError when the file cannot be read, ValueError with the place for whatever is no whole npz
    file, lacks one of the names, holds objects, or would take more than most_bytes.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is no plain file")
    try:
        with zipfile.ZipFile(path) as archive:
            there = {
                info.filename.removesuffix(".npy"): info
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            }
            wanted = list(there) if names is None else list(names)
            if lacking := [name for name in wanted if name not in there]:
                raise ValueError(f"it holds no '{lacking[0]}'")
            size_bytes = sum(there[name].file_size for name in wanted)
            if size_bytes > most_bytes:
                raise ValueError(f"its arrays would take {size_bytes >> 20} MiB, too much")
            return {name: _array(archive, there[name], name) for name in wanted}
    except (zipfile.BadZipFile, EOFError, zlib.error, struct.error) as error:
        raise ValueError(f"it is no whole npz file ({plain_words(error)})") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted; a compression unknown here
        raise ValueError(f"it cannot be unpacked ({plain_words(error)})") from error


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> np.ndarray:
    with archive.open(info) as file:
        assert isinstance(file, zipfile.ZipExtFile)
        shape, is_fortran, dtype = _header(file, name)
        if dtype.kind not in _KINDS:
            raise ValueError(f"'{name}' holds no plain numbers ({dtype})")
        needed = math.prod(shape) * dtype.itemsize
        if needed != info.file_size - file.tell():
            raise ValueError(f"'{name}' says {needed} bytes and has {info.file_size - file.tell()}")
        array = np.empty(needed, np.uint8)
        view, at = memoryview(array.data), 0
        while at < needed:
            count = file.readinto(view[at:])
            if not count:
                raise ValueError(f"'{name}' ends too early")
            at += count
        if file.read(1):  # also looks at the checksum
            raise ValueError(f"'{name}' does not end where it should")
    return (
        array.view(dtype).reshape(shape, order="F" if is_fortran else "C")
        if needed
        else (np.empty(shape, dtype))
    )


def _header(file, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and dtype. ValueError."""
    try:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("no array")
        version = file.read(2)
        size = (
            struct.unpack("<H", file.read(2))
            if version == b"\1\0"
            else (struct.unpack("<I", file.read(4)))
        )
        if size[0] > _LONGEST_HEADER:
            raise ValueError("its header is too long")
        words = ast.literal_eval(file.read(size[0]).decode("utf-8"))
        shape, is_fortran = words["shape"], words["fortran_order"]
        dtype = np.dtype(words["descr"])
    except (ValueError, KeyError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"the header of '{name}' is damaged ({plain_words(error)})") from error
    whole = isinstance(shape, tuple) and all(type(side) is int and 0 <= side for side in shape)
    if not whole or len(shape) > 32 or type(is_fortran) is not bool:
        raise ValueError(f"the header of '{name}' is damaged")
    return shape, is_fortran, dtype
