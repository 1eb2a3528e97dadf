"""The driver's sound into a result: packets copied untouched where the container takes them,
re-encoded where not."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError

from dancepipe.media.encoders import AUDIO_ENCODER, COPIED_AUDIO
from dancepipe.media.packets import StreamClock
from dancepipe.media.probe import open_media, packets_of, sound_stream_of

log = logging.getLogger(__name__)

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)


class AudioTrack:
    """The sound of a file, fed to an open output container in step with the pictures,
    on the clock of media/packets.py.

    path: the file with the sound. muxer: FFmpeg's name of the result's format ("mp4", ...).
    until_seconds: packets that start at or after this time are left out.
    is_present: False when the file has no sound; every method then does nothing.
    """

    def __init__(
        self,
        path: Path,
        muxer: str,
        until_seconds: Fraction | None = None,
    ):
        self.path, self._until = path, until_seconds
        self._input = open_media(path)
        streams = self._input.streams.audio
        self._waiting: tuple[Fraction, av.Packet] | None = None  # and the second it starts at
        self._end_said = False
        taken = sound_stream_of(self._input)
        self.is_present = taken is not None
        if taken is None:
            if streams:
                log.warning(f"sound of {path} left out: its codec is unknown here")
            return
        self._stream = taken
        self._clock = StreamClock(packets_of(path), self._stream)
        if len(streams) > 1:
            number = streams.index(taken) + 1
            log.info(f"{path} has {len(streams)} audio tracks; number {number} is taken")
        self.codec = self._stream.codec_context.codec.canonical_name
        self.is_copied = self.codec in COPIED_AUDIO[muxer]
        self._encoder_name = AUDIO_ENCODER[muxer]
        if not self.is_copied:
            log.info(
                f"sound of {path} is re-encoded to {self._encoder_name}: {self.codec} does not "
                f"go into {muxer}"
            )
        self._packets = self._read()

    @property
    def rate_hz(self) -> int:
        """Samples per second of the source."""
        return self._stream.codec_context.sample_rate or 48000

    def add_to(self, output) -> None:
        """Declare the stream in the output container; before its first packet."""
        if not self.is_present:
            return
        self._output = output
        if self.is_copied:
            self._out = output.add_stream_from_template(self._stream)
            return
        rates = OPUS_RATES if self._encoder_name == "libopus" else AAC_RATES
        rate = self.rate_hz if self.rate_hz in rates else 48000
        self._out = output.add_stream(self._encoder_name, rate=rate)
        self._out.codec_context.layout = (
            "mono" if self._stream.codec_context.channels == 1 else "stereo"
        )
        self._out.codec_context.bit_rate = (
            128_000 * (1 if self._stream.codec_context.channels == 1 else 2) * 3 // 4
        )
        self._resampler = av.AudioResampler(
            self._out.codec_context.format, self._out.codec_context.layout, rate
        )

    def feed(self, until_seconds: Fraction | None) -> None:
        """Mux everything that starts up to this time; None: the rest."""
        if not self.is_present:
            return
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None:
                break
            starts_at, packet = self._waiting
            if until_seconds is not None and starts_at > until_seconds:
                return
            self._waiting = None
            if self.is_copied:
                packet.stream = self._out
                self._output.mux(packet)
            else:
                for frame in self._decode(packet):
                    self._encode(frame)
        if until_seconds is None and not self.is_copied:
            for frame in (*self._decode(None), None):  # None empties the resampler
                self._encode(frame)
            self._output.mux(self._out.encode(None))

    def close(self) -> None:
        self._input.close()

    def _read(self) -> Iterator[tuple[Fraction, av.Packet]]:
        try:
            for packet in self._input.demux(self._stream):
                self._clock.shift(packet)
                if packet.dts is None or packet.size == 0:
                    continue
                if packet.pts is None:
                    packet.pts = packet.dts
                starts_at = packet.pts * packet.time_base
                if self._until is not None and starts_at >= self._until:
                    return
                yield starts_at, packet
        except (FFmpegError, OSError):
            self._tell_damage()

    def _decode(self, packet) -> list:
        try:
            return self._stream.decode(packet)
        except FFmpegError:
            self._tell_damage()
            return []

    def _encode(self, frame) -> None:
        for resampled in self._resampler.resample(frame):
            if (
                resampled is not None
            ):  # an emptied resampler hands None on; the encoder is emptied by feed()
                self._output.mux(self._out.encode(resampled))

    def _tell_damage(self) -> None:
        if not self._end_said:
            log.warning(f"sound of {self.path} is damaged; what cannot be read is left out")
            self._end_said = True
