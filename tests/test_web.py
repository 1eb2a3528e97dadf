"""The page in a real browser, and its queue, whatever is killed."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from browser import open_browser
from drawn import write_test_video
from people import SAMPLES, SIZE_WH, dancer_frames, write_dance

from dancepipe.cli import main
from dancepipe.errors import BadImageError, BadVideoError, ConfigError
from dancepipe.web.folder import check_upload, samples, web_folder
from dancepipe.web.job_queue import ENDED, JobQueue, JobState
from dancepipe.web.words import state_words

with_gradio = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None, reason="no gradio here (extra web)"
)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """me.png, dance.mp4 of 8 frames and long.mp4 of 60, pair.mp4 of two people."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copy(SAMPLES / "reference.png", folder / "me.png")
    write_dance(folder / "dance.mp4", frames=8)
    write_dance(folder / "long.mp4", frames=60)
    frames = dancer_frames()

    def two(index: int, _) -> np.ndarray:
        return np.concatenate([frames[index], frames[60 + index]], axis=1)

    write_test_video(folder / "pair.mp4", 8, size_wh=(2 * SIZE_WH[0], SIZE_WH[1]), draw=two)
    return folder


def wait_for(jobs: JobQueue, names: list[str], seconds: float = 240) -> list[JobState]:
    end = time.monotonic() + seconds
    while any(jobs.state(name).state not in ENDED for name in names):
        assert time.monotonic() < end, [jobs.state(name) for name in names]
        time.sleep(0.05)
    return [jobs.state(name) for name in names]


QUEUE_OF_FIVE = """
import sys, time
from pathlib import Path
from dancepipe.web.folder import web_folder
from dancepipe.web.job_queue import JobQueue
folder, photo, driver = map(Path, sys.argv[1:])
jobs = JobQueue(web_folder(str(folder)))
small = {"max_side_px": 160, "device": "cpu"}
names = [jobs.submit(f"visitor{n % 2}", [photo], driver, small) for n in range(5)]
while jobs.state(names[0]).state != "begun":
    time.sleep(0.02)
print(*names, flush=True)
time.sleep(600)
"""


def test_five_that_wait_when_it_is_killed_are_made_after_a_restart(material, tmp_path):
    line = [sys.executable, "-c", QUEUE_OF_FIVE, tmp_path / "kept", material / "me.png"]
    with subprocess.Popen(
        [*map(str, line), str(material / "dance.mp4")], stdout=subprocess.PIPE, text=True
    ) as first:
        names = first.stdout.readline().split()
        os.kill(first.pid, signal.SIGKILL)
    jobs = JobQueue(web_folder(str(tmp_path / "kept")))
    try:
        ended = wait_for(jobs, names)
        assert [job.state for job in ended] == ["done"] * 5, ended
        assert all(job.out.stat().st_size for job in ended)
        assert [job.id for job in jobs.of_owner("visitor1")] == [names[3], names[1]]
        # a file that lies fails alone, one that is cancelled is not made, and a bad end is told
        bad = tmp_path / "bad.mp4"
        bad.write_bytes(b"no video")
        own = [
            jobs.submit("me", [material / "me.png"], driver, {"device": "cpu"})
            for driver in (material / "long.mp4", bad, material / "long.mp4")
        ]
        jobs.cancel(own[2])
        while not jobs.state(own[0]).frames_done:
            time.sleep(0.02)
        jobs.cancel(own[0])
        ended = wait_for(jobs, own)
        assert [job.state for job in ended] == ["cancelled", "failed", "cancelled"]
        assert "it is not a video" in ended[1].words
        assert sorted(one.name for one in ended[0].out.parent.iterdir()) == [
            "driver.mp4",
            "photo1.png",
        ]
    finally:
        jobs.close()
    again = JobQueue(web_folder(str(tmp_path / "kept")))
    again.close()
    assert [again.state(name).state for name in own] == ["cancelled", "failed", "cancelled"]


def test_too_many_of_one_visitor_are_refused(material, tmp_path):
    jobs = JobQueue(web_folder(str(tmp_path / "kept")), max_waiting=0)
    try:
        with pytest.raises(ConfigError, match="0 of your videos are waiting already"):
            jobs.submit("me", [material / "me.png"], material / "dance.mp4", {})
    finally:
        jobs.close()


@pytest.mark.parametrize(
    "name, is_video, error",
    [
        ("uploads/me.png", False, None),
        ("uploads/dance.mp4", True, None),
        ("uploads/dance.mp4", False, BadImageError),
        ("uploads/me.png", True, BadVideoError),
        ("uploads/../secret", False, ConfigError),
        ("uploads/link.png", False, ConfigError),
        ("secret", False, ConfigError),
    ],
)
def test_what_was_not_uploaded_here_is_not_read(name, is_video, error, material, tmp_path):
    folder = web_folder(str(tmp_path / "kept"))
    for given in ("me.png", "dance.mp4"):
        shutil.copy(material / given, folder / "uploads")
    shutil.copy(material / "me.png", folder / "secret")
    (folder / "uploads" / "link.png").symlink_to(folder / "secret")
    if error is None:
        assert check_upload(folder, folder / name, is_video=is_video).is_file()
    else:
        with pytest.raises(error):
            check_upload(folder, folder / name, is_video=is_video)


def test_a_folder_with_other_files_is_neither_used_nor_emptied(tmp_path):
    (tmp_path / "jobs").mkdir()
    own = tmp_path / "jobs" / "letter.txt"
    own.write_text("mine")
    with pytest.raises(ConfigError, match="other files"):
        web_folder(str(tmp_path))
    assert main(["web", "--folder", str(tmp_path), "--empty"]) == 2
    assert own.read_text() == "mine" and len(list(tmp_path.iterdir())) == 1
    page = web_folder(str(tmp_path / "page"))
    assert web_folder(str(page)) == page  # its own, a second time


