"""A finished video against a real one of the same person doing the same dance: frame beside frame,
pixel by pixel.

Rooms differ, so only people are compared: in both pictures everything outside the person's own
mask, as the finder reads it, is grey, as in data sets.
"""

from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dancepipe.errors import ConfigError
from dancepipe.evaluation.pixels import pixel_scores
from dancepipe.evaluation.video_frames import ANALYSIS_SIDE_PX, FrameFacts
from dancepipe.media.read import VideoReader
from dancepipe.pose.score import pose_scores
from dancepipe.records import GREY, Pose

PIXEL_MEASURES = ("l1_box", "ssim_box")
POSE_MEASURES = ("pre", "pre_arms")
_LARGEST_SKEW = 0.02  # of two shapes that are called equal: scaling to whole pixels makes some


def check_shape(result: Path, truth: Path) -> None:
    """ConfigError when the two videos have pictures of other shapes. Equal shapes of other sizes
    are brought to the result's size."""
    sizes = []
    for path in (result, truth):
        with VideoReader(path) as video:
            sizes.append(video.info.size_wh)
    (width, height), (other_width, other_height) = sizes
    if abs(width * other_height / (height * other_width) - 1) > _LARGEST_SKEW:
        raise ConfigError(
            f"{truth} is {other_width} x {other_height}, but {result} is {width} x {height}: a "
            "truth is compared pixel by pixel; crop it to the same shape"
        )


def pixel_series(
    result: Path,
    truth: Path,
    pairs: list[tuple[int, int] | None],
    facts: list[FrameFacts],
    truth_facts: list[FrameFacts],
) -> dict[str, np.ndarray]:
    """PIXEL_MEASURES (N,) of N pairs of frame numbers (result, truth), in rising order; nan where
    there is no pair, or nobody in the truth.

    Box: the bounding box of the truth's mask. A result in which nobody is found is all grey. facts:
    of all frames of the two, with outlines.
    """
    series = {name: np.full(len(pairs), np.nan) for name in PIXEL_MEASURES}
    frames = _numbered(result), _numbered(truth)
    for place, pair in enumerate(pairs):
        if pair is None:
            continue
        image, other = (_until(number, one) for number, one in zip(pair, frames))
        size_wh = image.shape[1], image.shape[0]
        mask, other_mask = facts[pair[0]].mask(), truth_facts[pair[1]].mask()
        fake = np.where(mask[..., None], image, GREY).astype(np.uint8)
        real = np.where(other_mask[..., None], other, GREY).astype(np.uint8)
        real = _sized(real, size_wh)
        other_mask = _sized(other_mask.astype(np.uint8) * 255, size_wh)
        ours, theirs, inside = (torch.from_numpy(one[None]) for one in (fake, real, other_mask))
        scores = pixel_scores(ours, theirs, inside, {"l1", "ssim"})
        for name in PIXEL_MEASURES:
            series[name][place] = float(scores[name])
    for one in frames:
        one.close()
    return series


def pose_series(
    result: list[FrameFacts | None], truth: list[FrameFacts | None]
) -> dict[str, np.ndarray]:
    """POSE_MEASURES (N,) in px of the result as it is read; nan where one frame is missing, or
    nobody is in the truth."""
    series = {name: np.full(len(result), np.nan) for name in POSE_MEASURES}
    for place, (own, other) in enumerate(zip(result, truth, strict=True)):
        if own is None or other is None or other.pose is None:
            continue
        target = _scaled(other.pose, own.size_wh[0] / other.size_wh[0])
        scores = pose_scores([own.pose], [target], own.size_wh)
        for name in POSE_MEASURES:
            series[name][place] = scores[name][0]
    return series


def _scaled(pose: Pose, scale: float) -> Pose:
    shift = (scale - 1) / 2  # pixel centres are at integers
    return pose.scaled_and_shifted(scale, (shift, shift))


def _sized(picture: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    if (picture.shape[1], picture.shape[0]) == size_wh:
        return picture
    return np.array(Image.fromarray(picture).resize(size_wh, Image.Resampling.BILINEAR))


def _numbered(path: Path) -> Generator[tuple[int, np.ndarray], None, None]:
    with VideoReader(path, max_side_px=ANALYSIS_SIDE_PX) as video:
        for number, frame in enumerate(video):
            yield number, frame.image


def _until(number: int, frames: Iterator[tuple[int, np.ndarray]]) -> np.ndarray:
    return next(image for index, image in frames if index == number)
