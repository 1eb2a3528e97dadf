"""What of a dancer is worth keeping: one step after the other, each with its yield."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dancepipe.building.drawn import FLAT, MANY_COLOURS
from dancepipe.building.label import ClipLabels, Dancer, LabelledFrame
from dancepipe.building.options import CleaningOptions
from dancepipe.building.overlays import covered_share
from dancepipe.building.poses import distances_to, farthest_points, motion_of, pose_vectors
from dancepipe.pose.skeleton import (
    L_ANKLE,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    R_ANKLE,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
)

# In the order in which they are taken; what one drops the next ones do not see.
REASONS = (
    "crossing", "unlike", "drawn", "joints", "cut off", "small", "blurred", "mask", "unsteady",
    "caption", "camera", "still", "alike", "enough", "few",
)  # fmt: skip
_WHOLE = (R_SHOULDER, L_SHOULDER, R_HIP, L_HIP, R_KNEE, L_KNEE, R_ANKLE, L_ANKLE)
_AT_THE_EDGE = 0.04  # of the box: more mask than that along the picture's edge is a cut-off limb
_NEIGHBOUR_SECONDS = 0.35
_MASK_SECONDS = 1.0
_SPIKE, _BACK = 0.35, 0.5  # torsos there, and share of it that is left when back again
_STILL_PX = 5  # of overlays.py's pictures: joints that move less keep still


@dataclass(frozen=True)
class Cleaned:
    """One dancer: what is kept, and what is not, each in time order."""

    kept: list[LabelledFrame]
    dropped: list[tuple[LabelledFrame, str]]  # with one of REASONS
    motion: float  # torsos


def clean(
    dancer: Dancer, labels: ClipLabels, options: CleaningOptions, *,
    size_px: int, min_joints: int, min_frames: int,
) -> Cleaned:  # fmt: skip
    """size_px: side of the pictures that are kept. min_joints, min_frames: as the options have
    them. A frame that fails is left out; a dancer who keeps still, or of whom less than min_frames
    are left, is left out whole."""
    frames = dancer.frames
    dropped: list[tuple[LabelledFrame, str]] = []

    def drop(reason: str, is_bad: list[bool]) -> None:
        nonlocal frames
        dropped.extend((frame, reason) for frame, bad in zip(frames, is_bad, strict=True) if bad)
        frames = [frame for frame, bad in zip(frames, is_bad, strict=True) if not bad]

    def each(reason: str, is_wanted: object, is_bad: Callable[[LabelledFrame], bool]) -> None:
        if is_wanted:
            drop(reason, [is_bad(frame) for frame in frames])

    each("crossing", options.crossing, lambda frame: frame.is_crossing)
    if options.min_likeness:
        drop("unlike", [frame.likeness < options.min_likeness for frame in frames])
    if options.drawn:
        drop("drawn", [_is_drawn(frames)] * len(frames))
    drop("joints", [int(frame.body.joints.present.sum()) < min_joints for frame in frames])
    each("cut off", options.whole_body, lambda frame: _is_cut_off(frame))
    least_px = options.min_scale * size_px
    each("small", options.min_scale, lambda frame: _side_px(frame) * labels.scale < least_px)
    each("blurred", options.min_sharpness, lambda frame: frame.sharpness < options.min_sharpness)
    if options.min_mask:
        steady = _mask_steadiness(frames)
        quality = [frame.mask_quality for frame in frames]
        drop("mask", [one * two < options.min_mask for one, two in zip(quality, steady)])
    if options.steady:
        drop("unsteady", _is_spike(frames))
    if options.max_caption:
        moves = _moves(frames, labels)
        drop("caption", [_caption(one, labels, moves) > options.max_caption for one in frames])
    if options.max_camera:
        speeds = _speeds_of(frames, labels)
        drop("camera", [bool(speed > options.max_camera) for speed in speeds])
    vectors = pose_vectors([frame.body.joints for frame in frames])
    motion = motion_of(vectors)
    if motion < options.min_motion:
        drop("still", [True] * len(frames))
        return Cleaned([], dropped, motion)
    chosen = farthest_points(vectors, options.most_poses, options.min_pose)
    alike = _nearest(vectors, chosen) < max(options.min_pose, 1e-6)
    keep = np.isin(np.arange(len(frames)), chosen)
    if not options.min_pose:
        alike[:] = False
        keep |= not options.most_poses
    reasons = np.where(keep, "", np.where(alike, "alike", "enough"))
    dropped += [(one, str(why)) for one, why in zip(frames, reasons, strict=True) if why]
    frames = [frame for frame, is_kept in zip(frames, keep, strict=True) if is_kept]
    if len(frames) < min_frames:
        drop("few", [True] * len(frames))
    return Cleaned(frames, dropped, motion)


def _is_drawn(frames: list[LabelledFrame]) -> bool:
    """Whether this is a picture of a body, in most of its frames."""
    colours = [frame.colours for frame in frames]
    flat = [frame.sharpness for frame in frames]
    return bool(frames and np.median(colours) > MANY_COLOURS and np.median(flat) < FLAT)


def _side_px(frame: LabelledFrame) -> float:
    return float(frame.box_xyxy_px[2] - frame.box_xyxy_px[0])


def _is_cut_off(frame: LabelledFrame) -> bool:
    """Whether joints of trunk and legs are out of sight, or the mask runs along the edge."""
    if not frame.body.joints.present[list(_WHOLE)].all():
        return True
    return frame.edge_px > _AT_THE_EDGE * _side_px(frame)


def _mask_steadiness(frames: list[LabelledFrame]) -> np.ndarray:
    """(N,): how near the mask's size is to what it is shortly before and after; 1 the same."""
    shares = np.array([max(frame.mask_share, 1e-6) for frame in frames])
    times = np.array([float(frame.time_seconds) for frame in frames])
    usual = [np.median(shares[np.abs(times - time) <= _MASK_SECONDS]) for time in times]
    return np.exp(-np.abs(np.log(shares / np.array(usual)))) if frames else shares


