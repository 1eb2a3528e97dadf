"""Ways to spoil a file: its bytes, the words of a text, the values of a JSON, or well-formed lies.

Each is a function of a random generator and the bytes of a sound file.
"""

import io
import json
import re
import sqlite3
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

Mutator = Callable[[Random, bytes], bytes]

_INTEGERS = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
_DEEP = "\N{REPLACEMENT CHARACTER}DEEP"
_NASTY = (
    None, True, False, 0, -1, 1, 7, 2**31, 2**63, 2**64, 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320,
    float("nan"), float("inf"), -float("inf"), "", " ", "x", "x" * 300, "x" * 70_000, "\0",
    "\ud800", "\n\x1b[2J", "null", "../../x", [], {}, [None], [[]], {"": None}, [1] * 2000,
    [[1, 2], [3]], _DEEP,
)  # fmt: skip
_WORDS = (
    "null", "~", "", "[]", "{}", "[", "{", "}", "]", '"', "'", ":", ",", "-", "?", "&a", "*a",
    "<<: *a",
    "!!binary aGk=", "!!python/none", "2020-13-45", "0x" + "f" * 20_000, "9" * 5000, "1e400", "nan",
    ".nan", "inf", "-1", "0", "1_0", "1:2:3", "true", "\t", "\0", "\ufeff", "\u2028", "\r", "\n\n",
    "x" * 40_000, "[" * 3000, "{a: " * 300, "- " * 300, "#", "|", ">", "%YAML 9", "---",
    "\U0001f600",
)  # fmt: skip
_TOKEN = re.compile(r"[\w.+-]+|[^\w\s]|\s+")


# Bytes


def flipped_bits(random: Random, data: bytes) -> bytes:
    spoiled = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        place = random.randrange(len(spoiled))
        spoiled[place] ^= 1 << random.randrange(8)
    return bytes(spoiled)


def interesting_integer(random: Random, data: bytes) -> bytes:
    """A number written over some bytes, more often near the start, where headers are."""
    size = random.choice((1, 2, 4, 8))
    value = random.choice(_INTEGERS) % 256**size
    last = max(1, len(data) - size)
    place = min(random.randrange(last), random.randrange(last)) if random.random() < 0.8 else 0
    written = value.to_bytes(size, random.choice(("little", "big")))
    return data[:place] + written + data[place + size :]


def cut_off(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data))]


def cut_out(random: Random, data: bytes) -> bytes:
    first, last = sorted((random.randrange(len(data)), random.randrange(len(data))))
    return data[:first] + data[last:]


def repeated(random: Random, data: bytes) -> bytes:
    first, last = sorted((random.randrange(len(data)), random.randrange(len(data))))
    return data[:last] + data[first:last] * random.choice((1, 2, 20)) + data[last:]


def spliced(random: Random, data: bytes) -> bytes:
    """A part of the file over another part of it."""
    length = 1 + random.randrange(min(len(data), 4096))
    source, target = (random.randrange(len(data) - length + 1) for _ in range(2))
    return data[:target] + data[source : source + length] + data[target + length :]


def padded(random: Random, data: bytes) -> bytes:
    more = random.choice((b"\0", b"\xff", b"\n", data[:16])) * random.choice((1, 64, 5000))
    return more + data if random.random() < 0.3 else data + more


BYTES = (flipped_bits, interesting_integer, cut_off, cut_out, repeated, spliced, padded)


# Text


def other_word(random: Random, data: bytes) -> bytes:
    """Some words, signs or spaces of the text exchanged for nasty ones."""
    tokens = _TOKEN.findall(data.decode("utf-8", "replace"))
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        place = random.randrange(len(tokens))
        choice = random.random()
        if choice < 0.6:
            tokens[place] = random.choice(_WORDS)
        elif choice < 0.75:
            del tokens[place]
            if not tokens:
                return b""
        else:
            tokens.insert(place, random.choice((*_WORDS, random.choice(tokens))))
    return "".join(tokens).encode("utf-8", "surrogatepass")


