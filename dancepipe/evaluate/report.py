"""report.html: the numbers, how they were taken, and the pictures behind the worst and the best of them, in one file."""

import base64
import html
import json
from pathlib import Path

from dancepipe.evaluate.examples import Example
from dancepipe.evaluate.measures import MEASURES
from dancepipe.evaluate.scores import Scores, shown
from dancepipe.whole_file import write_text

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1400px; padding: 0 1em; color: #1c1c1c; }
table { border-collapse: collapse; } td, th { padding: .25em .8em; text-align: left; border-bottom: 1px solid #ddd; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; } .interval { color: #666; font-size: 85%; }
td:last-child { min-width: 24em; }
tr.absent td { color: #888; } figure { display: inline-block; margin: 0 .5em .3em 0; } figcaption { font-size: 85%; color: #555; }
img { display: block; max-width: 256px; background: #808080; }
pre { background: #f5f5f5; padding: 1em; overflow: auto; }
"""
_BETTER = {"lower": "lower is better", "higher": "higher is better", "real": "as the real ones"}
_HEADINGS = {"worst": "Worst", "best": "Best", "frame": "Frames"}


def write_report(path: Path, scores: Scores) -> None:
    """One self-contained HTML file. OutputError."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
        f"<title>dancepipe scores</title><style>{_STYLE}</style></head><body><h1>Scores</h1>",
        *(f"<p>{html.escape(note)}</p>" for note in scores.notes),
        _table(scores),
        _differences(scores),
        *(_examples(kind, [example for example in scores.examples if example.kind == kind]) for kind in _HEADINGS),
        f"<h2>Protocol</h2><pre>{html.escape(json.dumps(scores.protocol, indent=2))}</pre></body></html>",
    ]
    write_text(path, "\n".join(parts) + "\n")


def _cell(estimate, digits: int) -> str:
    value, _, rest = shown(estimate, digits).partition(" ")
    return f"<td class='number'>{html.escape(value)}" + (f" <span class='interval'>{html.escape(rest)}</span>" if rest else "") + "</td>"


def _table(scores: Scores) -> str:
    rows = ["<tr><th>measure</th>" + "".join(f"<th>{html.escape(method)}</th>" for method in scores.methods) + "<th></th><th></th></tr>"]
    for name in scores.names():
        measure = MEASURES[name]
        unit = "" if measure.unit == "of 1" else html.escape(measure.unit)
        tail = f"<td>{unit}</td><td>{html.escape(measure.meaning)}; {_BETTER[measure.better]}</td></tr>"
        if name in scores.not_available:
            reason = f"not available: {html.escape(scores.not_available[name])}"
            rows.append(f"<tr class='absent'><td>{name}</td><td colspan='{len(scores.methods)}'>{reason}</td>{tail}")
        else:
            rows.append(
                f"<tr><td>{name}</td>" + "".join(_cell(values.get(name), measure.digits) for values in scores.methods.values()) + tail
            )
    return "<table>" + "\n".join(rows) + "</table>"


def _differences(scores: Scores) -> str:
    if not scores.differences:
        return ""
    names = [name for name in scores.names() if any(name in values for values in scores.differences.values())]
    rows = ["<tr><th>measure</th>" + "".join(f"<th>{html.escape(title)}</th>" for title in scores.differences) + "</tr>"]
    for name in names:
        rows.append(
            f"<tr><td>{name}</td>"
            + "".join(_cell(values.get(name), MEASURES[name].digits) for values in scores.differences.values())
            + "</tr>"
        )
    return "<h2>Paired differences</h2><table>" + "\n".join(rows) + "</table>"


def _examples(kind: str, examples: list[Example]) -> str:
    parts = []
    for example in examples:
        values = ", ".join(f"{name} {value:.{MEASURES[name].digits}f}" for name, value in example.values.items())
        parts.append(f"<h3>{html.escape(example.title)}</h3><p class='interval'>{values}</p><div>")
        for title, data in example.pictures.items():
            source = base64.b64encode(data).decode()
            title = html.escape(title, True)
            parts.append(f"<figure><img alt='{title}' src='data:image/png;base64,{source}'><figcaption>{title}</figcaption></figure>")
        parts.append("</div>")
    return f"<h2>{_HEADINGS[kind]}</h2>" + "\n".join(parts) if parts else ""
