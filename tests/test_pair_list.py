"""Test pairs: drawn the same way every time, of one person, with a clear change of pose; or
exactly those that were named."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from figure import draw_figure, standing_pose
from test_retarget import whole

from dancepipe.data.store import ClipWriter, DatasetRow
from dancepipe.errors import DatasetError
from dancepipe.evaluation.pair_list import FrameId, HeldOut, drawn_pairs, pose_change, read_pairs
from dancepipe.pose.skeleton import R_ELBOW, R_WRIST
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33

SIDE = 64


def posed(frame: int) -> Pose:
    """The right arm swings with the frame; the body wanders, which is no change of pose."""
    pose = standing_pose((32 + frame % 3, 6), 54)
    points = pose.points_px.copy()
    points[[R_ELBOW, R_WRIST]] += np.array([[-4, -3], [-9, -12]], np.float32) * frame / 2
    return Pose(points, pose.confidence)


def write_people(
    folder,
    people: int = 3,
    frames: int = 8,
    moves=lambda person: True,
    body=lambda person, pose: BodyPose(pose),
):
    for person in range(people):
        with ClipWriter(folder / "test" / f"clip{person}.parquet", lossless=True) as out:
            for frame in range(frames):
                pose = posed(frame if moves(person) else 0)
                image = draw_figure(
                    pose, (SIDE, SIDE), background=(128, 128, 128), shirt=(40 + 60 * person, 60, 90)
                )
                mask = (np.abs(image.astype(int) - 128).sum(2) > 12).astype(np.uint8) * 255
                out.add(
                    DatasetRow(
                        f"person{person}",
                        f"clip{person}",
                        frame * 5,
                        frame / 6,
                        "test",
                        image,
                        mask,
                        body(person, pose),
                        (0, 0, SIDE, SIDE),
                        "drawn",
                    )
                )
    return folder


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return HeldOut(write_people(tmp_path_factory.mktemp("data")))


def test_drawn_pairs_change_the_pose_and_keep_the_person(split):
    pairs, without = drawn_pairs(split, 4, 0.25, 0)
    assert len(pairs) == 12 and not without and len(set(pairs)) == 12
    for pair in pairs:
        assert split.identity[pair.reference] == split.identity[pair.target] == pair.identity
        assert pose_change(split.poses[pair.reference], split.poses[pair.target]) >= 0.25


def test_wandering_is_no_change_of_pose():
    assert pose_change(posed(0), posed(0).scaled_and_shifted(1, (9, 4))) == pytest.approx(
        0, abs=1e-5
    )
    assert pose_change(posed(0), posed(7)) > 0.25


def test_the_seed_decides_and_people_do_not_disturb_each_other(split, tmp_path):
    assert (
        drawn_pairs(split, 3, 0.2, 1)
        == drawn_pairs(split, 3, 0.2, 1)
        != drawn_pairs(split, 3, 0.2, 2)
    )
    more = HeldOut(write_people(tmp_path, people=5))
    own, of_more = drawn_pairs(split, 3, 0.2, 1)[0], drawn_pairs(more, 3, 0.2, 1)[0]
    assert own == [pair for pair in of_more if pair.identity in ("person0", "person1", "person2")]


def test_people_who_stand_still_are_named(tmp_path):
    split = HeldOut(write_people(tmp_path, moves=lambda person: person != 1))
    pairs, without = drawn_pairs(split, 2, 0.25, 0)
    assert without == ["person1"] and {pair.identity for pair in pairs} == {"person0", "person2"}
    with pytest.raises(DatasetError, match="differ by 9.0 torso lengths.*--min-pose-change"):
        drawn_pairs(split, 2, 9.0, 0)


def test_pictures_are_read_at_any_size(split):
    key = FrameId("clip1", 35)
    whole, half, twice = (split.picture(key, size) for size in (None, (32, 32), (128, 128)))
    assert (
        split.stored_size_hw() == (SIDE, SIDE)
        and half.image.shape == (32, 32, 3)
        and twice.mask.shape == (128, 128)
    )
    assert np.allclose((half.pose.points_px + 0.5) * 2, whole.pose.points_px + 0.5, atol=1e-4)
    assert np.array_equal(
        half.image,
        np.rint(whole.image.reshape(32, 2, 32, 2, 3).mean((1, 3)) + 1e-6).astype(np.uint8),
    ) or (np.abs(half.image - whole.image.reshape(32, 2, 32, 2, 3).mean((1, 3))).max() <= 1)


def test_landmarks_and_hands_come_with_the_picture_at_any_size(tmp_path):
    """Where their joints are; depth grows with the picture."""
    folder = write_people(tmp_path, people=1, body=lambda _, pose: whole(pose, 12.0))
    split, key = HeldOut(folder), FrameId("clip0", 35)
    stored, twice, wide = (split.picture(key, size).body for size in (None, (128,) * 2, (64, 128)))
    wrist = BLAZEPOSE_33.index("right_wrist")
    for body, scale_xy in ((stored, (1, 1)), (twice, (2, 2)), (wide, (2, 1))):
        place = (posed(7).points_px[R_WRIST] + 0.5) * scale_xy - 0.5
        np.testing.assert_allclose(body.joints.points_px[R_WRIST], place, atol=1e-3)
        np.testing.assert_allclose(body.landmarks.points_px[wrist], place, atol=1e-3)
        np.testing.assert_allclose(body.hands[0].points_px[0], place, atol=1e-3)
        assert body.landmarks.depth_px[wrist] == 12 * scale_xy[0] and body.hands[1] is None
        assert body.hands[0].depth_px[20] == 20 * scale_xy[0]


def test_pictures_without_landmarks_are_known(tmp_path):
    bodies = [whole, BodyPose, lambda pose: BodyPose(pose, whole(pose).landmarks)]
    folder = write_people(tmp_path, body=lambda person, pose: bodies[person](pose))
    keys = [FrameId(clip, frame) for clip in ("clip2", "clip1", "clip0") for frame in (0, 5)]
    without = HeldOut(folder).without_landmarks(keys)
    assert without == [FrameId("clip1", 0), FrameId("clip1", 5)]
    assert HeldOut(folder).without_landmarks(keys[:2]) == []


def test_clips_that_have_no_such_column_have_no_landmarks(tmp_path):
    folder = write_people(tmp_path, people=1, body=lambda _, pose: whole(pose))
    path = folder / "test" / "clip0.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["landmarks", "hands"]), path)
    assert HeldOut(folder).without_landmarks([FrameId("clip0", 5)]) == [FrameId("clip0", 5)]


def test_named_pairs_are_read(split, tmp_path):
    """Also from a spreadsheet, which puts a mark at the beginning."""
    path = tmp_path / "test.csv"
    path.write_text(
        "\ufeffreference_clip,reference_frame,target_clip,target_frame,remark\nclip0,0,clip0,35,x\nclip2,10,clip2,5,\n"
    )
    pairs = read_pairs(path, split)
    assert [(pair.identity, pair.reference, pair.target) for pair in pairs] == [
        ("person0", FrameId("clip0", 0), FrameId("clip0", 35)),
        ("person2", FrameId("clip2", 10), FrameId("clip2", 5)),
    ]
    assert pairs[0].name == "clip0 0 > 35"


@pytest.mark.parametrize(
    "text, words",
    [
        ("clip0,0,clip0,5\n", "lacks the columns reference_clip"),
        ("reference_clip,reference_frame,target_clip,target_frame\n", "names no pairs"),
        (
            "reference_clip,reference_frame,target_clip,target_frame\nclip0,a,clip0,5\n",
            "line 2: frames must be whole numbers",
        ),
        (
            "reference_clip,reference_frame,target_clip,target_frame\nclip0,0,clip0,6\n",
            "line 2: no picture of clip 'clip0' frame 6",
        ),
        (
            "reference_clip,reference_frame,target_clip,target_frame\nclip0,0,clip1,5\n",
            "show different people",
        ),
        (
            "reference_clip,reference_frame,target_clip,target_frame\nclip0,0\n",
            "line 2: frames must be",
        ),
    ],
)
def test_bad_lists_are_named(split, tmp_path, text, words):
    (tmp_path / "test.csv").write_text(text)
    with pytest.raises(DatasetError, match=words):
        read_pairs(tmp_path / "test.csv", split)


def test_an_absent_list_and_an_absent_data_set(split, tmp_path):
    with pytest.raises(DatasetError, match="cannot read pairs"):
        read_pairs(tmp_path / "absent.csv", split)
    with pytest.raises(DatasetError, match="no data set at"):
        HeldOut(tmp_path / "absent")
