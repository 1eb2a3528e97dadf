"""What is kept of a clip: who is who after a crossing, which poses, which frames, which videos."""

from dataclasses import dataclass, replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from dancepipe.building.camera import CameraMotion
from dancepipe.building.cleaning import clean
from dancepipe.building.drawn import FLAT, MANY_COLOURS, colours_of
from dancepipe.building.facts import ClipFacts, DancerFacts, packed, packed_pose, unpacked_poses
from dancepipe.building.hard_poses import hard_kinds
from dancepipe.building.kept_mask import KeptMask
from dancepipe.building.label import ClipLabels, Dancer, LabelledFrame
from dancepipe.building.likeness import likenesses
from dancepipe.building.mask_quality import edge_px, quality_of
from dancepipe.building.options import CleaningOptions
from dancepipe.building.overlays import StillEdges
from dancepipe.building.picture_hash import difference_hash, mirrored_hash
from dancepipe.building.poses import farthest_points, mirrored_vectors, pose_vectors
from dancepipe.person.clothes import Clothes
from dancepipe.person.crowd import CrowdTracker
from dancepipe.person.look import Sighting
from dancepipe.person.sharpness import sharpness_of
from dancepipe.person.tracklets import Tracklet, linked
from dancepipe.pose.skeleton import (
    L_ANKLE,
    L_SHOULDER,
    L_WRIST,
    R_ANKLE,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
)
from dancepipe.records import BodyPose, PersonFrame, Pose

STANDING = np.array([
    (50, 20), (50, 30), (42, 30), (38, 42), (36, 54), (58, 30), (62, 42), (64, 54), (45, 55),
    (44, 73), (44, 90), (55, 55), (56, 73), (56, 90), (48, 18), (52, 18), (46, 19), (54, 19),
], np.float32)  # fmt: skip


def worn(*bins: int) -> Clothes:
    shares = np.zeros((2, 8), np.float32)
    shares[:, list(bins)] = 1 / len(bins)
    return Clothes(shares)


RED, BLUE, REDDISH = worn(0, 1), worn(5, 6), worn(0, 1, 2)


def body(**moved: tuple[float, float]) -> BodyPose:
    points = STANDING.copy()
    for name, place in moved.items():
        points[int(name[1:])] = place
    return BodyPose(Pose(points, np.ones(18, np.float32)))


# --- who is who -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    who: int
    sighting: Sighting


class Stage:
    """A picture of people at places, each in clothes of an own; of those who stand behind another
    nothing is seen."""

    def __init__(self, places: dict[int, float]):
        self.places, self.picture, self.size_wh = places, np.zeros((8, 8, 3), np.uint8), (400, 100)

    def _seen(self) -> list[Reading]:
        found = []
        for who, x in sorted(self.places.items()):
            if all(abs(x - one.sighting.center_xy_px[0]) > 5 for one in found):
                found.append(Reading(who, Sighting((x, 50.0), 50.0, 0.9)))
        return found

    def sightings(self):
        return [one.sighting for one in self._seen()]

    def everyone(self):
        return self._seen()

    def read(self, index, beside=(), last=None):
        """Whoever stands nearest to where somebody was: a tracker can be taken along."""
        near = sorted(
            self._seen(),
            key=lambda one: abs(one.sighting.center_xy_px[0] - last.sighting.center_xy_px[0]),
        )
        return near[0] if near else None

    def read_apart(self, own, others):
        return self.read(None, (), own), [*others[1:], self.read(None, (), others[0])]

    def clothes(self, reading):
        return (RED, BLUE)[reading.who % 2]

    def person(self, reading, before=None):
        return PersonFrame(body(), None)


class Backend:
    neighbour_reaches = 1.5

    def __init__(self, goes_on: bool):
        self.goes_on = goes_on


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("bounces", [True, False])
def test_a_track_is_one_person_through_a_crossing(goes_on, bounces):
    tracker, shown = CrowdTracker(Backend(goes_on)), {}
    for frame in range(40):
        share = min(max((frame - 5) / 25, 0), 1)
        share = 0.5 - abs(share - 0.5) if bounces else share
        stage = Stage({0: 100 + 200 * share, 1: 300 - 200 * share})
        for one in tracker.find(stage):
            if not one.is_crossing:
                shown.setdefault(one.track, set()).add(one.clothes is RED)
    assert len(shown) >= 4 and all(len(colours) == 1 for colours in shown.values()), shown


