"""Several clips, one after the other, by the same networks: what one clip loads, the next one
finds ready."""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import count as count_from
from pathlib import Path

import numpy as np

from dancepipe.config import options_with
from dancepipe.device import pick_device
from dancepipe.errors import ConfigError, WeightsError
from dancepipe.files.lock import lock_result
from dancepipe.media.probe import probe_video
from dancepipe.media.read import VideoReader
from dancepipe.person.choice import PersonChoice, parse_choice
from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.person.track import Named
from dancepipe.pose.smooth import smoothing_radius
from dancepipe.progress import Progress, counted, told
from dancepipe.records import VideoInfo
from dancepipe.rendering.background import (
    Background,
    check_background,
    file_of,
    needs_mask,
    open_background,
)
from dancepipe.rendering.composite import premultiplied
from dancepipe.rendering.dancer import Dancer, decoded_side_px, find_dancer
from dancepipe.rendering.driver_motion import QUEUE_FRAMES, DriverMotion
from dancepipe.rendering.kept import KeptRun
from dancepipe.rendering.motion import (
    SURVEY_FRAMES,
    MotionPlan,
    Survey,
    Target,
    survey_driver,
    targets,
)
from dancepipe.rendering.motion_pieces import MotionPieces
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.overlap import in_thread
from dancepipe.rendering.parts import Parts, by_part, write_parts
from dancepipe.rendering.picture import beside_driver, made_picture, shows_driver
from dancepipe.rendering.plan import plan_of
from dancepipe.rendering.reference import Reference, photos_of, read_reference
from dancepipe.rendering.render import Renderer
from dancepipe.rendering.result import (
    carries_sound,
    check_kind,
    check_place,
    open_parts,
    result_size,
)
from dancepipe.rendering.side_by_side import found_side_by_side
from dancepipe.rendering.summary import AnimateSummary
from dancepipe.systems.open import open_named
from dancepipe.systems.shipped import DEFAULT, find_weights
from dancepipe.systems.system import System

log = logging.getLogger(__name__)

# Of the canvas of systems that draw at any size: a person fills most of a frame's height.
_LEAST_SIDE_PX, _LARGEST_SIDE_PX = 256, 1280
_SIDE_STEP_PX = 16  # a plan of 128 px is laid over parts whose edges are whole pixels of both


@dataclass(frozen=True)
class _Clip:
    """One call of animate, looked at."""

    driver: Path
    info: VideoInfo
    size_wh: tuple[int, int]  # of the person's pictures
    size_px: int  # of the canvas
    choice: PersonChoice
    device: str
    options: AnimateOptions


