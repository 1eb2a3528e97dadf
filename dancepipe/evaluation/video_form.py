"""--driver and --result: opens what a finished video is looked at with, scores it, and writes
down how."""

import logging
from pathlib import Path

from dancepipe.device import pick_device
from dancepipe.errors import NoPersonError, WeightsError
from dancepipe.evaluation.examples import Example, small_png
from dancepipe.evaluation.identity import likeness, open_reidentifier
from dancepipe.evaluation.metric_weights import sha256_of
from dancepipe.evaluation.options import EvaluateOptions, metrics_of_form, options_of_protocol
from dancepipe.evaluation.people import pose_identity
from dancepipe.evaluation.scores import Scores
from dancepipe.evaluation.statistics import MIN_GROUPS
from dancepipe.evaluation.video import DRIVER, TRUTH, score_video
from dancepipe.media.image import load_photo
from dancepipe.person.finder import open_person_finder

log = logging.getLogger(__name__)


def score_finished_video(driver: Path, result: Path, options: EvaluateOptions) -> Scores:
    """Raises ConfigError, BadVideoError, BadImageError, NoPersonError (no person in
    --reference)."""
    metrics = metrics_of_form(options, "--driver and --result")
    device = pick_device(options.device)

    def open_finder(mode: str = "video", mask: str | None = "mediapipe"):
        return open_person_finder(
            options.pose, mask, mode=mode, yolo_weights=options.yolo_weights, device=device
        )

    photo = pose = like_the_photo = None
    networks = {"pose": pose_identity(options.pose, options.yolo_weights)}
    if options.reference:
        photo = load_photo(Path(options.reference))
        with open_finder("photo", None) as finder:
            person = finder.find(photo)
        if person is None:
            raise NoPersonError(
                f"no person found in {options.reference}; give the photo that the video was made "
                "from"
            )
        pose = person.pose
    not_available = {}
    if "identity" in metrics:
        try:
            like_the_photo, networks["identity"] = _likeness_to(photo, pose, options)
        except WeightsError as error:
            not_available["identity"] = str(error)
            metrics = tuple(name for name in metrics if name != "identity")

    found = score_video(
        driver,
        result,
        metrics,
        open_finder,
        reference_pose=pose,
        likeness=like_the_photo,
        truth=Path(options.truth) if options.truth else None,
        bootstrap=options.bootstrap,
        seed=options.seed,
        shown=options.examples,
    )
    protocol = {"options": options_of_protocol(options), "networks": networks, **found.facts}
    protocol |= {"driver_sha256": sha256_of(driver), "result_sha256": sha256_of(result)}
    if options.reference:
        protocol["reference_sha256"] = sha256_of(Path(options.reference))
    if options.truth:
        protocol["truth_sha256"] = sha256_of(Path(options.truth))
    examples = [
        Example(title, "frame", {name: small_png(picture) for name, picture in shown.items()}, {})
        for title, shown in found.shown
    ]
    notes = _cut_short(found.facts) if options.truth else []
    if options.bootstrap:
        has_intervals = any(
            one.low is not None for values in found.methods.values() for one in values.values()
        )
        notes.append(
            "intervals: over blocks of one second"
            if has_intervals
            else f"too short for intervals (need {MIN_GROUPS} blocks of one second)"
        )
    return Scores(
        "video",
        protocol,
        found.methods,
        not_available | found.not_available,
        found.differences,
        found.frames,
        examples,
        notes,
    )


def _cut_short(facts: dict) -> list[str]:
    """In words, that truth and driver are of other lengths or rates."""
    frames, both = facts["frames"], facts["frames_with_truth"]
    if both == frames[TRUTH] == frames[DRIVER]:
        return []
    line = (
        f"the truth has {frames[TRUTH]} frames and the driver {frames[DRIVER]}: compared are the "
        f"{both} that lie at the same times"
    )
    log.warning(line)
    return [line]


def _likeness_to(photo, pose, options: EvaluateOptions):
    """The likeness of a picture's person to that of the photo, and the network's name.
    WeightsError: why there is none."""
    if photo is None:
        raise WeightsError("the photo that the video was made from is needed: --reference")
    network = open_reidentifier(
        Path(options.metric_weights) if options.metric_weights else None,
        fetch=options.fetch,
    )
    wanted = network.features(photo, pose)
    return lambda image, person: float(
        likeness(network.features(image, person), wanted)
    ), network.identity