def test_a_cut_ends_every_track():
    tracker = CrowdTracker(Backend(True))
    numbers = [
        [one.track for one in tracker.find(Stage({0: 100.0, 3: 300.0}), is_cut=frame == 3)]
        for frame in range(6)
    ]
    assert not set(numbers[2]) & set(numbers[3]) and numbers[3] == numbers[5]


def track(number: int, first: float, last: float, clothes: Clothes, x: float = 0.0, shot: int = 0):
    return Tracklet(number, first, last, (shot, shot), (x, 0.0, 50.0), (x, 0.0, 50.0), clothes)


LINKS = {
    "the same clothes after a crossing": (
        [track(0, 0, 1, RED), track(1, 0, 1, BLUE), track(2, 2, 3, BLUE), track(3, 2, 3, RED)],
        [[0, 3], [1, 2]],
    ),
    "two in one costume are not joined": (
        [track(0, 0, 1, RED), track(1, 0, 1, RED), track(2, 2, 3, RED), track(3, 2, 3, RED)],
        [[0], [1], [2], [3]],
    ),
    "over a cut, and alone": ([track(0, 0, 1, RED), track(1, 2, 3, RED, 300, 1)], [[0, 1]]),
    "somebody else after a cut": ([track(0, 0, 1, RED), track(1, 2, 3, BLUE, 0, 1)], [[0], [1]]),
    "at one time": ([track(0, 0, 2, RED), track(1, 1, 3, RED)], [[0], [1]]),
    "a little like, elsewhere": ([track(0, 0, 1, RED), track(1, 2, 3, REDDISH, 300)], [[0], [1]]),
    "a little like, in the same place": (
        [track(0, 0, 1, RED), track(1, 1.5, 3, REDDISH, 5)],
        [[0, 1]],
    ),
}


@pytest.mark.parametrize("case", LINKS)
def test_tracks_are_joined_only_where_clothes_tell(case):
    tracks, expected = LINKS[case]
    found = [[one.number for one in group] for group in linked(tracks)]
    assert found == expected, RED.likeness(REDDISH)


# --- which frames ---------------------------------------------------------------------------------


def frame(index: int, **changed) -> LabelledFrame:
    mask = np.zeros((100, 100), np.uint8)
    mask[10:95, 32:68] = 255
    box = np.array([0, 0, 100, 100], np.float32)
    swing = 12 * np.sin(index)
    pose = body(j4=(36 + swing, 54), j7=(64 + swing, 54), j3=(38 + swing / 2, 42))
    plain = LabelledFrame(
        index, Fraction(index, 10), 0, pose, KeptMask.keep(mask), box, False, 0.4, 0, 0.3, 1.0, 0
    )
    return replace(plain, **changed)


def labels(still: np.ndarray | None = None, speed: float = 0.0) -> ClipLabels:
    return ClipLabels([], (100, 100), 2.0, 20, 0, [], [np.full(20, speed)], [still], Fraction(0), 0)


BAD = {
    "crossing": ({"is_crossing": True}, {"crossing": False}),
    "unlike": ({"likeness": 0.3}, {"min_likeness": 0.0}),
    "cut off": ({"edge_px": 36}, {"whole_body": False}),
    "small": ({"box_xyxy_px": np.array([0, 0, 40, 40], np.float32)}, {"min_scale": 0.0}),
    "blurred": ({"sharpness": 0.05}, {"min_sharpness": 0.0}),
    "mask": ({"mask_quality": 0.5}, {"min_mask": 0.0}),
    "unsteady": ({"body": body(j4=(99, 1), j7=(1, 1), j3=(66, 30), j6=(34, 30))},
                 {"steady": False}),
}  # fmt: skip
KEEP_ALL = CleaningOptions(most_poses=0, min_pose=0.0)


def reasons(frames: list[LabelledFrame], found: ClipLabels, options: CleaningOptions) -> dict:
    cleaned = clean(Dancer(frames, RED), found, options, size_px=256, min_joints=10, min_frames=2)
    assert len(cleaned.kept) + len(cleaned.dropped) == len(frames)
    return {one.frame_index: reason for one, reason in cleaned.dropped}


