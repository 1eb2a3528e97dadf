"""report.html: the numbers, how they were taken, and the pictures behind the worst and the best
of them, in one file."""

import base64
import html
import json

from dancepipe.evaluation.examples import Example
from dancepipe.evaluation.measures import MEASURES
from dancepipe.evaluation.scores import Scores, is_clear, shown
from dancepipe.evaluation.statistics import Estimate

_STYLE = """
body {
  font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1400px; padding: 0 1em;
  color: #1c1c1c; background: #fff;
}
h1 { margin-bottom: .2em; }
h3 { margin: 1.4em 0 .2em; font-size: 1em; }
.what, .note { color: #444; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
td, th {
  padding: .3em 1.4em .3em 0; text-align: left; vertical-align: top; border-bottom: 1px solid #ddd;
}
th { border-bottom: 2px solid #999; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.interval { display: block; color: #666; font-size: 80%; }
td.meaning { min-width: 22em; color: #555; font-size: 85%; }
.unit { color: #666; font-size: 85%; }
tr.absent td { color: #777; }
td.clear { font-weight: 600; }
.values { margin: 0 0 .5em; color: #666; font-size: 85%; }
figure { display: inline-block; margin: 0 .5em .3em 0; }
figcaption { font-size: 85%; color: #555; }
img { display: block; max-width: 256px; background: #808080; }
pre { background: #f5f5f5; padding: 1em; overflow: auto; }
"""
_BETTER = {"lower": "lower is better", "higher": "higher is better", "real": "as the real ones"}
_HEADINGS = {"worst": "Worst", "best": "Best", "frame": "Frames"}


def report_html(scores: Scores) -> str:
    """One self-contained HTML file."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
        "content='width=device-width'>",
        f"<title>dancepipe scores</title><style>{_STYLE}</style></head><body><h1>Scores</h1>",
        f"<p class='what'>{html.escape(_what(scores))}</p>",
        *(f"<p class='note'>{html.escape(note)}</p>" for note in scores.notes + scores.marks()),
        _table(scores),
        _differences(scores),
        *(
            _examples(kind, [example for example in scores.examples if example.kind == kind])
            for kind in _HEADINGS
        ),
        f"<h2>Protocol</h2><pre>{html.escape(json.dumps(scores.protocol, indent=2))}</pre>",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _what(scores: Scores) -> str:
    """One line: what was scored."""
    if scores.form == "video":
        frames = scores.protocol["frames"]
        return (
            f"A finished video of {frames['result']} frames beside its driver of "
            f"{frames['driver']}; mean over frames [95 % interval]"
        )
    protocol = scores.protocol
    if scores.form == "pairs":
        height, width = protocol["size_hw"]
        return (
            f"{protocol['pictures']} pairs of {protocol['people']} people, {width} x "
            f"{height}; mean [95 % interval over people]"
        )
    if protocol["options"]["identity"] is None:
        return f"{protocol['pictures']} pictures; mean [95 % interval over pictures]"
    return (
        f"{protocol['pictures']} pictures of {protocol['people']} people; mean [95 % interval "
        "over people]"
    )


def _cell(estimate: Estimate | None, digits: int, kind: str = "") -> str:
    value, _, rest = shown(estimate, digits).partition(" ")
    rest = f"<span class='interval'>{html.escape(rest)}</span>" if rest else ""
    return f"<td class='number{kind}'>{html.escape(value)}{rest}</td>"


def _table(scores: Scores) -> str:
    rows = [
        "<tr><th>measure</th>"
        + "".join(f"<th>{html.escape(method)}</th>" for method in scores.methods)
        + "<th></th></tr>"
    ]
    for name in scores.names():
        measure = MEASURES[name]
        tail = (
            f"<td class='meaning'>{html.escape(measure.meaning)}; "
            f"{_BETTER[measure.better]}</td></tr>"
        )
        if name in scores.not_available:
            reason = f"not available: {html.escape(scores.not_available[name])}"
            rows.append(
                f"<tr class='absent'><td>{name}</td><td "
                f"colspan='{len(scores.methods)}'>{reason}</td>{tail}"
            )
        else:
            unit = (
                f" <span class='unit'>{html.escape(measure.unit)}</span>"
                if measure.unit not in ("", "of 1")
                else ""
            )
            cells = "".join(
                _cell(values.get(name), measure.digits) for values in scores.methods.values()
            )
            rows.append(f"<tr><td>{name}{unit}</td>{cells}{tail}")
    return "<div class='wide'><table>" + "\n".join(rows) + "</table></div>"


def _differences(scores: Scores) -> str:
    names = [
        name
        for name in scores.names()
        if any(name in values for values in scores.differences.values())
    ]
    if not names:
        return ""
    rows = [
        "<tr><th>measure</th>"
        + "".join(f"<th>{html.escape(title)}</th>" for title in scores.differences)
        + "</tr>"
    ]
    for name in names:
        found = [values.get(name) for values in scores.differences.values()]
        cells = "".join(
            _cell(one, MEASURES[name].digits, " clear" if is_clear(one) else "") for one in found
        )
        rows.append(f"<tr><td>{name}</td>{cells}</tr>")
    words = "<p class='note'>Picture by picture; bold where the interval is clear of 0.</p>"
    return (
        f"<h2>Paired differences</h2>{words}<div class='wide'><table>"
        + "\n".join(rows)
        + "</table></div>"
    )


def _examples(kind: str, examples: list[Example]) -> str:
    parts = []
    for example in examples:
        values = ", ".join(
            f"{name} {value:.{MEASURES[name].digits}f}" for name, value in example.values.items()
        )
        parts.append(f"<h3>{html.escape(example.title)}</h3><p class='values'>{values}</p><div>")
        for title, data in example.pictures.items():
            source = base64.b64encode(data).decode()
            title = html.escape(title, True)
            parts.append(
                f"<figure><img alt='{title}' "
                f"src='data:image/png;base64,{source}'><figcaption>{title}</figcaption></figure>"
            )
        parts.append("</div>")
    return f"<h2>{_HEADINGS[kind]}</h2>" + "\n".join(parts) if parts else ""
