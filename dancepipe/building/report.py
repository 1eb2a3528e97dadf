"""report.html: what a data set holds, what was left out and why, in one file without anything from
elsewhere."""

import base64
import html
import json
from collections import Counter
from pathlib import Path

import numpy as np

from dancepipe.building.cleaning import REASONS
from dancepipe.building.settle import Settled
from dancepipe.building.sheet import sheet_path
from dancepipe.data.store import SPLITS
from dancepipe.files.whole_file import write_text

REPORT_FILE = "report.html"
_MOST_SHEETS = 40
_WORDS = {
    "crossing": "another person in the way",
    "unlike": "other clothes or light than in the rest",
    "drawn": "painted, not filmed",
    "joints": "too few joints",
    "cut off": "not whole in the picture",
    "small": "too small",
    "blurred": "not sharp",
    "mask": "bad mask",
    "unsteady": "pose jumps for one frame",
    "caption": "caption or logo over the body",
    "camera": "camera too fast",
    "still": "keeps still",
    "alike": "pose is kept already",
    "enough": "beyond the number of poses",
    "few": "too few pictures of that person",
}
_STYLE = """:root{--whole:30em}
body{font:15px/1.45 sans-serif;max-width:76em;margin:2em auto;padding:0 1em;color:#222;
overflow-wrap:anywhere}
td,th{padding:.15em .8em .15em 0;text-align:left;vertical-align:top}
.list td:first-child{min-width:8em}.list td:last-child{min-width:4.5em}
th,.bars td,.list td:nth-child(2),.list td:nth-child(3){overflow-wrap:normal}
.bar{display:inline-block;height:.8em;background:#3a7;vertical-align:middle}
.bars td:nth-child(2){text-align:right}.bars td:nth-child(3){white-space:nowrap}
.lost{background:#c75}small{color:#666}details{margin:.4em 0}
.sheet{overflow-x:auto}.sheet img{min-width:60em;max-width:100%}
@media(max-width:50em){:root{--whole:34vw}body{margin:1em auto}.bars small{display:none}
td,th{padding-right:.5em}}"""


def write_report(out: Path, settled: Settled, *, seconds: float, sources_done: int) -> None:
    """seconds, sources_done: of the run that has just ended. OutputError."""
    kept = [clip for clip in settled.clips if clip.copy_of is None]
    parts = [
        "<!doctype html><meta charset=utf-8><title>data set</title>",
        '<meta name=viewport content="width=device-width">',
        f"<style>{_STYLE}</style><h1>{html.escape(Path(out).name)}</h1>",
        _totals(settled, kept, seconds, sources_done),
        "<h2>What was kept of what was seen</h2>",
        _yields(kept),
        "<h2>Cameras</h2>",
        _cameras(kept),
        "<h2>People</h2>",
        _people(settled),
        "<h2>Sources</h2>",
        _sources(out),
        "<h2>Pictures</h2>",
        _sheets(out),
    ]
    write_text(Path(out) / REPORT_FILE, "\n".join(parts))


def _totals(settled: Settled, kept: list, seconds: float, sources_done: int) -> str:
    rows = {split: 0 for split in SPLITS}
    people: dict[str, set[str]] = {split: set() for split in SPLITS}
    for clip in kept:
        rows[clip.split] += sum(dancer.rows for dancer in clip.facts.dancers)
        people[clip.split] |= set(clip.identities)
    lines = "".join(f"<tr><td>{split}<td>{rows[split]}<td>{len(people[split])}" for split in SPLITS)
    pace = f"{sources_done} sources in {seconds:.0f} s" if sources_done else "nothing was new"
    return (
        f"<table><tr><th>split<th>pictures<th>people{lines}</table>"
        f"<p>{len(kept)} clips, {len(settled.clips) - len(kept)} copies put aside. "
        f"The last run: {pace}.</p>"
    )