@pytest.mark.parametrize("reason", BAD)
def test_each_step_drops_its_frames_alone_and_can_be_turned_off(reason):
    changed, off = BAD[reason]
    frames = [frame(index, **(changed if index == 7 else {})) for index in range(20)]
    assert reasons(frames, labels(), KEEP_ALL) == {7: reason}
    assert 7 not in reasons(frames, labels(), replace(KEEP_ALL, **off))


def test_captions_cameras_still_people_and_too_few():
    still = np.zeros((100, 100), bool)
    still[52:58, 34:66] = True  # over the hands, which move
    frames = [frame(index) for index in range(20)]
    assert set(reasons(frames, labels(still), KEEP_ALL).values()) == {"caption"}
    assert not reasons(frames, labels(still), replace(KEEP_ALL, max_caption=0.0))
    fast = replace(KEEP_ALL, max_camera=0.1)
    assert set(reasons(frames, labels(speed=0.2), fast).values()) == {"camera"}
    assert not reasons(frames, labels(speed=0.05), fast)
    painted = [replace(one, colours=1.1, sharpness=0.18) for one in frames]
    assert set(reasons(painted, labels(), KEEP_ALL).values()) == {"drawn"}
    assert not reasons(painted, labels(), replace(KEEP_ALL, drawn=False))
    assert not reasons([replace(one, colours=1.1) for one in frames], labels(), KEEP_ALL)
    quiet = [replace(one, body=body()) for one in frames]
    assert set(reasons(quiet, labels(), KEEP_ALL).values()) == {"still"}
    few = [replace(one, is_crossing=index > 0) for index, one in enumerate(frames)]
    assert "still" in reasons(few, labels(), KEEP_ALL).values()


def test_of_many_poses_the_most_different_are_kept():
    frames = [frame(index) for index in range(20)]
    kept = [
        index for index in range(20)
        if index not in reasons(frames, labels(), replace(KEEP_ALL, most_poses=5))
    ]  # fmt: skip
    assert len(kept) == 5
    line = np.zeros((11, 13, 2), np.float32)
    line[..., 0] = np.arange(11)[:, None]
    assert farthest_points(line, 3, 0.0) == [0, 5, 10]
    assert (
        farthest_points(line, 0, 1.5) == [0, 2, 5, 7, 10] or len(farthest_points(line, 0, 4)) == 3
    )
    assert farthest_points(line[:0], 3, 0.0) == []


# --- measures -------------------------------------------------------------------------------------


