"""Records of known classes as plain arrays, and back, bit for bit: for npz files, no pickle."""

import dataclasses
import json
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

_WORDS = "words"


def packed(value: Any, classes: Iterable[type]) -> dict[str, np.ndarray]:
    """Numbers, texts, arrays, and tuples, lists, deques, dicts and dataclasses of them -> arrays.

    classes: the dataclasses that may occur. TypeError for anything else.
    """
    names = {one: one.__name__ for one in classes}
    arrays: dict[str, np.ndarray] = {}

    def words(value: Any) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, (np.ndarray, np.generic)):
            name = f"a{len(arrays)}"
            arrays[name] = np.asarray(value)
            return {"number" if isinstance(value, np.generic) else "array": name}
        if type(value) in (tuple, list):
            return {type(value).__name__: [words(one) for one in value]}
        if type(value) is deque:
            return {"deque": [words(one) for one in value], "most": value.maxlen}
        if type(value) is dict:
            return {"dict": {key: words(one) for key, one in value.items()}}
        if type(value) in names:
            fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
            return {"record": names[type(value)], "fields": words(fields)}
        raise TypeError(f"{type(value).__name__} is none of the records that are kept")

    text = json.dumps(words(value))
    return {**arrays, _WORDS: np.frombuffer(text.encode(), np.uint8)}


def unpacked(arrays: Mapping[str, np.ndarray], classes: Iterable[type]) -> Any:
    """The inverse of packed(), with the same classes. ValueError for any other arrays."""
    known = {one.__name__: one for one in classes}

    def value(words: Any) -> Any:
        if not isinstance(words, dict):
            return words
        if "array" in words:
            return arrays[words["array"]]
        if "number" in words:
            return arrays[words["number"]][()]
        if "tuple" in words:
            return tuple(value(one) for one in words["tuple"])
        if "list" in words:
            return [value(one) for one in words["list"]]
        if "deque" in words:
            return deque((value(one) for one in words["deque"]), words["most"])
        if "dict" in words:
            return {key: value(one) for key, one in words["dict"].items()}
        return known[words["record"]](**value(words["fields"]))

    try:
        return value(json.loads(arrays[_WORDS].tobytes()))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it holds no records of ours ({error})") from error
