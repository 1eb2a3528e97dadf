"""Options dataclasses <-> flags."""

import argparse
import dataclasses
import typing
from pathlib import Path

from dancepipe.config import find_config, merged, option_type, options_from, read_yaml
from dancepipe.errors import ConfigError

_SHORT = {"device": "-d"}  # of what is typed daily; the others are of the commands themselves


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")


def data_place(text: str) -> Path | str:
    """A folder, or an address, which a Path would spoil."""
    return text if "://" in text else Path(text)


def add_options(parser: argparse.ArgumentParser, cls) -> None:
    """One flag per option, --config for a YAML file of them; flags win over the file."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        help="YAML file with options, or the name of one that comes with dancepipe (live, base)",
    )
    hints = typing.get_type_hints(cls)
    group = parser.add_argument_group("options")
    for field in dataclasses.fields(cls):
        kind, _ = option_type(hints[field.name])
        if dataclasses.is_dataclass(kind):
            inner = typing.get_type_hints(kind)
            for part in dataclasses.fields(kind):
                _add_flag(
                    group, f"{field.name}.{part.name}", option_type(inner[part.name])[0], part
                )
        else:
            _add_flag(group, field.name, kind, field)
    parser.set_defaults(option_class=cls)


def _add_flag(group, name: str, kind: type, field: dataclasses.Field) -> None:
    flags = ["--" + name.replace("_", "-").replace(".", "-")]
    if name in _SHORT:
        flags.insert(0, _SHORT[name])
    default = field.default
    text = field.metadata["help"].replace("%", "%%") + (
        "" if default is None else f" (default {default})"
    )
    settings = {"dest": f"option:{name}", "default": argparse.SUPPRESS, "help": text}
    if kind is bool:
        group.add_argument(*flags, action=argparse.BooleanOptionalAction, **settings)
    else:
        metavar = (
            "|".join(map(str, field.metadata["choices"]))
            if field.metadata["choices"]
            else {int: "N", float: "TIME" if field.metadata["parse"] else "X"}.get(kind, "TEXT")
        )
        group.add_argument(*flags, type=str, metavar=metavar, **settings)


def parsed_options(parsed: argparse.Namespace):
    """The options of the command from --config and flags. Raises ConfigError."""
    cls = parsed.option_class
    flags: dict = {}
    hints = typing.get_type_hints(cls)
    for key, value in vars(parsed).items():
        if key.startswith("option:"):
            *block, name = key.removeprefix("option:").split(".")
            holder = option_type(hints[block[0]])[0] if block else cls
            fields = {field.name: field for field in dataclasses.fields(holder)}
            if fields[name].metadata["parse"] is None:  # else texts are as good there as anywhere
                kind, _ = option_type(typing.get_type_hints(holder)[name])
                value = _from_text(kind, value, name)
            flags = merged(flags, {block[0]: {name: value}} if block else {name: value})
    where, values = "command line", {}
    if parsed.config:
        config = find_config(parsed.config)
        where = f"{config} and command line" if flags else str(config)
        values = read_yaml(config)
    return options_from(cls, merged(values, flags), where)


def _from_text(kind: type, value, name: str):
    if kind in (int, float) and isinstance(value, str):
        try:
            return kind(value)
        except ValueError:
            raise ConfigError(
                f"--{name.replace('_', '-')} needs "
                f"{'a whole number' if kind is int else 'a number'}, got {value!r}"
            ) from None
    return value
