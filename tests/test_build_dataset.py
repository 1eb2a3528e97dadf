"""build-dataset: clips are whole or absent, failures are written down and do not stop the run,
reruns cost nothing."""

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from drawn import write_test_sound, write_test_video
from hearing import hearing
from people import write_dance

from dancepipe.building.build import build_dataset, clip_path
from dancepipe.building.ledger import Ledger
from dancepipe.building.options import BuildDatasetOptions, CleaningOptions
from dancepipe.building.sources import Source, read_sources, shard_of, split_of
from dancepipe.data.store import clip_files, read_clip
from dancepipe.errors import ConfigError, OutputError
from dancepipe.media.read import VideoReader
from dancepipe.person.crop import pose_from_box
from dancepipe.pose.skeleton import R_WRIST
from dancepipe.records import GREY

UNCLEANED = CleaningOptions(
    crossing=False, min_likeness=0, whole_body=False, min_scale=0, min_sharpness=0, min_mask=0,
    steady=False, max_caption=0, min_motion=0, min_pose=0, most_poses=0, duplicates=False,
)  # fmt: skip
SMALL = BuildDatasetOptions(size_px=64, fps=0, min_frames=4, test_share=0.0, clean=UNCLEANED)
OWN_NETWORK = replace(SMALL, own_network=True, pause_seconds=0)


def read_one(data: Path):
    return list(read_clip(clip_files(data)[0]))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    write_dance(folder / "dance.mp4", frames=14, empty=(5,))
    said = []
    with hearing(said.append):
        summary = build_dataset([str(folder / "dance.mp4")], folder / "data", SMALL)
    return folder, summary, said


def test_the_landmarks_are_stored_where_the_joints_are_and_hands_only_when_asked_for(
    built, tmp_path
):
    folder, _, _ = built
    whole = build_dataset(
        [str(folder / "dance.mp4")], tmp_path / "data", replace(SMALL, hands=True)
    )
    assert whole.failures == 0
    for row in read_one(folder / "data"):
        assert row.body.hands is None
        wrist = row.body.landmarks.skeleton.index("right_wrist")
        if row.pose.present[R_WRIST]:
            np.testing.assert_allclose(
                row.body.landmarks.points_px[wrist], row.pose.points_px[R_WRIST], atol=1e-3
            )
        assert np.ptp(row.body.landmarks.depth_px) > 1
    assert all(len(row.body.hands) == 2 for row in read_one(tmp_path / "data"))


def test_hands_of_a_published_data_set_are_refused(tmp_path):
    options = BuildDatasetOptions(layout="market1501", hands=True)
    with pytest.raises(ConfigError, match="market1501 has joints of its own and no hands"):
        build_dataset([str(tmp_path)], tmp_path / "data", options)


def test_every_frame_with_a_person_is_a_row_with_its_time_and_place(built):
    folder, summary, _ = built
    assert (summary.clips_written, summary.failures) == (1, 0)
    rows = list(read_clip(clip_files(folder / "data")[0]))
    assert summary.frames_written == len(rows)
    assert set(range(14)) - {5} - {row.frame_index for row in rows} <= {
        0,
        6,
    }  # a tracker may need a frame to find someone
    with VideoReader(folder / "dance.mp4") as video:
        frames = {frame.index: frame for frame in video}
    for row in rows:
        frame = frames[row.frame_index]
        assert row.time_seconds == float(frame.time_seconds) and row.source.endswith("dance.mp4")
        assert row.image.shape == (64, 64, 3) and row.mask.shape == (64, 64)
        x0, y0, x1, y1 = row.box_xyxy_px
        assert x1 - x0 == pytest.approx(y1 - y0, rel=1e-3)
        in_frame = pose_from_box(row.pose, row.box_xyxy_px, 64)
        assert (
            in_frame.points_px[row.pose.present, 1].min() > 0
            and in_frame.points_px[row.pose.present, 1].max() < frame.image.shape[0]
        )


