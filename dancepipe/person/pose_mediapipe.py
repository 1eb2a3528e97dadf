"""Joints and mask of one person with mediapipe: the default backend, whose weights come with pip."""

import math
from collections.abc import Callable

import numpy as np

from dancepipe.person.mediapipe_graphs import MAX_SIDE_PX, Body, BodyGraphs, Region
from dancepipe.person.regions import fit_within, full_mask
from dancepipe.person.skeleton import pose_from_blazepose
from dancepipe.person.track import PersonFollower, Sighting
from dancepipe.records import PersonFrame

SURE_SCORE = 0.5  # a detection that counts as a person
RECOUNT_FRAMES = 30  # the detector runs this often while one person is followed, to count the others
# The body network reads a square around the whole person, and mixes the bodies of people who stand in it together. Closer
# than this (in reaches) the detector runs on every frame and says whether the body that was read is the followed one ...
NEIGHBOUR_REACHES = 1.5
MIXED_REACHES = 0.12  # ... whose middle the two put within this of each other; else it is read again, the others painted over
PAINT_REACHES = 0.25  # half width of a painted-over person
TURNED_AWAY_CONFIDENCE = 0.3  # mediapipe calls a face on the back of a head fully visible; its place is a guess


class MediapipePoseFinder:
    """find(image) -> PersonFrame | None. mode "video": the frames of ONE clip in order; "photo": each picture for itself.

    Pictures of any size: they are read at <= 640 px on the longer side, joints and mask come back at full size.
    A picture of another size than the one before starts the following anew.
    """

    def __init__(self, mode: str, *, mask: bool, say: Callable[[str], None] = print):
        if mode not in ("video", "photo"):
            raise ValueError(f"mode must be 'video' or 'photo', got {mode!r}")
        self._mode, self._mask, self._say = mode, mask, say
        self._graphs = BodyGraphs(mask=mask)
        self._start_clip()

    def _start_clip(self) -> None:
        self._follower = PersonFollower()
        self._region: Region | None = None  # where the followed person is in the next frame
        self._size_wh: tuple[int, int] | None = None
        self._people_seen = 1
        self._has_neighbour = False
        self._frame = 0

    def find(self, image: np.ndarray) -> PersonFrame | None:
        size_wh = _size_wh(image)
        if self._mode == "photo" or size_wh != self._size_wh:
            self._start_clip()
            self._size_wh = size_wh
        small, _ = fit_within(image, MAX_SIDE_PX)
        body = self._follow(small) or self._look_around(small)
        self._frame += 1
        if body is None:
            self._follower.miss()
            self._region = None
            return None
        self._region = body.next_region
        self._follower.accept(_sighting(body))
        landmarks = body.landmarks.copy()
        scale = np.array([size_wh[0] / small.shape[1], size_wh[1] / small.shape[0]], np.float32)
        landmarks[:, :2] = (landmarks[:, :2] + 0.5) * scale - 0.5
        if _is_turned_away(landmarks):
            landmarks[:7, 2] *= TURNED_AWAY_CONFIDENCE  # nose and eyes
        pose = pose_from_blazepose(landmarks[:, :3], size_wh)
        if not pose.present.any():
            return None
        return PersonFrame(pose, full_mask(body.mask, size_wh) if self._mask else None, self._people_seen)

    def _follow(self, small: np.ndarray) -> Body | None:
        """The followed person, read where the last frame left off; None when that is not, or no longer, the same person."""
        if self._region is None:
            return None
        if self._frame % RECOUNT_FRAMES == 0 or self._has_neighbour:
            sure = [region for region in self._graphs.detect(small) if region.score >= SURE_SCORE]
            self._count(sure)
            index = self._follower.pick([region.sighting() for region in sure], _size_wh(small))
            others = [region for i, region in enumerate(sure) if i != index]
            if others:
                body = self._read_among_others(small, self._region if index is None else sure[index], others, self._region)
                return body if body is not None and self._follower.could_be(_sighting(body)) else None
        body = self._graphs.read_body(small, self._region)
        return body if body is not None and self._follower.could_be(_sighting(body)) else None

    def _look_around(self, small: np.ndarray) -> Body | None:
        """The person to follow, found with the detector."""
        seen = self._graphs.detect(small)
        sure = [region for region in seen if region.score >= SURE_SCORE]
        self._count(sure)
        for regions in (sure, seen):  # an unsure detection is tried too: the body network has the last word
            left = list(regions)
            while left:
                index = self._follower.pick([region.sighting() for region in left], _size_wh(small))
                if index is None:
                    break
                own = left.pop(index)
                body = self._read_among_others(small, own, [region for region in sure if region is not own], own)
                if body is not None:
                    return body
        return None

    def _read_among_others(self, small: np.ndarray, own: Region, others: list[Region], region: Region) -> Body | None:
        """The body in region, of the person who was detected, or is expected, at own; no mixture with the bodies of others."""
        reach = own.sighting().reach_px
        others = [other for other in others if math.dist(other.center_xy_px, own.center_xy_px) < NEIGHBOUR_REACHES * reach]
        self._has_neighbour = bool(others)
        self._follower.note_others([other.sighting() for other in others])
        body = self._graphs.read_body(small, region)
        if not others or (body is not None and math.dist(body.next_region.center_xy_px, own.center_xy_px) < MIXED_REACHES * reach):
            return body
        return self._graphs.read_body(_painted_over(small, own, others), own)

    def _count(self, sure: list[Region]) -> None:
        self._people_seen = max(len(sure), 1)
        self._has_neighbour = False

    def close(self) -> None:
        self._graphs.close()


def _sighting(body: Body) -> Sighting:
    return body.next_region.sighting()


def _size_wh(image: np.ndarray) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _is_turned_away(landmarks: np.ndarray) -> bool:
    """Whether the nose is farther from the camera than both ears (depth in column 3), by more than a profile's noise."""
    nose_depth, ear_depths = landmarks[0, 3], landmarks[7:9, 3]
    shoulder_to_hip = np.linalg.norm(landmarks[11:13, :2].mean(0) - landmarks[23:25, :2].mean(0))
    return bool(nose_depth - ear_depths.mean() > 0.15 * shoulder_to_hip)


def _painted_over(image: np.ndarray, own: Region, others: list[Region]) -> np.ndarray:
    """A copy in which grey lies over the others, as far as they are nearer than the person himself."""
    own_distance = _distance_to_axis(own, image.shape)
    painted = image.copy()
    for other in others:
        distance = _distance_to_axis(other, image.shape)
        painted[(distance < own_distance) & (distance < PAINT_REACHES * other.sighting().reach_px)] = 128
    return painted


def _distance_to_axis(region: Region, shape: tuple[int, ...]) -> np.ndarray:
    """float32 (H, W): distance in px of each pixel to the line from the feet to above the head."""
    head = np.array(region.tip_xy_px, np.float32)
    along = 2 * (np.array(region.center_xy_px, np.float32) - head)  # from head to feet
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    t = np.clip(((x - head[0]) * along[0] + (y - head[1]) * along[1]) / (along @ along), 0, 1)
    return np.hypot(x - head[0] - t * along[0], y - head[1] - t * along[1])
