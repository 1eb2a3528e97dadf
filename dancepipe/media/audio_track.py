"""The driver's sound into a result: packets copied untouched where the container takes them,
re-encoded where not."""

import logging
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError

from dancepipe.media.encoders import AUDIO_ENCODER, COPIED_AUDIO
from dancepipe.media.packets import StreamClock
from dancepipe.media.probe import open_media, packets_of, sound_stream_of
from dancepipe.media.sound_cut import SoundCut
from dancepipe.media.stretch import Span

log = logging.getLogger(__name__)

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
# Before a cut: what a decoder needs so that the first samples behind it are right.
_BEFORE_CUT_SECONDS = Fraction(1, 5)


class AudioTrack:
    """The sound of a file, fed to an open output container in step with the pictures,
    on the clock of media/packets.py.

    path: the file with the sound. muxer: FFmpeg's name of the result's format ("mp4", ...).
    spans: what of it is heard, one behind the other; a begin becomes 0. Of a copied one the packet
    at its begin starts before 0, where players cut it.
    is_present: False when the file has no sound; every method then does nothing.
    """

    def __init__(self, path: Path, muxer: str, spans: Sequence[Span] = (Span(),)):
        self.path, self._spans = path, tuple(spans)
        self._input = open_media(path)
        streams = self._input.streams.audio
        self._waiting: tuple[Fraction, av.Packet | av.AudioFrame] | None = None  # and its second
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
        fits = self.codec in COPIED_AUDIO[muxer]
        self.is_copied = fits and len(self._spans) == 1
        self._encoder_name = AUDIO_ENCODER[muxer]
        if not self.is_copied:
            why = "it is cut" if fits else f"{self.codec} does not go into {muxer}"
            log.info(f"sound of {path} is re-encoded to {self._encoder_name}: {why}")
        self._items = self._copied() if self.is_copied else self._decoded()

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
                self._waiting = next(self._items, None)
            if self._waiting is None:
                break
            starts_at, item = self._waiting
            if until_seconds is not None and starts_at > until_seconds:
                return
            self._waiting = None
            if isinstance(item, av.Packet):
                item.stream = self._out
                self._output.mux(item)
            else:
                self._encode(item)
        if until_seconds is None and not self.is_copied:
            self._encode(None)  # None empties the resampler
            self._output.mux(self._out.encode(None))

    def close(self) -> None:
        self._input.close()

    def _copied(self) -> Iterator[tuple[Fraction, av.Packet]]:
        """The packets of the one span, on the result's clock."""
        (span,) = self._spans
        begin = span.begin_seconds
        before = None
        for starts_at, packet in self._read():
            if begin is None:
                yield starts_at, packet
                continue
            ends_at = starts_at + (packet.duration or 0) * packet.time_base
            if ends_at <= begin:
                before = starts_at, packet  # a decoder begins one packet early
                continue
            ticks = round(begin / packet.time_base)
            for one_starts_at, one in filter(None, (before, (starts_at, packet))):
                assert one.pts is not None and one.dts is not None  # _read() leaves none without
                one.pts, one.dts = one.pts - ticks, one.dts - ticks
                yield one_starts_at - begin, one
            before = None

    def _decoded(self) -> Iterator[tuple[Fraction, av.AudioFrame]]:
        """The samples of all spans, on the result's clock."""
        cut = SoundCut(self._spans)
        for _, packet in self._read():
            for frame in self._decode(packet):
                yield from cut.push(frame)
        for frame in self._decode(None):
            yield from cut.push(frame)
        yield from cut.flush()

    def _read(self) -> Iterator[tuple[Fraction, av.Packet]]:
        """Those of the spans, and of a moment before each."""
        end = self._spans[-1].end_seconds
        try:
            for packet in self._input.demux(self._stream):
                self._clock.shift(packet)
                if packet.dts is None or packet.size == 0:
                    continue
                if packet.pts is None:
                    packet.pts = packet.dts
                starts_at = packet.pts * packet.time_base
                if end is not None and starts_at >= end:
                    return
                if any(_is_near(starts_at, packet, span) for span in self._spans):
                    yield starts_at, packet
        except (FFmpegError, OSError):
            self._tell_damage()

    def _decode(self, packet) -> list:
        try:
            return self._stream.decode(packet)
        except FFmpegError:
            self._tell_damage()
            return []

    def _encode(self, frame: av.AudioFrame | None) -> None:
        for resampled in self._resampler.resample(frame):
            if (
                resampled is not None
            ):  # an emptied resampler hands None on; the encoder is emptied by feed()
                self._output.mux(self._out.encode(resampled))

    def _tell_damage(self) -> None:
        if not self._end_said:
            log.warning(f"sound of {self.path} is damaged; what cannot be read is left out")
            self._end_said = True


def _is_near(starts_at: Fraction, packet: av.Packet, span: Span) -> bool:
    ends_at = starts_at + (packet.duration or 0) * packet.time_base
    begin, end = span.begin_seconds, span.end_seconds
    begins = begin is None or ends_at > begin - _BEFORE_CUT_SECONDS
    return begins and (end is None or starts_at < end)