class Session:
    """Keeps networks, person finder and the encoded reference from one clip to the next.

    >>> import dancepipe
    >>> with dancepipe.Session(device="cpu", overwrite=True) as session:
    ...     for name in ("first.mp4", "second.mp4"):
    ...         summary = session.animate("me.jpg", "dance.mp4", name)

    One clip at a time: a session is for one thread. Memory stays flat: of references the last one
    is kept.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        options: AnimateOptions | None = None,
        **keywords,
    ):
        """weights: a file, the name of shipped weights or of a system that needs none, or None: the
        body, or the shipped weights with a pose backend that gives no depth. Loaded by the first
        clip. keywords: the fields of AnimateOptions (device, background, ...), laid on `options`;
        they hold for every clip. Raises ConfigError."""
        self._weights = weights
        self._options = options_with(AnimateOptions, options, keywords, "Session")
        self._devices: dict[str, str] = {}
        self._system: tuple[tuple, System] | None = None
        self._photo_finders: dict[tuple, PersonFinder] = {}
        self._references: tuple[tuple, tuple[Reference, ...]] | None = None
        self._renderer: tuple[tuple[Reference, ...], System, Renderer] | None = None
        self._is_closed = False

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Frees the networks. Closing twice is allowed; animate afterwards raises ValueError."""
        self._is_closed = True
        while self._photo_finders:
            self._photo_finders.popitem()[1].close()
        self._system = self._references = self._renderer = None

    def animate(
        self,
        ref: Path | str | Sequence[Path | str],
        driver: Path | str,
        out: Path | str,
        *,
        progress: Progress | None = None,
        **keywords,
    ) -> AnimateSummary:
        """One clip, as dancepipe.animate() makes it; raises what that raises. keywords: other
        options for this clip alone."""
        if self._is_closed:
            raise ValueError("this session is closed")
        options = options_with(AnimateOptions, self._options, keywords, "animate")
        photos = photos_of(ref)
        inputs = (*photos, driver, self._weights, file_of(options.background))
        with (
            told(progress),
            lock_result(out, overwrite=options.overwrite, inputs=inputs, check=check_place),
        ):
            return self._animate(photos, Path(driver), Path(out), options)

    def _animate(
        self, photos: Sequence[Path], driver: Path, out: Path, options: AnimateOptions
    ) -> AnimateSummary:
        started = time.monotonic()

        # 1. What can be refused at once.
        check_background(options.background)
        check_kind(options, out)
        choice = parse_choice(options.person)
        info = probe_video(driver)
        for remark in info.remarks:
            log.info(f"{driver}: {remark}")

        # 2. What is kept: networks, finder, the encoded reference.
        device = self._on_device(options.device)
        system = self._opened(device, options)
        size_wh = result_size(info.size_wh, options.max_side_px)
        size_px = _canvas_side_px(system, size_wh)
        if len(photos) > 1 and not system.info.joins_photos:
            raise ConfigError(
                f"{len(photos)} photos are given, and {system.info.name} wears one; give one, or "
                "leave --weights out"
            )
        references = self._read(photos, size_px, device, options)
        renderer = self._encoded(system, references)

        # 3. The parts: decoding, pose, rendering and encoding overlap; memory stays flat. What is
        # whole of an earlier run with the same plan is made no second time.
        plan = plan_of(
            options,
            out=out,
            photos=photos,
            driver=driver,
            weights=find_weights(self._wanted(options)),
            device=device,
            others={
                "background": file_of(options.background),
                "yolo_weights": options.yolo_weights,
            },
        )
        parts = open_parts(options, out, size_wh, info)
        clip = _Clip(driver, info, size_wh, size_px, choice, device, options)
        with KeptRun(out, plan) as kept:
            motion = kept.motion(options.part_frames)
            already = kept.frames
            survey = self._make_parts(clip, references[0], renderer, kept, motion, parts)
            whole = [kept.parts[number] for number in sorted(kept.parts)]
            with counted(total=kept.frames, desc="joining", unit="frame", leave=False) as count:
                frames_out = parts.join(whole, count.update)
            kept.remove()

        assert motion.end is not None  # its last frame was made
        return AnimateSummary(
            out=out,
            frames_in=motion.end.frames_read,
            frames_out=frames_out,
            frames_held=sum(part.facts["held"] for part in whole),
            shortfall_seconds=float(motion.end.shortfall_seconds),
            corrupt_frames=motion.end.corrupt_frames,
            audio_codec=info.audio_codec,
            audio_kept=bool(info.audio_codec) and carries_sound(out),
            people_seen=survey.people_seen,
            seconds=time.monotonic() - started,
            absent=options.absent,
            frames_kept=already,
        )

    def _make_parts(
        self,
        clip: _Clip,
        reference: Reference,
        renderer: Renderer,
        kept: KeptRun,
        motion: MotionPieces,
        parts: Parts,
    ) -> Survey:
        """All that are not there yet, and the driver's motion on the way."""
        options, info, each = clip.options, clip.info, motion.frames_each
        survey = motion.survey()
        if survey is not None and motion.end is not None and kept.frames == motion.frames:
            return survey
        first = each * next(number for number in count_from() if number not in kept.parts)
        smooth_radius = smoothing_radius(float(info.frame_rate or 30)) if options.smooth else 0
        side_px = decoded_side_px(options)
        mask = options.mask if needs_mask(options.background) else None
        begin_seconds = motion.frame(0)[0] if motion.count else None
        with (
            open_background(options.background, reference, clip.size_wh, begin_seconds) as behind,
            VideoReader(clip.driver, max_side_px=side_px) as video,
            # Closed from the last to the first, so that each thread is gone before what it reads
            # from is closed.
            ExitStack() as opened,
        ):
            source = DriverMotion(
                video, motion, shows_frames=shows_driver(options), needs_masks=mask is not None
            )
            looks = source.needs_finder(first)
            dancer = finder = None
            if not clip.choice.is_default and (looks or survey is None):
                photo_finder = self._photo_finder(None, clip.device, options)
                dancer = find_dancer(clip.driver, clip.choice, photo_finder, side_px)
            if looks:
                finder = opened.enter_context(
                    _open_finder(
                        "video", mask, clip.device, options,
                        hands=self._reads_hands, named=dancer and dancer.named,
                    )
                )  # fmt: skip
            begin = source.begins_at(first, smooth_radius)
            found = source.people(begin, first, finder, opened)
            people = opened.enter_context(closing(in_thread(found, QUEUE_FRAMES, "pose")))
            # While the first frames are looked at: a sparse look over the whole driver, and the
            # plan that follows from it.
            if survey is None:
                survey = self._survey(clip.driver, side_px, clip.device, options, dancer)
                motion.keep_survey(survey)
            plan = MotionPlan(survey, reference, clip.size_px, with_retargeting=options.retarget)
            wanted = (
                target
                for target in targets(people, plan, survey, smooth_radius, first)
                if target.frame.index // each not in kept.parts
            )
            batch = options.batch or (8 if clip.device.startswith("cuda") else 1)
            made = in_thread(_rendered(wanted, renderer, batch, each), QUEUE_FRAMES, "render")
            rendered = opened.enter_context(closing(made))
            with counted(
                total=info.declared_frames, initial=kept.frames, desc="frames", unit="frame"
            ) as count:
                pictures = _pictures(rendered, behind, clip, count)
                write_parts(pictures, parts, kept, each)
        return survey

    def _on_device(self, name: str) -> str:
        if name not in self._devices:  # said once
            self._devices[name] = pick_device(name)
        return self._devices[name]

    def _wanted(self, options: AnimateOptions) -> Path | str:
        return self._weights or _default_weights(options)

    def _opened(self, device: str, options: AnimateOptions) -> System:
        wanted = self._wanted(options)
        key = wanted, device, options.precision
        if self._system is None or self._system[0] != key:
            if self._weights is None:
                log.info(f"weights: {wanted}, {_about(str(wanted))}")
            weights = find_weights(wanted)
            system = open_named(weights, device, options.precision)
            if system.info.size_hw and system.info.size_hw[0] != system.info.size_hw[1]:
                height_px, width_px = system.info.size_hw
                raise WeightsError(
                    f"{weights} is for pictures of {width_px} x {height_px}; animate needs weights "
                    "for square ones"
                )
            if system.info.remark:
                log.info(f"{weights}: {system.info.remark}")
            self._system = key, system
        return self._system[1]

    def _read(
        self, photos: Sequence[Path], size_px: int, device: str, options: AnimateOptions
    ) -> tuple[Reference, ...]:
        """The person of each photo; read again only when a file or the finder is another."""
        kind = _kind_of_finder(options.mask, device, options, self._reads_hands)
        key = (tuple(map(_stamp, photos)), size_px, kind)
        if self._references is None or self._references[0] != key:
            finder = self._photo_finder(options.mask, device, options, hands=self._reads_hands)
            read = tuple(read_reference(photo, finder, size_px) for photo in photos)
            self._references = key, read
        return self._references[1]

    def _encoded(self, system: System, references: tuple[Reference, ...]) -> Renderer:
        kept = self._renderer
        if kept is None or kept[0] is not references or kept[1] is not system:
            self._renderer = kept = references, system, Renderer(system, references)
        return kept[2]

    def _survey(
        self,
        driver: Path,
        side_px: int | None,
        device: str,
        options: AnimateOptions,
        dancer: Dancer | None,
    ) -> Survey:
        if options.reader == "decord":
            from dancepipe.media.read_decord import read_spread_frames
        else:
            from dancepipe.media.read import read_spread_frames
        frames = read_spread_frames(driver, SURVEY_FRAMES, max_side_px=side_px)
        # In the time of one clip this is most of what a viewer waits for before its first frame.
        finders = [
            self._photo_finder(None, device, options, number=number)
            for number in range(2 if options.pose == "mediapipe" else 1)  # the others have threads
        ]
        clothes = None if dancer is None else dancer.chosen.clothes
        people = found_side_by_side([frame.image for frame in frames], finders, clothes)
        if dancer is not None:
            people.insert(0, dancer.chosen.person)
        survey = survey_driver(people, driver)
        if dancer is not None:
            log.info(f"{driver}: {dancer.text()} is followed")
        elif survey.people_seen > 1:
            log.info(
                f"{driver}: up to {survey.people_seen} people; the largest and most central one "
                "is followed (--preview shows them, --person names another)"
            )
        return survey

    @property
    def _reads_hands(self) -> bool:
        return self._system is not None and self._system[1].info.reads_hands

    def _photo_finder(
        self,
        mask: str | None,
        device: str,
        options: AnimateOptions,
        *,
        hands: bool = False,
        number: int = 0,
    ) -> PersonFinder:
        """Takes every picture for itself, so that one does for all clips. number: of those that
        work side by side."""
        kind = (number, *_kind_of_finder(mask, device, options, hands))
        if kind not in self._photo_finders:
            self._photo_finders[kind] = _open_finder("photo", mask, device, options, hands=hands)
        return self._photo_finders[kind]


