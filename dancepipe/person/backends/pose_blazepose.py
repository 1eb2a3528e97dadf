"""Joints, mask and hands with the BlazePose networks of mediapipe: the default backend."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from dancepipe.person.blazepose.body_network import Body, BodyNetwork
from dancepipe.person.blazepose.detect_people import PeopleDetector
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
from dancepipe.person.blazepose.region import Region
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
# The network calls a face on the back of a head fully visible; its place is a guess.
TURNED_AWAY_CONFIDENCE = 0.3
HANDS = ((16, 18, 20), (15, 17, 19))  # wrist, little finger, index among the landmarks; right, left
# Behind a wrist that is less visible, the hand network sees one time in ten a hand (of all: every
# second time), and costs as much. mediapipe's graph asks from 0.1.
MIN_WRIST_VISIBILITY = 0.5


class BlazePoseBackend:
    """look(image) -> everyone in a picture, by the person detector; body network, mask and hand
    network for those who are read.

    Pictures of any size: they are read at <= 640 px on the longer side, joints and mask come back
    at full size.
    """

    goes_on = True
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
        self._small, _ = fit_within(image, MAX_SIDE_PX)
        self.size_wh = _size_wh(self._small)

    def sightings(self) -> list[Sighting]:
        return [region.sighting() for region in self._regions]

    @cached_property
    def _regions(self) -> list[Region]:
        return self._networks.detector.detect(self._small)

    def read(
        self, index: int | None, beside: Sequence[int] = (), last: Body | None = None
    ) -> Body | None:
        bodies, small = self._networks.bodies, self._small
        if index is not None:
            own = self._regions[index]
        elif last is not None:
            own = last.next_region
        else:
            raise ValueError("read needs the index of a sighting, or what was read last")
        body = bodies.read(small, own if last is None else last.next_region)
        if not beside:
            return body
        reach = own.sighting().reach_px
        if body is not None and _distance(body.next_region, own) < MIXED_REACHES * reach:
            return body
        return bodies.read(_painted_over(small, own, [self._regions[i] for i in beside]), own)

    def person(self, reading: Body, before: PersonFrame | None = None) -> PersonFrame | None:
        size_wh = _size_wh(self._image)
        landmarks = reading.landmarks.copy()
        scale = np.array([size_wh[0] / self.size_wh[0], size_wh[1] / self.size_wh[1]], np.float32)
        landmarks[:, :2] = (landmarks[:, :2] + 0.5) * scale - 0.5
        landmarks[:, 3] *= scale[0]
        if _is_turned_away(landmarks):
            landmarks[:7, 2] *= TURNED_AWAY_CONFIDENCE  # nose and eyes
        pose = openpose_view(landmarks[:, :3], BLAZEPOSE_33, size_wh)
        if not pose.present.any() or not np.isfinite(landmarks).all():
            return None
        hands = self._read_hands(self._networks.hands, landmarks) if self._networks.hands else None
        mask = None if reading.mask is None else full_mask(reading.mask, size_wh)
        seen = landmarks[:, 2].clip(0, 1)
        whole = Pose(landmarks[:, :2], seen, BLAZEPOSE_33, landmarks[:, 3])
        return PersonFrame(BodyPose(pose, whole, hands), mask)

    def _read_hands(
        self, network: HandNetwork, landmarks: np.ndarray
    ) -> tuple[Pose | None, Pose | None]:
        """Both hands as BodyPose has them, read in the picture's full size."""
        image = np.ascontiguousarray(self._image)
        hands: list[Pose | None] = []
        last_xy_px = np.array(_size_wh(image)) - 1
        for points in HANDS:
            hand_xy_px = landmarks[list(points), :2]
            is_inside = ((hand_xy_px >= 0) & (hand_xy_px <= last_xy_px)).all()
            hand = None
            if is_inside and landmarks[points[0], 2] >= MIN_WRIST_VISIBILITY:
                hand = network.read(image, hand_xy_px)
            hands.append(None if hand is None else Pose.from_array(hand, HAND_21))
        right, left = hands
        return right, left


def _open(model: ModelFile) -> Network:
    return Network(model.name, read_model(model))


def _distance(first: Region, second: Region) -> float:
    return math.dist(first.center_xy_px, second.center_xy_px)


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
    own_distance = _distance_to_axis(own, image.shape)
    painted = image.copy()
    for other in others:
        distance = _distance_to_axis(other, image.shape)
        near = distance < PAINT_REACHES * other.sighting().reach_px
        painted[(distance < own_distance) & near] = 128
    return painted


def _distance_to_axis(region: Region, shape: tuple[int, ...]) -> np.ndarray:
    """float32 (H, W): distance in px of each pixel to the line from the feet to above the head."""
    head = np.array(region.tip_xy_px, np.float32)
    along = 2 * (np.array(region.center_xy_px, np.float32) - head)  # from head to feet
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    t = np.clip(((x - head[0]) * along[0] + (y - head[1]) * along[1]) / (along @ along), 0, 1)
    return np.hypot(x - head[0] - t * along[0], y - head[1] - t * along[1])
