"""All parts of one clip that are not there yet: decoding, pose, rendering and encoding overlap,
each in a thread of its own, and memory stays flat."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import count as count_from
from pathlib import Path

import numpy as np

from dancepipe.media.read import VideoReader
from dancepipe.media.stretch import Stretch
from dancepipe.person.finder import PersonFinder
from dancepipe.pose.smooth import smoothing_radius
from dancepipe.progress import counted
from dancepipe.records import VideoInfo
from dancepipe.rendering.background import Background, needs_mask, open_background
from dancepipe.rendering.composite import premultiplied
from dancepipe.rendering.dancer import decoded_side_px
from dancepipe.rendering.driver_motion import QUEUE_FRAMES, DriverMotion
from dancepipe.rendering.kept import KeptRun
from dancepipe.rendering.motion import MotionPlan, Survey, Target, targets
from dancepipe.rendering.motion_file import Motion
from dancepipe.rendering.motion_pieces import MotionPieces
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.overlap import in_thread
from dancepipe.rendering.parts import Parts, by_part, write_parts
from dancepipe.rendering.picture import beside_driver, made_picture, shows_driver
from dancepipe.rendering.reference import Reference
from dancepipe.rendering.render import Renderer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """One call of animate, looked at."""

    driver: Path
    info: VideoInfo
    stretch: Stretch  # what of the driver is animated
    size_wh: tuple[int, int]  # of the person's pictures
    size_px: int  # of the canvas
    batch: int  # frames rendered at once
    started: float  # time.monotonic() when it was called
    options: AnimateOptions


@dataclass(frozen=True)
class Looks:
    """How people are looked for in a driver. open_finder: in video mode, as new. behind: what is
    there without the dancer, (H, W, 3) of Clip.size_wh, where that can be told."""

    open_finder: Callable[[], PersonFinder]
    survey: Callable[[], Survey]
    behind: Callable[[], np.ndarray | None]


def make_parts(
    clip: Clip,
    reference: Reference,
    encode: Callable[[], Renderer],
    kept: KeptRun,
    motion: MotionPieces | Motion,
    parts: Parts,
    looks: Looks,
) -> Survey:
    """Those that `kept` lacks, and the driver's motion on the way; raises what animate raises.

    encode: gives the person of `reference`, ready to be drawn.
    """
    options, each = clip.options, motion.frames_each
    survey = motion.survey()
    if survey is not None and motion.end is not None and kept.frames == motion.frames:
        return survey
    first = each * next(number for number in count_from() if number not in kept.parts)
    rate = float(clip.info.frame_rate or 30)
    smooth_radius = smoothing_radius(rate) if options.smooth else 0
    begin_seconds = motion.frame(0)[0] if motion.count else None
    plate = looks.behind() if needs_mask(options.background) else None
    with (
        open_background(
            options.background, reference, clip.size_wh, begin_seconds, plate
        ) as behind,
        VideoReader(clip.driver, decoded_side_px(options), clip.stretch) as video,
        # Closed from the last to the first, so that each thread is gone before what it reads from
        # is closed.
        ExitStack() as opened,
    ):
        source = DriverMotion(
            video,
            motion,
            shows_frames=shows_driver(options),
            needs_masks=needs_mask(options.background),
        )
        finder = opened.enter_context(looks.open_finder()) if source.needs_finder else None
        size_wh = motion.head.size_wh if isinstance(motion, Motion) else video.image_size_wh
        begin = source.begins_at(first, smooth_radius)
        found = source.people(begin, first, finder, opened)
        people = opened.enter_context(closing(in_thread(found, QUEUE_FRAMES, "pose")))
        # While the first frames are looked at, and the person is encoded: a sparse look over the
        # whole driver, and the plan that follows from it.
        with ThreadPoolExecutor(1, "encode") as beside:
            encoding = beside.submit(encode)
            if survey is None:
                survey = looks.survey()
                assert isinstance(motion, MotionPieces)  # the other one has a survey
                motion.keep_survey(survey)
            renderer = encoding.result()
        plan = MotionPlan(survey, reference, clip.size_px, with_retargeting=options.retarget)
        wanted = (
            target
            for target in targets(people, plan, survey, smooth_radius, size_wh, first)
            if target.frame.index // each not in kept.parts
        )
        write_targets(wanted, renderer, behind, clip, parts, kept, each, opened)
    return survey


def write_targets(
    wanted: Iterable[Target],
    renderer: Renderer,
    behind: Background | None,
    clip: Clip,
    parts: Parts,
    kept: KeptRun,
    frames_each: int,
    opened: ExitStack,
) -> None:
    """Draw those, of whole parts in order, and keep the parts. opened: holds the thread that
    draws."""
    holds = clip.options.absent == "hold"
    drawn = _rendered(wanted, renderer, clip.batch, frames_each, holds=holds)
    made = in_thread(drawn, QUEUE_FRAMES, "render")
    rendered = opened.enter_context(closing(made))
    with counted(
        total=kept.own_frames(clip.info.declared_frames, frames_each),
        initial=kept.frames,
        desc="drawing",
        unit="frame",
    ) as count:
        write_parts(_pictures(rendered, behind, clip, count), parts, kept, frames_each)


def _rendered(
    stream: Iterable[Target], renderer: Renderer, batch: int, frames_each: int, *, holds: bool
) -> Iterator[tuple[Target, np.ndarray | None]]:
    """Each target with its premultiplied person (S, S, 4), rendered at most `batch` at a time, all
    of one part, in order. holds: whether a held pose is shown; else it has nobody."""
    for group in by_part(stream, lambda target: target.frame.index, frames_each, batch):
        shown = [target for target in group if holds or not target.is_held]
        people = iter(())
        if shown:
            people = zip(*renderer.render([target.body for target in shown]), strict=True)
        for target in group:
            is_shown = holds or not target.is_held
            yield target, premultiplied(*next(people)) if is_shown else None


def _pictures(
    rendered: Iterable[tuple[Target, np.ndarray | None]],
    background: Background | None,
    clip: Clip,
    count: counted,
) -> Iterator[tuple[int, np.ndarray | None, Fraction, bool]]:
    """As write_parts() takes them."""
    is_first = True
    for target, person in rendered:
        if is_first:
            log.info(f"first frame after {time.monotonic() - clip.started:.1f} s")
            is_first = False
        picture = None
        if person is not None or clip.options.absent != "cut":
            shadow = clip.options.shadow
            picture = made_picture(target, person, background, clip.size_wh, with_shadow=shadow)
        if picture is not None and clip.options.side_by_side:
            picture = beside_driver(target, picture)
        yield target.frame.index, picture, target.frame.time_seconds, target.is_held
        count.update()
