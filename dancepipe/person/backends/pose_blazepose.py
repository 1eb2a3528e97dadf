"""Joints, mask and hands with the BlazePose networks of mediapipe: the default backend."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

import numpy as np

from dancepipe.geometry import resized_px
from dancepipe.person.blazepose.body_network import Body, BodyNetwork
from dancepipe.person.blazepose.detect_people import PeopleDetector
from dancepipe.person.blazepose.follow_hands import SeenHand, follow_hands
from dancepipe.person.blazepose.hand_network import HandNetwork
from dancepipe.person.blazepose.litert import Network
from dancepipe.person.blazepose.models import (
    BODY,
    DETECTOR,
    HAND,
    HAND_REGION,
    ModelFile,
    read_model,
)
from dancepipe.person.blazepose.region import SURE_SCORE, Region
from dancepipe.person.clothes import Clothes, clothes_of
from dancepipe.person.look import Sighting
from dancepipe.person.regions import fit_within, full_mask
from dancepipe.pose.skeleton import openpose_view
from dancepipe.records import BodyPose, PersonFrame, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21

MAX_SIDE_PX = 640  # the networks read 224 and 256 px; more only makes the mask slower
# The body network reads a square around the whole person, and mixes the bodies of people who stand
# in it together. Of people closer than this (in reaches) the detector says whether the body that
# was read is the wanted one ...
NEIGHBOUR_REACHES = 1.5
# ... whose middle the two put within this of each other; else it is read again, the others painted
# over.
MIXED_REACHES = 0.12
PAINT_REACHES = 0.25  # half width of a painted-over person
_CELL_PX = 4  # what is painted over need not be exact
# The network calls a face on the back of a head fully visible; its place is a guess.
TURNED_AWAY_CONFIDENCE = 0.3
# To find everyone, those who were found are painted over and the picture is looked at again, so
# often at most.
FOUND_REACHES = 0.2
MOST_LOOKS = 6
LEFT_OVER_SCORE = 0.65  # of who is seen only then; things and parts of people have less
# A body between two people is a mixture: with them painted over nobody is left, or somebody else.
MIN_TRUNK_VISIBILITY = 0.5
BEHIND_REACHES = 0.2  # nearer ones stand one before the other
SAME_PERSON_REACHES = 0.2  # two bodies whose middles are nearer than this are one
TRUNK = [12, 11, 24, 23]  # right and left shoulder and hip among the landmarks
KNEES = [26, 25]
HANDS = ((16, 18, 20), (15, 17, 19))  # wrist, little finger, index among the landmarks; right, left
# Behind a wrist that is less visible, the hand network sees one time in ten a hand (of all: every
# second time), and costs as much. mediapipe's graph asks from 0.1.
MIN_WRIST_VISIBILITY = 0.5


@dataclass
class BlazePoseReading:
    """What was read of one person."""

    body: Body
    hands: Sequence[SeenHand | None] = (None, None)  # right and left; filled in by person()

    @property
    def sighting(self) -> Sighting:
        return self.body.next_region.sighting()


class BlazePoseBackend:
    """look(image) -> everyone in a picture, by the person detector; body network, mask and hand
    network for those who are read.

    Pictures of any size: they are read at <= 640 px on the longer side, joints and mask come back
    at full size.
    """

    goes_on = True
    records = (BlazePoseReading, Body, Region, SeenHand)
    neighbour_reaches = NEIGHBOUR_REACHES

    def __init__(self, *, mask: bool, hands: bool = False):
        """Fetches the networks when they are nowhere: raises as models.read_model."""
        self.detector = PeopleDetector(_open(DETECTOR))
        self.bodies = BodyNetwork(_open(BODY), mask=mask)
        self.hands = HandNetwork(_open(HAND_REGION), _open(HAND)) if hands else None

    def look(self, image: np.ndarray) -> "BlazePoseLook":
        return BlazePoseLook(self, image)

    def close(self) -> None:
        """Frees the networks. Closing twice is allowed."""
        self.detector.close()
        self.bodies.close()
        if self.hands:
            self.hands.close()


class BlazePoseLook:
    """One picture before the networks, shrunk; nothing runs before it is asked for."""

    def __init__(self, networks: BlazePoseBackend, image: np.ndarray):
        self._networks, self._image = networks, image
        self.picture, _ = fit_within(image, MAX_SIDE_PX)
        self.size_wh = _size_wh(self.picture)

    def sightings(self) -> list[Sighting]:
        return [region.sighting() for region in self._regions]

    @cached_property
    def _regions(self) -> list[Region]:
        return self._networks.detector.detect(self.picture)

    def read(
        self,
        index: int | None,
        beside: Sequence[int] = (),
        last: BlazePoseReading | None = None,
    ) -> BlazePoseReading | None:
        if index is not None:
            own = self._regions[index]
        elif last is not None:
            own = last.body.next_region
        else:
            raise ValueError("read needs the index of a sighting, or what was read last")
        others = [self._regions[other] for other in beside]
        body = self._read_among(own, others, own if last is None else last.body.next_region)
        return None if body is None else BlazePoseReading(body)

    def _read_among(self, own: Region, others: list[Region], region: Region) -> Body | None:
        """The body in region, of the person who is seen, or expected, at own; no mixture with the
        bodies of others."""
        bodies, small = self._networks.bodies, self.picture
        body = bodies.read(small, region)
        if not others:
            return body
        reach = own.sighting().reach_px
        if body is not None and _distance(body.next_region, own) < MIXED_REACHES * reach:
            return body
        return bodies.read(_painted_over(small, own, others), own)

    def everyone(self) -> list[BlazePoseReading]:
        """As Look has it. The detector merges people who stand close together: it looks again and
        again at the picture without those who were found."""
        found: list[Body] = []
        part: Body | None = None  # of somebody whose hips or shoulders are out of sight
        left = self.picture
        for look in range(MOST_LOOKS):
            least = SURE_SCORE if look == 0 else LEFT_OVER_SCORE
            new = []
            for region in self._networks.detector.detect(left):
                body = self._networks.bodies.read(left, region) if region.score >= least else None
                part = part or body
                if not _is_whole(body) or any(_is_part_of(body, one) for one in found + new):
                    continue
                if look == 0 or self._is_seen_unpainted(body, found):
                    new.append(body)
            if not new:
                break
            found += new
            left = _painted_out(self.picture, [body.next_region for body in found])
        if not found:
            return [] if part is None else [BlazePoseReading(part)]
        return [BlazePoseReading(body) for body in self._without_mixtures(found)]

    def _is_seen_unpainted(self, body: Body, found: list[Body]) -> bool:
        """Whether the whole picture shows that body too, and not one of those who were found."""
        own = body.next_region
        again = self._networks.bodies.read(self.picture, own)
        if again is None:
            return False
        off = _distance(again.next_region, own)
        return all(off < _distance(again.next_region, one.next_region) for one in found)

    def _without_mixtures(self, found: list[Body]) -> list[Body]:
        """Each read again, apart from the others; those who are then nobody are left out."""
        kept = list(found)
        for body in reversed(found):  # who was found first is the surest
            others = [other.next_region for other in kept if other is not body]
            if not others:
                break
            own = body.next_region
            alone = self._read_alone(own, [own, *others])
            kept = [other for other in kept if other is not body]
            if _is_whole(alone) and _is_near(alone, body):
                if not any(_is_near(alone, other) for other in kept):
                    kept.append(alone)
        if len(kept) == len(found):
            return kept
        regions = [body.next_region for body in kept]  # some were read without who is not there
        again = [self._read_alone(region, regions) for region in regions]
        return [new or body for new, body in zip(again, kept, strict=True)]

    def read_apart(
        self, own: BlazePoseReading, others: Sequence[BlazePoseReading]
    ) -> tuple[BlazePoseReading | None, list[BlazePoseReading]]:
        first, *rest = others
        regions = [one.body.next_region for one in (own, first, *rest)]
        body, other = (self._read_alone(region, regions) for region in regions[:2])
        kept = [*rest, *([] if other is None else [BlazePoseReading(other)])]
        if body is None:  # somebody may have been seen who is not there
            body = self._networks.bodies.read(self.picture, regions[0])
        return (None if body is None else BlazePoseReading(body)), kept

    def _read_alone(self, own: Region, regions: list[Region]) -> Body | None:
        """The body in that region, the others of them painted over."""
        # Of people who stand one before the other there are no parts to be told from each other.
        limit = BEHIND_REACHES * own.sighting().reach_px
        others = [one for one in regions if one is not own and _distance(one, own) > limit]
        picture = _painted_over(self.picture, own, others) if others else self.picture
        return self._networks.bodies.read(picture, own)

    def clothes(self, reading: BlazePoseReading) -> Clothes | None:
        return clothes_of(self.picture, reading.body.landmarks[TRUNK + KNEES, :2])

    def person(
        self, reading: BlazePoseReading, before: BlazePoseReading | None = None
    ) -> PersonFrame | None:
        size_wh = _size_wh(self._image)
        landmarks = reading.body.landmarks.copy()
        scale = np.array([size_wh[0] / self.size_wh[0], size_wh[1] / self.size_wh[1]], np.float32)
        landmarks[:, :2] = resized_px(landmarks[:, :2], scale)
        landmarks[:, 3] *= scale[0]
        if _is_turned_away(landmarks):
            landmarks[:7, 2] *= TURNED_AWAY_CONFIDENCE  # nose and eyes
        pose = openpose_view(landmarks[:, :3], BLAZEPOSE_33, size_wh)
        if not pose.present.any() or not np.isfinite(landmarks).all():
            return None
        hands = None
        if self._networks.hands:
            at = [self._hand_xy_px(landmarks, points) for points in HANDS]
            seen_before = (None, None) if before is None else before.hands
            image = np.ascontiguousarray(self._image)  # at its full size: hands are small
            found, reading.hands = follow_hands(self._networks.hands, image, at, seen_before)
            right, left = (
                None if points is None else Pose.from_array(points, HAND_21) for points in found
            )
            hands = right, left
        mask = None if reading.body.mask is None else full_mask(reading.body.mask, size_wh)
        seen = landmarks[:, 2].clip(0, 1)
        whole = Pose(landmarks[:, :2], seen, BLAZEPOSE_33, landmarks[:, 3])
        return PersonFrame(BodyPose(pose, whole, hands), mask)

    def _hand_xy_px(self, landmarks: np.ndarray, points: tuple[int, ...]) -> np.ndarray | None:
        """Wrist, little finger and index; None where that hand cannot be seen."""
        hand_xy_px = landmarks[list(points), :2]
        is_inside = ((hand_xy_px >= 0) & (hand_xy_px <= np.array(_size_wh(self._image)) - 1)).all()
        is_seen = is_inside and landmarks[points[0], 2] >= MIN_WRIST_VISIBILITY
        return hand_xy_px if is_seen else None


def _open(model: ModelFile) -> Network:
    return Network(model.name, read_model(model))


def _distance(first: Region, second: Region) -> float:
    return math.dist(first.center_xy_px, second.center_xy_px)


def _is_whole(body: Body | None) -> TypeGuard[Body]:
    return body is not None and bool(body.landmarks[TRUNK, 2].min() >= MIN_TRUNK_VISIBILITY)


def _is_near(body: Body, other: Body) -> bool:
    """Whether both are of one person."""
    limit = SAME_PERSON_REACHES * other.next_region.sighting().reach_px
    return _distance(body.next_region, other.next_region) < limit


def _is_part_of(body: Body, other: Body) -> bool:
    """Whether the trunk lies where the other person is: arms and legs that are left beside a
    painted-over person look like somebody to the networks."""
    region = other.next_region
    away = _distance_to_axis(region, body.landmarks[TRUNK, :2].mean(0))
    return bool(away < FOUND_REACHES * region.sighting().reach_px) or _is_near(body, other)


def _size_wh(image: np.ndarray) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _is_turned_away(landmarks: np.ndarray) -> bool:
    """Whether the nose is farther from the camera than both ears (depth in column 3), by more than
    a profile's noise."""
    nose_depth, ear_depths = landmarks[0, 3], landmarks[7:9, 3]
    shoulders, hips = landmarks[11:13, :2].mean(0), landmarks[23:25, :2].mean(0)
    return bool(nose_depth - ear_depths.mean() > 0.15 * np.linalg.norm(shoulders - hips))


