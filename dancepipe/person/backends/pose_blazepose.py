"""Joints and mask of one person with the BlazePose networks of mediapipe: the default backend."""

import math

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
from dancepipe.person.regions import fit_within, full_mask
from dancepipe.person.track import PersonFollower, Sighting
from dancepipe.pose.skeleton import openpose_view
from dancepipe.records import BodyPose, PersonFrame, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21

MAX_SIDE_PX = 640  # the networks read 224 and 256 px; more only makes the mask slower
SURE_SCORE = 0.5  # a detection that counts as a person
# While one person is followed the detector runs this often, to count the others.
RECOUNT_FRAMES = 30
# The body network reads a square around the whole person, and mixes the bodies of people who stand
# in it together. Closer than this (in reaches) the detector runs on every frame and says whether
# the body that was read is the followed one ...
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


class BlazePoseFinder:
    """find(image) -> PersonFrame | None. mode "video": the frames of ONE clip in order; "photo":
    each picture for itself, from as many threads as you like.

    Pictures of any size: they are read at <= 640 px on the longer side, joints and mask come back
    at full size. A picture of another size than the one before starts the following anew.
    """

    def __init__(self, mode: str, *, mask: bool, hands: bool = False):
        """Fetches the networks when they are nowhere: raises as models.read_model."""
        if mode not in ("video", "photo"):
            raise ValueError(f"mode must be 'video' or 'photo', got {mode!r}")
        self._mode, self._mask = mode, mask
        self._detector = PeopleDetector(_open(DETECTOR))
        self._bodies = BodyNetwork(_open(BODY), mask=mask)
        self._hands = HandNetwork(_open(HAND_REGION), _open(HAND)) if hands else None
        self._clip: _Clip | None = None

    def find(self, image: np.ndarray) -> PersonFrame | None:
        size_wh = _size_wh(image)
        if self._mode == "photo":
            clip = _Clip(self._detector, self._bodies, size_wh)
        else:
            if self._clip is None or self._clip.size_wh != size_wh:
                self._clip = _Clip(self._detector, self._bodies, size_wh)
            clip = self._clip
        small, _ = fit_within(image, MAX_SIDE_PX)
        body = clip.find(small)
        if body is None:
            return None
        landmarks = body.landmarks.copy()
        scale = np.array([size_wh[0] / small.shape[1], size_wh[1] / small.shape[0]], np.float32)
        landmarks[:, :2] = (landmarks[:, :2] + 0.5) * scale - 0.5
        landmarks[:, 3] *= scale[0]
        if _is_turned_away(landmarks):
            landmarks[:7, 2] *= TURNED_AWAY_CONFIDENCE  # nose and eyes
        hands = self._read_hands(image, landmarks) if self._hands else None
        pose = openpose_view(landmarks[:, :3], BLAZEPOSE_33, size_wh)
        if not pose.present.any() or not np.isfinite(landmarks).all():
            return None
        mask = full_mask(body.mask, size_wh) if self._mask else None
        seen = landmarks[:, 2].clip(0, 1)
        whole = Pose(landmarks[:, :2], seen, BLAZEPOSE_33, landmarks[:, 3])
        return PersonFrame(BodyPose(pose, whole, hands), mask, clip.people_seen)

    def _read_hands(
        self, image: np.ndarray, landmarks: np.ndarray
    ) -> tuple[Pose | None, Pose | None]:
        """Both hands as BodyPose has them, read in the picture's full size."""
        image = np.ascontiguousarray(image)
        hands: list[Pose | None] = []
        last_xy_px = np.array(_size_wh(image)) - 1
        for points in HANDS:
            hand_xy_px = landmarks[list(points), :2]
            is_inside = ((hand_xy_px >= 0) & (hand_xy_px <= last_xy_px)).all()
            hand = None
            if is_inside and landmarks[points[0], 2] >= MIN_WRIST_VISIBILITY:
                hand = self._hands.read(image, hand_xy_px)
            hands.append(None if hand is None else Pose.from_array(hand, HAND_21))
        right, left = hands
        return right, left

    def close(self) -> None:
        """Frees the networks. Closing twice is allowed."""
        self._detector.close()
        self._bodies.close()
        if self._hands:
            self._hands.close()


class _Clip:
    """The followed person through the frames of one clip."""

    def __init__(self, detector: PeopleDetector, bodies: BodyNetwork, size_wh: tuple[int, int]):
        self._detector, self._bodies = detector, bodies
        self.size_wh = size_wh  # of the frames as they come
        self.people_seen = 1
        self._follower = PersonFollower()
        self._region: Region | None = None  # where the followed person is in the next frame
        self._has_neighbour = False
        self._frame = 0

    def find(self, small: np.ndarray) -> Body | None:
        """The followed person in the next frame, which comes shrunk."""
        body = self._follow(small) or self._look_around(small)
        self._frame += 1
        if body is None:
            self._follower.miss()
            self._region = None
            return None
        self._region = body.next_region
        self._follower.accept(_sighting(body))
        return body

    def _follow(self, small: np.ndarray) -> Body | None:
        """The followed person, read where the last frame left off; None when that is not, or no
        longer, the same person."""
        if self._region is None:
            return None
        if self._frame % RECOUNT_FRAMES == 0 or self._has_neighbour:
            sure = [r for r in self._detector.detect(small) if r.score >= SURE_SCORE]
            self._count(sure)
            index = self._follower.pick([r.sighting() for r in sure], _size_wh(small))
            others = [region for i, region in enumerate(sure) if i != index]
            if others:
                own = self._region if index is None else sure[index]
                return self._if_same(self._read_among_others(small, own, others, self._region))
        return self._if_same(self._bodies.read(small, self._region))

    def _if_same(self, body: Body | None) -> Body | None:
        return body if body is not None and self._follower.could_be(_sighting(body)) else None

    def _look_around(self, small: np.ndarray) -> Body | None:
        """The person to follow, found with the detector."""
        seen = self._detector.detect(small)
        sure = [region for region in seen if region.score >= SURE_SCORE]
        self._count(sure)
        # An unsure detection is tried too: the body network has the last word.
        for regions in (sure, seen):
            left = list(regions)
            while left:
                index = self._follower.pick([r.sighting() for r in left], _size_wh(small))
                if index is None:
                    break
                own = left.pop(index)
                others = [region for region in sure if region is not own]
                body = self._read_among_others(small, own, others, own)
                if body is not None:
                    return body
        return None

    def _read_among_others(
        self, small: np.ndarray, own: Region, others: list[Region], region: Region
    ) -> Body | None:
        """The body in region, of the person who was detected, or is expected, at own; no mixture
        with the bodies of others."""
        reach = own.sighting().reach_px
        others = [other for other in others if _distance(other, own) < NEIGHBOUR_REACHES * reach]
        self._has_neighbour = bool(others)
        self._follower.note_others([other.sighting() for other in others])
        body = self._bodies.read(small, region)
        if not others:
            return body
        if body is not None and _distance(body.next_region, own) < MIXED_REACHES * reach:
            return body
        return self._bodies.read(_painted_over(small, own, others), own)

    def _count(self, sure: list[Region]) -> None:
        self.people_seen = max(len(sure), 1)
        self._has_neighbour = False


def _open(model: ModelFile) -> Network:
    return Network(model.name, read_model(model))


def _sighting(body: Body) -> Sighting:
    return body.next_region.sighting()


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
