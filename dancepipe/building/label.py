"""One video -> everyone in it, frame by frame, each apart: joints, masks, and what the cleaning
asks about."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from dancepipe.building.camera import CameraMotion
from dancepipe.building.drawn import colours_of
from dancepipe.building.kept_mask import KeptMask
from dancepipe.building.mask_quality import edge_px, quality_of
from dancepipe.building.overlays import StillEdges
from dancepipe.building.picture_hash import difference_hash
from dancepipe.media.read import VideoReader
from dancepipe.person.clothes import Clothes
from dancepipe.person.crop import person_box
from dancepipe.person.crowd import Tracked
from dancepipe.person.cuts import CutDetector
from dancepipe.person.finder import PersonFinder
from dancepipe.person.sharpness import sharpness_of
from dancepipe.person.tracklets import Tracklet, linked
from dancepipe.records import BodyPose

ANALYSIS_SIDE_PX = 640  # pose and mask cost no more on larger frames and gain nothing
_CUTS_SIDE_PX = 160  # every frame is looked at so small, for cuts
_SMALL_SIDE_PX = 320  # enough for cameras, captions and scenes
_SIDE_WINDOW_SECONDS = 2.0


@dataclass(frozen=True)
class LabelledFrame:
    """One person in one frame; the picture itself is not kept."""

    frame_index: int
    time_seconds: Fraction
    shot: int  # from 0
    body: BodyPose  # in the analysed frame's pixels
    mask: KeptMask  # of the analysed frame
    box_xyxy_px: np.ndarray  # (4,) square
    is_crossing: bool  # another one stands before or behind
    sharpness: float
    scene_hash: int  # of the whole frame
    mask_share: float  # of the box
    mask_quality: float  # as quality_of has it
    edge_px: int  # of the mask along an edge of the picture
    colours: float = 0.0  # as drawn.py has them
    likeness: float = 1.0  # of the clothes to those of all frames of this dancer; 1: not known


@dataclass(frozen=True)
class Dancer:
    """One person of a clip, in time order."""

    frames: list[LabelledFrame]
    clothes: Clothes | None


@dataclass(frozen=True)
class ClipLabels:
    """What the first pass over a clip found."""

    dancers: list[Dancer]  # who is largest, and longest in the picture, first
    size_wh: tuple[int, int]  # of the analysed frames
    scale: float  # analysed frame -> source frame
    frames_looked_at: int
    frames_without_person: int
    cut_frames: list[int]  # the first ones of the second shot and of those after it
    # picture widths a second, (frames,) of each shot; nan where nothing tells
    camera_speeds: list[np.ndarray]
    still_edges: list[np.ndarray | None]  # of each shot, as StillEdges has them
    shortfall_seconds: Fraction
    corrupt_frames: int

    def camera_speed(self, shot: int) -> float:
        """The median of a shot; 0 where nothing tells."""
        known = self.camera_speeds[shot]
        known = known[np.isfinite(known)]
        return float(np.median(known)) if len(known) else 0.0


def tick_of(time_seconds: Fraction, fps: float) -> int:
    """Which tick of a clock of `fps` a frame belongs to; the first frame of each tick is kept,
    so that rates are met on average."""
    return math.floor(time_seconds * Fraction(fps).limit_denominator(1000) + Fraction(1, 1000))


def label_clip(
    path: Path, finder: PersonFinder, *, fps: float, tick: Callable[[], object] = lambda: None
) -> ClipLabels:
    """First pass: joints and masks of everyone, at `fps` pictures a second, each person apart.

    finder: an open one in video mode with masks. Cuts are looked for in all frames. Raises
    BadVideoError.
    """
    tracks: dict[int, list[LabelledFrame]] = {}
    seen: dict[int, list[Tracked]] = {}
    cuts, cameras, edges = CutDetector(), [CameraMotion()], [StillEdges()]
    looked = empty = 0
    cut_frames: list[int] = []
    last_tick, is_cut = None, False
    with VideoReader(path, max_side_px=ANALYSIS_SIDE_PX) as video:
        for index, time_seconds, decoded in video.decode():
            tick()
            if cuts.is_cut(video.shrunk(decoded, _CUTS_SIDE_PX)):
                cut_frames.append(index)
                edges.append(StillEdges())
                cameras.append(CameraMotion())
                is_cut = True
            now = tick_of(time_seconds, fps) if fps else index
            if now == last_tick:
                continue
            last_tick = now
            looked += 1
            frame = video.to_frame(index, time_seconds, decoded)
            found = finder.follow_all(frame.image, is_cut=is_cut)
            # The finder was opened with masks.
            masks = [one.person.mask for one in found if one.person.mask is not None]
            small = _small(frame.image)
            cameras[-1].see(small, masks, float(frame.time_seconds))
            edges[-1].see(small)
            is_cut = False
            empty += not found
            scene_hash = difference_hash(small)
            for one in found:
                labelled = _labelled(frame, len(cut_frames), one, scene_hash)
                tracks.setdefault(one.track, []).append(labelled)
                seen.setdefault(one.track, []).append(one)
        scale = max(video.info.size_wh) / max(video.image_size_wh)
        size_wh = video.image_size_wh
        dancers = _dancers(tracks, seen, size_wh)
        return ClipLabels(
            dancers, size_wh, scale, looked, empty, cut_frames,
            [one.speeds() for one in cameras], [one.found() for one in edges],
            video.shortfall_seconds, video.corrupt_frames,
        )  # fmt: skip


def _small(image: np.ndarray) -> np.ndarray:
    """By a whole number, which is several times faster than by others."""
    factor = max(1, max(image.shape[:2]) // _SMALL_SIDE_PX)
    size_wh = max(1, image.shape[1] // factor), max(1, image.shape[0] // factor)
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)


def _labelled(frame, shot: int, one: Tracked, scene_hash: int) -> LabelledFrame:
    person = one.person
    assert person.mask is not None
    box = np.asarray(person_box(person.pose, person.mask), np.float32)
    side_px = float(box[2] - box[0])
    return LabelledFrame(
        frame.index, frame.time_seconds, shot, person.body, KeptMask.keep(person.mask), box,
        one.is_crossing, sharpness_of(frame.image, person.mask), scene_hash,
        float((person.mask > 127).sum() / side_px**2),
        quality_of(person.mask, person.body.joints, side_px), edge_px(person.mask),
        colours_of(frame.image, person.mask),
    )  # fmt: skip


def _dancers(
    tracks: dict[int, list[LabelledFrame]], seen: dict[int, list[Tracked]], size_wh: tuple[int, int]
) -> list[Dancer]:
    """Tracks of one person together; the largest, most central and longest seen one first."""
    groups = linked([_tracklet(number, tracks[number], seen[number]) for number in tracks])
    dancers = []
    for group in groups:
        worn = _mean([one.clothes for one in group if one.clothes is not None])
        frames = [
            replace(frame, likeness=_likeness(one.clothes, worn))
            for track in group
            for frame, one in zip(tracks[track.number], seen[track.number], strict=True)
        ]
        frames.sort(key=lambda frame: frame.frame_index)
        dancers.append(Dancer(steadied(frames), worn))

    def worth(dancer: Dancer) -> float:
        boxes = np.stack([frame.box_xyxy_px for frame in dancer.frames])
        off = np.abs((boxes[:, 0] + boxes[:, 2]) / size_wh[0] - 1).clip(0, 1)
        return float(((boxes[:, 2] - boxes[:, 0]) * (1 - 0.5 * off)).sum())

    return sorted(dancers, key=worth, reverse=True)


def _tracklet(number: int, frames: list[LabelledFrame], seen: list[Tracked]) -> Tracklet:
    first, last = seen[0].sighting, seen[-1].sighting
    worn = [one.clothes for one in seen if one.clothes is not None and not one.is_crossing]
    return Tracklet(
        number,
        float(frames[0].time_seconds),
        float(frames[-1].time_seconds),
        (frames[0].shot, frames[-1].shot),
        (*first.center_xy_px, first.reach_px),
        (*last.center_xy_px, last.reach_px),
        _mean(worn),
    )


def _mean(worn: list[Clothes]) -> Clothes | None:
    return Clothes(np.mean([one.shares for one in worn], axis=0)) if worn else None


def _likeness(one: Clothes | None, other: Clothes | None) -> float:
    return 1.0 if one is None or other is None else one.likeness(other)


def steadied(frames: list[LabelledFrame]) -> list[LabelledFrame]:
    """The same frames with boxes of a steady side, so that the person keeps one scale while it
    dances.

    The side is the 90 % quantile over +-2 s, never less than the frame's own need, nor
    more than twice that: after a cut or a zoom the person is not left tiny.
    """
    if not frames:
        return []
    times = np.array([float(frame.time_seconds) for frame in frames])
    sides = np.array([frame.box_xyxy_px[2] - frame.box_xyxy_px[0] for frame in frames])
    result = []
    for frame, time, own in zip(frames, times, sides):
        near = np.abs(times - time) <= _SIDE_WINDOW_SECONDS
        half = np.clip(np.quantile(sides[near], 0.9), own, 2 * own) / 2
        centre = (frame.box_xyxy_px[:2] + frame.box_xyxy_px[2:]) / 2
        box = np.concatenate([centre - half, centre + half]).astype(np.float32)
        result.append(replace(frame, box_xyxy_px=box))
    return result