def _painted_over(image: np.ndarray, own: Region, others: list[Region]) -> np.ndarray:
    """A copy in which grey lies over the others, as far as they are nearer than the person."""
    cells = _cells(image)
    own_distance = _distance_to_axis(own, cells)
    covered = np.zeros(cells.shape[:2], bool)
    for other in others:
        distance = _distance_to_axis(other, cells)
        near = distance < PAINT_REACHES * other.sighting().reach_px
        covered |= (distance < own_distance) & near
    return _paint(image, covered)


def _painted_out(image: np.ndarray, regions: list[Region]) -> np.ndarray:
    """A copy in which grey lies over all of these."""
    cells = _cells(image)
    covered = np.zeros(cells.shape[:2], bool)
    for region in regions:
        reach = FOUND_REACHES * region.sighting().reach_px
        covered |= _distance_to_axis(region, cells) < reach
    return _paint(image, covered)


def _distance_to_axis(region: Region, points_px: np.ndarray) -> np.ndarray:
    """float32 (...): distance in px of each of (..., 2) to the line from the feet to above the
    head."""
    head = np.array(region.tip_xy_px, np.float32)
    along = 2 * (np.array(region.center_xy_px, np.float32) - head)  # from head to feet
    x, y = points_px[..., 0], points_px[..., 1]
    t = np.clip(((x - head[0]) * along[0] + (y - head[1]) * along[1]) / (along @ along), 0, 1)
    return np.hypot(x - head[0] - t * along[0], y - head[1] - t * along[1])


def _cells(image: np.ndarray) -> np.ndarray:
    """float32 (h, w, 2): x and y of the middles of cells of _CELL_PX a side that cover it."""
    height, width = (-(-side // _CELL_PX) for side in image.shape[:2])
    y, x = np.mgrid[:height, :width].astype(np.float32) * _CELL_PX + (_CELL_PX - 1) / 2
    return np.stack([x, y], -1)


def _paint(image: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """A copy with grey in those cells: bool (h, w)."""
    covered = cells.repeat(_CELL_PX, 0).repeat(_CELL_PX, 1)[: image.shape[0], : image.shape[1]]
    painted = image.copy()
    painted[covered] = 128
    return painted
