"""The plain part of YAML: blocks of names, lists, texts, numbers, true, false and null.

YAML has more: aliases that make gigabytes of a few bytes, dates, tags that name types, keys that
take in other blocks. Options need none of that. What goes beyond is refused with its line.
"""

from pathlib import Path

import yaml

from dancepipe.files.plain_text import MOST_DIGITS, line_of, plain_words, read_text, shortened

MOST_BYTES = 128 << 10  # read by Python, letter by letter: this takes two seconds
DEEPEST = 16
_PREFIX = "tag:yaml.org,2002:"
_NOT_PLAIN = (_PREFIX + "timestamp", _PREFIX + "value")


def read_plain_yaml(path: Path) -> object:
    """The value in the file; None for an empty one. OSError, or ValueError of one line."""
    text = read_text(path, MOST_BYTES)
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        return None if node is None else _value(loader, node)
    except yaml.reader.ReaderError as error:
        line = line_of(text, error.position)
        raise ValueError(
            f"line {line}: the character {error.character:#x} is not allowed"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = plain_words(error.problem or error.context or "it is damaged")
        raise ValueError(f"line {mark.line + 1}: {words}" if mark else words) from None
    except (ValueError, OverflowError) as error:  # PyYAML's own reading of \U... and %YAML
        raise ValueError(f"line {loader.line + 1}: a number is out of its range") from error


class _PlainLoader(yaml.SafeLoader):
    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag not in _NOT_PLAIN]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _depth = 0

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise _refusal(self.peek_event(), "aliases (*name) are not taken; write the value out")
        if self._depth > DEEPEST:
            raise _refusal(self.peek_event(), f"it is nested more than {DEEPEST} levels deep")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _refusal(where, words: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=words, problem_mark=where.start_mark)


def _value(loader: _PlainLoader, node: yaml.Node):
    kind = node.tag.removeprefix(_PREFIX)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        return _block(loader, node)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_value(loader, inside) for inside in node.value]
    if not isinstance(node, yaml.ScalarNode) or kind not in _SCALARS:
        raise _refusal(node, f"the tag {shortened(node.tag, 60)} is not taken; write a plain value")
    if kind in ("int", "float") and len(node.value) > MOST_DIGITS:
        raise _refusal(node, f"a number of {len(node.value)} digits is too large")
    try:
        return _SCALARS[kind](loader, node)
    except (ValueError, OverflowError, KeyError):
        raise _refusal(node, f"{shortened(node.value)} is no {_NAMES[kind]}") from None


def _block(loader: _PlainLoader, node: yaml.MappingNode) -> dict:
    values = {}
    for name_node, value_node in node.value:
        if name_node.tag == _PREFIX + "merge":
            raise _refusal(name_node, "merge keys (<<) are not taken; write the options out")
        name = _value(loader, name_node)
        if not isinstance(name, str):
            raise _refusal(name_node, f"an option's name must be text, got {shortened(name)}")
        if name in values:
            raise _refusal(name_node, f"{shortened(name)} stands there twice")
        values[name] = _value(loader, value_node)
    return values


def _text(_, node: yaml.ScalarNode) -> str:
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in node.value):
        raise ValueError
    return node.value


def _null(_, node: yaml.ScalarNode) -> None:
    if node.value.lower() not in ("", "~", "null"):
        raise ValueError


_SCALARS = {
    "str": _text,
    "int": _PlainLoader.construct_yaml_int,
    "float": _PlainLoader.construct_yaml_float,
    "bool": _PlainLoader.construct_yaml_bool,
    "null": _null,
}
_NAMES = {"str": "text", "int": "whole number", "float": "number", "bool": "switch", "null": "null"}
