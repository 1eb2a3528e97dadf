"""One of several people who stand close together: all are found, one is followed past the others,
over a cut and after an absence, and no limb of a neighbour's is taken for an own one."""

import numpy as np
import pytest
from figure import draw_figure, standing_pose
from people import dancer_frames

from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.pose.skeleton import JOINTS
from dancepipe.records import Pose

SIZE_WH = (640, 400)
GREEN, RED, BLUE = (40, 120, 60), (170, 40, 45), (60, 80, 190)
ROOM, STAGE = (205, 210, 205), (60, 40, 70)
HEIGHT = 300


def standing(x: float) -> Pose:
    return standing_pose((x, 60), HEIGHT)


def picture(*people, room=ROOM) -> np.ndarray:
    """people: pairs of pose and shirt; who comes later stands in front."""
    image = np.full((SIZE_WH[1], SIZE_WH[0], 3), room, np.uint8)
    for pose, shirt in people:
        image = draw_figure(pose, SIZE_WH, shirt=shirt, onto=image)
    return image


def arm_towards_the_left(pose: Pose, elbow, wrist) -> Pose:
    """The right arm, as far from the shoulder as that, in heights."""
    points = pose.points_px.copy()
    shoulder = points[JOINTS.index("right_shoulder")]
    for joint, away in (("elbow", elbow), ("wrist", wrist)):
        points[JOINTS.index(f"right_{joint}")] = shoulder + np.array(away) * HEIGHT
    return Pose(points, pose.confidence)


def middle(person) -> float:
    return float(person.pose.points_px[[2, 5, 8, 11], 0].mean())


@pytest.fixture(scope="module")
def photo_finder():
    with open_person_finder(mode="photo", mask=None) as finder:
        yield finder


def following(photo_finder, image, index: int, frame: int = 0) -> PersonFinder:
    """A finder that follows the index-th from the left of that picture."""
    from dancepipe.person.track import Named

    seen = photo_finder.find_closely(image)[index]
    return open_person_finder(mask=None, named=Named(frame, seen.sighting, seen.clothes))


def test_everyone_in_a_group_is_found_from_left_to_right(photo_finder):
    places = (180, 275, 370)
    group = [(standing(x), shirt) for x, shirt in zip(places, (GREEN, RED, BLUE), strict=True)]
    seen = photo_finder.find_closely(picture(*group))
    assert [middle(one.person) for one in seen] == pytest.approx(places, abs=12)
    likeness = [[one.clothes.likeness(other.clothes) for other in seen] for one in seen]
    assert np.max(likeness - 2 * np.eye(3)) < 0.7 and seen[0].person.people_seen == 3
    again = photo_finder.find_like(picture(*group[::-1], room=STAGE), seen[2].clothes)
    assert middle(again) == pytest.approx(places[2], abs=12)
    assert photo_finder.find_like(picture(*group[:2]), seen[2].clothes) is None


def test_arms_and_legs_of_one_dancer_are_nobody_else(photo_finder):
    counts = [len(photo_finder.find_closely(frame)) for frame in dancer_frames()[::12]]
    assert counts == [1] * len(counts)
    waist_up = dancer_frames()[0][:170]
    assert len(photo_finder.find_closely(waist_up)) == 1


@pytest.mark.parametrize("gap", [110, 160])
@pytest.mark.parametrize(
    ("elbow", "wrist"),
    [
        ((-0.13, 0.06), (-0.24, 0.04)),
        ((-0.15, -0.02), (-0.28, -0.06)),
        ((-0.12, -0.1), (-0.2, -0.22)),
    ],
)
def test_a_neighbours_arm_is_not_read_as_the_own_one(photo_finder, gap, elbow, wrist):
    own, other = standing(260), arm_towards_the_left(standing(260 + gap), elbow, wrist)
    image = picture((own, GREEN), (other, RED))
    with following(photo_finder, image, 0) as finder:
        for _ in range(3):
            person = finder.find(image)
            off = np.hypot(*(person.pose.points_px - own.points_px).T) / HEIGHT
            assert off.max() < 0.08, JOINTS[off.argmax()]


@pytest.mark.parametrize("index", [0, 1])
def test_two_who_pass_each_other_are_not_exchanged(photo_finder, index):
    def frame(step):
        green, red = standing(160 + 32 * step), standing(480 - 32 * step)
        return picture((green, GREEN), (red, RED)), (green, red)[index]

    with following(photo_finder, frame(0)[0], index) as finder:
        for step in range(11):
            image, own = frame(step)
            person = finder.find(image)
            if step < 3 or step > 8:  # between, one hides the other
                assert person is not None
                assert middle(person) == pytest.approx(middle_of(own), abs=25), step


def middle_of(pose: Pose) -> float:
    return float(pose.points_px[[2, 5, 8, 11], 0].mean())


def test_after_a_cut_the_named_one_is_found_by_the_clothes(photo_finder):
    first = picture((standing(160), GREEN), (standing(480), RED))
    second = picture(
        (standing(120), RED), (standing(300), BLUE), (standing(520), GREEN), room=STAGE
    )
    without = picture((standing(120), RED), (standing(300), BLUE))
    with following(photo_finder, first, 0) as finder:
        places = [finder.find(image) for image in [first] * 4 + [second] * 4 + [without] * 4]
    found = [person and round(middle(person), -1) for person in places]
    assert found == [160] * 4 + [520] * 4 + [None] * 4


def test_somebody_else_is_not_followed_while_the_named_one_is_away(photo_finder):
    both = picture((standing(200), GREEN), (standing(440), RED))
    alone = picture((standing(440), RED))
    with following(photo_finder, both, 0, frame=3) as finder:  # named when both are there
        places = [finder.find(image) for image in [alone] * 3 + [both] * 3 + [alone] * 14 + [both]]
        for _ in range(10):
            places.append(finder.find(both))
    found = [person and round(middle(person), -1) for person in places]
    assert found[:3] == [None] * 3 and found[3:6] == [200] * 3
    assert found[7:20] == [None] * 13 and found[-1] == 200