def test_the_background_is_gone_and_the_person_is_not(built):
    folder, _, _ = built
    rows = list(read_clip(clip_files(folder / "data")[0]))
    for row in rows:
        outside, inside = row.mask < 5, row.mask > 250
        assert np.abs(row.image[outside].astype(int) - GREY).mean() < 3
        assert 0.08 < inside.mean() < 0.5
        torso = row.pose.points_px[1] * 0.5 + row.pose.points_px[[8, 11]].mean(0) * 0.5
        assert row.mask[int(torso[1]), int(torso[0])] > 200
        assert row.image[inside].astype(int).std() > 15


def test_the_person_keeps_one_scale(built):
    folder, _, _ = built
    sides = [
        row.box_xyxy_px[2] - row.box_xyxy_px[0] for row in read_clip(clip_files(folder / "data")[0])
    ]
    assert max(sides) / min(sides) < 1.1


def test_a_second_run_writes_nothing(built):
    folder, _, _ = built
    path = clip_files(folder / "data")[0]
    before = path.stat().st_mtime_ns
    summary = build_dataset([str(folder / "dance.mp4")], folder / "data", SMALL)
    assert (summary.clips_written, summary.clips_already_there) == (
        0,
        1,
    ) and path.stat().st_mtime_ns == before


def test_fewer_pictures_a_second(built, tmp_path):
    folder, _, _ = built
    build_dataset(
        [str(folder / "dance.mp4")],
        tmp_path / "data",
        replace(SMALL, fps=10, min_frames=2),
    )
    kept = [row.frame_index for row in read_clip(clip_files(tmp_path / "data")[0])]
    assert kept == [0, 3, 6, 9, 12]


def test_failures_are_written_down_with_stage_and_reason_and_the_run_goes_on(tmp_path, said):
    write_dance(tmp_path / "good.mp4", frames=8)
    write_test_video(tmp_path / "nobody.mp4", frames=8)
    write_test_sound(tmp_path / "sound.mp4")
    (tmp_path / "text.mp4").write_text("not a video\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "list.txt").write_text(
        "# dances\nnobody.mp4\nsound.mp4\ntext.mp4\nempty.mp4\nmissing.mp4\nfile:///etc/passwd\ngood.mp4\n"
    )
    said.clear()
    summary = build_dataset([str(tmp_path / "list.txt")], tmp_path / "data", SMALL)
    assert (summary.sources, summary.clips_written, summary.failures) == (7, 1, 6)
    ledger = {
        line["source"].rsplit("/", 1)[-1]: line
        for line in map(json.loads, (tmp_path / "data" / "failures.jsonl").read_text().splitlines())
    }
    assert {name: line["stage"] for name, line in ledger.items()} == {
        "missing.mp4": "fetch",
        "passwd": "fetch",
        "nobody.mp4": "label",
        "sound.mp4": "fetch",
        "text.mp4": "fetch",
        "empty.mp4": "fetch",
    }
    assert "4 usable frames in 8 frames (8 without a person)" in ledger["nobody.mp4"]["reason"]
    assert "file:// is not fetched" in ledger["passwd"]["reason"]
    assert len(clip_files(tmp_path / "data")) == 1 and not list(tmp_path.rglob("*.part"))
    again = build_dataset([str(tmp_path / "list.txt")], tmp_path / "data", SMALL)
    assert (again.clips_already_there, again.failures) == (1, 6)


def test_a_truncated_clip_is_used_and_said(tmp_path, said):
    write_dance(tmp_path / "whole.mp4", frames=60, container_options={"movflags": "faststart"})
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * 0.6)])
    said.clear()
    summary = build_dataset([str(tmp_path / "cut.mp4")], tmp_path / "data", SMALL)
    assert summary.clips_written == 1 and any("truncated, the last" in line for line in said)


