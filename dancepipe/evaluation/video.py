"""A finished video against the driver it was made from: time, sound, stability, drift and body; and
against the truth, where there is a real video of the same person doing the same dance.

What depends on the dance itself (flicker, warp error, jitter, fine detail, drift of colour) is
measured on driver and result alike; the driver's number is what a real camera gives for this dance.
Frames are paired by their times; those of the truth by the time since its first frame.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dancepipe.errors import ConfigError
from dancepipe.evaluation.body import height_ratio, proportions_error
from dancepipe.evaluation.facing import turn_scores
from dancepipe.evaluation.options import VIDEO_METRICS
from dancepipe.evaluation.scores import number
from dancepipe.evaluation.statistics import Estimate, Resamples, estimate
from dancepipe.evaluation.video_frames import FrameFacts, Likeness, paired_times, read_facts
from dancepipe.evaluation.video_sound import sound_scores
from dancepipe.evaluation.video_truth import check_shape, pixel_series, pose_series
from dancepipe.person.finder import PersonFinder
from dancepipe.pose.retarget import BodyProportions, measure_proportions
from dancepipe.pose.skeleton import LIMBS, torso_length_px
from dancepipe.records import Pose

DRIVER, RESULT, TRUTH = "driver", "result", "truth"
_WITHOUT_PEOPLE = {"timing", "audio"}
_BONES = LIMBS[:12]
_SHORTEST_BONE_TORSOS = 0.25  # the direction of a bone that points at the camera is noise
_FEWEST_FOR_DRIFT = 20
_NO_TRUTH = (
    "the metric truth needs a real video of the same person doing the same dance: give --truth"
)
_BLOCK_SECONDS = 1.0  # neighbouring frames resemble each other: blocks are resampled, not frames


@dataclass(frozen=True)
class VideoScores:
    """Numbers by method (result, driver) and measure, reasons for the absent ones, numbers of
    every frame, pictures to show."""

    methods: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]
    not_available: dict[str, str]
    frames: list[dict]
    shown: list[tuple[str, dict[str, np.ndarray]]]
    facts: dict


def score_video(
    driver: Path,
    result: Path,
    metrics: tuple[str, ...],
    open_finder: Callable[[], PersonFinder],
    *,
    reference_pose: Pose | None = None,
    likeness: Likeness | None = None,
    truth: Path | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    shown: int = 6,
) -> VideoScores:
    """metrics: keys of VIDEO_METRICS. open_finder: a fresh finder in video mode with masks.
    BadVideoError.

    reference_pose: of the photo that the result was made from; the proportions are then compared
    with it. likeness: of a picture's person to the photo's, for the metric identity. truth: a real
    video of the photo's person doing the driver's dance, framed as the driver, of the result's
    shape (ConfigError); the metric truth needs it.
    """
    if not set(metrics) <= VIDEO_METRICS.keys():
        raise ConfigError(
            f"a finished video has no {', '.join(sorted(set(metrics) - VIDEO_METRICS.keys()))}; "
            f"its metrics are: {', '.join(VIDEO_METRICS)}"
        )
    if "truth" in metrics and truth is None:
        raise ConfigError(_NO_TRUTH)
    facts, pictures = {}, {}
    videos = {DRIVER: driver, RESULT: result}
    if truth is not None:
        check_shape(result, truth)
        videos[TRUTH] = truth
    for method, path in videos.items():
        facts[method], pictures[method] = _read(
            path,
            open_finder if set(metrics) - _WITHOUT_PEOPLE else nullcontext,
            shown,
            likeness,
            truth is not None and method != DRIVER,
        )
    paired = paired_times(_times(facts[DRIVER]), _times(facts[RESULT]))
    places = {DRIVER: list(range(len(facts[DRIVER]))), RESULT: paired}
    if truth is not None:
        places[TRUTH] = paired_times(_since_first(facts[DRIVER]), _since_first(facts[TRUTH]))
    on_driver = {
        method: [None if index is None else facts[method][index] for index in found]
        for method, found in places.items()
    }

    per_frame = {method: _series(on_driver[method]) for method in videos}
    for method in videos:
        if method != DRIVER:
            per_frame[method] |= _against(on_driver[method], facts[DRIVER])
    if truth is not None and "truth" in metrics:
        both = [
            None if own is None or other is None else (own, other)
            for own, other in zip(paired, places[TRUTH])
        ]
        for method in (RESULT, DRIVER):  # the driver: how far apart two people in one dance are
            per_frame[method] |= pose_series(on_driver[method], on_driver[TRUTH])
        per_frame[RESULT] |= pixel_series(result, truth, both, facts[RESULT], facts[TRUTH])
    single = {method: _drift(per_frame[method]) for method in videos}
    single[RESULT] |= (
        _timing(facts, paired) | sound_scores(driver, result) | _body(facts, reference_pose)
    )
    wanted = {name for metric in metrics for name in VIDEO_METRICS[metric]}
    not_available = _reasons(wanted, single[RESULT], len(facts[DRIVER]))
    if "turn" in metrics and not any(one.body and one.body.landmarks for one in facts[DRIVER]):
        reason = "no landmarks with depth are read in the driver; --pose mediapipe reads them"
        not_available |= dict.fromkeys(VIDEO_METRICS["turn"], reason)
        wanted -= set(VIDEO_METRICS["turn"])
    if "truth" in metrics and not np.isfinite(per_frame[RESULT]["l1_box"]).any():
        reason = "nobody is seen in those frames of the truth that the result has too"
        not_available |= dict.fromkeys(VIDEO_METRICS["truth"], reason)
        wanted -= set(VIDEO_METRICS["truth"])

    times = np.array([float(one.time_seconds) for one in facts[DRIVER]])
    resamples = Resamples(
        [str(int(block)) for block in (times - times[0]) // _BLOCK_SECONDS], bootstrap, seed
    )
    methods: dict[str, dict[str, Estimate]] = {}
    for method in (RESULT, *(name for name in videos if name != RESULT)):
        methods[method] = {
            name: estimate(resamples, name, values)
            for name, values in per_frame[method].items()
            if name in wanted
        }
        methods[method] |= {
            name: Estimate(value, None, None, len(times))
            for name, value in single[method].items()
            if name in wanted and np.isfinite(value)
        }
    differences = {
        f"{RESULT} - {other}": {
            name: estimate(resamples, name, per_frame[RESULT][name], per_frame[other][name])
            for name in per_frame[other]
            if name in wanted
        }
        for other in videos
        if other != RESULT
    }
    frames = [
        {"time_seconds": number(times[i])}
        | {
            method: {
                name: number(values[i])
                for name, values in per_frame[method].items()
                if name in wanted
            }
            for method in methods
        }
        for i in range(len(times))
    ]
    side_by_side = [
        (
            f"at {float(facts[DRIVER][i].time_seconds):.2f} s",
            {
                method: pictures[method][places[method][i]]
                for method in videos
                if places[method][i] in pictures[method]
            },
        )
        for i in pictures[DRIVER]
        if paired[i] in pictures[RESULT]
    ]
    counts = {
        "frames": {method: len(facts[method]) for method in facts},
        "block_seconds": _BLOCK_SECONDS,
    }
    if truth is not None:
        counts["frames_with_truth"] = sum(place is not None for place in places[TRUTH])
    return VideoScores(methods, differences, not_available, frames, side_by_side, counts)


def _read(
    path: Path,
    open_finder: Callable[[], AbstractContextManager[PersonFinder | None]],
    shown: int,
    likeness: Likeness | None,
    outlines: bool,
) -> tuple[list[FrameFacts], dict[int, np.ndarray]]:
    """Facts of every frame, and about `shown` pictures: the gap between kept ones doubles
    whenever there are too many."""
    facts, kept, gap = [], {}, 1
    with open_finder() as finder:
        for one, image in read_facts(path, finder, likeness, outlines=outlines):
            if shown and len(facts) % gap == 0:
                kept[len(facts)] = image
                if len(kept) >= 2 * shown:
                    gap *= 2
                    kept = {index: picture for index, picture in kept.items() if index % gap == 0}
            facts.append(one)
    return facts, kept


def _times(facts: list[FrameFacts]) -> list[Fraction]:
    return [one.time_seconds for one in facts]


def _since_first(facts: list[FrameFacts]) -> list[Fraction]:
    """The truth was recorded by another camera, whose clock says nothing of the driver's."""
    times = _times(facts)
    return [time - times[0] for time in times]


