"""status.html of a folder of jobs: one file without anything from elsewhere, made anew as the jobs
go on."""

import html
import os
import time
from collections import Counter
from pathlib import Path

from dancepipe.files.whole_file import write_text
from dancepipe.many.ledger import Entry, read_ledger

_MOST_ROWS = 500  # of a state: a browser shows them at once
_RELOAD_SECONDS = 5
_HEADINGS = {
    "failed": "Failed",
    "begun": "In work, or interrupted",
    "cancelled": "Cancelled",
    "done": "Done",
}
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --done: #2a8a4a; --failed: #c8372d; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
.bar { display: flex; height: .8rem; border-radius: .4rem; overflow: hidden;
  background: var(--line); }
.bar .done { background: var(--done); } .bar .failed { background: var(--failed); }
.bar .begun { background: #d9a300; }
table { width: 100%; border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-top: 1px solid var(--line); overflow-wrap: anywhere; }
td:first-child { width: 30%; } td:last-child { width: 9rem; white-space: nowrap; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; } .reason { color: var(--failed); }
small { opacity: .7; }
"""


def write_status_page(folder: Path, jobs: int, *, is_over: bool) -> None:
    """jobs: how many there are, those that nobody has begun among them. is_over: the page need not
    load itself again. OutputError."""
    write_text(folder / "status.html", status_page(folder, jobs, is_over=is_over))


def status_page(folder: Path, jobs: int, *, is_over: bool) -> str:
    """The page, as HTML."""
    entries = sorted(read_ledger(folder), key=lambda entry: -entry.at_seconds)
    counts = Counter(entry.state for entry in entries)
    known = max(jobs, len(entries))
    waiting = known - len(entries)
    words = [f"{counts['done']} done", f"{counts['failed']} failed", f"{waiting} waiting"]
    if counts["begun"]:
        words.insert(1, f"{counts['begun']} {'interrupted' if is_over else 'in work'}")
    bar = "".join(
        f'<span class="{state}" style="width:{100 * counts[state] / max(known, 1):.2f}%"></span>'
        for state in ("done", "begun", "failed")
    )
    reload = "" if is_over else f'<meta http-equiv="refresh" content="{_RELOAD_SECONDS}">'
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    name = html.escape(Path(os.path.abspath(folder)).name)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{reload}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}: {words[0]}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{name}</h1><p>{' · '.join(words)} · of {known} <small>({now})</small></p>"
        f'<div class="bar">{bar}</div>'
        + "".join(_table(folder, state, entries) for state in _HEADINGS)
        + "</body></html>\n"
    )


def _table(folder: Path, state: str, entries: list[Entry]) -> str:
    own = [entry for entry in entries if entry.state == state]
    if not own:
        return ""
    rows = "".join(_row(folder, entry) for entry in own[:_MOST_ROWS])
    more = f"<p>and {len(own) - _MOST_ROWS} more</p>" if len(own) > _MOST_ROWS else ""
    return f"<h2>{_HEADINGS[state]} ({len(own)})</h2><table>{rows}</table>{more}"


def _row(folder: Path, entry: Entry) -> str:
    place = os.path.relpath(entry.out, folder)
    shown = html.escape(place)
    if entry.is_done() and not place.startswith(".."):
        shown = f'<a href="{html.escape(place, quote=True)}">{shown}</a>'
    about = f'<span class="reason">{html.escape(entry.reason)}</span>'
    if entry.state == "done" and "frames" in entry.words:
        about = f"{entry.words['frames']} frames, {entry.words.get('seconds', 0):.0f} s"
    at = time.strftime("%m-%d %H:%M:%S", time.localtime(entry.at_seconds))
    return f"<tr><td>{shown}</td><td>{about}</td><td><small>{at}</small></td></tr>"