def other_lines(random: Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    place = random.randrange(len(lines))
    return random.choice(
        (
            b"".join(lines[:place] + lines[place + 1 :]),
            b"".join(lines[: place + 1] + lines[place:]),
            b"".join(random.sample(lines, len(lines))),
            b"".join(lines[:place]) + lines[place] * 3000 + b"".join(lines[place:]),
            data.replace(b"\n", b"\r"),
            data.decode("utf-8", "replace").encode("utf-16"),
        )
    )


TEXT = (other_word, other_word, other_lines, flipped_bits, cut_off)


# JSON


def other_json(random: Random, data: bytes) -> bytes:
    """The same JSON with a value, a name or a place that is not as it was."""
    value = json.loads(data)
    holders = list(_holders(value))
    if not holders or random.random() < 0.05:
        return _dumped(random.choice(_NASTY))
    holder, key = random.choice(holders)
    choice = random.random()
    if choice < 0.7:
        holder[key] = random.choice(_NASTY)
    elif choice < 0.8:
        del holder[key]
    elif choice < 0.9:
        other, other_key = random.choice(holders)
        holder[key] = json.loads(json.dumps(other.get(other_key) if isinstance(other, dict) else 0))
    elif isinstance(holder, dict):
        holder[random.choice(("", "x" * 5000, "\ud800", "new"))] = holder.pop(key)
    else:
        holder += holder * random.choice((1, 50))
    return _dumped(value)


def _holders(value):
    for key, inside in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inside, (dict, list)):
            yield from _holders(inside)


def _dumped(value) -> bytes:
    text = json.dumps(value).replace(json.dumps(_DEEP), "[" * 5000 + "]" * 5000)
    return text.encode()


JSON = (other_json, other_json, other_json, other_word, other_lines, *BYTES[:3])


def other_json_line(random: Random, data: bytes) -> bytes:
    lines = data.splitlines()
    place = random.randrange(len(lines))
    lines[place] = other_json(random, lines[place])
    return b"\n".join(lines) + b"\n"


JSON_LINES = (other_json_line, other_json_line, other_word, other_lines, *BYTES[:3])


# safetensors


def other_header(random: Random, data: bytes) -> bytes:
    """A header that says something else, with its length as it then is."""
    size = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    note = header.get("__metadata__", {}).get("dancepipe")
    if note and random.random() < 0.6:
        spoiled = other_json if random.random() < 0.9 else other_word
        text = spoiled(random, note.encode()).decode("utf-8", "replace")
        header["__metadata__"]["dancepipe"] = text
        written = json.dumps(header).encode()
    elif random.random() < 0.3:
        name = random.choice([name for name in header if name != "__metadata__"])
        entry = header[name]
        entry[random.choice(("shape", "dtype", "data_offsets"))] = random.choice(
            (
                [],
                [0],
                [2**40],
                [2**62, 4],
                [-1],
                "F16",
                "I64",
                "BOOL",
                "F8_E4M3",
                "F64",
                [0, 0],
                [0, 2**63],
            )
        )
        written = json.dumps(header).encode()
    else:
        written = other_json(random, json.dumps(header).encode())
    return len(written).to_bytes(8, "little") + written + rest


def other_numbers(random: Random, data: bytes) -> bytes:
    """A tensor with numbers that are none."""
    spoiled = bytearray(data)
    place = 8 + int.from_bytes(data[:8], "little") + 4 * random.randrange(16)
    spoiled[place : place + 4] = struct.pack(
        "<f", random.choice((float("nan"), float("inf"), 3e38))
    )
    return bytes(spoiled)


SAFETENSORS = (other_header, other_header, other_header, other_numbers, *BYTES)


# npz


