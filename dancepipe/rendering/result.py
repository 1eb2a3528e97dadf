"""The video that animate writes: its size, its encoder, and what it says of itself."""

import logging
from functools import partial
from pathlib import Path

from dancepipe import __version__
from dancepipe.errors import OutputError
from dancepipe.files.whole_file import check_result
from dancepipe.media.encoders import (
    ALPHA_ENCODER,
    MUXERS,
    OWN_ENCODER,
    encoder_for,
    require_usable,
)
from dancepipe.media.join import VideoJoin
from dancepipe.media.probe import packets_of
from dancepipe.media.stretch import Span
from dancepipe.media.write import VideoForm, VideoWriter
from dancepipe.media.write_pictures import PictureFolderWriter, check_picture_folder
from dancepipe.records import VideoInfo
from dancepipe.rendering.cut import Cut
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.parts import EncodedParts, Parts, PictureParts

log = logging.getLogger(__name__)

_FOLDER = ""  # the suffix of what becomes a folder of PNGs
_MUTE = {_FOLDER: "a folder of PNGs", ".gif": "a GIF"}
SYNTHETIC_TAG = f"Synthetic media: a person in a photo animated by dancepipe {__version__}"


def check_place(out: Path | str, *, overwrite: bool, inputs) -> None:
    """Whether the result, a file or a folder, may be made: check_result() or
    check_picture_folder(). OutputError."""
    check = check_result if Path(out).suffix else check_picture_folder
    check(out, overwrite=overwrite, inputs=inputs)


def carries_sound(out: Path) -> bool:
    """By the suffix."""
    return out.suffix.lower() not in _MUTE


def check_kind(options: AnimateOptions, out: Path) -> None:
    """OutputError for an encoder, a quality or a kind of file that do not go together, before
    anything else is done."""
    suffix, transparent = out.suffix.lower(), options.background == "transparent"
    if suffix not in (*MUXERS, *_MUTE):
        raise OutputError(
            f"cannot write {out.suffix!r} videos; name the result one of: {', '.join(MUXERS)}, "
            ".gif, or without a suffix, for a folder of PNGs"
        )
    if transparent and suffix not in (*ALPHA_ENCODER, _FOLDER):
        raise OutputError(
            f"{suffix} files are not transparent here; name the result .mov (ProRes 4444), .webm "
            "(VP9), or without a suffix, for a folder of PNGs"
        )
    if transparent and options.side_by_side:
        raise OutputError("nothing transparent is left beside the driver; name another background")
    if options.writer == "ffmpeg" and (transparent or suffix in _MUTE):
        what = "transparent videos" if transparent else _MUTE[suffix]
        raise OutputError(f"the writer ffmpeg does not make {what} here; use --writer pyav")
    if options.writer == "ffmpeg" and (options.start or options.absent == "cut"):
        raise OutputError("the writer ffmpeg does not cut sound here; use --writer pyav")
    if suffix in _MUTE:
        if options.encoder != "auto":
            raise OutputError(
                f"{options.encoder} does not go into {_MUTE[suffix]}; leave the encoder to auto"
            )
        _say_one_quality(options, _MUTE[suffix])
    elif options.writer == "pyav":
        codec = _encoder(options, suffix)
        if transparent and codec != ALPHA_ENCODER[suffix]:
            raise OutputError(
                f"{codec} makes no transparent {suffix} here; use {ALPHA_ENCODER[suffix]}"
            )
        encoder = encoder_for(codec, suffix)
        encoder.options(options.crf, "veryfast")
        require_usable(codec)
        if encoder.most_crf is None:
            _say_one_quality(options, codec)


def _encoder(options: AnimateOptions, suffix: str) -> str:
    if options.encoder != "auto":
        return options.encoder
    if options.background == "transparent":
        return ALPHA_ENCODER[suffix]
    return OWN_ENCODER.get(suffix, "libx264")


def _say_one_quality(options: AnimateOptions, what: str) -> None:
    if options.crf != AnimateOptions.crf:
        log.warning(f"crf {options.crf} does not change {what}, which has one quality")


def result_size(size_wh: tuple[int, int], max_side_px: int) -> tuple[int, int]:
    """The driver's size, or one whose longer side is at most max_side_px (0: any), even, as most
    encoders need it."""
    if not max_side_px or max(size_wh) <= max_side_px:
        return size_wh
    scale = max_side_px / max(size_wh)
    width, height = (max(2, int(side * scale) // 2 * 2) for side in size_wh)
    return width, height


def open_parts(
    options: AnimateOptions, out: Path, size_wh: tuple[int, int], driver: VideoInfo
) -> Parts:
    """The result in parts, with the driver's clock, and its sound where that can be. size_wh: of
    the person's pictures alone."""
    times, stretch = packets_of(driver.path).times, options.stretch()
    sound = stretch.sound(times)
    suffix, transparent = out.suffix.lower(), options.background == "transparent"
    wide_wh = (2 * size_wh[0], size_wh[1]) if options.side_by_side else size_wh
    # PyAV can make no packet that carries its alpha beside it, as VP9's do.
    in_one_go = suffix in _MUTE or options.writer == "ffmpeg" or (transparent and suffix == ".webm")
    if in_one_go:
        return PictureParts(
            wide_wh,
            driver.time_base,
            4 if transparent else 3,
            SYNTHETIC_TAG if suffix == _FOLDER else None,
            partial(_open_result, options, out, wide_wh, driver, sound),
        )
    form = VideoForm(
        _encoder(options, suffix),
        suffix,
        wide_wh,
        driver.time_base,
        crf=options.crf,
        transparent=transparent,
    )

    def open_join(cut: Cut | None) -> VideoJoin:
        return VideoJoin(
            out,
            wide_wh,
            driver.time_base,
            codec=form.codec,
            crf=form.crf,
            audio_from=driver.path,
            audio_spans=cut.sound(sound) if cut else (sound,),
            transparent=transparent,
            metadata={"comment": SYNTHETIC_TAG},
            overwrite=options.overwrite,
        )

    return EncodedParts(form, driver, times[stretch.indices(times).start :][:2], open_join)


def _open_result(
    options: AnimateOptions,
    out: Path,
    size_wh: tuple[int, int],
    driver: VideoInfo,
    sound: Span,
    cut: Cut | None,
):
    """A writer of what is made in one go, with the driver's clock, and its sound where that can
    be. OutputError, MissingExtraError."""
    suffix, transparent = out.suffix.lower(), options.background == "transparent"
    base, tag = driver.time_base, SYNTHETIC_TAG
    if suffix in _MUTE and driver.audio_codec:
        log.warning(f"{out}: {_MUTE[suffix]} has no sound; the driver's is left out")
    if suffix == ".gif":
        from dancepipe.media.write_gif import GifWriter

        return GifWriter(out, size_wh, base, comment=tag, overwrite=options.overwrite)
    if suffix == _FOLDER:
        return PictureFolderWriter(
            out, size_wh, base, comment=tag, transparent=transparent, overwrite=options.overwrite
        )
    if options.writer == "ffmpeg":
        from dancepipe.media.write_ffmpeg import FfmpegVideoWriter as opened
    else:
        opened = partial(VideoWriter, transparent=transparent)
    return opened(
        out,
        size_wh,
        base,
        codec=_encoder(options, suffix),
        crf=options.crf,
        audio_from=driver.path,
        audio_spans=cut.sound(sound) if cut else (sound,),
        metadata={"comment": tag},
        overwrite=options.overwrite,
    )