def _is_spike(frames: list[LabelledFrame]) -> list[bool]:
    """Poses that jump away from those before and after, which are alike."""
    vectors = pose_vectors([frame.body.joints for frame in frames])
    is_bad = [False] * len(frames)
    for index in range(1, len(frames) - 1):
        before, now, after = vectors[index - 1 : index + 2]
        seconds = frames[index + 1].time_seconds - frames[index - 1].time_seconds
        if seconds > 2 * _NEIGHBOUR_SECONDS:
            continue
        there = min(distances_to(now[None], one)[0] for one in (before, after))
        is_bad[index] = bool(
            there > _SPIKE and distances_to(before[None], after)[0] < _BACK * there
        )
    return is_bad


def _moves(frames: list[LabelledFrame], labels: ClipLabels) -> dict[int, np.ndarray]:
    """Of each shot with overlays (18,): how far each joint goes in it, in their px; 0: not enough
    to tell."""
    moves = {}
    for shot in {frame.shot for frame in frames}:
        still = labels.still_edges[shot]
        if still is None or not still.any():
            continue
        poses = [frame.body.joints for frame in frames if frame.shot == shot]
        points = np.stack([np.where(one.present[:, None], one.points_px, np.nan) for one in poses])
        seen = np.isfinite(points).all(2).sum(0) >= 3
        spread = np.zeros(18)
        spread[seen] = np.hypot(*np.nanstd(points[:, seen], axis=0).T)
        spread *= still.shape[1] / labels.size_wh[0]
        moves[shot] = np.where(spread >= _STILL_PX, spread, 0.0)
    return moves


def _caption(frame: LabelledFrame, labels: ClipLabels, moves: dict[int, np.ndarray]) -> float:
    still = labels.still_edges[frame.shot]
    if still is None or frame.shot not in moves:
        return 0.0
    points = (frame.body.joints.points_px + 0.5) / labels.size_wh
    return covered_share(still, frame.mask.whole(), points, moves[frame.shot])


def _speeds_of(frames: list[LabelledFrame], labels: ClipLabels) -> list[float]:
    """Of the camera, the median of the shot: of one frame it is noise."""
    return [labels.camera_speed(frame.shot) for frame in frames]


def _nearest(vectors: np.ndarray, chosen: list[int]) -> np.ndarray:
    """(N,): distance to the nearest of the chosen ones."""
    if not chosen:
        return np.zeros(len(vectors))
    return np.min([distances_to(vectors, vectors[index]) for index in chosen], axis=0)
