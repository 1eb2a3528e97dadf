"""Joints and mask of one person with mediapipe: the default backend, whose weights come with pip."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from dancepipe.person.mediapipe_graphs import MAX_SIDE_PX, Body, BodyGraphs, Region
from dancepipe.person.skeleton import pose_from_blazepose
from dancepipe.person.track import PersonFollower, Sighting
from dancepipe.records import PersonFrame

SURE_SCORE = 0.5  # a detection that counts as a person
PHOTO_SCORE = 0.2  # tried in a photo when nothing is surer; the body network has the last word
RECOUNT_FRAMES = 30  # the detector runs this often while one person is followed, to count the others


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
        self._frame = 0

    def find(self, image: np.ndarray) -> PersonFrame | None:
        size_wh = (image.shape[1], image.shape[0])
        if self._mode == "photo" or size_wh != self._size_wh:
            self._start_clip()
            self._size_wh = size_wh
        small = _shrunk(image)
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
        pose = pose_from_blazepose(landmarks, size_wh)
        if not pose.present.any():
            return None
        return PersonFrame(pose, _full_mask(body.mask, size_wh) if self._mask else None, self._people_seen)

    def _follow(self, small: np.ndarray) -> Body | None:
        """The followed person, read where the last frame left off; None when that is not, or no longer, the same person."""
        if self._region is None:
            return None
        body = self._graphs.read_body(small, self._region)
        if body is None or not self._follower.could_be(_sighting(body)):
            return None
        if self._frame % RECOUNT_FRAMES == 0:
            self._count([region for region in self._graphs.detect(small) if region.score >= SURE_SCORE])
        return body

    def _look_around(self, small: np.ndarray) -> Body | None:
        """The person to follow, found with the detector."""
        size_wh = (small.shape[1], small.shape[0])
        seen = self._graphs.detect(small)
        sure = [region for region in seen if region.score >= SURE_SCORE]
        self._count(sure)
        # An unsure detection is good enough where the person is expected, and in a photo, which has no next frame.
        tries = [sure, seen] if self._mode == "photo" or self._follower.last is not None else [sure]
        for regions in tries:
            left = list(regions)
            while left:
                index = self._follower.pick([region.sighting() for region in left], size_wh)
                if index is None:
                    break
                body = self._graphs.read_body(small, left.pop(index))
                if body is not None:
                    return body
        return None

    def _count(self, sure: list[Region]) -> None:
        self._people_seen = max(len(sure), 1)

    def close(self) -> None:
        self._graphs.close()


def _sighting(body: Body) -> Sighting:
    return body.next_region.sighting()


def _shrunk(image: np.ndarray) -> np.ndarray:
    """Contiguous, and <= MAX_SIDE_PX on the longer side."""
    height, width = image.shape[:2]
    if max(width, height) <= MAX_SIDE_PX:
        return np.ascontiguousarray(image)
    factor = MAX_SIDE_PX / max(width, height)
    size_wh = max(round(width * factor), 1), max(round(height * factor), 1)
    return np.asarray(Image.fromarray(image).resize(size_wh, Image.Resampling.BILINEAR, reducing_gap=2.0))


def _full_mask(mask: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    small = Image.fromarray((mask.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    return np.asarray(small if small.size == size_wh else small.resize(size_wh, Image.Resampling.BILINEAR))
