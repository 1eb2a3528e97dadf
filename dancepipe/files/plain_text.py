"""Small text and JSON files that anybody may have written: a value, or an error of one line.

Whatever lies in such a file (a device without end, half a character, a number of a million
digits, brackets in brackets in brackets) is a ValueError that says where, and never costs more
memory than a file of the size allowed can.
"""

import errno
import json
import math
import os
import re
import reprlib
import stat
from pathlib import Path

MOST_BYTES = 16 << 20
MOST_DIGITS = 300  # what still fits into a float
DEEPEST = 100  # levels of lists and objects; what is deeper cannot even be shown
_HALF_PAIR = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.", re.DOTALL)
_NUMBER = re.compile(r'\\.|"|[-+]?(?:NaN|Infinity|\d[\d.eE+-]*)', re.DOTALL)


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """The text of a plain file in UTF-8, a byte order mark dropped, line ends as they are.

    OSError when it cannot be read or is no plain file, ValueError when it is larger than
    most_bytes or no text.
    """
    # Not blocking: a pipe that nobody writes to would be waited for.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    with open(descriptor, "rb", buffering=0, closefd=True) as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no plain file", str(path))
        data = _read_at_most(file, most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(f"it is larger than {_size(most_bytes)}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise ValueError(f"line {line} is no UTF-8 text (byte 0x{data[error.start]:02x})") from None
    if "\0" in text:
        raise ValueError(f"line {line_of(text, text.index(chr(0)))} holds a zero byte: no text")
    return text


def read_json(path: Path, most_bytes: int = MOST_BYTES) -> object:
    """The value in a JSON file. OSError as read_text; ValueError for whatever is no JSON.

    Refused as well: NaN and infinities, numbers that no float holds, halves of characters, and
    more than DEEPEST levels.
    """
    return parse_json(read_text(path, most_bytes))


def parse_json(text: str) -> object:
    """The value of a JSON text, with the refusals of read_json. ValueError."""
    try:
        value = json.loads(text, parse_constant=_refused, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep") from None
    except _NoNumber as error:
        raise ValueError(f"line {_line_of_number(text, error.literal)}: {error}") from None
    if not _is_flat(value):
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    for found in _HALF_PAIR.finditer(text):
        if found[1]:
            line = line_of(text, found.start())
            raise ValueError(f"line {line}: {found[1]} is half a character")
    return value


def shortened(value: object, most: int = 80) -> str:
    """The value as a message shows it: one line of at most `most` characters. Never raises."""
    short = _Short()
    short.maxlevel = 3
    short.maxstring = short.maxother = short.maxlong = most
    text = short.repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def plain_words(error: Exception | str, most: int = 200) -> str:
    """What a foreign error says, as one line: it may quote whatever stands in a file."""
    words = " ".join(str(error).split()) or type(error).__name__
    text = "".join(letter if letter.isprintable() else "?" for letter in words[: most + 1])
    return text if len(text) <= most else text[: most - 3] + "..."


def line_of(text: str, place: int) -> int:
    """The number of the line, from 1, in which text[place] lies."""
    return 1 + text.count("\n", 0, place)


class _NoNumber(ValueError):
    def __init__(self, literal: str, words: str):
        super().__init__(words)
        self.literal = literal


class _Short(reprlib.Repr):
    def repr_int(self, value: int, level: int) -> str:
        if value.bit_length() > 1000:  # repr itself refuses some thousands of digits
            return f"a whole number of {int(value.bit_length() * math.log10(2)) + 1} digits"
        return super().repr_int(value, level)

    def repr_instance(self, value: object, level: int) -> str:
        try:
            text = repr(value)
        except Exception:  # what it is cannot be known: it may be anything's repr
            return f"<{type(value).__name__}>"
        return " ".join(text.split())[: self.maxother + 1]


def _refused(literal: str) -> None:
    raise _NoNumber(literal, f"{literal} is no number of JSON")


def _float(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise _NoNumber(literal, f"the number {shortened(literal, 30)} is too large")
    return value


def _int(literal: str) -> int:
    if len(literal) > MOST_DIGITS:
        raise _NoNumber(literal, f"a number of {len(literal.lstrip('-'))} digits is too large")
    return int(literal)


def _line_of_number(text: str, literal: str) -> int:
    """The line where the number stands outside of strings; what is before it is sound JSON."""
    in_string = False
    for found in _NUMBER.finditer(text):
        if found[0] == '"':
            in_string = not in_string
        elif not in_string and found[0] == literal:
            return line_of(text, found.start())
    return 1


def _is_flat(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [one for one in level if isinstance(one, (list, dict)) and one]
        if not level:
            return True
        level = [
            inside for one in level for inside in (one.values() if isinstance(one, dict) else one)
        ]
    return False


def _read_at_most(file, most_bytes: int) -> bytes:
    """In pieces: a plain file may grow while it is read, or be of the kind that says no size."""
    pieces, left = [], most_bytes
    while left and (piece := file.read(min(left, 1 << 20))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count} bytes"