def other_array(random: Random, data: bytes) -> bytes:
    """An archive in which one array is another one, or only says so."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(sorted(entries))
    array = np.load(io.BytesIO(entries[name]), allow_pickle=False)
    choice = random.random()
    if choice < 0.3:
        entries[name] = _lying_header(random, array)
    elif choice < 0.4:
        del entries[name]
    elif choice < 0.5:
        entries[name] = random.choice((b"", b"\x93NUMPY", b"text", entries[name][:70]))
    else:
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, _other(random, array))
        entries[name] = buffer.getvalue()
    out = io.BytesIO()
    with zipfile.ZipFile(
        out, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    return out.getvalue()


def _lying_header(random: Random, array: np.ndarray) -> bytes:
    shape = random.choice(
        ((10**9,), (2**62,), (0,), (-1,), (2**20, 2**20), (3,) * 40, "x", (1.5,), (10**400,), None)
    )
    descr = random.choice(
        (array.dtype.str, "|O", "<f8", "<U1000000000", "|V9", "x", [("a", "<f4")])
    )
    header = repr(
        {"descr": descr, "fortran_order": random.choice((False, True, 3)), "shape": shape}
    )
    written = header.ljust(117).encode() + b"\n"
    return (
        b"\x93NUMPY\x01\0" + len(written).to_bytes(2, "little") + written + array.tobytes()[:5000]
    )


def _other(random: Random, array: np.ndarray) -> np.ndarray:
    def as_kind(kind) -> np.ndarray:
        return np.zeros(array.shape, kind) if array.dtype.kind in "US" else array.astype(kind)

    return random.choice(
        (
            lambda: array[..., None],
            lambda: array.ravel(),
            lambda: array[:0],
            lambda: array[()] if array.ndim else array[None],
            lambda: as_kind(np.float64) * np.nan,
            lambda: as_kind(np.float32) + np.float32(1e30),
            lambda: as_kind(np.int64) - 1000,
            lambda: as_kind(np.complex64),
            lambda: np.full(array.shape, "text"),
            lambda: np.zeros(array.shape, "M8[s]"),
            lambda: np.zeros(array.shape, [("a", "<f4")]),
            lambda: np.zeros((1,) * 32, array.dtype),
            lambda: np.zeros((0, 5), np.float32),
        )
    )()


def deflated_zeros(random: Random, data: bytes) -> bytes:
    """An archive of some kilobytes, one array of which has gigabytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        name = random.choice(sorted(archive.namelist()))
    count = random.choice((2, 8)) << 30
    head = io.BytesIO()
    kind = {"descr": "|u1", "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(head, kind)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(head.getvalue()) + packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed += megabyte * (count >> 20) + packer.flush()
    size = len(head.getvalue()) + count
    extra = struct.pack("<HHQQ", 1, 16, size, len(packed))
    encoded = name.encode()
    local = struct.pack(
        "<IHHHHHIIIHH",
        0x04034B50,
        45,
        0,
        8,
        0,
        33,
        0,
        2**32 - 1,
        2**32 - 1,
        len(encoded),
        len(extra),
    )
    central = struct.pack(
        "<IHHHHHHIIIHHHHHII",
        0x02014B50, 45, 45, 0, 8, 0, 33, 0, 2**32 - 1, 2**32 - 1, len(encoded), len(extra),
        0, 0, 0, 0, 0,
    )  # fmt: skip
    body = local + encoded + extra + packed
    directory = central + encoded + extra
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(directory), len(body), 0)
    return body + directory + end


NPZ = (other_array, other_array, other_array, deflated_zeros, *BYTES)


# Parquet


