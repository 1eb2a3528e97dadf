"""report.html: what is in it, and how it looks in a real browser, on a desktop and on a phone."""

import json

import numpy as np
import pytest
from browser import open_browser

from dancepipe.building.facts import ClipFacts, DancerFacts
from dancepipe.building.report import REPORT_FILE, write_report
from dancepipe.building.settle import Settled, SettledClip
from dancepipe.building.sheet import sheet_path, write_sheet

LONG = "https://videos.example.org/" + "a-dance-in-a-street-" * 6 + ".mp4"


@pytest.fixture
def report(tmp_path):
    dancer = DancerFacts("ann", "one", 40, False, 0.2)
    facts = ClipFacts(
        LONG, "00", "ann", dancers=[dancer], frames_looked_at=90, frames_without_person=2,
        bodies=88, dropped={"cut off": 8, "drawn": 10, "alike": 30}, cut_frames=[9],
        camera=[0.0, 0.2],
    )  # fmt: skip
    settled = Settled(
        [SettledClip(tmp_path / "train" / "one.parquet", facts, None, ("ann",), "train")],
        [(LONG, "other.mp4", "ann")], [("ann", "tom<b>", 0.97)],
    )  # fmt: skip
    ledger = [
        {"source": LONG, "outcome": "kept", "people": ["ann"], "pictures": 40},
        {"source": "<i>.mp4", "outcome": "failed", "stage": "fetch", "reason": "<i>.mp4: no video"},
    ]
    (tmp_path / "ledger.jsonl").write_text("".join(json.dumps(one) + "\n" for one in ledger))
    picture = np.full((96, 96, 3), 200, np.uint8)
    (tmp_path / "sheets").mkdir()
    write_sheet(sheet_path(tmp_path, "one"), [("1: kept", picture)] * 20)
    write_report(tmp_path, settled, seconds=12.0, sources_done=2)
    return tmp_path / REPORT_FILE


def test_everything_is_told_and_nothing_comes_from_elsewhere(report):
    text = report.read_text(encoding="utf-8")
    for part in (
        "<td>train<td>40<td>1", "not whole in the picture<td>-8", "painted, not filmed<td>-10",
        "<td>kept<td>40<td>", "2 shots, 1 cuts", "1 still, 0 slow, 1 fast", "<td>1 person",
        "tom&lt;b&gt;", "<td>failed<td><td>no video", "2 sources in 12 s",
    ):  # fmt: skip
        assert part in text, part
    assert "<i>" not in text and 'src="http' not in text and "<script" not in text


@pytest.mark.parametrize("phone", [False, True])
def test_it_fits_the_screen(report, tmp_path, phone):
    with open_browser(tmp_path / "browser", phone=phone) as browser:
        browser.open(report.as_uri())
        width, shown = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert width <= shown == (390 if phone else shown)
        assert browser.run("return document.querySelector('img').naturalWidth") == 1152
        tile = browser.run("return document.querySelector('img').clientWidth / 12")
        assert tile > 60  # pixels of the page: a picture that can be looked at
        assert not browser.console()
