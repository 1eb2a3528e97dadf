"""A short video of a person as a reference: a few sharp frames that show them whole, from
different sides."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dancepipe.errors import BadVideoError, NoPersonError
from dancepipe.media.fetch import VIDEO_SUFFIXES
from dancepipe.media.probe import probe_video
from dancepipe.media.read import read_spread_frames
from dancepipe.person.finder import PersonFinder
from dancepipe.person.sharpness import sharpness_of
from dancepipe.pose.skeleton import (
    L_ANKLE,
    L_HIP,
    L_SHOULDER,
    L_WRIST,
    NECK,
    NOSE,
    R_ANKLE,
    R_HIP,
    R_SHOULDER,
    R_WRIST,
    is_from_behind,
)
from dancepipe.progress import counted
from dancepipe.records import PersonFrame
from dancepipe.rendering.reference import Reference, read_reference, reference_of
from dancepipe.skeletons import BLAZEPOSE_33

log = logging.getLogger(__name__)

_LOOKED_AT = 24  # frames, spread over the video
_MOST_SIDE_PX = 1920
_MOST_VIEWS = 2  # a third one, mostly a profile, was seen to smear the face of the first
_LEAST_APART_DEGREES = 45.0
_AS_FAR_DEGREES = 20.0  # of views that are about as far, the sharpest is taken
_SHARP_SHARE = 0.7  # of the sharper half's
_WANTED = (
    NECK, R_SHOULDER, L_SHOULDER, R_HIP, L_HIP, R_WRIST, L_WRIST, R_ANKLE, L_ANKLE,
)  # fmt: skip
_ACROSS = [
    (BLAZEPOSE_33.index(f"left_{joint}"), BLAZEPOSE_33.index(f"right_{joint}"))
    for joint in ("shoulder", "hip")
]


@dataclass(frozen=True)
class View:
    """One frame that may be taken."""

    image: np.ndarray  # uint8 RGB (H, W, 3)
    person: PersonFrame
    turned_degrees: float  # 0: from the front, 180 from behind
    sharpness: float


def read_references(
    path: Path, finder: PersonFinder, size_px: int, most: int = _MOST_VIEWS
) -> list[Reference]:
    """Of a photo one, of a video or an animated GIF as many as it has different sides, at most
    `most`, the one from the front first. As read_reference(); BadVideoError."""
    if not _is_video(path):
        return [read_reference(path, finder, size_px)]
    frames = read_spread_frames(path, _LOOKED_AT, _MOST_SIDE_PX)
    views = []
    with counted(total=len(frames), desc="reference", unit="frame", leave=False) as count:
        for frame in frames:
            person = finder.find(frame.image)
            if person is not None and _is_whole(person, frame.image):
                assert person.mask is not None  # the finder was opened with masks
                sharpness = sharpness_of(frame.image, person.mask)
                views.append(View(frame.image, person, turned_degrees(person), sharpness))
            count.update()
    if not views:
        raise NoPersonError(
            f"none of {len(frames)} frames of {path} shows a person whole, from head to feet; give "
            "a video, or a photo, that does"
        )
    taken = chosen_views(views, most)
    sides = ", ".join(f"{view.turned_degrees % 360:.0f}" for view in taken)
    log.info(
        f"{path}: {len(taken)} of {len(frames)} frames are taken as photos, turned by {sides} "
        "degrees"
    )
    return [
        reference_of(path, view.image, view.person, size_px, tells=view is taken[0])
        for view in taken
    ]


def chosen_views(views: Sequence[View], most: int) -> list[View]:
    """The sharp one that is nearest to a front, then those that are farthest from all before."""
    sharp = float(np.median([view.sharpness for view in views]))
    left = [view for view in views if view.sharpness >= _SHARP_SHARE * sharp]
    front = min(abs(view.turned_degrees) for view in left)
    near = [view for view in left if abs(view.turned_degrees) <= front + _AS_FAR_DEGREES]
    taken = [max(near, key=lambda view: view.sharpness)]
    while len(taken) < most:
        away = [min(_apart_degrees(view, one) for one in taken) for view in left]
        if max(away) < _LEAST_APART_DEGREES:
            break
        far = [view for view, by in zip(left, away) if by >= max(away) - _AS_FAR_DEGREES]
        taken.append(max(far, key=lambda view: view.sharpness))
    return taken


def turned_degrees(person: PersonFrame) -> float:
    """In (-180, 180]: 0 faces the viewer. Without depth only a back is told from a front."""
    landmarks = person.body.landmarks
    if landmarks is None or landmarks.depth_px is None:
        return 180.0 if is_from_behind(person.pose) else 0.0
    across = deep = 0.0
    for left, right in _ACROSS:
        across += float(landmarks.points_px[left, 0] - landmarks.points_px[right, 0])
        deep += float(landmarks.depth_px[left] - landmarks.depth_px[right])
    return math.degrees(math.atan2(deep, across))


def _apart_degrees(view: View, other: View) -> float:
    between = abs(view.turned_degrees - other.turned_degrees) % 360
    return min(between, 360 - between)


def _is_whole(person: PersonFrame, image: np.ndarray) -> bool:
    """Whether all of the body lies in the picture."""
    pose, (height, width) = person.pose, image.shape[:2]
    head = pose.present[NOSE] or is_from_behind(pose)
    inside = (pose.points_px >= 0).all(1) & (pose.points_px < (width, height)).all(1)
    return bool(head and (pose.present & inside)[list(_WANTED)].all())


def _is_video(path: Path) -> bool:
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        return False
    try:
        probe_video(path)
    except BadVideoError:
        if path.suffix.lower() == ".gif":  # one that stands still is a photo
            return False
        raise
    return True