def test_a_clip_from_the_web(tmp_path):
    write_dance(tmp_path / "dance.mp4", frames=8)
    handler = partial(QuietHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/dance.mp4"
        summary = build_dataset([url, url.replace("dance", "gone")], tmp_path / "data", OWN_NETWORK)
    finally:
        server.shutdown()
        server.server_close()
    assert (summary.clips_written, summary.failures) == (1, 1)
    assert next(read_clip(clip_files(tmp_path / "data")[0])).source == url


def test_named_people_share_an_identity_and_a_split(tmp_path):
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "list.txt").write_text(
        "a.mp4\tann  # a comment\nb.mp4\tann\nc.mp4\na.mp4\tann\nb.mp4\tbob\n"
    )
    sources, failures = read_sources([str(tmp_path / "list.txt")])
    assert [source.identity for source in sources][:2] == ["ann", "ann"] and sources[
        2
    ].identity == sources[2].key
    assert len(failures) == 1 and "named twice, as ann and as bob" in str(failures[0])
    paths = {clip_path(tmp_path, source, 0.5).parent for source in sources[:2]}
    assert len(paths) == 1


def test_the_split_takes_its_share_and_never_moves(tmp_path):
    names = [f"person {number}" for number in range(2000)]
    share = sum(split_of(name, 0.1) == "test" for name in names) / len(names)
    assert 0.08 < share < 0.12
    assert all(split_of(name, 0.0) == "train" for name in names)
    assert {name for name in names if split_of(name, 0.1) == "test"} <= {
        name for name in names if split_of(name, 0.2) == "test"
    }


def test_shards_cover_everything_once():
    sources = [Source(f"https://example.org/{number}", str(number)) for number in range(100)]
    shards = [[source for source in sources if shard_of(source, 4) == index] for index in range(4)]
    assert sorted(source.location for shard in shards for source in shard) == sorted(
        source.location for source in sources
    )
    assert all(10 < len(shard) < 40 for shard in shards)


def test_refusals(tmp_path):
    (tmp_path / "empty.txt").write_text("# nothing\n")
    summary = build_dataset([str(tmp_path / "empty.txt")], tmp_path / "data", SMALL)
    assert summary.failures == summary.sources == 1
    (tmp_path / "folder").mkdir()
    summary = build_dataset([str(tmp_path / "folder")], tmp_path / "data", SMALL)
    assert summary.failures == summary.sources == 1
    with pytest.raises(ConfigError, match="shard_index 3 must be below num_shards 2"):
        build_dataset(
            ["x.mp4"],
            tmp_path / "data",
            BuildDatasetOptions(num_shards=2, shard_index=3),
        )
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="choose a folder"):
        build_dataset(["x.mp4"], tmp_path / "file", SMALL)


def test_one_data_set_has_one_recipe_and_a_person_one_split(built, tmp_path, said):
    folder, _, _ = built
    shutil.copytree(folder / "data", tmp_path / "data")
    with pytest.raises(ConfigError, match="was built with other options: size_px was 64, now 32"):
        build_dataset(
            [str(folder / "dance.mp4")],
            tmp_path / "data",
            BuildDatasetOptions(**{**vars(SMALL), "size_px": 32}),
        )
    with pytest.raises(ConfigError, match="test_share was 0.0, now 1.0"):
        build_dataset(
            [str(folder / "dance.mp4")],
            tmp_path / "data",
            BuildDatasetOptions(**{**vars(SMALL), "test_share": 1.0}),
        )
    clip = clip_files(tmp_path / "data")[0]
    (tmp_path / "data" / "test").mkdir()
    clip.rename(tmp_path / "data" / "test" / clip.name)
    said.clear()
    build_dataset([str(folder / "dance.mp4")], tmp_path / "data", SMALL)
    assert [path.parent.name for path in clip_files(tmp_path / "data")] == ["train"] and any(
        "now in the train split" in line for line in said
    )


