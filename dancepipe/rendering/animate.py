"""The stage: reference + driver -> video. Decoding, pose, rendering and encoding overlap; memory
stays flat."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dancepipe import __version__
from dancepipe.device import pick_device
from dancepipe.errors import WeightsError
from dancepipe.files.lock import lock_result
from dancepipe.media.encoders import encoder_for, require_usable
from dancepipe.media.probe import probe_video
from dancepipe.media.read import VideoReader
from dancepipe.person.finder import open_person_finder
from dancepipe.pose.smooth import smoothing_radius
from dancepipe.rendering.background import check_background, open_background
from dancepipe.rendering.composite import paste, premultiplied
from dancepipe.rendering.motion import (
    SURVEY_FRAMES,
    MotionPlan,
    Target,
    find_people,
    survey_driver,
    targets,
)
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.overlap import in_thread
from dancepipe.rendering.reference import read_reference
from dancepipe.rendering.render import Renderer
from dancepipe.systems.open import open_system
from dancepipe.systems.shipped import DEFAULT, find_weights

SYNTHETIC_TAG = f"Synthetic media: a person in a photo animated by dancepipe {__version__}"
_QUEUE_FRAMES = 8
_ANALYSIS_SIDE_PX = (
    640  # poses gain nothing from more; whole frames are decoded only where the result shows them
)


@dataclass(frozen=True)
class AnimateSummary:
    """What a run did."""

    out: Path
    frames_in: int
    frames_out: int
    frames_held: int
    shortfall_seconds: float
    corrupt_frames: int
    audio_codec: str | None
    people_seen: int
    seconds: float

    def text(self) -> str:
        """One line for the user."""
        parts = [
            f"{self.out}: {self.frames_out} frames of {self.frames_in}, "
            f"{'audio kept' if self.audio_codec else 'no audio in the driver'}"
        ]
        if self.frames_held:
            parts.append(f"{self.frames_held} frames without a person held the last pose")
        if self.shortfall_seconds:
            parts.append(
                f"the driver is truncated: its last {self.shortfall_seconds:.2f} s are missing"
            )
        if self.corrupt_frames:
            parts.append(f"{self.corrupt_frames} damaged frames in the driver")
        return (
            "; ".join(parts)
            + f"; {self.seconds:.1f} s, {self.frames_out / self.seconds:.1f} frames a second"
        )


def animate(
    ref: Path,
    driver: Path,
    out: Path,
    weights: Path | None,
    options: AnimateOptions = AnimateOptions(),
    *,
    say: Callable[[str], None] = print,
) -> AnimateSummary:
    """Make the person in the photo `ref` dance like the one in `driver`; write the video `out`.

    Every frame of the driver gives one frame with the same timestamp; the audio is
    copied. weights: a file, the name of shipped weights, or None for the default
    ones. `out` appears only when it is whole; one that is there is replaced with options.overwrite
    alone. Raises BadImageError, BadVideoError, NoPersonError, WeightsError, ConfigError,
    OutputError, BusyError (another process makes `out`), MissingExtraError.
    """
    with lock_result(out, overwrite=options.overwrite, inputs=(ref, driver, weights)):
        return _animate(Path(ref), Path(driver), Path(out), weights, options, say)


def _animate(
    ref: Path, driver: Path, out: Path, weights, options: AnimateOptions, say
) -> AnimateSummary:
    started = time.monotonic()
    if weights is None:
        say(f"weights: {DEFAULT.name}, which come with dancepipe ({DEFAULT.about})")
    weights = find_weights(weights)
    check_background(options.background)
    if options.writer == "pyav":
        encoder_for(options.encoder, Path(out).suffix).options(options.crf, "veryfast")
        require_usable(options.encoder)
    info = probe_video(driver)
    size_wh = _output_size(info.size_wh, options.max_side_px)
    decoded_side_px = None if options.background == "driver" else _ANALYSIS_SIDE_PX
    device = pick_device(options.device, say=say)
    system = open_system(weights, device, options.precision)
    if system.info.remark:
        say(f"{weights}: {system.info.remark}")
    assert system.info.size_hw is not None  # of all systems with weights
    height_px, size_px = system.info.size_hw
    if height_px != size_px:
        raise WeightsError(
            f"{weights} is for pictures of {size_px} x {height_px}; animate needs weights for "
            "square ones"
        )

    with _finder(options, "photo", options.mask, device, say) as finder:
        reference = read_reference(ref, finder, size_px, say=say)
    background = open_background(options.background, reference, size_wh)
    with _finder(options, "photo", None, device, say) as finder:
        survey = survey_driver(
            _spread_frames(driver, options.reader, decoded_side_px), finder, driver
        )
    if survey.people_seen > 1:
        say(
            f"{driver}: up to {survey.people_seen} people; the largest and most central one is "
            "followed"
        )
    plan = MotionPlan(survey, reference, size_px, with_retargeting=options.retarget)
    smooth_radius = smoothing_radius(info.frame_rate or 30) if options.smooth else 0
    renderer = Renderer(system, reference)
    batch = options.batch or (8 if device.startswith("cuda") else 1)

    held = 0
    with (
        VideoReader(driver, max_side_px=decoded_side_px) as video,
        _finder(
            options, "video", options.mask if options.background == "driver" else None, device, say
        ) as finder,
        _writer(options, out, size_wh, info, say) as result,
        tqdm(total=info.declared_frames, desc="frames", unit="frame", disable=None) as progress,
        # Closed from the last to the first, so that each thread is gone before what it reads from
        # is closed.
        closing(in_thread(video, _QUEUE_FRAMES, "decode")) as frames,
        closing(in_thread(find_people(frames, finder), _QUEUE_FRAMES, "pose")) as people,
        closing(
            in_thread(
                render_batches(targets(people, plan, survey, smooth_radius), renderer, batch),
                _QUEUE_FRAMES,
                "render",
            )
        ) as rendered,
    ):
        for target, person in rendered:
            picture = background(target)
            scale = size_wh[0] / target.frame.image.shape[1]
            paste(picture, person, tuple((edge + 0.5) * scale - 0.5 for edge in target.box_xyxy_px))
            result.write(picture, target.frame.time_seconds)
            held += target.is_held
            progress.update()
    return AnimateSummary(
        out=Path(out),
        frames_in=video.frames_read,
        frames_out=result.frames_written,
        frames_held=held,
        shortfall_seconds=float(video.shortfall_seconds),
        corrupt_frames=video.corrupt_frames,
        audio_codec=info.audio_codec,
        people_seen=survey.people_seen,
        seconds=time.monotonic() - started,
    )


def render_batches(
    stream: Iterable[Target], renderer: Renderer, batch: int
) -> Iterator[tuple[Target, np.ndarray]]:
    """Each target with its premultiplied person (S, S, 4), rendered `batch` at a time, in order."""
    iterator = iter(stream)
    while group := list(islice(iterator, batch)):
        pictures, mattes = renderer.render([target.pose for target in group])
        for target, picture, matte in zip(group, pictures, mattes, strict=True):
            yield target, premultiplied(picture, matte)


def _output_size(size_wh: tuple[int, int], max_side_px: int) -> tuple[int, int]:
    if not max_side_px or max(size_wh) <= max_side_px:
        return size_wh
    scale = max_side_px / max(size_wh)
    return tuple(
        max(2, int(side * scale) // 2 * 2) for side in size_wh
    )  # even, as most encoders need it


def _spread_frames(driver: Path, reader: str, side_px: int | None):
    if reader == "decord":
        from dancepipe.media.read_decord import read_spread_frames
    else:
        from dancepipe.media.read import read_spread_frames
    return read_spread_frames(driver, SURVEY_FRAMES, max_side_px=side_px)


def _finder(options: AnimateOptions, mode: str, mask: str | None, device: str, say):
    return open_person_finder(
        options.pose,
        mask,
        mode=mode,
        yolo_weights=options.yolo_weights,
        rembg_model=options.rembg_model,
        device=device,
        say=say,
    )


def _writer(options: AnimateOptions, out: Path, size_wh, info, say):
    if options.writer == "ffmpeg":
        from dancepipe.media.write_ffmpeg import FfmpegVideoWriter as VideoWriter
    else:
        from dancepipe.media.write import VideoWriter
    return VideoWriter(
        out,
        size_wh,
        info.time_base,
        codec=options.encoder,
        crf=options.crf,
        audio_from=info.path if info.audio_codec else None,
        metadata={"comment": SYNTHETIC_TAG},
        overwrite=options.overwrite,
        say=say,
    )