def _yields(kept: list) -> str:
    """Step by step, as bars."""
    bodies = sum(clip.facts.bodies for clip in kept)
    dropped: Counter[str] = Counter()
    for clip in kept:
        dropped.update(clip.facts.dropped)
    looked = sum(clip.facts.frames_looked_at for clip in kept)
    empty = sum(clip.facts.frames_without_person for clip in kept)
    rows = [f"<tr><td>people in frames<td>{bodies}<td>{_bar(1)}<td>"]
    left = bodies
    for reason in REASONS:
        if dropped[reason]:
            left -= dropped[reason]
            lost = _bar(dropped[reason] / max(bodies, 1), "bar lost")
            rows.append(
                f"<tr><td>{_WORDS[reason]}<td>-{dropped[reason]}"
                f"<td>{_bar(left / max(bodies, 1))}{lost}<td><small>{reason}</small>"
            )
    rows.append(f"<tr><td>kept<td>{left}<td>{_bar(left / max(bodies, 1))}<td>")
    table = f"<table class=bars>{''.join(rows)}</table>"
    return f"<p>{looked} frames, {empty} without a person.</p>{table}"


def _bar(share: float, kind: str = "bar") -> str:
    return f'<span class="{kind}" style="width:calc(var(--whole)*{share:.4f})"></span>'


def _cameras(kept: list) -> str:
    speeds = np.array([speed for clip in kept for speed in clip.facts.camera])
    cuts = sum(len(clip.facts.cut_frames) for clip in kept)
    if not len(speeds):
        return "<p>no videos</p>"
    limits = ((0, "still", 0.01), (0.01, "slow", 0.1), (0.1, "fast", np.inf))
    counts = ", ".join(
        f"{int(((speeds >= low) & (speeds < high)).sum())} {name}" for low, name, high in limits
    )
    return (
        f"<p>{len(speeds)} shots, {cuts} cuts. Cameras: {counts} (limits: .01 and .1 picture "
        "widths a second).</p>"
    )


def _people(settled: Settled) -> str:
    motion = [
        dancer.motion
        for clip in settled.clips
        for dancer in clip.facts.dancers
        if clip.copy_of is None
    ]
    told = [f"<p>Motion, torso lengths: {_quartiles(motion)}.</p>"]
    if settled.joined:
        rows = "".join(
            f"<tr><td>{html.escape(one)}<td>{html.escape(other)}<td>{html.escape(name)}"
            for one, other, name in settled.joined
        )
        told.append(f"<p>Taken for the same person (clothes and scene):</p><table>{rows}</table>")
    if settled.perhaps:
        rows = "".join(
            f"<tr><td>{html.escape(one)}<td>{html.escape(other)}<td>{likeness}"
            for one, other, likeness in settled.perhaps[:200]
        )
        told.append(
            f"<details><summary>{len(settled.perhaps)} pairs in the same clothes elsewhere, left "
            f"as they are: name them in the list if they are one person</summary><table>{rows}"
            "</table></details>"
        )
    return "".join(told)


def _quartiles(values: list[float]) -> str:
    if not values:
        return "none"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"quarter below {low:.2f}, half below {middle:.2f}, quarter above {high:.2f}"


def _sources(out: Path) -> str:
    rows = []
    for line in (Path(out) / "ledger.jsonl").read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        said = one.get("reason") or one.get("of") or _people_of(one)
        said = said.removeprefix(f"{one['source']}: ")
        rows.append(
            f"<tr><td>{html.escape(one['source'])}<td>{one['outcome']}"
            f"<td>{one.get('pictures', '')}<td>{html.escape(said)}"
        )
    return f"<table class=list><tr><th>source<th>outcome<th>pictures<th>{''.join(rows)}</table>"


def _people_of(record: dict) -> str:
    count = len(record["people"])
    return f"{count} {'person' if count == 1 else 'people'}"


def _sheets(out: Path) -> str:
    """Some, spread over all."""
    files = sorted(sheet_path(out, "x").parent.glob("*.jpg"))
    places = np.unique(np.linspace(0, len(files) - 1, min(_MOST_SHEETS, len(files))).astype(int))
    shown = []
    for place in places:
        data = base64.b64encode(files[place].read_bytes()).decode()
        shown.append(
            f"<details open><summary>{html.escape(files[place].stem)}</summary>"
            f'<div class=sheet><img alt="" src="data:image/jpeg;base64,{data}"></div></details>'
        )
    more = f"<p>{len(files) - len(shown)} more in sheets/.</p>" if len(shown) < len(files) else ""
    return "".join(shown) + more
