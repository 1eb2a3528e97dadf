"""The stage before the stage: a driver's motion, kept as a file for any number of photos."""

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from dancepipe.config import options_with
from dancepipe.device import pick_device
from dancepipe.errors import OutputError
from dancepipe.files.lock import lock_result
from dancepipe.media.fetched import local_video
from dancepipe.media.probe import probe_layout, probe_video
from dancepipe.media.read import VideoReader
from dancepipe.person.choice import parse_choice
from dancepipe.person.finder import open_person_finder
from dancepipe.progress import Progress, counted, told
from dancepipe.rendering.dancer import ANALYSIS_SIDE_PX, find_dancer
from dancepipe.rendering.driver_motion import DriverMotion
from dancepipe.rendering.kept import KeptRun
from dancepipe.rendering.look_over import look_over
from dancepipe.rendering.motion_file import SUFFIX, MotionHead, write_motion
from dancepipe.rendering.motion_options import MotionOptions
from dancepipe.rendering.plan import file_digest, plan_of

_FRAMES_EACH = 120  # of a piece; a run that was stopped goes on from the last whole one


@dataclass(frozen=True)
class MotionSummary:
    """What a run found."""

    out: Path
    frames: int
    frames_with_person: int
    people_seen: int
    seconds: float

    def text(self) -> str:
        """One line for the user."""
        return (
            f"{self.out}: {self.frames} frames, the dancer in {self.frames_with_person} of them; "
            f"{self.seconds:.1f} s"
        )


def motion(
    driver: Path | str,
    out: Path | str,
    options: MotionOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords,
) -> MotionSummary:
    """Find the dancer in every frame of the video `driver`; write the file `out` (.motion), which
    animate(..., motion=out) takes in place of looking at the driver again.

    >>> import dancepipe
    >>> summary = dancepipe.motion("dance.mp4", "dance.motion", overwrite=True)
    >>> summary.frames
    6

    keywords: the fields of MotionOptions, laid on `options`. progress: called as
    progress(done, total) after each frame. A run that was stopped goes on when it is called again.
    Raises BadVideoError, NoPersonError, ConfigError, OutputError, BusyError, MissingExtraError,
    WeightsError.
    """
    options = options_with(MotionOptions, options, keywords, "motion")
    out = Path(out)
    if out.suffix != SUFFIX:
        raise OutputError(f"name the motion {out.stem}{SUFFIX}, got {out.name}")
    driver = local_video(driver, own_network=options.own_network)
    with (
        told(progress),
        lock_result(out, overwrite=options.overwrite, inputs=(driver, options.yolo_weights)),
    ):
        return _motion(driver, out, options)


def _motion(driver: Path, out: Path, options: MotionOptions) -> MotionSummary:
    started = time.monotonic()
    choice, device = parse_choice(options.person), pick_device(options.device)
    stretch = options.stretch()
    times = probe_layout(driver).times
    info = probe_video(driver, stretch)
    settings = {"yolo_weights": options.yolo_weights, "device": device}
    plan = plan_of(
        asdict(options),
        out=out,
        photos=(),
        driver=driver,
        weights="",
        device=device,
        others={"yolo_weights": options.yolo_weights},
    )
    with (
        VideoReader(driver, ANALYSIS_SIDE_PX, stretch) as video,
        KeptRun(out, plan) as kept,
        ExitStack() as opened,
    ):
        pieces = kept.motion(_FRAMES_EACH)
        survey, dancer = pieces.survey(), None
        if survey is None or pieces.end is None:
            finders = [
                opened.enter_context(
                    open_person_finder(options.pose, None, mode="photo", **settings)
                )
                for _ in range(2 if options.pose == "mediapipe" else 1)
            ]
            if not choice.is_default:
                dancer = find_dancer(driver, choice, finders[0], ANALYSIS_SIDE_PX, stretch)
            if survey is None:
                survey = look_over(
                    driver,
                    finders,
                    dancer,
                    reader=options.reader,
                    max_side_px=ANALYSIS_SIDE_PX,
                    stretch=stretch,
                )
                pieces.keep_survey(survey)
        if pieces.end is None:
            finder = opened.enter_context(
                open_person_finder(
                    options.pose,
                    None,
                    hands=options.pose == "mediapipe",
                    named=dancer and dancer.named,
                    **settings,
                )
            )
            source = DriverMotion(video, pieces, shows_frames=False, needs_masks=False)
            begin = pieces.frames
            with counted(
                source.people(begin, begin, finder, opened),
                total=info.declared_frames,
                initial=begin,
                desc="motion",
                unit="frame",
            ) as count:
                for _ in count:
                    pass
        end = pieces.end
        assert end is not None  # its last frame was looked at
        head = MotionHead(
            file_digest(driver) or "",
            driver.name,
            video.image_size_wh,
            options.person,
            options.pose,
            end.frames_read,
            end.corrupt_frames,
            str(end.shortfall_seconds),
            options.start,
            options.duration,
            str(stretch.origin_seconds(times)),
        )
        write_motion(out, head, pieces, overwrite=options.overwrite)
        there = sum(pieces.frame(index)[1] is not None for index in range(pieces.frames))
        frames = pieces.frames
        kept.remove()
    return MotionSummary(out, frames, there, survey.people_seen, time.monotonic() - started)
