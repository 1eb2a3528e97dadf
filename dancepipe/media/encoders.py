"""Which video encoders can be asked for, how each is told its quality and speed, and what each
container may hold."""

import os
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.error import FFmpegError

from dancepipe.errors import OutputError

# x264's names for speed are the ones people know; the other encoders count.
SPEEDS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
# From preset 10 up, SVT-AV1 4.1 lets whole frames repeat the one before where only parts change:
# not for dancing.
SVTAV1_PRESETS = (9, 9, 8, 8, 7, 6, 5, 4, 3)
VP9_CPU_USED = (8, 7, 6, 5, 4, 3, 2, 1, 0)
# The same pictures make the same bytes in every run (docs/performance.md, "The same twice").
# x264's AVX-512 macroblock tree takes 8 blocks at a time: where a row is no multiple of them (128
# pixels) it reads past the end, and what lay in memory there decides the quality of blocks.
# cpu-independent=1 takes the code in C instead. Left alone, x264's slices and VP9's search follow
# the number of cores; four threads outrun any renderer here.
SAME_X264 = {"x264-params": "cpu-independent=1:threads=4:sliced-threads=0"}
SAME_VP9 = {"threads": "4"}
QUIET_X265 = {"x265-params": "log-level=error:info=0"}  # info: a text that names the cores
PRORES_4444 = {"profile": "4444", "vendor": "apl0"}  # Apple's own, or their programs warn
NVENC_PRESETS = ("p1", "p1", "p2", "p3", "p3", "p4", "p5", "p6", "p7")


@dataclass(frozen=True)
class VideoEncoder:
    """One encoder by FFmpeg's name, with the containers (file suffixes) that may hold its
    stream.

    most_crf: the worst quality that it knows; None: it has one quality. alpha_pixels: how it stores
    pictures with a transparent part; None: it cannot.
    """

    name: str
    suffixes: tuple[str, ...]
    most_crf: int | None
    pixels: str = "yuv420p"
    alpha_pixels: str | None = None

    def options(self, crf: int, preset: str, *, transparent: bool = False) -> dict[str, str]:
        """FFmpeg's options of this encoder for a constant quality and a speed (one of SPEEDS).

        With them libx264, libx265, libsvtav1 and libvpx-vp9 make the same bytes of the same
        pictures, whatever the number of cores. The encoders of NVIDIA cards were not looked at.
        """
        if preset not in SPEEDS:
            raise OutputError(f"unknown encoder speed {preset!r}; use one of: {', '.join(SPEEDS)}")
        if self.most_crf is None:
            return PRORES_4444
        if not 0 <= crf <= self.most_crf:
            raise OutputError(
                f"crf {crf} does not fit {self.name}; use 0 (best) to {self.most_crf}"
            )
        speed = SPEEDS.index(preset)
        if self.name == "libsvtav1":
            os.environ.setdefault(
                "SVT_LOG", "1"
            )  # errors only; it writes its settings to stderr otherwise
            return {"crf": str(crf), "preset": str(SVTAV1_PRESETS[speed])}
        if self.name == "libvpx-vp9":
            # b=0 makes crf a quality instead of a ceiling.
            deadline = "good" if speed > 5 else "realtime"
            quality = {"crf": str(crf), "b": "0", "deadline": deadline}
            # Frames that are not shown are none of the alpha's: libvpx refuses the two together.
            hidden = {"auto-alt-ref": "0"} if transparent else {}
            speed_of = {"cpu-used": str(VP9_CPU_USED[speed]), "row-mt": "1"}
            return {**quality, **speed_of, **SAME_VP9, **hidden}
        if self.name.endswith("_nvenc"):
            return {"cq": str(crf), "rc": "vbr", "b": "0", "preset": NVENC_PRESETS[speed]}
        if self.name == "libx265":
            return {"crf": str(crf), "preset": preset, **QUIET_X265}
        return {"crf": str(crf), "preset": preset, **SAME_X264}


