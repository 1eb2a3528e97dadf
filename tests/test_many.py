"""animate-many: lists are read or refused with their place, what is done is done whatever is
killed, and the rest goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from people import SAMPLES, write_dance, write_untrained_weights

import dancepipe
from dancepipe.errors import BusyError, ConfigError
from dancepipe.files.lock import Shard, lock_shard
from dancepipe.many.animate_many import _of_shard
from dancepipe.many.jobs import jobs_of_folders, read_jobs
from dancepipe.many.ledger import Ledger, read_ledger
from dancepipe.many.options import AnimateManyOptions
from dancepipe.many.status_page import status_page

EACH = AnimateManyOptions().of_one_clip()


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """refs/ of two photos, drivers/ of two dances and a file that is none, weights of 32 px."""
    folder = tmp_path_factory.mktemp("many")
    for name in ("refs", "drivers"):
        (folder / name).mkdir()
    for name in ("ann", "bob"):
        shutil.copy(SAMPLES / "reference.png", folder / "refs" / f"{name}.png")
    for name in ("one", "two"):
        write_dance(folder / "drivers" / f"{name}.mp4", frames=4)
    write_untrained_weights(folder / "weights.safetensors")
    return folder


@pytest.mark.parametrize(
    "name, text",
    [
        ("jobs.csv", "ref,driver,out,smooth,crf\na.jpg;b.jpg, dance.mp4 ,x/y.mp4,no,20\n\n"),
        (
            "jobs.yaml",
            "- ref: [a.jpg, b.jpg]\n  driver: dance.mp4\n  out: x/y.mp4\n  smooth: false\n"
            "  crf: 20\n",
        ),
        (
            "jobs.yml",
            "jobs:\n- {ref: a.jpg;b.jpg, driver: dance.mp4, out: x/y.mp4, smooth: no, crf: 20}\n",
        ),
    ],
)
def test_a_list_says_who_dances_what(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    (job,) = read_jobs(tmp_path / name, Path("videos"), EACH, "body")
    assert job.refs == (f"{tmp_path}/a.jpg", f"{tmp_path}/b.jpg")
    assert (job.driver, job.out) == (f"{tmp_path}/dance.mp4", "videos/x/y.mp4")
    assert job.options == {**EACH, "smooth": False, "crf": 20} and job.weights == "body"


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("jobs.txt", "", r"give a \.csv or \.yaml file"),
        ("jobs.csv", "photo,driver\na,b\n", "has no column ref; its first line must name"),
        ("jobs.csv", "ref,driver\na.jpg,\n", "line 2: lacks driver"),
        ("jobs.csv", "ref,driver\na.jpg,b.mp4,c\n", "line 2: more cells than the header"),
        ("jobs.csv", "ref,driver\na.jpg,b.mp4\nx/a.jpg,b.mp4\n", "2 and .*3 would both make a--b"),
        ("jobs.csv", "ref,driver,crf\na,b,high\n", "line 2: option 'crf' needs a whole number"),
        ("jobs.csv", "ref,driver,bakground\na,b,red\n", "did you mean 'background'"),
        ("jobs.csv", "ref,driver\n", "no job in"),
        ("jobs.yaml", "ref: a.jpg\n", "must hold a list of jobs"),
        ("jobs.yaml", "- ref: 3\n  driver: a.mp4\n", "job 1: needs texts for ref, driver"),
        ("none.csv", None, "cannot read jobs from .*none.csv: No such file"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused_with_its_place(name, text, message, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_jobs(tmp_path / name, tmp_path, EACH)


def test_a_job_is_another_one_when_its_photo_is_another(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"1")
    rows = [{"ref": str(tmp_path / "a.jpg"), "driver": "b.mp4"}]
    (job,) = read_jobs(rows, tmp_path, EACH)
    (same,) = read_jobs(rows, tmp_path, EACH)
    before = job.digest()
    assert same.digest() == before
    (tmp_path / "a.jpg").write_bytes(b"22")
    assert job.digest() != before


@pytest.mark.parametrize(
    "variables, options, shard",
    [
        ({}, {}, Shard(0, 1)),
        ({}, {"num_shards": 3, "shard_index": 2}, Shard(2, 3)),
        ({"ID": "7", "MIN": "4", "COUNT": "4"}, {}, Shard(3, 4)),
        ({"ID": "6", "MIN": "0", "STEP": "2", "COUNT": "4"}, {}, Shard(3, 4)),
        ({"ID": "7", "MIN": "4", "COUNT": "4"}, {"num_shards": 2}, Shard(0, 2)),
        ({"ID": "9", "MIN": "4", "COUNT": "4"}, {}, "do not fit together"),
        ({}, {"num_shards": 2, "shard_index": 2}, "shard_index 2 must be below num_shards 2"),
    ],
)
def test_tasks_of_a_job_array_are_shards(variables, options, shard, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    if isinstance(shard, Shard):
        assert AnimateManyOptions(**options).shard() == shard
    else:
        with pytest.raises(ConfigError, match=shard):
            AnimateManyOptions(**options).shard()


def test_shards_share_out_the_jobs_and_keep_a_person_together(material):
    jobs = jobs_of_folders(material / "refs", material / "drivers", material, EACH)
    parts = [_of_shard(jobs, Shard(index, 3)) for index in range(3)]
    assert [job for part in parts for job in part] == jobs and len(jobs) == 4
    halves = [_of_shard(jobs, Shard(index, 2)) for index in range(2)]
    assert [len({job.refs for job in half}) for half in halves] == [1, 1]


def test_runs_that_share_a_folder_have_ledgers_of_their_own_and_read_all(tmp_path):
    with Ledger(tmp_path, Shard(0, 2)) as first, Ledger(tmp_path, Shard(1, 2)) as second:
        first.begin("a", str(tmp_path / "a.mp4"))
        second.add("b", "failed", str(tmp_path / "<b>.mp4"), reason="no <person>")
    (tmp_path / "a.mp4").write_bytes(b"whole")  # and was killed before it could tell
    with open(tmp_path / "ledger-0-of-2.jsonl", "a") as file:
        file.write('{"job": "c", "sta')
    entries = {entry.job: entry for entry in read_ledger(tmp_path)}
    assert entries.keys() == {"a", "b"} and entries["a"].is_done() and not entries["b"].is_done()
    page = status_page(tmp_path, 5, is_over=False)
    assert "no &lt;person&gt;" in page and "<b>" not in page and "3 waiting" in page
    assert "http" not in page.replace("http-equiv", ""), "nothing is fetched from elsewhere"


def test_a_result_that_came_before_the_kill_and_was_not_told_is_done(tmp_path):
    rows = [{"ref": "a.jpg", "driver": "b.mp4"}]
    (job,) = read_jobs(rows, tmp_path, EACH)
    with Ledger(tmp_path) as ledger:
        ledger.begin(job.digest(), job.out)
    Path(job.out).write_bytes(b"whole")
    assert dancepipe.animate_many(rows, tmp_path).already_there == 1
    assert "1 done" in (tmp_path / "status.html").read_text()


def test_one_folder_has_one_writer(tmp_path):
    with lock_shard(tmp_path, Shard(0, 1)), pytest.raises(BusyError, match="is being written by"):
        dancepipe.animate_many([{"ref": "a.jpg", "driver": "b.mp4"}], tmp_path)


def command(material: Path, out: Path, *more: str) -> list[str]:
    places = ["--refs", str(material / "refs"), "--drivers", str(material / "drivers")]
    weights = ["-w", str(material / "weights.safetensors"), "-d", "cpu", "--json"]
    return [
        sys.executable, "-m", "dancepipe", "animate-many", *places, "-o", str(out), *weights, *more
    ]  # fmt: skip


def test_killed_with_minus_9_it_ends_with_the_same_files(material, tmp_path):
    out = tmp_path / "videos"
    with subprocess.Popen(command(material, out), stdout=subprocess.PIPE, text=True) as first:
        for line in first.stdout:
            if json.loads(line)["event"] == "done":
                os.kill(first.pid, signal.SIGKILL)
                break
    again = subprocess.run(command(material, out, "--quiet"), stdout=subprocess.PIPE, text=True)
    *events, summary = map(json.loads, again.stdout.splitlines())
    assert again.returncode == 0 and summary["failed"] == 0 and summary["already_there"] >= 1
    assert summary["made"] + summary["already_there"] == 4
    assert {"begun", "done"} <= {event["event"] for event in events}
    assert not list(out.glob(".dancepipe-*")), "nothing is left lying about"
    motions = [path.name.split("-")[0] for path in (out / "motions").iterdir()]
    assert sorted(motions) == ["one", "two"], "each driver is looked at once"
    with dancepipe.Session(material / "weights.safetensors", device="cpu") as session:
        for video in ("ann--one", "bob--two"):
            person, dance = video.split("--")
            alone = tmp_path / f"{video}.mp4"
            session.animate(
                material / f"refs/{person}.png", material / f"drivers/{dance}.mp4", alone
            )
            assert alone.read_bytes() == (out / alone.name).read_bytes()
    assert "4 done" in (out / "status.html").read_text()


def test_a_lost_worker_and_a_bad_file_cost_their_own_video(material, tmp_path):
    jobs = [
        {"ref": str(material / "refs/ann.png"), "driver": str(material / f"drivers/{name}.mp4")}
        for name in ("none", "one", "two")
    ]
    where = {"weights": material / "weights.safetensors", "device": "cpu"}
    heard = []

    def hear(event):
        heard.append(event["event"])
        if event["event"] == "begun" and "--one" in event["out"]:
            for child in children():
                os.kill(child, signal.SIGKILL)

    first = dancepipe.animate_many(jobs, tmp_path / "v", on_event=hear, **where)
    assert (first.made, first.failed) == (1, 2) and "done" in heard
    reasons = {Path(one["out"]).name: one["reason"] for one in first.failures}
    assert "no such file" in reasons["ann--none.mp4"]
    assert "was killed, perhaps since memory ran out" in reasons["ann--one.mp4"]
    second = dancepipe.animate_many(jobs, tmp_path / "v", retry=True, **where)
    assert (second.made, second.already_there, second.failed) == (1, 1, 1)
    third = dancepipe.animate_many(jobs, tmp_path / "v", **where)
    assert (third.made, third.already_there, third.failed) == (0, 2, 1), "tried when asked alone"


def children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    found = [(task / "children").read_text().split() for task in tasks]
    return [
        int(one)
        for some in found
        for one in some
        if b"dancepipe.rendering.worker" in Path(f"/proc/{one}/cmdline").read_bytes()
    ]
