"""The options of evaluate, and the names of what it can measure. Imports no torch."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from dancepipe.config import as_plain, option
from dancepipe.errors import ConfigError

# name on the command line -> the numbers it gives
PICTURE_METRICS = {
    "l1": ("l1", "l1_box", "l1_mask"),
    "psnr": ("psnr", "psnr_box", "psnr_mask"),
    "ssim": ("ssim", "ssim_box", "ssim_mask"),
    "lpips": ("lpips",),
    "mask-lpips": ("mask_lpips",),
    "fid": ("fid",),
    "kid": ("kid",),
    "pre": ("pre", "pre_found", "pre_arms", "pre_legs", "pre_head", "pck", "missing_joints"),
    "found": ("found",),
    "hf": ("hf", "hf_ratio"),
    "body": ("bone_error", "height_ratio"),
    "turn": ("turn_error_degrees", "turned_away"),
    "hands": ("pre_hands", "hands_found"),
    "identity": ("identity",),
}
VIDEO_METRICS = {
    "timing": ("frames_missing", "frames_extra", "time_error_seconds"),
    "audio": ("audio_identical", "audio_offset_seconds"),
    "flicker": ("flicker",),
    "warp": ("warp_error",),
    "jitter": ("jitter",),
    "pose": ("found", "angle_error_degrees"),
    "hf": ("hf",),
    "body": ("bone_error", "height_ratio"),
    "turn": ("turn_error_degrees", "turned_away"),
    "drift": ("drift_colour", "drift_detail", "drift_angle_degrees", "drift_height"),
    "truth": ("l1_box", "ssim_box", "pre", "pre_arms"),
    "identity": ("identity",),
}
BASELINES = ("copy", "limb-warp", "body")
_OF_FORM = {
    "pairs": "--data",
    "pictures": "--data",
    "masks": "--real and --fake",
    "identity": "--real and --fake",
    "reference": "--driver and --result",
    "truth": "--driver and --result",
}
_NOT_IN_PROTOCOL = (
    "cache",
    "device",
    "batch",
    "fetch",
    "metric_weights",
    "examples",
    "pictures",
    "overwrite",
)  # they change no number
_PLACES = (
    "pairs",
    "masks",
    "reference",
    "truth",
    "yolo_weights",
)  # of these the name only: equal files are equal wherever they lie


@dataclass(frozen=True)
class EvaluateOptions:
    metrics: str = option(
        "all",
        "all (but hands), or a list with commas: "
        + ", ".join(dict.fromkeys([*PICTURE_METRICS, *VIDEO_METRICS])),
    )
    hands: bool = option(
        False, "the metric hands too, which reads both hands of every picture and takes time"
    )
    baselines: str = option(
        "all",
        "what learns nothing, scored beside the weights, a list with commas: "
        f"{', '.join(BASELINES)}; all: those that the data can serve (body needs landmarks with "
        "depth); or none",
    )
    pairs: str | None = option(
        None,
        "CSV file with the pairs: reference_clip, reference_frame, target_clip, target_frame "
        "(else they are drawn)",
    )
    pairs_per_person: int = option(
        8, "pairs that are drawn of each person of the test split", minimum=1
    )
    min_pose_change: float = option(
        0.25,
        "drawn pairs differ at least that much in pose: mean joint distance in torso lengths",
        minimum=0,
    )
    seed: int = option(0, "seed of the drawn pairs and of the bootstrap", minimum=0)
    small: bool = option(False, "give FID for fewer than 2,048 pictures too, marked as such")
    masks: str | None = option(
        None, "folder of masks (white = person) for --real; else the person finder makes them"
    )
    identity: str | None = option(
        None,
        "regular expression whose first group finds the person in a file name (else every "
        "picture is its own person)",
    )
    pictures: str | None = option(
        None,
        "empty or new folder where the pictures of --data are put, real and made, for study and "
        "for other programs",
    )
    reference: str | None = option(
        None,
        "photo that a finished video was made from, for the proportions of the body (else the "
        "driver's)",
    )
    truth: str | None = option(
        None,
        "real video of the photo's person doing the driver's dance frame by frame, to compare a "
        "finished video with",
    )
    pose: str = option("mediapipe", "pose backend", choices=("mediapipe", "yolo"))
    yolo_weights: str | None = option(
        None, "weights of the yolo backend: a file, or a known name that ultralytics may download"
    )
    lpips: str = option("alex", "network of LPIPS", choices=("alex", "vgg"))
    metric_weights: str | None = option(
        None,
        "folder with the weights of Inception, LPIPS and identity under their published names "
        "(else torch's download cache)",
    )
    fetch: bool = option(
        False, "download weights of Inception, LPIPS and identity that are missing, and check them"
    )
    cache: str = option(
        "auto",
        "folder where features of real pictures are kept between runs; auto: the user's cache "
        "folder; none",
    )
    bootstrap: int = option(1000, "resamples for the 95 % intervals (0: no intervals)", minimum=0)
    examples: int = option(6, "worst and best pairs shown in the report", minimum=0)
    batch: int = option(8, "pictures at once", minimum=1)
    precision: str = option(
        "fp32", "arithmetic of the rendering networks", choices=("fp32", "bf16")
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1 ...")
    overwrite: bool = option(False, "replace scores and a report that are there already")


def chosen(names: str, known: dict | tuple, what: str) -> tuple[str, ...]:
    """A list with commas -> the known names in it, "all" for all of them, "none" for none.
    ConfigError with the nearest name."""
    listed = [name.strip() for name in names.split(",") if name.strip()]
    if listed == ["all"]:
        return tuple(known)
    if listed == ["none"]:
        return ()
    for name in listed:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            raise ConfigError(
                f"unknown {what} '{name}'; "
                + (f"did you mean '{near[0]}'?" if near else f"known are: all, {', '.join(known)}")
            )
    if not listed:
        raise ConfigError(f"no {what} named; use all, none, or some of: {', '.join(known)}")
    return tuple(dict.fromkeys(listed))


def metrics_of_form(options: EvaluateOptions, form: str) -> tuple[str, ...]:
    """The chosen metrics of pictures ("--data", "--real and --fake") or of a video ("--driver and
    --result").

    ConfigError for unknown ones, for those of the other kind, and for options that have no say in
    this form.
    """
    for name, own in _OF_FORM.items():
        if getattr(options, name) is not None and own != form:
            raise ConfigError(f"--{name} has no say with {form}; it is for {own}")
    is_video = form == "--driver and --result"
    if options.hands and is_video:
        raise ConfigError(f"--hands has no say with {form}; it is for --data, or --real and --fake")
    known, others = (
        (VIDEO_METRICS, PICTURE_METRICS) if is_video else (PICTURE_METRICS, VIDEO_METRICS)
    )
    for name in (name.strip() for name in options.metrics.split(",")):
        if name in others and name not in known:
            what = (
                "a video; it is for --data, or --real and --fake"
                if is_video
                else "pictures; it is for --driver and --result"
            )
            raise ConfigError(f"metric '{name}' cannot be taken of {what}")
    metrics = chosen(options.metrics, known, "metric")
    if options.metrics.strip() == "all":
        apart = {"hands"} if options.truth else {"hands", "truth"}
        metrics = tuple(name for name in metrics if name not in apart)
    if options.hands and "hands" not in metrics:
        metrics += ("hands",)
    return metrics


def options_of_protocol(options: EvaluateOptions) -> dict:
    """What decides the numbers, as plain values, without the folders of this machine."""
    plain = {
        name: value for name, value in as_plain(options).items() if name not in _NOT_IN_PROTOCOL
    }
    return plain | {name: Path(plain[name]).name for name in _PLACES if plain[name]}
