"""VideoWriter's interface on the user's own ffmpeg program (extra `ffmpeg`), for encoders that
PyAV's wheels lack.

Frames go through a pipe in the NUT container, which carries exact times, so varying frame rates
survive here too. It carries no durations: the last frame lasts as long as the first step between
frames.
"""

import logging
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError

from dancepipe.errors import MissingExtraError, OutputError
from dancepipe.files.whole_file import WholeFile
from dancepipe.media.encoders import AUDIO_ENCODER, COPIED_AUDIO, ENCODERS, MUXERS, encoder_for
from dancepipe.media.ffmpeg_program import find_ffmpeg
from dancepipe.media.probe import open_media, packets_of, sound_stream_of
from dancepipe.media.stretch import Span
from dancepipe.media.write import (
    PLAIN_TAGS,
    check_frames,
    check_picture,
    checked_pts,
    even_size,
    rate_from_step,
    say_rounded_times,
    to_bt709_frame,
)

log = logging.getLogger(__name__)


class FfmpegVideoWriter:
    """As media.write.VideoWriter: same arguments, same promises, another program.

    codec: any encoder that this ffmpeg has; crf and preset are translated for the encoders of
    media/encoders.py and left out (said) for others, which then use their own defaults.
    MissingExtraError without ffmpeg-python; OutputError without an ffmpeg program, or with its own
    words when it fails.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int],
        frame_times_base: Fraction,
        *,
        codec: str = "libx264",
        crf: int = 18,
        preset: str = "veryfast",
        audio_from: Path | None = None,
        audio_spans: Sequence[Span] = (Span(),),
        metadata: dict[str, str] | None = None,
        overwrite: bool = True,
    ):
        self.path, self.frame_times_base = Path(path), Fraction(frame_times_base)
        self.size_wh = (size_wh[0], size_wh[1])
        self.frames_written = 0
        self._last_pts: int | None = None
        self._first: av.VideoFrame | None = None
        self._pipe: OutputContainer | None = None  # None before the second frame
        try:
            import ffmpeg
        except ImportError as error:
            raise MissingExtraError(
                "ffmpeg-python", "ffmpeg", "writing with the ffmpeg program"
            ) from error
        suffix = self.path.suffix
        if codec in ENCODERS:
            quality = encoder_for(codec, suffix).options(crf, preset)
        else:
            encoder_for(
                "libx264" if suffix.lower() != ".webm" else "libvpx-vp9", suffix
            )  # refuses unknown suffixes
            quality = {}
            log.warning(
                f"{codec}: crf and preset are not known for it; it runs with its own defaults"
            )
        self._program = find_ffmpeg()
        if self._program is None:
            raise OutputError(
                "no ffmpeg program found; install ffmpeg, set DANCEPIPE_FFMPEG, or pip install "
                "'dancepipe[ffmpeg]'"
            )
        _require_usable(ffmpeg, self._program, codec)
        self._muxer = MUXERS[suffix.lower()]
        if self._muxer in ("matroska", "webm"):
            say_rounded_times(suffix, self.frame_times_base)
        outputs, input_streams = self._output_options(codec, quality, dict(metadata or {})), []
        pictures = ffmpeg.input("pipe:0", f="nut")
        # NUT does not carry colour tags: say what to_bt709_frame() made, so that nothing is
        # converted a second time.
        tags = {
            "colorspace": "bt709",
            "color_primaries": "bt709",
            "color_trc": "bt709",
            "range": "tv",
        }
        input_streams.append(pictures.video.filter("setparams", **tags))
        if audio_from is not None:
            sound = self._audio_input(ffmpeg, Path(audio_from), audio_spans, outputs)
            if sound is not None:
                input_streams.append(sound)
        self._file = WholeFile(self.path, overwrite=overwrite)
        command = (
            ffmpeg.output(*input_streams, str(self._file.part.absolute()), **outputs)
            .global_args("-hide_banner", "-loglevel", "error", "-nostdin", "-copyts")
            .overwrite_output()
        )
        try:
            self._process = self._started(
                list(map(str, ffmpeg.compile(command, cmd=self._program)))
            )
        except BaseException:
            self._file.discard()
            raise

    def __enter__(self) -> "FfmpegVideoWriter":
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            if kind is None:
                self._finish()
        except BaseException:
            self._abandon()
            raise
        if kind is not None:
            self._abandon()

    def write(self, image: np.ndarray, time_seconds: Fraction) -> None:
        """Add one picture, uint8 RGB (H, W, 3), shown from time_seconds on. Times must rise."""
        check_picture(image, self.size_wh)
        pts = checked_pts(time_seconds, self.frame_times_base, self._last_pts)
        frame = to_bt709_frame(image)
        frame.pts, frame.time_base = pts, self.frame_times_base
        if self._last_pts is None:
            self._first = frame  # waits for the second, which tells the rate
        else:
            self._send(frame, pts - self._last_pts)
        self._last_pts = pts
        self.frames_written += 1

    def _send(self, frame: av.VideoFrame | None, step_ticks: int | None) -> None:
        try:
            pipe = self._open_pipe(step_ticks) if self._pipe is None else self._pipe
            pipe.mux(self._raw.encode(frame))
        except (FFmpegError, OSError) as error:
            raise self._failure() from error

    def _output_options(
        self, codec: str, quality: dict[str, str], metadata: dict[str, str]
    ) -> dict:
        # crf and preset belong to the video encoder only; the sound has its own options.
        options: dict[str, str | int] = {
            "c:v": codec,
            "pix_fmt": "yuv420p",
            "f": self._muxer,
            "fps_mode": "passthrough",
            "enc_time_base": ":".join(map(str, self.frame_times_base.as_integer_ratio())),
            **{f"{name}:v": value for name, value in quality.items()},
        }
        if self._muxer in ("mp4", "mov"):
            options["movflags"] = (
                "+faststart"
                if all(key in PLAIN_TAGS for key in metadata)
                else "+faststart+use_metadata_tags"
            )
            options["video_track_timescale"] = self.frame_times_base.denominator
            options["movie_timescale"] = self.frame_times_base.denominator
        else:
            options["fflags"] = "+bitexact"  # or it numbers file and tracks at random
        for number, (key, value) in enumerate(metadata.items()):
            options[f"metadata:g:{number}"] = f"{key}={value}"
        return options

    def _audio_input(self, ffmpeg, path: Path, spans: Sequence[Span], outputs: dict):
        with open_media(path) as container:
            taken = sound_stream_of(container)
            if taken is None:
                if container.streams.audio:
                    log.warning(f"sound of {path} left out: its codec is unknown here")
                return None
            codec, number = taken.codec_context.codec.canonical_name, taken.index
        copied = codec in COPIED_AUDIO[self._muxer]
        outputs["c:a"] = "copy" if copied else AUDIO_ENCODER[self._muxer]
        if not copied:
            log.info(
                f"sound of {path} is re-encoded to {outputs['c:a']}: {codec} does not go into "
                f"{self._muxer}"
            )
        packets = packets_of(path)
        if not packets.is_unbroken:
            raise OutputError(
                f"the clock of {path} begins anew midway, which the ffmpeg program does not follow "
                "as the pictures do; use --writer pyav"
            )
        if len(spans) > 1 or spans[0].begin_seconds is not None:
            raise OutputError(
                f"the sound of {path} has to be cut, which is not done with the ffmpeg program "
                "here; use --writer pyav"
            )
        until_seconds = spans[0].end_seconds
        limit = {} if until_seconds is None else {"to": float(until_seconds)}
        if packets.start_seconds:
            limit["itsoffset"] = float(-packets.start_seconds)
        return ffmpeg.input(str(path.absolute()), **limit)[str(number)]

    def _started(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        self._words = tempfile.TemporaryFile()
        try:
            return subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._words
            )
        except OSError as error:
            raise OutputError(f"cannot start {self._program}: {error.strerror or error}") from error

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # it was asked for
        return self._process.stdin

    def _open_pipe(self, step_ticks: int | None) -> OutputContainer:
        """With the first frame in it."""
        self._pipe = av.open(self._stdin, "w", format="nut")
        self._raw = self._pipe.add_stream(
            "rawvideo", rate=rate_from_step(step_ticks, self.frame_times_base)
        )
        self._raw.width, self._raw.height = even_size(self.size_wh)
        self._raw.pix_fmt = "yuv420p"
        self._raw.codec_context.time_base = self.frame_times_base
        self._pipe.mux(self._raw.encode(self._first))
        self._first = None
        return self._pipe

    def _finish(self) -> None:
        if self.frames_written == 0:
            raise OutputError(f"no frame was written, so there is no {self.path}")
        self._send(None, None)
        try:
            if self._pipe is not None:
                self._pipe.close()
            self._stdin.close()
        except (FFmpegError, OSError) as error:
            raise self._failure() from error
        if self._process.wait() != 0:
            raise self._failure()
        self._words.close()
        check_frames(self._file.part, self.path, self.frames_written)
        self._file.publish()

    def _failure(self) -> OutputError:
        """What ffmpeg said last, as an error."""
        if self._process.poll() is None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._words.seek(0)
        lines = self._words.read().decode("utf-8", "replace").strip().splitlines()
        said = (
            "; ".join(line.strip() for line in lines[:3]) or f"exit code {self._process.returncode}"
        )
        return OutputError(f"cannot write {self.path}: {self._program} failed: {said}")

    def _abandon(self) -> None:
        self._process.kill()
        self._process.wait()
        for opened in (self._pipe, self._stdin, self._words):
            # the program is gone, and so is the file; the error is being raised already
            with suppress(FFmpegError, OSError, ValueError):
                if opened is not None:
                    opened.close()
        self._file.discard()


def _require_usable(ffmpeg, program: str, codec: str) -> None:
    """Encode one frame with it. OutputError names what works with this program; there is no
    silent fallback."""
    if not _works(ffmpeg, program, codec):
        usable = ", ".join(
            name for name in ENCODERS if name != codec and _works(ffmpeg, program, name)
        )
        raise OutputError(
            f"the video encoder {codec} does not work with {program} on this machine; usable "
            f"here: {usable or 'none'}"
        )


@cache
def _works(ffmpeg, program: str, codec: str) -> bool:
    options = {"f": "null", "pix_fmt": "yuv420p", "c:v": codec, "frames:v": 1}
    trial = ffmpeg.input("color=gray:size=256x256:rate=25", f="lavfi").output("pipe:", **options)
    try:
        ffmpeg.run(trial, cmd=program, capture_stdout=True, capture_stderr=True)
    except ffmpeg.Error:
        return False
    except OSError as error:
        raise OutputError(f"cannot start {program}: {error.strerror or error}") from error
    return True