def test_old_failures_stay(tmp_path):
    write_dance(tmp_path / "dance.mp4", frames=8)
    write_test_video(tmp_path / "nobody.mp4", frames=6)
    build_dataset([str(tmp_path / "nobody.mp4")], tmp_path / "data", SMALL)
    build_dataset([str(tmp_path / "dance.mp4")], tmp_path / "data", SMALL)
    assert "nobody.mp4" in (tmp_path / "data" / "failures.jsonl").read_text()


def test_a_torn_list_of_failures_is_read_as_far_as_it_is_whole(tmp_path, said):
    write_test_video(tmp_path / "nobody.mp4", frames=6)
    (tmp_path / "data").mkdir()
    older = {"source": "older.mp4", "stage": "fetch", "reason": "gone"}
    lines = [json.dumps(older), "null", "[]", '{"source": 3}', "\xff", '{"source": "to']
    (tmp_path / "data" / "failures.jsonl").write_text("\n".join(lines), encoding="latin-1")
    said.clear()
    build_dataset([str(tmp_path / "nobody.mp4")], tmp_path / "data", SMALL)
    assert any("5 damaged lines left out" in line for line in said)
    found = map(json.loads, (tmp_path / "data" / "failures.jsonl").read_text().splitlines())
    assert [Path(line["source"]).name for line in found] == ["older.mp4", "nobody.mp4"]


