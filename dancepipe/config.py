"""Options: frozen dataclasses beside the functions that use them, filled from YAML files,
command-line flags and keyword arguments.

An unknown key, a wrong type or a value out of range stops the run and says what would fit.
"""

import dataclasses
import difflib
import logging
import math
import os
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path

from dancepipe.errors import ConfigError
from dancepipe.files.plain_text import shortened

log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).resolve().parent
# In an installed package they lie inside of it (setup.py); a checkout has them beside it.
_SHIPPED_CONFIGS = (_PACKAGE / "configs", _PACKAGE.parent / "configs")


def option(
    default,
    help: str,
    *,
    choices: tuple | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    parse: Callable[[str], object] | None = None,
) -> typing.Any:
    """A dataclass field with its default, its one comment, and what values fit. parse: what a text
    means, where that is not plain; ValueError names what would fit."""
    metadata = {
        "help": help, "choices": choices, "minimum": minimum, "maximum": maximum, "parse": parse,
    }  # fmt: skip
    if dataclasses.is_dataclass(default):
        return dataclasses.field(default_factory=lambda: default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def option_type(field_type) -> tuple[type, bool]:
    """The plain type of a field and whether None fits: `int | None` -> (int, True), `Literal["a",
    "b"]` -> (str, False)."""
    if typing.get_origin(field_type) is typing.Literal:
        return type(typing.get_args(field_type)[0]), False
    if isinstance(field_type, types.UnionType) or typing.get_origin(field_type) is typing.Union:
        kinds = [kind for kind in typing.get_args(field_type) if kind is not type(None)]
        return kinds[0], True
    return field_type, False


def options_from(cls, values: Mapping, where: str):
    """An instance of the options dataclass `cls` from plain values.

    `where` names the origin in errors ("configs/base.yaml"). Raises ConfigError.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    filled = {}
    for key, value in values.items():
        if key not in fields:
            shown = shortened(key if isinstance(key, str) else shortened(key))
            near = difflib.get_close_matches(shown.strip("'"), fields, n=1, cutoff=0.5)
            hint = (
                f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(sorted(fields))}"
            )
            raise ConfigError(f"{where}: unknown option {shown}; {hint}")
        filled[key] = _checked(fields[key], hints[key], value, f"{where}: option '{key}'")
    return cls(**filled)


def options_with(cls, options, keywords: Mapping, where: str):
    """The options of a library call: an instance of `cls` (None: the defaults), with the keywords
    laid on it. Paths are as good as texts, records as good as blocks. Raises ConfigError."""
    options = cls() if options is None else options
    if not isinstance(options, cls):
        raise ConfigError(
            f"{where} needs options of the kind {cls.__name__}, got {type(options).__name__}"
        )
    if not keywords:
        return options
    return options_from(cls, merged(as_plain(options), _plain(keywords)), where)


def _plain(value):
    if isinstance(value, Mapping):
        return {key: _plain(inside) for key, inside in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _checked(field: dataclasses.Field, hint, value: typing.Any, where: str):
    kind, may_be_none = option_type(hint)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} needs a block of keys, got {shortened(value)}")
        return options_from(kind, value, where)
    if value is None and may_be_none:
        return None
    parse = field.metadata.get("parse")
    if parse is not None and isinstance(value, str):
        try:
            value = parse(value)
        except ValueError as error:
            raise ConfigError(f"{where} needs {error}, got {shortened(value)}") from None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and (is_number or isinstance(value, str)):  # YAML 1.1 reads 1e-4 as text
        value = _as_float(value, where)
    elif type(value) is not kind:
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        needed = names.get(kind, kind.__name__)
        raise ConfigError(f"{where} needs {needed}, got {shortened(value)}")
    choices, minimum, maximum = (
        field.metadata.get(name) for name in ("choices", "minimum", "maximum")
    )
    if choices and value not in choices:
        fitting = ", ".join(map(str, choices))
        raise ConfigError(f"{where} must be one of {fitting}, got {shortened(value)}")
    if minimum is not None and not value >= minimum:
        raise ConfigError(f"{where} must be at least {minimum}, got {shortened(value)}")
    if maximum is not None and not value <= maximum:
        raise ConfigError(f"{where} must be at most {maximum}, got {shortened(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where} needs a finite number, got {shortened(value)}")
    if type(value) is int and abs(value) >= 2**63:
        raise ConfigError(f"{where} needs a number of at most 64 bits, got {shortened(value)}")
    return value


def _as_float(value: typing.Any, where: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ConfigError(f"{where} needs a number, got {shortened(value)}") from None
    except OverflowError:
        raise ConfigError(f"{where} needs a finite number, got {shortened(value)}") from None


def find_config(wanted: Path | str) -> Path:
    """A YAML file, or the name of a shipped configuration ("live", "ablation/full") -> the file.

    A file wins over a name, and NAME.yaml of the working directory over what is shipped. Raises
    ConfigError.
    """
    name, shipped = Path(wanted).as_posix(), _shipped_configs()
    for here in (Path(wanted), Path(f"{name}.yaml")):
        if here.is_file():
            if name in shipped:
                log.info(f"configuration: {here} of this folder, not the one of dancepipe")
            return here
    name = name.removeprefix("configs/").removesuffix(".yaml")
    if name in shipped:
        log.info(f"configuration: {name}, which comes with dancepipe ({shipped[name]})")
        return shipped[name]
    raise ConfigError(
        f"no configuration file at {wanted}; give an existing YAML file, or one of "
        f"{', '.join(shipped) or 'those that come with dancepipe, but this one has none'}"
    )


def _shipped_configs() -> dict[str, Path]:
    """Name -> file."""
    for folder in _SHIPPED_CONFIGS:
        files = sorted(folder.rglob("*.yaml"))
        if files:
            return {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}
    return {}


def read_yaml(path: Path) -> dict:
    """The mapping in a YAML file, of plain values (plain_yaml.py says which).

    Raises ConfigError for a missing, unreadable, too large or wrongly shaped file, with the line.
    """
    from dancepipe.files.plain_yaml import read_plain_yaml

    path = Path(path)
    try:
        values = read_plain_yaml(path)
    except FileNotFoundError:
        raise ConfigError(f"no configuration file at {path}; give an existing YAML file") from None
    except OSError as error:
        raise ConfigError(f"cannot read configuration {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"cannot read configuration {path}: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold 'option: value' lines, got {type(values).__name__}")
    return values


def merged(base: Mapping, over: Mapping) -> dict:
    """`over` laid on `base`, block by block."""
    result = dict(base)
    for key, value in over.items():
        both_blocks = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both_blocks else value
    return result


def as_plain(options) -> dict:
    """The options as plain values, ready for YAML or JSON."""
    return dataclasses.asdict(options)
