"""A whole small study in a real browser: clicked, typed and tapped through, killed in the
middle, gone on with, reported."""

import json
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from browser import open_browser
from study_pictures import write_folders

from dancepipe.study.report import study_report
from dancepipe.study.votes_file import read_votes

SERVE = """
import sys
from pathlib import Path
from dancepipe.cli.screen import on_screen
from dancepipe.study.options import StudyOptions
from dancepipe.study.study import study
folder, port = Path(sys.argv[1]), int(sys.argv[2])
options = StudyOptions(port=port, pictures=3, checks=2, show_seconds=0.4, rest_after=4)
with on_screen(quiet=False):
    study(folder / "real", {"ours": folder / "ours", "other": folder / "other"}, folder / "votes.sqlite", options)
"""  # noqa: E501
TOTAL = 8  # three pairs of two methods, two checks
# Which side a careful eye would take, from the pixels: made pictures are red or blue; of two green
# ones the blurred has many colours.
LOOK = """
const looked = ["left", "right"].map((side) => {
  const image = document.querySelector(`#${side} img`), canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data, sum = [0, 0, 0], colours = new Set();
  for (let i = 0; i < data.length; i += 4) {
    for (let c = 0; c < 3; c++) sum[c] += data[i + c];
    colours.add(data.slice(i, i + 3).join());
  }
  return { kind: sum[0] > sum[1] ? "ours" : sum[2] > sum[1] ? "other" : colours.size > 2 ? "check" : "real" };
});
return { real: looked[0].kind === "real" ? "left" : "right", made: looked.find((one) => one.kind !== "real").kind,
         reals: looked.filter((one) => one.kind === "real").length };
"""  # noqa: E501
SHOWN = (
    "document.querySelectorAll('.shown').length === 2 && "
    "getComputedStyle(document.querySelector('#left img')).visibility === 'visible'"
)
AWAITED = "pair && pair.number === arguments[0]"


