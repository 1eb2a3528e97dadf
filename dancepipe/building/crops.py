"""Labelled frames again, cropped at full resolution with the background removed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from dancepipe.building.label import LabelledFrame
from dancepipe.geometry import resized_px
from dancepipe.media.read import VideoReader
from dancepipe.person.crop import Box, crop_square, pose_in_box
from dancepipe.person.cutout import on_grey
from dancepipe.records import GREY, BodyPose

T = TypeVar("T")


@dataclass(frozen=True)
class CroppedPerson:
    """One picture of the data set before it is written."""

    frame_index: int
    time_seconds: Fraction
    image: np.ndarray  # uint8 RGB (S, S, 3) on grey
    mask: np.ndarray  # uint8 (S, S)
    body: BodyPose  # in the crop
    box_xyxy_px: tuple[float, float, float, float]  # in the source frame


@dataclass(frozen=True)
class Wanted(Generic[T]):
    """A frame to crop, and what it is for."""

    frame: LabelledFrame
    purpose: T


def crop_clip(
    path: Path,
    wanted: Iterable[Wanted[T]],
    size_px: int,
    tick: Callable[[], object] = lambda: None,
) -> Iterator[tuple[Wanted[T], CroppedPerson]]:
    """Second pass over a clip: the wanted ones, frame by frame, those of one frame in their
    order."""
    waiting: dict[int, list[Wanted[T]]] = {}
    for one in wanted:
        waiting.setdefault(one.frame.frame_index, []).append(one)
    if not waiting:
        return
    with VideoReader(path) as video:
        for index, time_seconds, decoded in video.decode():
            tick()
            if index in waiting:
                image = video.to_frame(index, time_seconds, decoded).image
                for one in waiting.pop(index):
                    yield one, _cropped(image, one.frame, size_px)
            if not waiting:
                return


def _cropped(image: np.ndarray, label: LabelledFrame, size_px: int) -> CroppedPerson:
    mask = label.mask.whole()
    scale = max(image.shape[:2]) / max(mask.shape)  # analysed frame -> source frame
    box = _as_box(resized_px(label.box_xyxy_px, scale))
    small_box = _as_box(label.box_xyxy_px)
    cut = crop_square(mask, small_box, size_px, fill=0)
    return CroppedPerson(
        label.frame_index,
        label.time_seconds,
        on_grey(crop_square(image, box, size_px, fill=GREY), cut),
        cut,
        pose_in_box(label.body, small_box, size_px),
        _as_box(map(float, box)),
    )


def _as_box(edges: Iterable[float]) -> Box:
    left, top, right, bottom = edges
    return left, top, right, bottom