def other_table(random: Random, data: bytes) -> bytes:
    """A sound Parquet file with a column of another type, or with values that cannot be."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data))
    rows, name = table.num_rows, random.choice(table.column_names)
    place = table.column_names.index(name)
    choice = random.random()
    if choice < 0.5:
        values = table.column(name).to_pylist()
        row = random.randrange(rows)
        values[row] = _other_value(random, values[row])
        try:
            column = pa.array(values, table.schema.field(name).type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            column = pa.array([None] * rows, table.schema.field(name).type)
        table = table.set_column(place, table.schema.field(name), column)
    elif choice < 0.75:
        column = random.choice(
            (
                lambda: pa.array(["text"] * rows),
                lambda: pa.array([1.5] * rows),
                lambda: pa.array([b"\xff\xfe"] * rows),
                lambda: pa.array([None] * rows),
                lambda: pa.array([[1, 2]] * rows),
                lambda: pa.array([{"bytes": b"x"}] * rows),
                lambda: pa.array([{"bytes": "x", "path": 1}] * rows),
                lambda: pa.array([[[1.0, 2.0, 3.0]] * 17] * rows),
                lambda: pa.array(["a"] * rows).dictionary_encode(),
                lambda: pa.array([2**40] * rows, pa.timestamp("s")),
                lambda: pa.array([True] * rows),
            )
        )()
        table = table.set_column(place, name, column)
    elif choice < 0.8:
        table = table.drop_columns([name])
    elif choice < 0.85:
        table = table.slice(0, random.randrange(rows))
    elif choice < 0.9:
        table = table.append_column(name, table.column(name))  # the name twice
    elif choice < 0.95:
        table = table.replace_schema_metadata(
            {b"huggingface": b"\xff", b"dancepipe_built_from": b"[["}
        )
    else:
        table = pa.concat_tables([table] * 20)
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=random.choice((1, 16, 10_000)), compression="zstd")
    return out.getvalue()


def _other_value(random: Random, value):
    if isinstance(value, dict):
        return {
            **value,
            "bytes": random.choice((None, b"", b"text", value["bytes"][:90], _wide_png())),
        }
    if isinstance(value, list):
        flat = value and not isinstance(value[0], list)
        number = random.choice((float("nan"), float("inf"), 1e38, -1.0, None))
        changed = (
            [number, *value[1:]],
            None if flat else value[:-1],
            [] if not flat else None,
            None if flat else [row[:2] for row in value],
            None if flat else [*value, [1.0]],
            None if flat else [[number] * 3 for _ in value],
            None if flat else [None, *value[1:]],
        )
        return random.choice(changed)
    if isinstance(value, str):
        return random.choice((None, "", "x" * 100_000, "\0", "train", "test", "../x", "clip0"))
    return random.choice((None, -1, 0, 2**62, float("nan"), float("inf"), -1e300))


def _wide_png() -> bytes:
    """65,000 x 1000 pixels in a few kilobytes."""
    rows = zlib.compress(bytes(1001 + 65_000 // 8 * 1000), 9)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 65_000, 1000, 1, 0, 0, 0, 0)),
        (b"IDAT", rows),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(*chunk) for chunk in chunks)


def spoiled_footer(random: Random, data: bytes) -> bytes:
    """Bits of what tells how the Parquet file is to be read."""
    size = int.from_bytes(data[-8:-4], "little") + 8
    return data[:-size] + random.choice(BYTES)(random, data[-size:])


PARQUET = (other_table, other_table, other_table, spoiled_footer, *BYTES)


# SQLite


def other_rows(random: Random, data: bytes) -> bytes:
    """A sound database in which a value, a row or a table cannot be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.sqlite"
        path.write_bytes(data)
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
            tables = [
                row[0]
                for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            table = random.choice(tables)
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            column, choice = random.choice(columns), random.random()
            nasty = random.choice(
                (
                    None,
                    -1,
                    0,
                    2**62,
                    1.5,
                    float("inf"),
                    "",
                    "x",
                    "x" * 100_000,
                    b"\xff",
                    b"",
                    "left",
                    "[" * 3000,
                    "{}",
                )
            )
            try:
                if choice < 0.7:
                    connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ?", (nasty,))
                elif choice < 0.8:
                    connection.execute(f"DELETE FROM {table}")
                elif choice < 0.85:
                    connection.execute(f"DROP TABLE {table}")
                elif choice < 0.9:
                    connection.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO other")
                elif choice < 0.95:
                    connection.execute(f"PRAGMA application_id={random.choice((0, 1, 2**31 - 1))}")
                else:
                    connection.execute(f"ALTER TABLE {table} RENAME TO other")
                    connection.execute(f"CREATE VIEW {table} AS SELECT * FROM other")
            except sqlite3.IntegrityError:
                connection.execute(f"DELETE FROM {table}")
        finally:
            connection.close()
        return path.read_bytes()


SQLITE = (other_rows, other_rows, other_rows, *BYTES)


# Pictures and videos


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def other_chunk(random: Random, data: bytes) -> bytes:
    """PNG: a chunk of other content, with the check sum that fits; or twice, or elsewhere."""
    chunks, place = [], 8
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    which = random.randrange(len(chunks))
    kind, content = chunks[which]
    choice = random.random()
    if choice < 0.7 and content:
        chunks[which] = (kind, random.choice(BYTES)(random, content))
    elif choice < 0.8:
        chunks.insert(random.randrange(len(chunks)), chunks[which])
    elif choice < 0.9:
        del chunks[which]
    else:
        chunks[which] = (
            random.choice((b"eXIf", b"iCCP", b"tRNS", b"acTL", b"PLTE", b"zTXt")),
            content,
        )
    return data[:8] + b"".join(_png_chunk(*chunk) for chunk in chunks)


def other_segment(random: Random, data: bytes) -> bytes:
    """JPEG: a segment of other content, of the length that it then has; or many times."""
    segments, place = [], 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xD9:
        size = int.from_bytes(data[place + 2 : place + 4], "big")
        end = place + 2 + size
        if data[place + 1] == 0xDA:  # the scan itself goes with it
            found = re.compile(rb"\xff[^\x00\xd0-\xd7]").search(data, end)
            end = found.start() if found else len(data)
        segments.append(data[place:end])
        place = end
    if not segments:
        return flipped_bits(random, data)
    which = random.randrange(len(segments))
    segment = segments[which]
    if random.random() < 0.8 and len(segment) > 4:
        content = random.choice(BYTES)(random, segment[4:])[:65_533]
        if segment[1] == 0xDA:
            segments[which] = segment[:4] + content
        else:
            segments[which] = segment[:2] + struct.pack(">H", len(content) + 2) + content
    else:
        segments[which] = segment * random.choice((0, 2, 300))
    return b"\xff\xd8" + b"".join(segments) + b"\xff\xd9"


def other_tag(random: Random, data: bytes) -> bytes:
    """TIFF: an entry of the first directory says something else."""
    order = "little" if data[:2] == b"II" else "big"
    first = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[first : first + 2], order)
    place = first + 2 + 12 * random.randrange(max(1, count))
    part, size = random.choice(((0, 2), (2, 2), (4, 4), (8, 4), (8, 2)))
    values = (*_INTEGERS, 3, 4, 5, 8, 16, 32, 256, 257, 274, 322, 34665, random.randrange(2**16))
    written = (random.choice(values) % 256**size).to_bytes(size, order)
    return data[: place + part] + written + data[place + part + size :]


