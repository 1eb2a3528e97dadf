"""Decoded sound, of which only some spans are kept, joined without a gap."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import numpy as np

from dancepipe.media.stretch import Span

_FADE_SECONDS = Fraction(1, 200)  # at each cut: a step in the sound would click
_SLACK_SECONDS = Fraction(1, 50)  # containers round times; more than that is a gap


class SoundCut:
    """Frames in, those of the spans out, each with its second in the result.

    spans: in order. The first one begins at 0 in the result, each other where the one before ends.
    """

    def __init__(self, spans: Sequence[Span]):
        self._spans = tuple(spans)
        self._is_whole = self._spans == (Span(),)
        self._resampler: av.AudioResampler | None = None
        self._next = 0  # sample on the file's clock
        self._rate = 0

    def push(self, frame: av.AudioFrame) -> Iterator[tuple[Fraction, av.AudioFrame]]:
        """One more decoded frame."""
        if self._is_whole:
            seconds = Fraction(frame.pts or 0) * (frame.time_base or 1)
            yield seconds, frame
            return
        if self._resampler is None:
            self._rate = frame.sample_rate
            self._resampler = av.AudioResampler("fltp", frame.layout.name, frame.sample_rate)
            self._next = self._told(frame)
        told = self._told(frame)
        if abs(told - self._next) > _SLACK_SECONDS * self._rate:
            self._next = told
        yield from self._planar(self._resampler.resample(frame))

    def flush(self) -> Iterator[tuple[Fraction, av.AudioFrame]]:
        """What is left."""
        if self._resampler is not None:
            yield from self._planar(self._resampler.resample(None))

    def _told(self, frame: av.AudioFrame) -> int:
        """The sample that it says it begins with."""
        if frame.pts is None or frame.time_base is None:
            return self._next
        return round(frame.pts * frame.time_base * self._rate)

    def _planar(self, frames) -> Iterator[tuple[Fraction, av.AudioFrame]]:
        for frame in frames:
            if frame is None:
                continue
            samples = frame.to_ndarray()  # float32 (C, N)
            begin, self._next = self._next, self._next + samples.shape[1]
            out_seconds = Fraction(0)
            for span in self._spans:
                piece = self._piece(samples, begin, span, out_seconds, frame.layout.name)
                if piece is not None:
                    yield piece
                if span.end_seconds is not None:
                    out_seconds += span.end_seconds - (span.begin_seconds or 0)

    def _piece(
        self, samples: np.ndarray, begin: int, span: Span, out_seconds: Fraction, layout: str
    ) -> tuple[Fraction, av.AudioFrame] | None:
        """What of these samples lies in the span."""
        first, last = (
            None if edge is None else round(edge * self._rate)
            for edge in (span.begin_seconds, span.end_seconds)
        )
        numbers = np.arange(begin, begin + samples.shape[1])
        gain = np.ones(len(numbers), np.float32)
        fade = float(_FADE_SECONDS * self._rate)
        if first is not None:
            gain = np.minimum(gain, (numbers - first + 1) / fade)
        if last is not None:
            gain = np.minimum(gain, (last - numbers) / fade)
        inside = np.flatnonzero(gain > 0)
        if not len(inside):
            return None
        there = slice(inside[0], inside[-1] + 1)
        own = np.ascontiguousarray(samples[:, there] * gain[there], np.float32)
        piece = av.AudioFrame.from_ndarray(own, "fltp", layout)
        piece.sample_rate, piece.time_base = self._rate, Fraction(1, self._rate)
        piece.pts = int(numbers[inside[0]]) - (first or 0) + round(out_seconds * self._rate)
        return Fraction(piece.pts, self._rate), piece
