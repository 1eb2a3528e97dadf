"""What a run of evaluate found: the record, the file scores.json, and the table on screen."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import NoneType

from dancepipe import __version__
from dancepipe.errors import ConfigError
from dancepipe.evaluation.examples import Example
from dancepipe.evaluation.measures import MEASURES
from dancepipe.evaluation.statistics import Estimate
from dancepipe.files.plain_text import read_json, shortened

FORMAT = "scores-1"
FORMS = ("pairs", "folders", "video")
MARK = "(!)"


@dataclass(frozen=True)
class Scores:
    """Numbers by method and measure; where there is none, the reason. Differences are of the
    first method less each other one."""

    form: str  # "pairs", "folders" or "video"
    protocol: dict
    methods: dict[str, dict[str, Estimate]]
    not_available: dict[str, str]  # measure -> reason
    differences: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    items: list[dict] = field(default_factory=list)  # numbers of every pair, for comparisons later
    examples: list[Example] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict:
        """Plain values; the same input gives the same text."""
        return {
            "format": FORMAT,
            "dancepipe": __version__,
            "form": self.form,
            "protocol": self.protocol,
            "notes": self.notes,
            "measures": {name: asdict(MEASURES[name]) for name in self.names()},
            "methods": {
                method: {name: _plain(value) for name, value in values.items()}
                for method, values in self.methods.items()
            },
            "not_available": self.not_available,
            "differences": {
                method: {name: _plain(value) for name, value in values.items()}
                for method, values in self.differences.items()
            },
            "items": self.items,
        }

    def names(self) -> list[str]:
        """Measures in the table's order."""
        present = {
            name for values in self.methods.values() for name in values
        } | self.not_available.keys()
        return [name for name in MEASURES if name in present]

    def marks(self) -> list[str]:
        """What a reader must know of marked numbers, a line each."""
        found = {
            f"{MARK} {name}: {one.mark}"
            for values in self.methods.values()
            for name, one in values.items()
            if one.mark
        }
        return sorted(found)

    def text(self) -> str:
        """The table for the screen: a row for each measure, a column for each method, 95 %
        intervals in brackets."""
        rows, reasons = [["", *self.methods]], {}
        for name in self.names():
            if name in self.not_available:
                reasons.setdefault(self.not_available[name], []).append(name)
            else:
                rows.append(
                    [
                        _label(name),
                        *(
                            shown(values.get(name), MEASURES[name].digits)
                            for values in self.methods.values()
                        ),
                    ]
                )
        lines = [
            *aligned(rows),
            "- lower is better, + higher is better, = as the real ones; [95 % interval]",
            *self.marks(),
        ]
        lines += [
            f"not available: {', '.join(names)}: {reason}" for reason, names in reasons.items()
        ]
        return "\n".join([*lines, *self._differences(), *self.notes])

    def _differences(self) -> list[str]:
        """Lines of the paired differences; an interval that does not hold 0 is marked."""
        rows = [["", *self.differences]]
        for name in self.names():
            found = [values.get(name) for values in self.differences.values()]
            if any(found):
                rows.append(
                    [
                        _label(name),
                        *(
                            shown(value, MEASURES[name].digits) + (" *" if is_clear(value) else "")
                            for value in found
                        ),
                    ]
                )
        return ["", "paired differences (* : clear of 0)", *aligned(rows)] if len(rows) > 1 else []


def _label(name: str) -> str:
    measure = MEASURES[name]
    arrow = {"lower": "-", "higher": "+", "real": "="}[measure.better]
    return f"{name} {arrow}" + (f" ({measure.unit})" if measure.unit not in ("", "of 1") else "")


def is_clear(difference: Estimate | None) -> bool:
    """Whether the interval of a difference does not hold 0."""
    return (
        difference is not None
        and difference.low is not None
        and difference.high is not None
        and (difference.low > 0 or difference.high < 0)
    )


def aligned(rows: list[list[str]]) -> list[str]:
    """Lines of a table whose rows have equally many cells."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    ]


def shown(estimate: Estimate | None, digits: int) -> str:
    """One number with its interval, and MARK where a line below says more, as the table has it."""
    if estimate is None or not math.isfinite(estimate.value):
        return "-"
    text = f"{estimate.value:.{digits}f}" + (MARK if estimate.mark else "")
    if estimate.low is not None:
        text += f" [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
    return text


def scores_text(scores: Scores) -> str:
    """What stands in scores.json."""
    return json.dumps(scores.as_json(), indent=1, allow_nan=False) + "\n"


def read_scores(path: Path) -> dict:
    """The record of a scores.json. ConfigError when it is none."""
    try:
        record = read_json(Path(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read scores {path}: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ConfigError(f"{path} is no scores file of this version (need format {FORMAT})")
    if wrong := _misshapen(record):
        raise ConfigError(f"{path} is damaged: {wrong}; run evaluate again")
    return record


def _misshapen(record: dict) -> str | None:
    """What in the record is not as as_json() writes it, in words."""
    kinds = {
        "form": str, "protocol": dict, "notes": list, "methods": dict,
        "not_available": dict, "differences": dict, "items": list,
    }  # fmt: skip
    for name, kind in kinds.items():
        if not isinstance(record.get(name), kind):
            return f"{name} is {shortened(record.get(name))}"
    if record["form"] not in FORMS:
        return f"form is {shortened(record['form'])}"
    for one in [*record["notes"], *record["not_available"].values()]:
        if not isinstance(one, str):
            return f"{shortened(one)} in place of a text"
    for one in [*record["items"], *record["methods"].values(), *record["differences"].values()]:
        if not isinstance(one, dict):
            return f"{shortened(one)} in place of a block of numbers"
    for values in [*record["methods"].values(), *record["differences"].values()]:
        for name, value in values.items():
            if not _is_estimate(value):
                return f"{shortened(name)} is {shortened(value)}"
    return None


def _is_estimate(value: object) -> bool:
    if not isinstance(value, dict) or not {"value", "low", "high", "count"} <= value.keys():
        return False
    low, high = value["low"], value["high"]
    return (
        type(value["count"]) is int
        and all(type(value[name]) in (int, float, NoneType) for name in ("value", "low", "high"))
        and (low is None or high is not None)
        and isinstance(value.get("mark", ""), str)
    )


def number(value: float) -> float | None:
    """A value for JSON: None for what does not apply, else 7 digits, what float32 arithmetic
    has."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _plain(estimate: Estimate) -> dict:
    plain = {"value": number(estimate.value), "low": None, "high": None, "count": estimate.count}
    if estimate.low is not None and estimate.high is not None:
        plain |= {"low": number(estimate.low), "high": number(estimate.high)}
    return plain | ({"mark": estimate.mark} if estimate.mark else {})
