"""A video of the person as a reference: which frames are taken."""

import numpy as np
import pytest
from figure import standing_pose
from people import SAMPLES, write_dance
from PIL import Image

from dancepipe.errors import NoPersonError
from dancepipe.person.finder import open_person_finder
from dancepipe.records import BodyPose, PersonFrame, Pose
from dancepipe.rendering.views import View, chosen_views, read_references, turned_degrees
from dancepipe.skeletons import BLAZEPOSE_33

PICTURE = np.zeros((8, 8, 3), np.uint8)


def person_turned(degrees: float) -> PersonFrame:
    points, depth = np.zeros((33, 2), np.float32), np.zeros(33, np.float32)
    for joint, y in (("shoulder", 20), ("hip", 60)):
        for side, way in (("left", 1), ("right", -1)):
            index = BLAZEPOSE_33.index(f"{side}_{joint}")
            points[index] = 50 + 10 * way * np.cos(np.radians(degrees)), y
            depth[index] = 10 * way * np.sin(np.radians(degrees))
    landmarks = Pose(points, np.ones(33, np.float32), BLAZEPOSE_33, depth)
    return PersonFrame(BodyPose(standing_pose((40, 10), 90), landmarks), None)


def view(degrees: float, sharpness: float = 0.3) -> View:
    return View(PICTURE, person_turned(degrees), degrees, sharpness)


@pytest.mark.parametrize("degrees", [0, 40, 90, 179, -90, -135])
def test_a_turn_is_told_by_depth(degrees):
    assert turned_degrees(person_turned(degrees)) == pytest.approx(degrees, abs=0.1)


@pytest.mark.parametrize(
    "turns, most, taken",
    [
        ([0, 5, 10, 170, 178, 90, -88], 4, {0, 5, 10} | {170, 178} | {90} | {-88}),
        ([0, 5, 10, 20], 4, {0, 5, 10, 20}),
        ([30, 120, -150], 1, {30}),
        ([178, 180, -178], 4, {178, 180, -178}),  # nobody turned round
    ],
)
def test_views_are_from_different_sides_and_begin_in_front(turns, most, taken):
    chosen = [one.turned_degrees for one in chosen_views([view(turn) for turn in turns], most)]
    assert set(chosen) <= taken and len(chosen) <= most
    assert abs(chosen[0]) <= min(map(abs, turns)) + 20
    for number, one in enumerate(chosen):
        apart = [abs((one - other + 180) % 360 - 180) for other in chosen[:number]]
        assert min(apart, default=180) >= 45
    if turns[0] == 0 and len(turns) == 7:
        assert len(chosen) == 4


def test_a_blurred_frame_is_passed_over():
    seen = [view(0, 0.1), view(3, 0.3), view(176, 0.3), view(180, 0.05), view(90, 0.05)]
    assert [one.turned_degrees for one in chosen_views(seen, 4)] == [3, 176]


def test_a_video_gives_several_references_and_a_photo_one(tmp_path, said):
    write_dance(tmp_path / "me.mp4", frames=12)
    write_dance(tmp_path / "nobody.mp4", frames=4, empty=(0, 1, 2, 3))
    picture = Image.open(SAMPLES / "reference.png").convert("P")
    picture.save(tmp_path / "still.gif")
    with open_person_finder("mediapipe", "mediapipe", mode="photo") as finder:
        views = read_references(tmp_path / "me.mp4", finder, 128)
        assert 1 <= len(views) <= 2
        assert any("of 12 frames are taken as photos, turned by" in line for line in said)
        for one in views:
            assert one.image.shape == (128, 128, 3) and (one.mask > 128).mean() > 0.05
        assert len(read_references(tmp_path / "still.gif", finder, 128)) == 1
        with pytest.raises(NoPersonError, match="none of 4 frames of .*nobody.mp4 shows a person"):
            read_references(tmp_path / "nobody.mp4", finder, 128)