ENCODERS = {
    encoder.name: encoder
    for encoder in (
        VideoEncoder("libx264", (".mp4", ".m4v", ".mov", ".mkv"), 51),
        VideoEncoder("libx265", (".mp4", ".m4v", ".mov", ".mkv"), 51),
        VideoEncoder("libsvtav1", (".mp4", ".mkv", ".webm"), 63),
        VideoEncoder("libvpx-vp9", (".mp4", ".mkv", ".webm"), 63, alpha_pixels="yuva420p"),
        VideoEncoder("h264_nvenc", (".mp4", ".m4v", ".mov", ".mkv"), 51),
        VideoEncoder("hevc_nvenc", (".mp4", ".m4v", ".mov", ".mkv"), 51),
        VideoEncoder("av1_nvenc", (".mp4", ".mkv", ".webm"), 51),
        VideoEncoder("prores_ks", (".mov",), None, "yuv444p10le", "yuva444p10le"),
    )
}
# What a suffix gets where nobody named an encoder; every other one libx264.
OWN_ENCODER = {".webm": "libvpx-vp9"}
# What players and editing programs expect of a transparent video.
ALPHA_ENCODER = {".mov": "prores_ks", ".webm": "libvpx-vp9"}
MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}

# Audio codecs that go into a container as they are and play where such files usually play; anything
# else is re-encoded.
COPIED_AUDIO = {
    "mp4": {"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"},
    "mov": {
        "aac",
        "mp3",
        "ac3",
        "eac3",
        "alac",
        "pcm_s16le",
        "pcm_s16be",
        "pcm_s24le",
        "pcm_s24be",
    },
    "webm": {"opus", "vorbis"},
    "matroska": {
        "aac",
        "mp3",
        "ac3",
        "eac3",
        "alac",
        "opus",
        "flac",
        "vorbis",
        "dts",
        "mp2",
        "truehd",
        "pcm_s16le",
        "pcm_s24le",
        "pcm_f32le",
    },
}
AUDIO_ENCODER = {"mp4": "aac", "mov": "aac", "matroska": "aac", "webm": "libopus"}


def encoder_for(codec: str, suffix: str) -> VideoEncoder:
    """The encoder of this name for a file with this suffix. OutputError names what would fit
    instead."""
    if suffix.lower() not in MUXERS:
        raise OutputError(
            f"cannot write {suffix or 'a file without suffix'!r} videos; name the result one of: "
            f"{', '.join(MUXERS)}"
        )
    if codec not in ENCODERS:
        raise OutputError(f"unknown video encoder {codec!r}; use one of: {', '.join(ENCODERS)}")
    if suffix.lower() not in ENCODERS[codec].suffixes:
        fitting = ", ".join(
            name for name, encoder in ENCODERS.items() if suffix.lower() in encoder.suffixes
        )
        containers = " or ".join(ENCODERS[codec].suffixes)
        raise OutputError(
            f"{codec} does not go into {suffix} files; use {containers}, or one of the encoders "
            f"{fitting}"
        )
    return ENCODERS[codec]


def require_usable(codec: str) -> None:
    """Encode one frame with it. OutputError says why it fails and which encoders work on this
    machine; there is no silent fallback."""
    reason = encoder_failure(codec)
    if reason is not None:
        usable = ", ".join(usable_encoders())
        raise OutputError(
            f"the video encoder {codec} does not work on this machine ({reason}); usable here: "
            f"{usable}"
        )


def usable_encoders() -> list[str]:
    """Names of ENCODERS that can encode here, each tried on one frame."""
    return [name for name in ENCODERS if encoder_failure(name) is None]


@cache
def encoder_failure(codec: str) -> str | None:
    """None where one 256x256 frame can be encoded, else the reason. Hardware encoders are listed
    even where no hardware is."""
    try:
        context = av.CodecContext.create(codec, "w")
        assert isinstance(context, av.VideoCodecContext)  # all of ENCODERS are
        context.width = context.height = 256
        context.pix_fmt, context.time_base, context.framerate = (
            ENCODERS[codec].pixels,
            Fraction(1, 30),
            Fraction(30),
        )
        if codec == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")
        if codec == "libx265":
            context.options = QUIET_X265
        frame = av.VideoFrame.from_ndarray(np.full((384, 256), 128, np.uint8), "yuv420p")
        frame = frame.reformat(format=ENCODERS[codec].pixels)
        frame.pts, frame.time_base = 0, Fraction(1, 30)
        packets = context.encode(frame) + context.encode(None)
    except (FFmpegError, UnknownCodecError, OSError, ValueError) as error:
        if codec.endswith("_nvenc"):
            return "it needs an NVIDIA GPU with an encoder and its driver"
        return getattr(error, "strerror", None) or str(error)
    return None if packets else "it made no packet"
