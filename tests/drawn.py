"""Small drawn videos and photos with real codecs, for tests. The pictures say which frame they
are and which way up."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

CORNERS = {
    (0, 0): (220, 30, 30),
    (0, -1): (30, 200, 30),
    (-1, 0): (30, 30, 220),
    (-1, -1): (230, 230, 230),
}  # (row, column): RGB
INDEX_BITS = 8


def draw_picture(index: int, size_wh: tuple[int, int]) -> np.ndarray:
    """uint8 RGB (H, W, 3): red, green, blue, white corners (top left, top right, bottom left,
    bottom right) and, across the middle, the index as 8 dark or light cells, most significant
    first."""
    width, height = size_wh
    image = np.full((height, width, 3), 120, np.uint8)
    corner_h, corner_w = max(1, height // 4), max(1, width // 4)
    for (row, column), colour in CORNERS.items():
        rows = slice(0, corner_h) if row == 0 else slice(height - corner_h, height)
        columns = slice(0, corner_w) if column == 0 else slice(width - corner_w, width)
        image[rows, columns] = colour
    edges = np.linspace(0, width, INDEX_BITS + 1).round().astype(int)
    for bit in range(INDEX_BITS):
        light = index >> (INDEX_BITS - 1 - bit) & 1
        image[height * 3 // 8 : height * 5 // 8, edges[bit] : edges[bit + 1]] = 215 if light else 25
    return image


def read_index(image: np.ndarray) -> int:
    """The index drawn into a picture, however it was scaled or compressed since."""
    height, width = image.shape[:2]
    middle = image[height * 7 // 16 : height * 9 // 16 + 1].mean((0, 2))
    cells = [
        middle[
            int((bit + 0.3) * width / INDEX_BITS) : int((bit + 0.7) * width / INDEX_BITS) + 1
        ].mean()
        for bit in range(INDEX_BITS)
    ]
    return sum(int(cell > 120) << (INDEX_BITS - 1 - bit) for bit, cell in enumerate(cells))


def corners_upright(image: np.ndarray, tolerance: float = 40) -> bool:
    """True when all four corners have their colours."""
    height, width = image.shape[:2]
    for (row, column), colour in CORNERS.items():
        spot = image[
            height // 8 if row == 0 else -1 - height // 8,
            width // 8 if column == 0 else -1 - width // 8,
        ]
        if np.abs(spot.astype(int) - colour).max() > tolerance:
            return False
    return True


def write_test_video(
    path: Path,
    frames: int = 30,
    rate: Fraction | int = 30,
    size_wh: tuple[int, int] = (160, 120),
    *,
    audio: bool = False,
    codec: str = "libx264",
    audio_codec: str = "aac",
    pixel_format: str = "yuv420p",
    times: list[Fraction] | None = None,
    time_base: Fraction | None = None,
    rotation: int = 0,
    sample_aspect_ratio: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    format: str | None = None,
    audio_seconds: float | None = None,
    draw=draw_picture,
) -> list[Fraction]:
    """A real video of drawn pictures; gives the times of its frames in seconds.

    size_wh is the size as displayed: with rotation (counter-clockwise, 0 90 180 270) or
    sample_aspect_ratio the stored pictures are turned or squeezed, so that a right reader shows
    them upright and square. times: for varying rates and start offsets.
    """
    rate = Fraction(rate)
    if time_base is None:
        time_base = (
            Fraction(1, rate.numerator * 512)
            if rate.denominator == 1
            else Fraction(1, rate.numerator)
        )
    times = times if times is not None else [k / rate for k in range(frames)]
    stored_wh = size_wh if rotation % 180 == 0 else size_wh[::-1]
    if sample_aspect_ratio:
        stored_wh = (round(stored_wh[0] / sample_aspect_ratio), stored_wh[1])
    turned_wh = stored_wh if rotation % 180 == 0 else stored_wh[::-1]
    movie = (
        {"movie_timescale": str(time_base.denominator)}
        if str(path).endswith((".mp4", ".mov"))
        else {}
    )
    with av.open(
        str(path), "w", format=format, options={**movie, **(container_options or {})}
    ) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = stored_wh
        stream.pix_fmt = pixel_format
        if codec != "gif":
            stream.codec_context.time_base = time_base
        if sample_aspect_ratio:
            stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
        if rotation:
            if not hasattr(stream, "set_display_rotation"):
                pytest.skip("this PyAV cannot write a display rotation")
            stream.set_display_rotation(rotation)
        sound = output.add_stream(audio_codec, rate=48000) if audio else None
        for index, time_seconds in enumerate(times):
            upright = draw(index, turned_wh)
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(np.rot90(upright, -rotation // 90)), "rgb24"
            )
            frame.pts, frame.time_base = round(time_seconds / time_base), time_base
            output.mux(stream.encode(frame.reformat(format=pixel_format)))
        output.mux(stream.encode(None))
        if sound is not None:
            write_tone(output, sound, audio_seconds or float(times[-1] + 1 / rate))
    return times


def write_tone(output, sound, seconds: float) -> None:
    """A 440 Hz tone into an open output container and its audio stream, from time 0."""
    layout = sound.codec_context.layout.name or "stereo"
    samples = int(seconds * 48000)
    wave = (0.2 * np.sin(np.arange(samples) * (2 * np.pi * 440 / 48000))).astype(np.float32)
    channels = len(sound.codec_context.layout.channels)
    resampler = av.AudioResampler(
        sound.codec_context.format, layout, 48000, frame_size=sound.codec_context.frame_size or 1024
    )
    for start in range(0, samples, 4800):
        chunk = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(np.tile(wave[start : start + 4800], (channels, 1))), "fltp", layout
        )
        chunk.sample_rate, chunk.pts, chunk.time_base = 48000, start, Fraction(1, 48000)
        for frame in resampler.resample(chunk):
            output.mux(sound.encode(frame))
    for frame in resampler.resample(None):
        if frame is not None:
            output.mux(sound.encode(frame))
    output.mux(sound.encode(None))


def write_test_sound(path: Path, codec: str = "aac", seconds: float = 0.5) -> None:
    """A file with a tone and no picture."""
    with av.open(str(path), "w") as output:
        write_tone(output, output.add_stream(codec, rate=48000), seconds)


def write_test_photo(
    path: Path, size_wh: tuple[int, int] = (80, 60), index: int = 5, **save_options
) -> np.ndarray:
    """A picture file of draw_picture(); gives the array."""
    image = draw_picture(index, size_wh)
    Image.fromarray(image).save(path, **save_options)
    return image