def other_box(random: Random, data: bytes) -> bytes:
    """MP4, AVIF, JPEG 2000, WebP: what stands near the name of a part says something else."""
    names = [found.start() for found in re.finditer(rb"[A-Za-z][A-Za-z0-9 ]{3}", data[:20_000])]
    if not names:
        return flipped_bits(random, data)
    place = random.choice(names)
    offset = place + random.choice((-4, -4, 4, 4, 8, 8, 12, 16, 20, random.randrange(4, 64)))
    size = random.choice((1, 2, 3, 4, 8))
    order = random.choice(("big", "big", "little"))
    written = (random.choice((*_INTEGERS, 4, 16, 60_000)) % 256**size).to_bytes(size, order)
    return data[: max(0, offset)] + written + data[max(0, offset) + size :]


PICTURE = (other_box, *BYTES)
VIDEO = (other_box, other_box, *BYTES)
_BY_START = (
    (b"\x89PNG", other_chunk),
    (b"\xff\xd8", other_segment),
    (b"II*\0", other_tag),
    (b"MM\0*", other_tag),
)


def other_picture(random: Random, data: bytes) -> bytes:
    """By the format's own structure where it has one that is known here."""
    for start, mutator in _BY_START:
        if data.startswith(start):
            return mutator(random, data)
    return other_box(random, data)


PICTURES = (other_picture, other_picture, other_picture, other_picture, *PICTURE)