@contextmanager
def serving(folder, port):
    """The study in a process of its own; gives the process."""
    command = [sys.executable, "-u", "-c", SERVE, str(folder), str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "the study is at" in line:
                    break
            assert process.poll() is None, lines
            yield process
        finally:
            process.kill()


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def enter(browser, port, name):
    browser.open(f"http://127.0.0.1:{port}/")
    browser.wait("!document.getElementById('start').hidden && document.activeElement.id === 'name'")
    browser.type("#name", name)
    browser.press("enter")
    browser.wait(
        "!document.getElementById('ready').hidden && document.activeElement.id === 'begin'"
    )


def test_a_study_clicked_through_killed_and_gone_on_with(tmp_path, port):
    write_folders(tmp_path, 8, ("ours", "other"))
    pressed = []
    with open_browser(tmp_path) as browser:
        with serving(tmp_path, port) as process:
            enter(browser, port, "<img src=x onerror=document.title=1> Zoë")
            assert (
                browser.run("return document.querySelector('#ready h1').textContent")
                == "Welcome, <img src=x onerror=document.title=1> Zoë"
            )
            assert "8 pairs" in browser.run(
                "return document.getElementById('ready-where').textContent"
            )
            browser.press("enter")

            # 0: shown for 0.4 s, then hidden, and still answered, by key
            browser.wait(f"{AWAITED} && {SHOWN}", 0)
            assert browser.run("return document.getElementById('count').textContent") == "1 of 8"
            looked = browser.run(LOOK)
            assert looked["reals"] == 1
            browser.wait(f"!({SHOWN})")
            assert browser.run("return pair.hiddenAt - pair.shownAt") == pytest.approx(400, abs=150)
            answer(browser, looked, pressed)

            # 1: a key that is held down from the last pair, and two clicks at once
            browser.wait(AWAITED, 1)
            browser.run(
                "dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', repeat: true}))"
            )
            assert browser.run(f"return {AWAITED}", 1)
            side = wanted_side(browser.run(LOOK))
            browser.run(
                "const b = document.getElementById(arguments[0]); b.click(); b.click();", side
            )

            # 2: reached by tabulator, chosen by enter
            browser.wait(AWAITED, 2)
            side = wanted_side(browser.run(LOOK))
            browser.run("document.querySelector('#trial h1').focus()")
            for _ in range(1 if side == "left" else 2):
                browser.press("tab")
            assert browser.run("return document.activeElement.id") == side
            browser.press("enter")
            browser.wait(AWAITED, 3)
            third = browser.run(LOOK)
            assert browser.console() == []
            process.kill()  # SIGKILL, with a pair on the screen
            process.wait()

        # 3: answered while nobody listens
        answer(browser, third, pressed)
        browser.wait("document.getElementById('trouble').textContent.includes('Nothing is lost')")
        assert [len(volunteer.votes) for volunteer in read_votes(tmp_path / "votes.sqlite")[1]] == [
            3
        ]

        with serving(tmp_path, port):
            browser.wait(
                "!document.getElementById('rest').hidden"
            )  # the page went on by itself; four pairs, so a rest is offered
            assert (
                browser.run("return document.getElementById('rest-where').textContent")
                == "4 of 8 pairs are answered."
            )
            assert browser.run("return document.getElementById('trouble').hidden")
            browser.press("enter")

            # 4: reloaded with the pair on the screen
            browser.wait(AWAITED, 4)
            browser.reload()
            browser.wait("!document.getElementById('ready').hidden")
            assert browser.run("return document.querySelector('#ready h1').textContent").startswith(
                "Welcome back, <img"
            )
            assert "4 of 8 pairs" in browser.run(
                "return document.getElementById('ready-where').textContent"
            )
            browser.click("#begin")
            for number in range(4, TOTAL):
                browser.wait(AWAITED, number)
                answer(browser, browser.run(LOOK), pressed)
            assert set(pressed) == {"a", "d", "left", "right"}
            browser.wait("!document.getElementById('done').hidden")
            assert browser.run("return document.title") == "Which one is the real photograph?"
            origin = f"http://127.0.0.1:{port}/"
            assert all(
                name.startswith(origin)
                for name in browser.run(
                    "return performance.getEntriesByType('resource').map((entry) => entry.name)"
                )
            )

    report = study_report(tmp_path / "votes.sqlite")
    assert {row.method: (row.jnd, row.votes) for row in report.methods} == {
        "ours": (0, 3),
        "other": (1, 3),
    }
    (zoe,) = report.volunteers
    assert (zoe.counted, zoe.answered, zoe.checks_right, zoe.checks_answered, zoe.shown_again) == (
        True,
        8,
        2,
        2,
        1,
    )
    (votes,) = [volunteer.votes for volunteer in read_votes(tmp_path / "votes.sqlite")[1]]
    assert (
        votes[0].shown_seconds == pytest.approx(0.4, abs=0.15)
        and votes[0].response_seconds > votes[0].shown_seconds
    )
    assert all(
        0 < vote.response_seconds < 60 and vote.picture_width_px == 80 for vote in votes
    )  # 40 px, enlarged twice
    assert json.loads(report.json())["protocol"]["show_seconds"] == 0.4


def test_on_a_phone(tmp_path, port):
    """Tapped through by somebody who always takes the upper picture: everything fits, and the
    report does not count him."""
    write_folders(tmp_path, 8, ("ours", "other"), size_wh=(256, 256))
    with serving(tmp_path, port), open_browser(tmp_path, phone=True) as browser:
        enter(browser, port, "Tom")
        assert contrasts(browser) > 4.5
        browser.tap("#begin")
        for number in range(TOTAL):
            browser.wait(f"!document.getElementById('rest').hidden || ({AWAITED})", number)
            if not browser.run("return document.getElementById('rest').hidden"):
                browser.tap("#go-on")
                browser.wait(AWAITED, number)
            if number == 0:
                assert contrasts(browser) > 4.5
                boxes = browser.run(BOXES)
                assert all(
                    0 <= box["left"]
                    and box["right"] <= 390
                    and 0 <= box["top"]
                    and box["bottom"] <= 844
                    for box in boxes
                ), boxes
                assert (
                    boxes[0]["width"] == boxes[1]["width"] > 300
                )  # one above the other: side by side they would be 180 px
                assert boxes[0]["bottom"] <= boxes[1]["top"]
                assert browser.run("return document.documentElement.scrollWidth") <= 390
                labels = [
                    browser.call("GET", f"element/{browser.find(f'#{side}')}/computedlabel")
                    for side in ("left", "right")
                ]
                assert labels == ["The upper picture is real", "The lower picture is real"]
            if number == 1:  # a pause lets the pair on the screen be answered first
                browser.tap("#pause")
                browser.tap("#left")
                browser.wait("!document.getElementById('rest').hidden")
                browser.tap("#go-on")
                continue
            browser.tap("#left")
        browser.wait("!document.getElementById('done').hidden")
        assert browser.console() == []
        browser.tap("#next-volunteer")
        browser.wait(
            "document.activeElement.id === 'name' && document.getElementById('name').value === ''"
        )
        browser.press("enter")
        browser.wait("document.getElementById('name-error').textContent === 'Please type a name.'")
    (tom,) = study_report(tmp_path / "votes.sqlite").volunteers
    assert (tom.answered, tom.left_share, tom.checks_right, tom.counted) == (8, 1, 1, False)


def test_the_same_browser_goes_on_by_itself_after_it_and_the_server_were_killed(tmp_path, port):
    write_folders(tmp_path, 8, ("ours", "other"))
    with serving(tmp_path, port) as process, open_browser(tmp_path) as browser:
        enter(browser, port, "Ann")
        vote_through(browser, 0, 2)
        browser.wait_until_kept(browser.run("return me.volunteer"))
        browser.kill()
        process.kill()
        process.wait()
    with serving(tmp_path, port), open_browser(tmp_path) as browser:
        browser.open(f"http://127.0.0.1:{port}/")
        assert welcomed(browser) == ("Welcome back, Ann", True)
        assert "answered 2 of 8 pairs" in browser.run("return document.body.innerText")
        vote_through(browser, 2, 3)
        assert browser.console() == []
    assert counted(tmp_path) == {"Ann": 3}


def test_another_browser_needs_the_personal_link(tmp_path, port):
    write_folders(tmp_path, 8, ("ours", "other"))
    address = f"http://127.0.0.1:{port}/"
    with serving(tmp_path, port):
        with open_browser(tmp_path / "hers") as browser:
            enter(browser, port, "Ann")
            link = browser.run("return document.querySelector('#ready .link').innerText")
            assert link == browser.run("return document.querySelector('#rest .link').href")
            assert link == f"{address}#{browser.run('return me.volunteer')}"
            vote_through(browser, 0, 2)
        with open_browser(tmp_path / "another") as browser:
            browser.open(address)
            for name in ("Ann", " ANN"):
                browser.wait("document.activeElement.id === 'name'")
                browser.run("document.getElementById('name').value = ''")
                browser.type("#name", name)
                browser.press("enter")
                browser.wait("!document.getElementById('name-error').hidden")
                said = browser.run("return document.getElementById('name-error').textContent")
                assert "personal link" in said and "another name" in said
                assert browser.run("return document.getElementById('name').value") == name
                browser.wait("me === null && localStorage.length === 0")
            browser.console()  # of the refused requests

            browser.open(link)
            assert welcomed(browser) == ("Welcome back, Ann", True)
            assert browser.run("return location.href") == address, "the token is not on show"
            vote_through(browser, 2, 3)
            browser.reload()
            assert welcomed(browser) == ("Welcome back, Ann", True)
            browser.click("#other")
            browser.type("#name", "ann")  # known in this browser, too, from here on
            browser.press("enter")
            assert welcomed(browser) == ("Welcome back, Ann", True)

            browser.click("#other")  # a link in a window that is open already
            browser.type("#name", "Bob")
            browser.press("enter")
            assert welcomed(browser) == ("Welcome, Bob", True)
            browser.run("window.isOld = true; location.href = arguments[0]", link)
            browser.wait("!window.isOld && !document.getElementById('ready').hidden")
            assert welcomed(browser) == ("Welcome back, Ann", True)
            assert browser.run("return location.href") == address

            browser.run("window.isOld = true; location.hash = '#' + '0'.repeat(32)")  # of no study
            browser.wait("!window.isOld && !document.getElementById('name-error').hidden")
            said = browser.run("return document.getElementById('name-error').textContent")
            assert "does not know you" in said
    assert counted(tmp_path) == {"Ann": 3, "Bob": 0}


def test_several_volunteers_share_a_browser_one_after_the_other_and_in_two_windows(tmp_path, port):
    write_folders(tmp_path, 8, ("ours", "other"))
    with serving(tmp_path, port), open_browser(tmp_path) as browser:
        enter(browser, port, "Ann")
        vote_through(browser, 0, 1)
        browser.reload()
        assert welcomed(browser) == ("Welcome back, Ann", True)
        browser.click("#other")
        browser.type("#name", "__proto__")
        browser.press("enter")
        assert welcomed(browser) == ("Welcome, __proto__", True)
        vote_through(browser, 0, 2)

        first = browser.window()
        browser.switch(browser.new_window())
        browser.open(f"http://127.0.0.1:{port}/")
        assert welcomed(browser) == ("Welcome back, __proto__", True)  # who was here last
        browser.click("#other")
        browser.type("#name", "ann")
        browser.press("enter")
        assert welcomed(browser) == ("Welcome back, Ann", True)
        vote_through(browser, 1, 2)
        browser.switch(first)
        browser.reload()
        assert welcomed(browser) == ("Welcome back, __proto__", True)
        vote_through(browser, 2, 4)
        browser.wait("!document.getElementById('rest').hidden || " + AWAITED, 4)
        assert browser.console() == []
    assert counted(tmp_path) == {"Ann": 2, "__proto__": 4}


def test_a_name_is_not_lost_where_the_answer_to_it_is(tmp_path, port):
    write_folders(tmp_path, 8, ("ours", "other"))
    with serving(tmp_path, port), open_browser(tmp_path) as browser:
        browser.open(f"http://127.0.0.1:{port}/")
        browser.wait("document.activeElement.id === 'name'")
        browser.run("""
const real = window.fetch;
window.fetch = async (...request) => {
  await real(...request);
  window.fetch = real;
  throw new TypeError("lost");
};
""")
        browser.type("#name", "Ann")
        browser.press("enter")
        assert welcomed(browser) == ("Welcome, Ann", True)
    assert counted(tmp_path) == {"Ann": 0}


def welcomed(browser) -> tuple[str, bool]:
    """What the page says before the first pair, and whether the key to begin is at hand."""
    browser.wait("!document.getElementById('ready').hidden")
    heading = browser.run("return document.querySelector('#ready h1').textContent")
    return heading, browser.run("return document.activeElement.id === 'begin'")


def counted(folder) -> dict[str, int]:
    """The votes of each volunteer."""
    _, volunteers = read_votes(folder / "votes.sqlite")
    return {volunteer.name: len(volunteer.votes) for volunteer in volunteers}


def vote_through(browser, start, stop):
    """From the welcome to the pair `stop`: the pairs from `start` on are answered."""
    browser.click("#begin")
    for number in range(start, stop):
        browser.wait(AWAITED, number)
        browser.press("a")
    browser.wait(f"me.answered === {stop}")


def wanted_side(looked):
    """The volunteer of the test sees through "ours" and the checks, and falls for "other" every
    time."""
    return (
        looked["real"]
        if looked["made"] != "other"
        else {"left": "right", "right": "left"}[looked["real"]]
    )


def answer(browser, looked, pressed):
    """By a letter and by an arrow in turn, on each side; adds the key to `pressed`."""
    keys = {"left": ("a", "left"), "right": ("d", "right")}[wanted_side(looked)]
    pressed.append(keys[sum(key in keys for key in pressed) % 2])
    browser.press(pressed[-1])


BOXES = """
return ["#left", "#right", "#pause", "#trial h1", "#progress"].map((name) => document.querySelector(name).getBoundingClientRect().toJSON());
"""  # noqa: E501


def contrasts(browser) -> float:
    """The worst contrast (WCAG 2) of a visible text with the ground it stands on."""
    return browser.run("""
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (rgb) => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
let worst = 21;
for (const element of document.querySelectorAll("main *")) {
  if (!element.offsetParent || ![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
  let ground = element;
  while (parts(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
  const colours = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
  const pair = colours.map((colour) => light(parts(colour))).sort((a, b) => b - a);
  worst = Math.min(worst, (pair[0] + 0.05) / (pair[1] + 0.05));
}
return worst;
""")  # noqa: E501
