"""A driver and the video made from it, frame beside frame: what is needed of each frame,
measured in one pass."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dancepipe.evaluation.detail import fine_detail
from dancepipe.media.read import VideoReader
from dancepipe.person.finder import PersonFinder
from dancepipe.records import BodyPose, Frame, Pose

ANALYSIS_SIDE_PX = 480
_RETURN_PX = 1.5  # a pixel whose flow there and back ends further off was covered in between
_GREY_STEPS = 50  # of one deviation, where the optical flow looks
_SHIFTED_SHARE = 0.5  # of the frame interval: times nearer than that belong together


@dataclass(frozen=True)
class FrameFacts:
    """One frame of one video. nan and None where no person was found."""

    time_seconds: Fraction
    body: BodyPose | None
    size_wh: tuple[int, int]
    colour: np.ndarray  # (3,) mean of the person in [0, 1]
    detail: float  # hf
    warp_error: float  # against the frame before; nan for the first
    identity: float  # likeness to the photo, 0 for nobody; nan when nothing measures it
    outline: bytes | None = None  # mask(), packed: a thousandth of the picture

    @property
    def pose(self) -> Pose | None:
        """The 18 joints."""
        return self.body and self.body.joints

    def mask(self) -> np.ndarray:
        """bool (H, W): the person; of a frame whose outline was kept."""
        width, height = self.size_wh
        if self.outline is None:
            return np.zeros((height, width), bool)
        bits = np.frombuffer(zlib.decompress(self.outline), np.uint8)
        return np.unpackbits(bits, count=width * height).reshape(height, width).astype(bool)


@dataclass(frozen=True)
class _Evened:
    """A frame with the person's mean colour and contrast taken off: what changes all at once is
    flicker, and has its own number."""

    colours: np.ndarray  # (H, W, 3) mean 0 and deviation 1 inside the person
    spread: float  # the deviation that was taken off, of values in [0, 1]
    weight: np.ndarray  # (H, W) the person's mask in [0, 1]


def paired_times(driver: list[Fraction], result: list[Fraction]) -> list[int | None]:
    """For every frame of the driver the frame of the result that is shown at its time (nearest,
    each used once), or None."""
    steps = [second - first for first, second in zip(driver, driver[1:])]
    reach = _SHIFTED_SHARE * float(sorted(steps)[len(steps) // 2]) if steps else 0.5
    paired, next_free = [], 0
    for time in driver:
        while next_free + 1 < len(result) and abs(result[next_free + 1] - time) < abs(
            result[next_free] - time
        ):
            next_free += 1
        if next_free < len(result) and abs(result[next_free] - time) < reach:
            paired.append(next_free)
            next_free += 1
        else:
            paired.append(None)
    return paired


Likeness = Callable[[np.ndarray, Pose | None], float]


def read_facts(
    path: Path,
    finder: PersonFinder | None,
    likeness: Likeness | None = None,
    *,
    outlines: bool = False,
) -> Iterator[tuple[FrameFacts, np.ndarray]]:
    """Facts and picture (at analysis size) of every frame.

    finder: in video mode with masks, for this video alone; None: times only. likeness: a picture
    and its person -> to the photo's. outlines: facts keep the masks.
    """
    previous = None
    with VideoReader(path, max_side_px=ANALYSIS_SIDE_PX) as video:
        for frame in video:
            facts, previous = _facts(frame, finder, previous, likeness, outlines)
            yield facts, frame.image


def _facts(
    frame: Frame,
    finder: PersonFinder | None,
    previous: _Evened | None,
    likeness: Likeness | None,
    outlines: bool,
) -> tuple[FrameFacts, _Evened | None]:
    import torch

    person = None if finder is None else finder.find(frame.image)
    height, width = frame.image.shape[:2]
    identity = (
        float("nan") if likeness is None else likeness(frame.image, person.pose if person else None)
    )
    if person is None:
        return FrameFacts(
            frame.time_seconds,
            None,
            (width, height),
            np.full(3, np.nan),
            float("nan"),
            float("nan"),
            identity,
        ), None
    mask = person.mask if person.mask is not None else np.full((height, width), 255, np.uint8)
    weight = mask.astype(np.float32) / 255
    picture = frame.image.astype(np.float32) / 255
    colour = (picture * weight[..., None]).sum((0, 1)) / max(float(weight.sum()), 1.0)
    detail = float(
        fine_detail(
            torch.from_numpy(frame.image[None].copy()), torch.from_numpy(mask[None].copy())
        )[0]
    )
    spread = float(
        np.sqrt(
            (np.square(picture - colour) * weight[..., None]).sum()
            / max(float(weight.sum()) * 3, 1.0)
        )
    )
    current = _Evened((picture - colour) / max(spread, 1e-3), spread, weight)
    error = _warp_error(previous, current) if previous is not None else float("nan")
    outline = zlib.compress(np.packbits(mask > 127).tobytes()) if outlines else None
    return FrameFacts(
        frame.time_seconds, person.body, (width, height), colour, detail, error, identity, outline
    ), current


def _warp_error(before: _Evened, now: _Evened) -> float:
    """Mean |this frame - the frame before moved along the optical flow| inside the person,
    covered pixels left out, in [0, 1]."""
    import cv2

    grey_before, grey = (
        (one.colours.mean(2) * _GREY_STEPS + 128).clip(0, 255).astype(np.uint8)
        for one in (before, now)
    )
    # OpenCV's stubs leave this name out.
    search = cv2.DISOpticalFlow_create(  # pyright: ignore[reportAttributeAccessIssue]
        cv2.DISOPTICAL_FLOW_PRESET_FAST
    )
    back = search.calc(grey, grey_before, None)  # this frame's pixel -> the frame before
    forth = search.calc(grey_before, grey, None)
    y, x = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]].astype(np.float32)
    map_x, map_y = x + back[..., 0], y + back[..., 1]

    def moved(values: np.ndarray) -> np.ndarray:
        return cv2.remap(values, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    returned = back + moved(forth)
    seen = (
        (np.hypot(returned[..., 0], returned[..., 1]) < _RETURN_PX)
        * now.weight
        * moved(before.weight)
    )
    difference = (
        np.abs(now.colours - moved(before.colours)).mean(2) * (now.spread + before.spread) / 2
    )
    return float((difference * seen).sum() / seen.sum()) if seen.sum() >= 32 else float("nan")
