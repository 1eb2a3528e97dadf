"""Several clips, one after the other, by the same networks: what one clip loads, the next one
finds ready."""

import itertools
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

import numpy as np

from dancepipe.config import options_with
from dancepipe.device import pick_device
from dancepipe.errors import ConfigError, WeightsError
from dancepipe.files.lock import Shard, lock_result
from dancepipe.media.fetched import local_video
from dancepipe.media.probe import probe_video
from dancepipe.person.choice import PersonChoice, parse_choice
from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.person.track import Named
from dancepipe.progress import Progress, told
from dancepipe.rendering.background import check_background, file_of, needs_mask
from dancepipe.rendering.dancer import Dancer, decoded_side_px, find_dancer
from dancepipe.rendering.given_motion import read_given_motion
from dancepipe.rendering.joining import join_parts, join_shares, left_out, nothing
from dancepipe.rendering.kept import KeptRun
from dancepipe.rendering.look_over import look_behind, look_over
from dancepipe.rendering.make_parts import Clip, Looks, make_parts
from dancepipe.rendering.make_share import make_share
from dancepipe.rendering.motion import Survey
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.plan import plan_of
from dancepipe.rendering.reference import Reference, photos_of
from dancepipe.rendering.render import Renderer
from dancepipe.rendering.result import (
    carries_sound,
    check_kind,
    check_place,
    open_parts,
    result_size,
)
from dancepipe.rendering.summary import AnimateSummary
from dancepipe.rendering.views import read_references
from dancepipe.systems.open import open_named
from dancepipe.systems.shipped import DEFAULT, find_weights
from dancepipe.systems.system import System

log = logging.getLogger(__name__)

