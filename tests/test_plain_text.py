"""Small files that anybody may have written: a value, or an error of one line that says where."""

import os
import time

import pytest

from dancepipe.files.plain_text import parse_json, plain_words, read_json, read_text, shortened


def written(tmp_path, data: bytes):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    return path


def test_plain_values_come_back(tmp_path):
    path = written(
        tmp_path,
        b'\xef\xbb\xbf{"a": [1, -2.5e-3, "\xc3\xa4\\ud83d\\ude00\\\\ud800", null, true]}\r\n',
    )
    assert read_json(path) == {"a": [1, -0.0025, "\u00e4\U0001f600\\ud800", None, True]}
    assert read_text(path).endswith("true]}\r\n") and read_text(path)[0] == "{"
    assert parse_json("9" * 300) == int("9" * 300)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "line 1 column 1"),
        (b'{"a": 1,\n "b"}', "line 2 column 5"),
        (b'["NaN",\n NaN]', "line 2: NaN is no number"),
        (b"[1,\n\n-Infinity]", "line 3: -Infinity is no number"),
        (b'["1e400", 2,\n1e400]', "line 2: the number '1e400' is too large"),
        (b"[\n" + b"9" * 5000 + b"]", "line 2: a number of 5000 digits is too large"),
        (b'["a",\n"\\ud800"]', r"line 2: \\ud800 is half a character"),
        (b'["\\ude00\\ud83d"]', r"line 1: \\ude00 is half a character"),
        (b"[" * 100_000, "nested more than 100 levels"),
        (b"[" * 101 + b"1" + b"]" * 101, "nested more than 100 levels"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "nested more than 100 levels"),
        (b"[1,\n2,\n\xe4]", "line 3 is no UTF-8 text .byte 0xe4"),
        ("[1]".encode("utf-16"), "line 1 is no UTF-8 text"),
        (b"[1,\n\0]", "line 2 holds a zero byte"),
        (b" " * 2000, "larger than 1999 bytes"),
    ],
)
def test_what_is_no_json_is_said_with_its_place(tmp_path, data, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_json(written(tmp_path, data), 1999 if data == b" " * 2000 else 1 << 20)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_a_hundred_levels_are_read(tmp_path):
    value = read_json(written(tmp_path, b"[" * 100 + b"1" + b"]" * 100))
    for _ in range(100):
        (value,) = value
    assert value == 1


def test_what_is_no_plain_file_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    for path, message in (
        ("/dev/zero", "no plain file"),
        (tmp_path / "pipe", "no plain file"),
        (tmp_path, "directory"),
        (tmp_path / "absent", "No such file"),
    ):
        with pytest.raises(OSError, match=message):
            read_text(path)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "value, shown",
    [
        ("many", "'many'"),
        (2.5, "2.5"),
        (None, "None"),
        ("two\nlines\x1b\ud800", r"'two\nlines\x1b\ud800'"),
        (10**20_000, "a whole number of 20001 digits"),
        ([10**5000], "[a whole number of 5001 digits]"),
        ({"a": 1}, "{'a': 1}"),
    ],
    ids=["text", "number", "none", "signs", "huge", "huge in a list", "block"],
)
def test_a_value_is_shown_as_it_is(value, shown):
    assert shortened(value) == shown


def test_whatever_is_shown_is_one_short_line():
    deep = []
    for _ in range(100_000):
        deep = [deep]

    class Rude:
        def __repr__(self):
            raise RuntimeError

    for value in (
        "x" * 10**6,
        b"x" * 10**6,
        ["y" * 99] * 10**5,
        {"k" * 999: "v" * 999},
        deep,
        Rude(),
    ):
        for most in (20, 80):
            assert 1 < len(shortened(value, most)) <= most


def test_what_a_foreign_error_says_becomes_one_line():
    assert plain_words(ValueError("two\n  lines\x1b[2J")) == "two lines?[2J"
    assert plain_words(KeyError()) == "KeyError"
    assert plain_words(ValueError("x" * 10**6), most=20) == "x" * 17 + "..."