def test_samples_are_there_and_may_be_used(tmp_path):
    photo, driver = samples()
    folder = web_folder(str(tmp_path / "kept"))
    assert check_upload(folder, photo, is_video=False) and check_upload(
        folder, driver, is_video=True
    )


def test_what_is_said_of_a_job_is_text_and_no_html():
    job = JobState("1", "me", "<b>me</b>", Path("d"), Path("o"), "failed", words="<script>")
    assert "<script>" not in state_words(job) and "&lt;b&gt;me" in state_words(job)
    at_work = JobState("1", "me", "me", Path("d"), Path("o"), "begun", 0, 50, 170, 10.0)
    assert "frame 50 of 170, 10.0 frames a second, 12 s left" in state_words(at_work)


def test_what_a_user_can_mend_is_one_line(tmp_path, capsys, monkeypatch):
    folder = ["--folder", str(tmp_path / "kept")]
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["web", *folder]) == 2
    assert "pip install 'dancepipe[web]'" in capsys.readouterr().err
    web_folder(str(tmp_path / "kept"))
    (tmp_path / "kept" / "jobs" / "1").mkdir()
    (tmp_path / "kept" / "mine.txt").write_text("keep")
    assert main(["web", "--empty", *folder]) == 0
    assert "emptied (1 jobs)" in capsys.readouterr().out
    left = sorted(one.name for one in (tmp_path / "kept").iterdir())
    assert left == [".dancepipe-web", "mine.txt"]


@contextmanager
def served(folder: Path, *more: str):
    """The page's address."""
    line = [sys.executable, "-m", "dancepipe", "web", "--port", "0", "--folder", str(folder)]
    said = folder.with_suffix(".log")
    with open(said, "w") as file:
        process = subprocess.Popen([*line, "-d", "cpu", *more], stderr=file, stdout=file)
    try:
        end = time.monotonic() + 60
        while not (found := re.search(r"http://localhost:\d+/", said.read_text())):
            assert time.monotonic() < end and process.poll() is None, said.read_text()
            time.sleep(0.05)
        yield found[0].replace("localhost", "127.0.0.1")
    finally:
        process.terminate()
        assert process.wait(30) in (0, 143, -15), said.read_text()


def drop_in(page, photo: Path, driver: Path) -> None:
    page.wait("document.querySelector('#photo input[type=file]')", seconds=30)
    page.type("#photo input[type=file]", str(photo))
    page.type("#driver input[type=file]", str(driver))


IS_MADE = "document.querySelector('#made img')?.naturalWidth > 0"
PLAYS = "document.querySelector('#result video')?.readyState >= 2"


@with_gradio
def test_two_people_at_once_from_upload_to_a_playing_result(material, tmp_path):
    (tmp_path / "one").mkdir(), (tmp_path / "two").mkdir()
    with (
        served(tmp_path / "kept") as address,
        open_browser(tmp_path / "one") as ann,
        open_browser(tmp_path / "two", phone=True) as bob,
    ):
        for page in (ann, bob):
            page.open(address)
            page.wait("document.querySelector('#agree')?.offsetParent", seconds=60)
            assert not page.run("return document.querySelector('#work')?.offsetParent")
            page.click("#agree")
        drop_in(ann, material / "me.png", material / "long.mp4")
        ann.wait(IS_MADE, seconds=120)
        assert not ann.run("return document.querySelector('#person')?.offsetParent"), "one alone"
        ann.click("#animate")
        ann.wait("document.querySelector('#state')?.innerText.includes('frames a second')")

        # Bob, on a phone, waits behind her; she reloads in the middle, and cancels.
        bob.wait("document.querySelector('#sample')?.offsetParent")
        drop_in(bob, material / "me.png", material / "pair.mp4")
        bob.wait("document.querySelectorAll('#person input').length === 2", seconds=60)
        bob.run("document.querySelector('#person label:not(.selected) input').click()")
        whom = bob.wait("document.querySelector('#person label.selected')?.innerText.trim()")
        bob.wait(IS_MADE, seconds=60)
        bob.type("#duration input, #duration textarea", "0:00.2")
        bob.run("document.querySelector('#animate').click()")
        bob.wait("document.querySelector('#state')?.innerText.includes('me · pair')")
        asked = [json.loads(one.read_text()) for one in (tmp_path / "kept/orders").iterdir()]
        assert sorted(one["options"]["person"] for one in asked) == sorted(["largest", whom])
        assert [one["options"].get("duration") for one in asked].count("0:00.2") == 1
        ann.reload()
        ann.wait("document.querySelector('#state')?.innerText.includes('me · long')", seconds=60)
        assert not ann.run("return document.querySelector('#consent')?.offsetParent"), "asked once"
        ann.run("document.querySelector('#cancel')?.click()")
        ann.wait("/cancelled|done/.test(document.querySelector('#state')?.innerText)")
        bob.wait(PLAYS, seconds=120)
        sources = bob.run("return [...document.querySelectorAll('#results video')].map(v => v.src)")
        assert sources[0].endswith("driver.mp4") and sources[-1].endswith("dance.mp4")
        assert bob.run("return document.documentElement.scrollWidth <= innerWidth"), "fits"
        assert "me · long" not in bob.run("return document.body.innerText")
        for page in (ann, bob):
            asked = page.run("return performance.getEntriesByType('resource').map(one => one.name)")
            assert all(one.startswith((address, "data:", "blob:")) for one in asked), asked
            refused = [one for one in page.console() if re.search("Security Policy|Failed", one)]
            assert not refused
        with urllib.request.urlopen(sources[-1]) as answer:
            assert answer.read(12)[4:8] == b"ftyp"
