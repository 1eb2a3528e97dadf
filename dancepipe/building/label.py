"""One video -> the labelled frames of its person, and their stable crops."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dancepipe.geometry import resized_px
from dancepipe.media.image import decode_picture, encode_png
from dancepipe.media.read import VideoReader
from dancepipe.person.crop import Box, crop_square, person_box, pose_in_box
from dancepipe.person.cutout import on_grey
from dancepipe.records import GREY, BodyPose, PersonFrame

_ANALYSIS_SIDE_PX = 640  # pose and mask cost no more on larger frames and gain nothing
_SIDE_WINDOW_SECONDS = 2.0


@dataclass(frozen=True)
class LabelledFrame:
    """A frame in which the person was found; the picture itself is not kept."""

    frame_index: int
    time_seconds: Fraction
    body: BodyPose  # in the analysed frame's pixels
    mask_png: bytes  # of the analysed frame; compressed, since a whole clip is held
    box_xyxy_px: np.ndarray  # (4,) square


@dataclass(frozen=True)
class ClipLabels:
    """What the first pass over a clip found."""

    frames: list[LabelledFrame]
    frames_looked_at: int
    frames_without_person: int
    frames_with_few_joints: int
    people_seen: int
    shortfall_seconds: Fraction
    corrupt_frames: int


def tick_of(time_seconds: Fraction, fps: float) -> int:
    """Which tick of a clock of `fps` a frame belongs to; the first frame of each tick is kept,
    so that rates are met on average."""
    return math.floor(time_seconds * Fraction(fps).limit_denominator(1000) + Fraction(1, 1000))


def label_clip(path: Path, finder, *, fps: float, min_joints: int, tick=lambda: None) -> ClipLabels:
    """First pass: joints and mask of the followed person at `fps` pictures a second.

    finder: an open PersonFinder in video mode. Raises BadVideoError.
    """
    frames: list[LabelledFrame] = []
    looked = lost = few = 0
    people = 1
    last_tick = None
    with VideoReader(path, max_side_px=_ANALYSIS_SIDE_PX) as video:
        for frame in video:
            tick()
            now = tick_of(frame.time_seconds, fps) if fps else frame.index
            if now == last_tick:
                continue
            last_tick = now
            looked += 1
            person: PersonFrame | None = finder.find(frame.image)
            if person is None:
                lost += 1
                continue
            people = max(people, person.people_seen)
            if int(person.pose.present.sum()) < min_joints:
                few += 1
                continue
            assert person.mask is not None  # the finder was opened with masks
            box = np.asarray(person_box(person.pose, person.mask), np.float32)
            frames.append(
                LabelledFrame(
                    frame.index, frame.time_seconds, person.body, encode_png(person.mask), box
                )
            )
        return ClipLabels(
            steadied(frames),
            looked,
            lost,
            few,
            people,
            video.shortfall_seconds,
            video.corrupt_frames,
        )


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
        result.append(
            LabelledFrame(frame.frame_index, frame.time_seconds, frame.body, frame.mask_png, box)
        )
    return result


@dataclass(frozen=True)
class CroppedPerson:
    """One picture of the data set before it is written."""

    frame_index: int
    time_seconds: Fraction
    image: np.ndarray  # uint8 RGB (S, S, 3) on grey
    mask: np.ndarray  # uint8 (S, S)
    body: BodyPose  # in the crop
    box_xyxy_px: tuple[float, float, float, float]  # in the source frame


def crop_clip(
    path: Path, labels: ClipLabels, size_px: int, tick=lambda: None
) -> Iterator[CroppedPerson]:
    """Second pass: the labelled frames again, cropped at full resolution with the background
    removed."""
    waiting = {frame.frame_index: frame for frame in labels.frames}
    with VideoReader(path) as video:
        for frame in video:
            tick()
            label = waiting.pop(frame.index, None)
            if label is None:
                continue
            mask = decode_picture(label.mask_png)
            scale = max(frame.image.shape[:2]) / max(mask.shape)  # analysed frame -> source frame
            box = _as_box(resized_px(label.box_xyxy_px, scale))
            small_box = _as_box(label.box_xyxy_px)
            image = crop_square(frame.image, box, size_px, fill=GREY)
            cut = crop_square(mask, small_box, size_px, fill=0)
            yield CroppedPerson(
                frame.index,
                frame.time_seconds,
                on_grey(image, cut),
                cut,
                pose_in_box(label.body, small_box, size_px),
                _as_box(map(float, box)),
            )
            if not waiting:
                return


def _as_box(edges: Iterable[float]) -> Box:
    left, top, right, bottom = edges
    return left, top, right, bottom