def _series(facts: list[FrameFacts | None]) -> dict[str, np.ndarray]:
    """Per frame; nan where the frame, its person or a neighbour that is needed is missing."""
    colour = np.array([np.full(3, np.nan) if one is None else one.colour for one in facts])
    luma = colour @ np.array([0.299, 0.587, 0.114])
    poses = [None if one is None else one.pose for one in facts]
    steady = [None, *facts[:-1]]
    return {
        "flicker": np.abs(_second_difference(luma)),
        # the flow was taken from the frame before in the file: of use only when that is the
        # driver's frame before too
        "warp_error": np.array(
            [
                np.nan if one is None or before is None else one.warp_error
                for one, before in zip(facts, steady)
            ]
        ),
        "jitter": _jitter(poses),
        "hf": np.array([np.nan if one is None else one.detail for one in facts]),
        "found": np.array(
            [np.nan if one is None else float(one.pose is not None) for one in facts]
        ),
        "identity": np.array([np.nan if one is None else one.identity for one in facts]),
        "_red": colour[:, 0],
        "_green": colour[:, 1],
        "_blue": colour[:, 2],
    }


def _second_difference(values: np.ndarray) -> np.ndarray:
    """(N, ...) -> the same shape: x[t-1] - 2 x[t] + x[t+1], nan at both ends."""
    second = np.full(values.shape, np.nan)
    second[1:-1] = values[:-2] - 2 * values[1:-1] + values[2:]
    return second


