"""A driver that is named by its address, from a real server on the loopback interface."""

import json
import os
import threading
import time

import pytest
from people import SAMPLES, write_dance, write_untrained_weights
from test_fetch import serving

import dancepipe
from dancepipe.cli.command_line import main
from dancepipe.errors import FetchError
from dancepipe.files.lock import lock_file
from dancepipe.many.jobs import read_jobs
from dancepipe.media.fetch import source_key
from dancepipe.media.fetched import local_video
from dancepipe.rendering.options import AnimateOptions

REFERENCE = SAMPLES / "reference.png"


@pytest.fixture(scope="module")
def dance(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("dance") / "dance.mp4"
    write_dance(path, frames=6)
    return path.read_bytes()


@pytest.fixture
def site(dance, tmp_path, monkeypatch):
    monkeypatch.setenv("DANCEPIPE_CACHE", str(tmp_path / "cache"))
    with serving() as site:
        site.bodies["/dance.mp4"] = ("video/mp4", dance)
        site.bodies["/page.mp4"] = ("video/mp4", b"<html>no video</html>")
        yield site


def test_an_address_is_fetched_once_and_found_again(site, tmp_path, capsys):
    address = site.address.replace("//", "//ann:secret@") + "/dance.mp4"
    write_untrained_weights(tmp_path / "w.safetensors")
    requests = 0
    for name in ("a.mp4", "b.mp4"):
        words = ["animate", REFERENCE, address, "-o", tmp_path / name, "-d", "cpu"]
        words += ["-w", tmp_path / "w.safetensors"]
        assert main([str(word) for word in words]) == 0
        assert ("fetching http://127.0.0.1" in capsys.readouterr().err) == (name == "a.mp4")
        requests = requests or len(site.requests)
    assert len(site.requests) == requests
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    kept = tmp_path / "cache" / "drivers" / f"{source_key(address)}.mp4"
    assert kept.is_file() and kept.parent.stat().st_mode & 0o77 == 0
    shown = dancepipe.preview(REFERENCE, address, tmp_path / "who.png")
    assert shown.people == 1 and len(site.requests) == requests


def test_what_was_not_used_for_a_week_is_removed(site, tmp_path, said):
    first = local_video(site.address + "/dance.mp4", own_network=False)
    other = first.with_name("0123456789abcdef.mp4")
    mine = first.with_name("notes.txt")
    for path in (other, mine):
        path.write_bytes(b"x")
    for path in (first, other, mine):
        os.utime(path, (time.time() - 8 * 24 * 3600,) * 2)
    assert local_video(site.address + "/dance.mp4", own_network=False) == first
    assert first.exists() and mine.exists() and not other.exists()
    assert any("was not used for a week" in line for line in said)


def test_who_comes_second_waits(site, said):
    place = local_video(site.address + "/dance.mp4", own_network=False)
    lock = lock_file(place.with_suffix(""))
    threading.Timer(1.3, lock.release).start()
    assert local_video(site.address + "/dance.mp4", own_network=False) == place
    assert any("waiting for it" in line for line in said)


@pytest.mark.parametrize(
    "path, message",
    [
        ("/page.mp4", "is no video"),
        ("/none.mp4", "404"),
        ("/inside", "leads on to .*in your own network"),
    ],
)
def test_what_cannot_be_had_is_one_line(site, tmp_path, path, message, capsys):
    site.redirects["/inside"] = "http://127.0.0.2:9/dance.mp4"
    words = ["animate", REFERENCE, site.address + path, "-o", tmp_path / "a.mp4"]
    assert main([str(word) for word in words]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("dancepipe: cannot fetch http://127.0.0.1")
    with pytest.raises(FetchError, match=message):
        local_video(site.address + path, own_network=False)


def test_of_lists_the_own_network_is_refused_and_names_are_ours(site, tmp_path):
    address = site.address + "/dance.mp4?token=abcdef"
    jobs = [{"ref": str(REFERENCE), "driver": address}]
    (job,) = read_jobs(jobs, tmp_path, vars(AnimateOptions()))
    assert job.out == str(tmp_path / f"reference--{source_key(address)}.mp4")
    assert job.driver == address and job.digest()
    summary = dancepipe.animate_many(jobs, tmp_path / "out", device="cpu")
    assert summary.failed == 1
    assert "is in your own network" in summary.failures[0]["reason"]
    ledger = (tmp_path / "out" / "ledger.jsonl").read_text()
    assert "abcdef" not in ledger and json.loads(ledger.splitlines()[0])
    assert not site.requests


def test_a_photo_is_not_fetched(capsys):
    assert main(["animate", "http://x/me.jpg", "dance.mp4", "-o", "a.mp4"]) == 2
    assert "the photo http://x/me.jpg is not fetched" in capsys.readouterr().err
    assert main(["animate", "me.jpg", "ftp://x/dance.mp4", "-o", "a.mp4"]) == 2
    assert "ftp:// is not fetched" in capsys.readouterr().err