def _default_weights(options: AnimateOptions) -> str:
    """The body draws best, and reads landmarks with depth, which only one backend gives."""
    return "body" if options.pose == "mediapipe" else DEFAULT.name


def _about(weights: Path | str) -> str:
    if weights == DEFAULT.name:
        return f"which come with dancepipe ({DEFAULT.about})"
    return f"a body in three dimensions (another choice: {DEFAULT.name}, a small network)"


def _canvas_side_px(system: System, result_wh: tuple[int, int]) -> int:
    """The side of the squares that the system draws: its own, or what the result shows."""
    own_px = system.info.size_hw[0] if system.info.size_hw else _LEAST_SIDE_PX
    if system.info.size_hw and not system.info.draws_larger:
        return own_px
    side_px = min(max(result_wh[1], own_px, _LEAST_SIDE_PX), max(_LARGEST_SIDE_PX, own_px))
    return -(-side_px // _SIDE_STEP_PX) * _SIDE_STEP_PX


def _rendered(
    stream: Iterable[Target], renderer: Renderer, batch: int, frames_each: int
) -> Iterator[tuple[Target, np.ndarray]]:
    """Each target with its premultiplied person (S, S, 4), rendered at most `batch` at a time, all
    of one part, in order."""
    for group in by_part(stream, lambda target: target.frame.index, frames_each, batch):
        pictures, mattes = renderer.render([target.body for target in group])
        for target, picture, matte in zip(group, pictures, mattes, strict=True):
            yield target, premultiplied(picture, matte)


def _pictures(
    rendered: Iterable[tuple[Target, np.ndarray]],
    background: Background | None,
    clip: _Clip,
    count: counted,
) -> Iterator[tuple[int, np.ndarray, Fraction, bool]]:
    """As write_parts() takes them."""
    for target, person in rendered:
        shown = not target.is_held or clip.options.absent == "hold"
        picture = made_picture(target, person if shown else None, background, clip.size_wh)
        if clip.options.side_by_side:
            picture = beside_driver(target, picture)
        yield target.frame.index, picture, target.frame.time_seconds, target.is_held
        count.update()


def _open_finder(
    mode: str,
    mask: str | None,
    device: str,
    options: AnimateOptions,
    *,
    hands: bool,
    named: Named | None = None,
) -> PersonFinder:
    return open_person_finder(
        options.pose,
        mask,
        mode=mode,
        named=named,
        hands=hands and options.pose == "mediapipe",
        yolo_weights=options.yolo_weights,
        rembg_model=options.rembg_model,
        device=device,
    )


def _kind_of_finder(mask: str | None, device: str, options: AnimateOptions, hands: bool) -> tuple:
    return mask, hands, device, options.pose, options.yolo_weights, options.rembg_model


def _stamp(path: Path) -> tuple | None:
    """What is another when the file is another."""
    try:
        found = os.stat(path)
    except OSError:  # whoever opens it says so
        return None
    return os.path.realpath(path), found.st_mtime_ns, found.st_size
