"""A folder of photos of one person is a source like a video: pairs for training come out of it,
and what is of no use is said."""

import os

import numpy as np
import pytest
from hearing import hearing
from people import dancer_frames
from PIL import Image
from test_build_dataset import SMALL

from dancepipe.building.build import build_dataset
from dancepipe.building.sources import read_sources
from dancepipe.data.pairs import PairSource
from dancepipe.data.store import clip_files, read_clip
from dancepipe.errors import DatasetError
from dancepipe.person.crop import pose_from_box
from dancepipe.person.finder import open_person_finder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos") / "me"
    folder.mkdir()
    for number, frame in ((1, 0), (2, 40), (4, 80)):
        Image.fromarray(dancer_frames()[frame]).save(folder / f"{number}.png")
    Image.fromarray(np.full((320, 224, 3), 180, np.uint8)).save(folder / "3-empty.png")
    (folder / "5-broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    (folder / "notes.md").write_text("not a photo")
    return folder


@pytest.fixture(scope="module")
def built(folder):
    said = []
    with hearing(said.append):
        summary = build_dataset([str(folder)], folder.parent / "data", SMALL)
    return folder.parent / "data", summary, said


def test_every_usable_photo_is_a_picture_of_one_person(folder, built):
    data, summary, said = built
    assert (summary.sources, summary.clips_written, summary.frames_written, summary.failures) == (
        1,
        1,
        3,
        0,
    )
    assert any("left out" in line and "3-empty.png: no person found" in line for line in said)
    assert any("left out" in line and "5-broken.jpg" in line for line in said)
    rows = list(read_clip(clip_files(data)[0]))
    assert [row.frame_index for row in rows] == [0, 1, 3] and [
        os.path.basename(row.source) for row in rows
    ] == ["1.png", "2.png", "4.png"]
    assert len({row.identity for row in rows}) == 1
    with open_person_finder(mode="photo") as finder:
        found = finder.find(dancer_frames()[40])
    back = pose_from_box(rows[1].pose, rows[1].box_xyxy_px, rows[1].image.shape[0])
    present = found.pose.present
    np.testing.assert_allclose(back.points_px[present], found.pose.points_px[present], atol=0.1)
    outside = rows[1].image[rows[1].mask == 0].astype(int)
    assert np.abs(outside - 128).mean() < 1 and (rows[1].mask > 127).mean() > 0.1  # JPEG


def test_training_finds_pairs_in_them(built):
    source = PairSource(built[0], "train", (32, 32), seed=0)
    assert (source.identities, source.frames) == (1, 3)
    assert not np.array_equal(source[0]["reference_joints"], source[0]["target_joints"])


def test_a_new_photo_builds_it_again_and_nothing_new_does_not(folder, built, tmp_path, said):
    data, _, _ = built
    assert build_dataset([str(folder)], data, SMALL).clips_already_there == 1
    later = clip_files(data)[0].stat().st_mtime + 10
    os.utime(folder / "4.png", (later, later))
    assert build_dataset([str(folder)], data, SMALL).clips_already_there == 1
    with Image.open(folder / "4.png") as photo:
        photo.crop((1, 0, photo.width, photo.height)).save(folder / "4.png")
    said.clear()
    assert build_dataset([str(folder)], data, SMALL).clips_written == 1
    assert any("has changed since its clip was built" in line for line in said)


def test_one_photo_is_not_enough_and_a_photo_alone_is_no_source(tmp_path, said):
    (tmp_path / "one").mkdir()
    Image.fromarray(dancer_frames()[0]).save(tmp_path / "one" / "a.png")
    said.clear()
    summary = build_dataset(
        [str(tmp_path / "one"), str(tmp_path / "one" / "a.png")],
        tmp_path / "data",
        SMALL,
    )
    assert summary.failures == summary.sources == 2
    assert any(
        "in 1 of 1 photos; 2 photos of one person, in different poses, are needed" in line
        for line in said
    )
    assert any(
        "it is a picture; name the folder that holds the photos of one person" in line
        for line in said
    )


def test_a_folder_of_videos_stays_a_folder_of_videos(tmp_path):
    for name in ("a.mp4", "b.mp4", "cover.jpg"):
        (tmp_path / name).write_bytes(b"x")
    sources, _ = read_sources([str(tmp_path)])
    assert [os.path.basename(source.location) for source in sources] == [
        "a.mp4",
        "b.mp4",
    ] and not any(source.is_photos for source in sources)


def test_when_all_people_fell_into_the_test_split_it_is_said(folder, tmp_path):
    build_dataset(
        [str(folder)],
        tmp_path / "data",
        type(SMALL)(**{**vars(SMALL), "test_share": 1.0}),
    )
    with pytest.raises(
        DatasetError,
        match="all its people are in split test; build it with --test-share 0 to train on them",
    ):
        PairSource(tmp_path / "data", "train", (32, 32), seed=0)
