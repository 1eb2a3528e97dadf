"""What each column of the votes may hold. SQLite itself stores anything anywhere."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard

from dancepipe.files.plain_text import shortened
from dancepipe.study.plan import LONGEST_METHOD, MOST_TRIALS, SIDES

LONGEST_NAME = 40
MOST_MEASURED = 1e7  # seconds or pixels; what the server takes
_MOST_SHOWINGS = 10**9
_LONGEST_FILE_NAME = 255
_TOKEN = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Rule:
    """What a column may hold."""

    column: str
    needed: str
    fits: Callable[[object], bool]


def wrong_with(table: str, row: tuple) -> str | None:
    """What a row, of all columns of the table, holds that such a row cannot hold, and where."""
    for fits, value in zip(_FITS[table], row):
        if not fits(value):
            rule = next(rule for rule in RULES[table] if rule.fits is fits)
            place = place_of(table, row)
            return f"{place}: {rule.column} is {shortened(value)}, needs {rule.needed}"
    return None


def place_of(table: str, row: tuple) -> str:
    """The table and the row, in words."""
    keys = zip(RULES[table], row[: KEYS[table]])
    named = ", ".join(f"{rule.column} {shortened(value, 60)}" for rule, value in keys)
    return f"table {table}, row {named or 1}"


def _is_text(value: object) -> TypeGuard[str]:
    """Text that UTF-8 can say; bytes that were none have come as halves of characters."""
    return isinstance(value, str) and (
        value.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in value)
    )


def _is_line(value: object, most: int) -> bool:
    """Text that can be shown in a line. Names may hold signs that only newer Unicode knows."""
    if not isinstance(value, str) or not 0 < len(value) <= most:
        return False
    return value.isprintable() or not any(
        unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in value
    )


def is_method(value: object) -> bool:
    """Whether a method can be called so."""
    return _is_line(value, LONGEST_METHOD)


def _is_file_name(value: object) -> bool:
    """A file's name may hold line ends, but not what is no UTF-8."""
    return _is_text(value) and 0 < len(value) <= _LONGEST_FILE_NAME and "\0" not in value


def is_token(value: object) -> bool:
    """Whether a volunteer's token can be so."""
    return isinstance(value, str) and bool(_TOKEN.fullmatch(value))


def _whole(column: str, least: int, most: int) -> Rule:
    def fits(value):
        return type(value) is int and least <= value <= most

    return Rule(column, f"a whole number from {least} to {most}", fits)


def _measure(column: str) -> Rule:
    def fits(value):
        return type(value) is float and 0 <= value <= MOST_MEASURED  # no NaN either

    return Rule(column, f"a number from 0 to {MOST_MEASURED:.0f}", fits)


def _line(column: str, most: int) -> Rule:
    return Rule(column, f"a text of 1 to {most} signs", lambda value: _is_line(value, most))


def _side(column: str) -> Rule:
    def fits(value):
        return isinstance(value, str) and value in SIDES

    return Rule(column, "left or right", fits)


_METHOD = f"the name of a method, of at most {LONGEST_METHOD} signs"
_PICTURE = f"the name of a picture, of at most {_LONGEST_FILE_NAME} signs"
_VOLUNTEER = _whole("volunteer", 1, 2**63 - 1)
_NUMBER = _whole("number", 0, MOST_TRIALS - 1)
RULES = {
    "study": (
        Rule("protocol", "a text", _is_text),
        _line("began", LONGEST_NAME),
    ),
    "file": (
        Rule("method", f"{_METHOD}, or none", lambda value: value == "" or is_method(value)),
        Rule("name", _PICTURE, _is_file_name),
        _line("sha256", 64),
    ),
    "volunteer": (
        _whole("id", 1, 2**63 - 1),
        Rule("token", "32 hexadecimal digits", is_token),
        _line("key", 4 * LONGEST_NAME),  # small letters may take more signs
        _line("name", LONGEST_NAME),
        _line("began", LONGEST_NAME),
    ),
    "trial": (
        _VOLUNTEER,
        _NUMBER,
        Rule("method", f"{_METHOD}, or NULL", lambda value: value is None or is_method(value)),
        Rule("picture", _PICTURE, _is_file_name),
        _side("real_side"),
        _whole("showings", 0, _MOST_SHOWINGS),
    ),
    "vote": (
        _VOLUNTEER,
        _NUMBER,
        _side("side"),
        _measure("response_seconds"),
        _measure("shown_seconds"),
        _measure("picture_width_px"),
        _line("came", LONGEST_NAME),
    ),
}
KEYS = {"study": 0, "file": 2, "volunteer": 1, "trial": 2, "vote": 2}  # how many columns lead
_FITS = {table: tuple(rule.fits for rule in rules) for table, rules in RULES.items()}