def _jitter(poses: list[Pose | None]) -> np.ndarray:
    points = np.full((len(poses), 18, 2), np.nan)
    units = np.full(len(poses), np.nan)
    for i, pose in enumerate(poses):
        if pose is not None and (unit := torso_length_px(pose)):
            points[i, pose.present], units[i] = pose.points_px[pose.present], unit
    if not np.isfinite(units).any():
        return units
    moved = np.hypot(*np.moveaxis(_second_difference(points), 2, 0)) / np.nanmedian(units)
    seen = np.isfinite(moved).any(1)
    jitter = np.full(len(poses), np.nan)
    jitter[seen] = np.nanmedian(
        moved[seen], 1
    )  # one joint that swaps sides is not a body that trembles
    return jitter


def _against(result: list[FrameFacts | None], driver: list[FrameFacts]) -> dict[str, np.ndarray]:
    angles, heights = np.full(len(driver), np.nan), np.full(len(driver), np.nan)
    bodies = [one and one.body for one in result]
    for i, (one, other) in enumerate(zip(result, driver, strict=True)):
        if one is not None and one.pose is not None and other.pose is not None:
            angles[i] = _angle_error(one.pose, other.pose)
            heights[i] = height_ratio(one.pose, other.pose, one.size_wh[1], other.size_wh[1])
    turns = turn_scores(bodies, [one.body for one in driver])
    return {"angle_error_degrees": angles, "height_ratio": heights} | turns


def _angle_error(pose: Pose, target: Pose) -> float:
    unit = torso_length_px(target)
    errors = []
    for first, last in _BONES:
        if pose.present[[first, last]].all() and target.present[[first, last]].all():
            own, other = (one.points_px[last] - one.points_px[first] for one in (pose, target))
            if unit and np.hypot(*other) >= _SHORTEST_BONE_TORSOS * unit and np.hypot(*own) > 0:
                errors.append(abs(np.angle(complex(*own) / complex(*other), deg=True)))
    return float(np.mean(errors)) if errors else float("nan")


def _drift(series: dict[str, np.ndarray]) -> dict[str, float]:
    """First tenth against last tenth. The drift of colour is of all three channels."""
    count = len(series["hf"])
    if count < _FEWEST_FOR_DRIFT:
        return {}
    tenth = count // 10

    def ends(name: str) -> tuple[float, float]:
        first, last = (
            float(np.nanmean(part)) if np.isfinite(part).any() else float("nan")
            for part in (series[name][:tenth], series[name][-tenth:])
        )
        return first, last

    drift = {
        "drift_colour": float(
            np.mean([abs(last - first) for first, last in map(ends, ("_red", "_green", "_blue"))])
        )
    }
    for name, measure in (("drift_detail", "hf"), ("drift_height", "height_ratio")):
        if measure in series:
            first, last = ends(measure)
            drift[name] = (
                abs(float(np.log(last / first))) if first > 0 and last > 0 else float("nan")
            )
    if "angle_error_degrees" in series:
        first, last = ends("angle_error_degrees")
        drift["drift_angle_degrees"] = last - first
    return drift


def _timing(facts: dict[str, list[FrameFacts]], paired: list[int | None]) -> dict[str, float]:
    errors = [
        abs(facts[RESULT][index].time_seconds - one.time_seconds)
        for one, index in zip(facts[DRIVER], paired)
        if index is not None
    ]
    return {
        "frames_missing": float(sum(index is None for index in paired)),
        "frames_extra": float(len(facts[RESULT]) - sum(index is not None for index in paired)),
        "time_error_seconds": float(max(errors)) if errors else float("nan"),
    }


def _body(facts: dict[str, list[FrameFacts]], reference_pose: Pose | None) -> dict[str, float]:
    own = measure_proportions([one.pose for one in facts[RESULT]])
    wanted: BodyProportions = measure_proportions(
        [reference_pose] if reference_pose is not None else [one.pose for one in facts[DRIVER]]
    )
    return {"bone_error": proportions_error(own, wanted)}


def _reasons(wanted: set[str], single: dict[str, float], frames: int) -> dict[str, str]:
    reasons = {}
    for name in wanted & set(VIDEO_METRICS["drift"]):
        if name not in single:
            reasons[name] = f"{frames} frames; drift needs {_FEWEST_FOR_DRIFT}"
        elif not np.isfinite(single[name]):
            reasons[name] = "too little of the person is seen in the first or the last tenth"
    if "time_error_seconds" in wanted and not np.isfinite(single["time_error_seconds"]):
        reasons["time_error_seconds"] = (
            "no frame of the result lies at the time of one of the driver"
        )
    if "bone_error" in wanted and not np.isfinite(single["bone_error"]):
        reasons["bone_error"] = "too little of the body is seen"
    if "audio_offset_seconds" in wanted and not np.isfinite(single["audio_offset_seconds"]):
        reasons["audio_offset_seconds"] = (
            "no sound to compare"
            if single["audio_identical"]
            else "the driver's sound is not in the result within 2 s of its time"
        )
    return reasons