def noise(seed: int, size: tuple[int, int] = (240, 320)) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 255, (size[0] // 8, size[1] // 8, 3), np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)


def test_measures_of_pictures():
    picture, mask = noise(0), np.full((240, 320), 255, np.uint8)
    blurred = cv2.GaussianBlur(picture, (0, 0), 9)
    assert sharpness_of(picture, mask) > 2 * sharpness_of(blurred, mask) > 0
    assert sharpness_of(picture, np.zeros_like(mask)) == 0
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    own = difference_hash(picture)
    assert bin(own ^ difference_hash(half)).count("1") <= 4
    assert bin(mirrored_hash(own) ^ difference_hash(picture[:, ::-1])).count("1") <= 4
    assert bin(own ^ difference_hash(noise(1))).count("1") > 16
    camera = CameraMotion()
    wide = noise(2, (240, 400))
    for step in range(8):
        camera.see(np.ascontiguousarray(wide[:, 8 * step : 8 * step + 320]), [], step * 0.1)
    np.testing.assert_allclose(camera.speeds(), [8 / 320 / 0.1] * 2, rtol=0.1)
    hidden = CameraMotion()
    for step in range(2):
        hidden.see(wide[:, :320], [np.full((480, 640), 255, np.uint8)], step * 0.1)
    assert np.isnan(hidden.speeds()).all()


def test_masks_are_kept_whole_and_measured():
    mask = np.zeros((100, 100), np.uint8)
    mask[10:95, 32:68] = np.arange(36) * 3 + 140
    np.testing.assert_array_equal(KeptMask.keep(mask).whole(), mask)
    np.testing.assert_array_equal(KeptMask.keep(mask * 0).whole(), mask * 0)
    assert (edge_px(mask), edge_px(mask[10:]), edge_px(mask[:, 32:])) == (0, 36, 85)
    joints = body().joints
    assert quality_of(mask, joints, 100) == 1
    assert quality_of(mask * 0, joints, 100) == 0
    mask[50:52] = 0
    assert 0.4 < quality_of(mask, joints, 100) < 0.6
    away = body(j2=(5, 30), j5=(95, 30)).joints
    mask[50:52, 32:68] = 255
    assert quality_of(mask, away, 100) == pytest.approx(0.8)


def test_a_map_of_body_parts_is_told_from_a_person_in_colours():
    mask = np.zeros((240, 160), np.uint8)
    cv2.ellipse(mask, (80, 120), (50, 105), 0, 0, 360, 255, -1)
    hues = np.repeat(np.arange(6, dtype=np.uint8) * 30, 40)[:, None].repeat(160, 1)
    strong = np.full_like(hues, 200)
    parts = cv2.cvtColor(np.dstack([hues, strong, strong]), cv2.COLOR_HSV2RGB)
    parts = cv2.GaussianBlur(parts, (0, 0), 6)
    weave = np.random.default_rng(4).uniform(0.4, 1, (120, 80, 1)).repeat(2, 0).repeat(2, 1)
    cloth = (parts * weave).astype(np.uint8)
    plain = np.full_like(parts, (220, 170, 40))
    assert colours_of(parts, mask) > MANY_COLOURS and sharpness_of(parts, mask) < FLAT
    assert sharpness_of(cloth, mask) > FLAT
    assert colours_of(plain, mask) < MANY_COLOURS / 2
    assert colours_of(parts, np.zeros_like(mask)) == colours_of(parts * 0, mask) == 0


def test_edges_that_stay_are_found_in_what_moves():
    edges = StillEdges()
    for index in range(60):
        picture = np.ascontiguousarray(np.roll(noise(3), 7 * index, axis=1) // 2)
        cv2.putText(picture, "WORDS", (100, 140), cv2.FONT_HERSHEY_DUPLEX, 1.5, (255,) * 3, 4)
        edges.see(picture)
    found = edges.found()
    assert found is not None and found[100:145, 95:250].sum() > 300
    assert found.sum() - found[95:150, 90:260].sum() < 30
    assert StillEdges().found() is None


# --- over the whole data set ----------------------------------------------------------------------


def clip(name: str, scene: int, clothes: Clothes, seed: int, flip: bool = False) -> ClipFacts:
    rng = np.random.default_rng(seed)
    poses = [
        body(j4=tuple(rng.uniform(5, 90, 2)), j7=tuple(rng.uniform(5, 90, 2))) for _ in "x" * 9
    ]
    vectors = pose_vectors([one.joints for one in poses])
    vectors = mirrored_vectors(vectors) if flip else vectors
    scenes = [mirrored_hash(scene) if flip else scene] * len(poses)
    packed_poses = [packed_pose(one) for one in vectors]
    np.testing.assert_allclose(unpacked_poses(packed_poses), vectors, atol=1 / 60)
    dancer = DancerFacts(name, name, 9, False, 0.2, packed(clothes), scenes, packed_poses)
    return ClipFacts(name, name, name, dancers=[dancer])


def test_copies_and_people_of_the_same_session_are_known_again():
    here, there = difference_hash(noise(4)), difference_hash(noise(5))
    clips = [
        clip("a", here, RED, 0),
        clip("the same", here, RED, 0),
        clip("mirrored", here, RED, 0, flip=True),
        clip("another dance", here, RED, 1),
        clip("somebody else there", here, BLUE, 2),
        clip("the same clothes elsewhere", there, RED, 3),
    ]
    found = likenesses(clips)
    assert found.copies == {1: 0, 2: 0}
    assert found.same == [((0, 0), (3, 0))]
    assert {(one, other) for one, other, _ in found.perhaps} == {((0, 0), (5, 0)), ((3, 0), (5, 0))}


HARD = {
    "raised leg": {f"j{R_KNEE}": (40, 50), f"j{R_ANKLE}": (35, 66)},
    "arms over torso": {f"j{R_WRIST}": (50, 40)},
    "limbs crossed": {f"j{R_ANKLE}": (60, 90), f"j{L_ANKLE}": (40, 90)},
}


@pytest.mark.parametrize("kind", HARD)
def test_what_makes_a_pose_hard(kind):
    assert hard_kinds(body()) == set()
    assert kind in hard_kinds(body(**HARD[kind]))
    assert {R_SHOULDER, L_SHOULDER, L_WRIST} == {2, 5, 7}
