"""The video that animate writes: its size, its encoder, and what it says of itself."""

from pathlib import Path

from dancepipe import __version__
from dancepipe.media.encoders import encoder_for, require_usable
from dancepipe.records import VideoInfo
from dancepipe.rendering.options import AnimateOptions

SYNTHETIC_TAG = f"Synthetic media: a person in a photo animated by dancepipe {__version__}"


def check_encoder(options: AnimateOptions, out: Path) -> None:
    """OutputError for an encoder, a quality or a kind of file that do not go together, before
    anything else is done."""
    if options.writer == "pyav":
        encoder_for(options.encoder, out.suffix).options(options.crf, "veryfast")
        require_usable(options.encoder)


def result_size(size_wh: tuple[int, int], max_side_px: int) -> tuple[int, int]:
    """The driver's size, or one whose longer side is at most max_side_px (0: any), even, as most
    encoders need it."""
    if not max_side_px or max(size_wh) <= max_side_px:
        return size_wh
    scale = max_side_px / max(size_wh)
    width, height = (max(2, int(side * scale) // 2 * 2) for side in size_wh)
    return width, height


def open_result(options: AnimateOptions, out: Path, size_wh: tuple[int, int], driver: VideoInfo):
    """A writer of the video, with the driver's clock and sound. Raises OutputError,
    MissingExtraError."""
    if options.writer == "ffmpeg":
        from dancepipe.media.write_ffmpeg import FfmpegVideoWriter as VideoWriter
    else:
        from dancepipe.media.write import VideoWriter
    return VideoWriter(
        out,
        size_wh,
        driver.time_base,
        codec=options.encoder,
        crf=options.crf,
        audio_from=driver.path,
        metadata={"comment": SYNTHETIC_TAG},
        overwrite=options.overwrite,
    )
