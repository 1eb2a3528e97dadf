"""Checks of the fields of dims: the header of a weight file may say anything. Each raises
ConfigError with the field's name."""

from dataclasses import MISSING, fields
from typing import Any, get_args

from dancepipe.errors import ConfigError
from dancepipe.files.plain_text import shortened

LARGEST_SIDE = 4096
MOST_CHANNELS = 512  # eight times the paper's; each doubling is four times the memory


def check_choice(name: str, got: str, allowed: Any) -> None:
    if got not in get_args(allowed):
        raise ConfigError(
            f"{name} is {shortened(got)}; choose one of {', '.join(get_args(allowed))}"
        )


def check_width(name: str, width: int, multiple_of: int) -> None:
    if type(width) is not int or not 0 < width <= MOST_CHANNELS or width % multiple_of:
        raise ConfigError(
            f"{name} is {shortened(width)}; it must be a positive multiple of {multiple_of}, "
            f"at most {MOST_CHANNELS}"
        )


def check_switch(name: str, got: bool) -> None:
    if type(got) is not bool:
        raise ConfigError(f"{name} is {shortened(got)}; it must be true or false")


def checked_size_hw(size_hw: Any, smallest: int, step: int) -> tuple[int, int]:
    """Height and width, both multiples of step."""
    is_pair = isinstance(size_hw, (tuple, list)) and len(size_hw) == 2
    if not is_pair or not all(
        type(side) is int and smallest <= side <= LARGEST_SIDE and side % step == 0
        for side in size_hw
    ):
        raise ConfigError(
            f"size_hw is {shortened(size_hw)}; height and width must be "
            f"multiples of {step}, at least {smallest}, at most {LARGEST_SIDE}"
        )
    return size_hw[0], size_hw[1]


def fields_of(cls: type, record: object, name: str) -> dict:
    """The record as what fills `cls`, a dataclass. A field with a default may be absent."""
    if not isinstance(record, dict):
        raise ConfigError(f"{name} is {shortened(record)}; it must be a block of names and values")
    known = {field.name: field.default is MISSING for field in fields(cls)}
    if unknown := record.keys() - known.keys():
        raise ConfigError(f"{name} has {shortened(min(unknown))}, which this version does not know")
    if lacking := [field for field, needed in known.items() if needed and field not in record]:
        raise ConfigError(f"{name} lacks {lacking[0]}")
    return record
