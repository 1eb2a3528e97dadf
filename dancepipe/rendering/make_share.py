"""The parts of one clip that are this run's, where several runs share them: as make_parts.py, with
a motion that any of the runs may find."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext

from dancepipe.media.read import VideoReader
from dancepipe.pose.smooth import smoothing_radius
from dancepipe.rendering.background import needs_mask, open_background
from dancepipe.rendering.dancer import decoded_side_px
from dancepipe.rendering.driver_motion import QUEUE_FRAMES, DriverMotion
from dancepipe.rendering.kept import KeptRun
from dancepipe.rendering.make_parts import Clip, Looks, write_targets
from dancepipe.rendering.motion import MotionPlan, Survey, targets
from dancepipe.rendering.motion_file import Motion
from dancepipe.rendering.motion_pieces import MotionPieces
from dancepipe.rendering.overlap import in_thread
from dancepipe.rendering.parts import Parts
from dancepipe.rendering.picture import shows_driver
from dancepipe.rendering.reference import Reference
from dancepipe.rendering.render import Renderer
from dancepipe.rendering.shared_motion import (
    SharedMotion,
    Stopped,
    frames_of_share,
    people_of_share,
)


def make_share(
    clip: Clip,
    reference: Reference,
    encode: Callable[[], Renderer],
    kept: KeptRun,
    pieces: MotionPieces | Motion,
    parts: Parts,
    looks: Looks,
) -> Survey:
    """Those parts of this run that `kept` lacks. Arguments and errors as make_parts()."""

    def find(found: MotionPieces, stopped: Stopped) -> None:
        _find_motion(clip, found, looks, stopped)

    takes, options, each = kept.missing(), clip.options, pieces.frames_each
    with SharedMotion(pieces, kept.folder, find) as motion, ThreadPoolExecutor(1) as beside:
        encoding = beside.submit(encode)
        survey = motion.survey()
        if pieces.end is not None and not any(map(takes, range(pieces.count))):
            return survey
        rate = float(clip.info.frame_rate or 30)
        smooth_radius = smoothing_radius(rate) if options.smooth else 0
        masks, motion_begins = needs_mask(options.background), motion.has(0)
        assert motion_begins  # a driver without a frame has no survey
        begin_seconds, plate = pieces.frame(0)[0], looks.behind() if masks else None
        with (
            open_background(
                options.background, reference, clip.size_wh, begin_seconds, plate
            ) as behind,
            VideoReader(clip.driver, decoded_side_px(options), clip.stretch) as video,
            looks.open_finder() if masks else nullcontext() as finder,
            ExitStack() as opened,
        ):
            decoded = None
            if shows_driver(options):
                frames = frames_of_share(video, takes, each)
                decoded = opened.enter_context(closing(in_thread(frames, QUEUE_FRAMES, "decode")))
            size_wh = pieces.head.size_wh if isinstance(pieces, Motion) else video.image_size_wh
            found = people_of_share(motion, takes, decoded, finder, video.image_size_wh)
            people = opened.enter_context(closing(in_thread(found, QUEUE_FRAMES, "pose")))
            renderer = encoding.result()
            plan = MotionPlan(survey, reference, clip.size_px, with_retargeting=options.retarget)
            wanted = (
                target
                for target in targets(people, plan, survey, smooth_radius, size_wh)
                if takes(target.frame.index // each)
            )
            write_targets(wanted, renderer, behind, clip, parts, kept, each, opened)
    return survey


def _find_motion(clip: Clip, found: MotionPieces, looks: Looks, stopped: Stopped) -> None:
    """The survey and the pieces that are not there yet."""
    if found.survey() is None:
        found.keep_survey(looks.survey())
    if found.end is not None:
        return
    with (
        VideoReader(clip.driver, decoded_side_px(clip.options), clip.stretch) as video,
        looks.open_finder() as finder,
        ExitStack() as opened,
    ):
        source = DriverMotion(video, found, shows_frames=False, needs_masks=False)
        for _ in source.people(found.frames, found.frames, finder, opened):
            if stopped():
                return