CHANGES = {
    "other content, older": (True, -1e6),
    "other content, from the future": (True, 1e6),
    "other content of the same size and date": (True, 0),
    "touched": (False, 1e6),
    "dated back": (False, -1e6),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_built_again_and_what_has_not_is_not(built, tmp_path, change, said):
    new_content, seconds = CHANGES[change]
    video = tmp_path / "dance.mp4"
    video.write_bytes((built[0] / "dance.mp4").read_bytes())
    build_dataset([str(video)], tmp_path / "data", SMALL)
    before = video.stat()
    if new_content:
        data = bytearray(video.read_bytes())
        data[-1] ^= 1
        video.write_bytes(data)
    date = (before.st_atime_ns, before.st_mtime_ns + int(seconds * 1e9))
    os.utime(video, ns=date)
    said.clear()
    for written in (int(new_content), 0):  # and never a third time
        summary = build_dataset([str(video)], tmp_path / "data", SMALL)
        assert (summary.clips_written, summary.clips_already_there) == (written, 1 - written)
    assert sum("has changed" in line for line in said) == int(new_content)


def test_a_damaged_clip_is_built_again(built, tmp_path, said):
    shutil.copytree(built[0] / "data", tmp_path / "data")
    (clip,) = clip_files(tmp_path / "data")
    clip.write_bytes(clip.read_bytes()[:-100])
    said.clear()
    build_dataset([str(built[0] / "dance.mp4")], tmp_path / "data", SMALL)
    assert any("it is built again" in line for line in said) and list(read_clip(clip))


@pytest.mark.parametrize("what", ["data", "data/train"])
def test_a_folder_that_is_removed_in_the_middle_is_an_error(tmp_path, what):
    for name in ("a", "b"):
        write_dance(tmp_path / f"{name}.mp4", frames=8)
    write_test_video(tmp_path / "nobody.mp4", frames=6)
    sources = [str(tmp_path / f"{name}.mp4") for name in ("a", "nobody", "b")]

    def remove(text: str) -> None:
        if "failed (label)" in text:
            shutil.rmtree(tmp_path / what)

    with pytest.raises(OutputError, match="removed"):
        with hearing(remove):
            build_dataset(sources, tmp_path / "data", SMALL)
    again = build_dataset(sources, tmp_path / "data", SMALL)
    assert (
        len(clip_files(tmp_path / "data")) == again.clips_written + again.clips_already_there == 2
    )


def test_an_address_leaves_no_secret_anywhere(tmp_path, capsys):
    write_dance(tmp_path / "dance.mp4", frames=8)
    handler = partial(QuietHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"ann:hunter2@127.0.0.1:{server.server_port}"
    secret = "token=s3cr3t-t0ken&X-Amz-Signature=0123456789abcdef0123456789abcdef"
    urls = [f"http://{place}/{name}?{secret}&v=3" for name in ("dance.mp4", "gone.mp4")]
    urls += [f"http://{place}?{secret}", f"ftp://{place}/x?{secret}"]
    (tmp_path / "list.txt").write_text("\n".join([*urls, urls[0]]))
    try:
        summary = build_dataset([str(tmp_path / "list.txt")], tmp_path / "data", OWN_NETWORK)
    finally:
        server.shutdown()
        server.server_close()
    assert (summary.clips_written, summary.failures) == (1, 3)
    row = next(read_clip(clip_files(tmp_path / "data")[0]))
    assert (
        row.source
        == f"http://127.0.0.1:{server.server_port}/dance.mp4?token=***&X-Amz-Signature=***&v=3"
    )
    shown = "".join(capsys.readouterr()).encode()
    written = [path for path in (tmp_path / "data").rglob("*")]
    names = "".join(map(str, written)).encode()
    contents = [path.read_bytes() for path in written if path.is_file()]
    for word in (b"hunter2", b"ann:", b"s3cr3t", b"0123456789abcdef0123"):
        assert not [text for text in (shown, names, *contents) if word in text], word


def test_many_failures_cost_little(tmp_path):
    """4,000 files that are no videos: what writing them down adds, without looking at them."""
    ledger_seconds = []
    started = time.process_time()
    with Ledger(tmp_path / "failures.jsonl", set()) as ledger:
        for number in range(4000):
            ledger.add(f"https://example.org/{number}.mp4", "fetch", "cannot fetch: gone")
    ledger_seconds.append(time.process_time() - started)
    assert ledger.failures == len((tmp_path / "failures.jsonl").read_text().splitlines()) == 4000
    assert min(ledger_seconds) < 2


def test_rates_that_do_not_divide_are_met_on_average():
    from dancepipe.building.label import tick_of

    for frame_rate, fps in ((25, 10), (30, 24), (Fraction(30000, 1001), 10), (60, 7)):
        ticks = [
            tick_of(Fraction(index) / frame_rate, fps) for index in range(int(frame_rate * 20))
        ]
        kept = 1 + sum(now != before for before, now in zip(ticks, ticks[1:]))
        assert abs(kept - 20 * fps) <= 1


def files_of(data: Path) -> dict[str, bytes]:
    """What a data set is, apart from the report, which tells the time that a run took."""
    places = [path for path in sorted(data.rglob("*")) if path.is_file()]
    return {
        path.relative_to(data).as_posix(): path.read_bytes()
        for path in places
        if path.name != "report.html" and path.suffix != ".lock" and "lock" not in path.name
    }


def test_killed_and_run_again_with_two_workers_is_the_same_as_an_unbroken_build(tmp_path):
    for name, first in (("one", 0), ("two", 40), ("copy", 2)):
        write_dance(tmp_path / f"{name}.mp4", frames=13, first=first)
    sources = [str(tmp_path / f"{name}.mp4") for name in ("one", "two", "copy", "gone")]
    options = BuildDatasetOptions(size_px=64, fps=0.0, test_share=0.5, min_frames=4)
    whole = build_dataset(sources, tmp_path / "whole", options)
    assert (whole.clips_written, whole.copies, whole.failures) == (3, 1, 1)

    data = tmp_path / "data"
    command = [sys.executable, "-m", "dancepipe", "build-dataset", *sources, "--out", str(data)]
    command += ["--size-px", "64", "--fps", "0", "--test-share", "0.5", "--min-frames", "4"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        if list(data.glob("t*/*.parquet")):
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert all(list(read_clip(path)) for path in data.glob("t*/*.parquet"))
    done = subprocess.run([*command, "--workers", "2"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "already there" in done.stdout
    assert files_of(data) == files_of(tmp_path / "whole")