# Of the canvas of systems that draw at any size: a person fills most of a frame's height.
_LEAST_SIDE_PX, _LARGEST_SIDE_PX = 256, 1280
_SIDE_STEP_PX = 16  # a plan of 128 px is laid over parts whose edges are whole pixels of both


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
        shard: Shard = Shard(0, 1),
        **keywords,
    ) -> AnimateSummary:
        """One clip, as dancepipe.animate() makes it; raises what that raises. shard: which of its
        parts this run makes, where several runs share them. keywords: other options for this clip
        alone."""
        if self._is_closed:
            raise ValueError("this session is closed")
        options = options_with(AnimateOptions, self._options, keywords, "animate")
        photos = photos_of(ref)
        driver = local_video(driver, own_network=options.own_network)
        inputs = (*photos, driver, self._weights, file_of(options.background), options.motion)
        check = partial(check_place, out, overwrite=options.overwrite, inputs=inputs)
        if shard.count == 1:
            locked = lock_result(out, overwrite=options.overwrite, inputs=inputs, check=check_place)
        else:
            check()
            locked = nullcontext()
        with told(progress), locked:
            return self._animate(photos, driver, Path(out), options, shard, check)

    def _animate(
        self,
        photos: Sequence[Path],
        driver: Path,
        out: Path,
        options: AnimateOptions,
        shard: Shard,
        check: Callable[[], None],
    ) -> AnimateSummary:
        started = time.monotonic()

        # 1. What can be refused at once.
        check_background(options.background)
        check_kind(options, out)
        choice = parse_choice(options.person)
        motion, options = read_given_motion(driver, options)
        stretch = options.stretch()
        info = probe_video(driver, stretch)
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

        # 3. The parts: decoding, pose, rendering and encoding overlap; memory stays flat. What is
        # whole of an earlier run with the same plan is made no second time.
        plan = plan_of(
            asdict(options),
            out=out,
            photos=photos,
            driver=driver,
            weights=find_weights(self._wanted(options)),
            device=device,
            others={
                "background": file_of(options.background),
                "motion": options.motion,
                "yolo_weights": options.yolo_weights,
            },
        )
        parts = open_parts(options, out, size_wh, info)
        batch = options.batch or (8 if device.startswith("cuda") else system.info.draws_at_once)
        clip = Clip(driver, info, stretch, size_wh, size_px, batch, started, options)
        make = make_parts if shard.count == 1 else make_share
        with KeptRun(out, plan, shard) as kept, kept.lock():
            motion = motion or kept.motion(options.part_frames)
            already = kept.frames
            survey = make(
                clip,
                references[0],
                lambda: self._encoded(system, references),
                kept,
                motion,
                parts,
                self._looks(clip, device, choice),
            )
            assert motion.end is not None  # its last frame was made
            made_here = kept.frames - already
            cut = partial(left_out, motion, info, driver) if options.absent == "cut" else nothing
            if shard.count == 1:
                joined = join_parts(kept, parts, cut)
            else:
                joined = join_shares(out, kept, parts, motion.count, check, cut)

        return AnimateSummary(
            out=out,
            frames_in=motion.end.frames_read,
            frames_out=joined.frames,
            frames_held=joined.frames_held,
            shortfall_seconds=float(motion.end.shortfall_seconds),
            corrupt_frames=motion.end.corrupt_frames,
            audio_codec=info.audio_codec,
            audio_kept=bool(info.audio_codec) and carries_sound(out),
            people_seen=survey.people_seen,
            seconds=time.monotonic() - started,
            absent=options.absent,
            frames_kept=joined.frames - made_here,
            runs=shard.count,
            parts_missing=joined.parts_missing,
            is_joined=joined.is_here,
        )

    def _looks(self, clip: Clip, device: str, choice: PersonChoice) -> Looks:
        """How people are looked for in the driver of that clip."""
        options, side_px = clip.options, decoded_side_px(clip.options)
        mask = options.mask if needs_mask(options.background) else None

        @cache
        def dancer() -> Dancer | None:
            if choice.is_default:
                return None
            photo_finder = self._photo_finder(None, device, options)
            return find_dancer(clip.driver, choice, photo_finder, side_px, clip.stretch)

        def open_finder() -> PersonFinder:
            named = dancer()
            return _open_finder(
                "video",
                mask,
                device,
                options,
                hands=self._reads_hands,
                named=named and named.named,
            )

        def finders(mask: str | None) -> list[PersonFinder]:
            # In the time of one clip these looks are most of what a viewer waits for before its
            # first frame. Other backends than mediapipe's have threads of their own.
            count = 2 if options.pose == "mediapipe" else 1
            return [
                self._photo_finder(mask, device, options, number=number) for number in range(count)
            ]

        def survey() -> Survey:
            return look_over(
                clip.driver,
                finders(None),
                dancer(),
                reader=options.reader,
                max_side_px=side_px,
                stretch=clip.stretch,
            )

        def behind() -> np.ndarray | None:
            with_masks = finders(options.mask)
            return look_behind(clip.driver, with_masks, dancer(), clip.size_wh, clip.stretch)

        return Looks(open_finder, survey, behind)

    def _on_device(self, name: str) -> str:
        if name not in self._devices:  # said once
            self._devices[name] = pick_device(name)
        return self._devices[name]

    def _wanted(self, options: AnimateOptions) -> Path | str:
        return self._weights or _default_weights(options)

    def _opened(self, device: str, options: AnimateOptions) -> System:
        wanted = self._wanted(options)
        key = wanted, device, options.precision, options.runtime
        if self._system is None or self._system[0] != key:
            if self._weights is None:
                log.info(f"weights: {wanted}, {_about(str(wanted))}")
            weights = find_weights(wanted)
            system = open_named(weights, device, options.precision, options.runtime)
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
        key = (tuple(map(_stamp, photos)), size_px, kind, self._joins_photos)
        if self._references is None or self._references[0] != key:
            finder = self._photo_finder(options.mask, device, options, hands=self._reads_hands)
            most = {} if self._joins_photos else {"most": 1}
            each = (read_references(photo, finder, size_px, **most) for photo in photos)
            self._references = key, tuple(itertools.chain.from_iterable(each))
        return self._references[1]

    def _encoded(self, system: System, references: tuple[Reference, ...]) -> Renderer:
        kept = self._renderer
        if kept is None or kept[0] is not references or kept[1] is not system:
            self._renderer = kept = references, system, Renderer(system, references)
        return kept[2]

    @property
    def _joins_photos(self) -> bool:
        return self._system is not None and self._system[1].info.joins_photos

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
