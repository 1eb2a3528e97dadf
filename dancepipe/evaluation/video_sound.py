"""Is the driver's sound in the result, and at its time?"""

from pathlib import Path

import numpy as np

from dancepipe.media.packets import StreamClock
from dancepipe.media.probe import open_media, packets_of, sound_stream_of

RATE_HZ = 8000
MOST_OFFSET_SECONDS = 2.0
_LIKE = 0.3  # correlation below which two sounds are not the same sound


def sound_scores(driver: Path, result: Path) -> dict[str, float]:
    """audio_identical (1 or 0) and audio_offset_seconds (absolute); nan where there is nothing to
    compare.

    Both silent: identical, no offset. Sound lost or added, or another sound: not identical, offset
    nan.
    """
    own, other = (_packets(path) for path in (driver, result))
    if not own and not other:
        return {"audio_identical": 1.0, "audio_offset_seconds": float("nan")}
    if not own or not other:
        return {"audio_identical": 0.0, "audio_offset_seconds": float("nan")}
    if [data for _, data in own] == [data for _, data in other]:
        offset = max(abs(first - second) for (first, _), (second, _) in zip(own, other))
        return {"audio_identical": float(offset == 0), "audio_offset_seconds": float(offset)}
    return {
        "audio_identical": 0.0,
        "audio_offset_seconds": abs(_offset(_waveform(driver), _waveform(result))),
    }


def _packets(path: Path) -> list:
    """Time in seconds, on the clock of frames, and bytes of every packet of the first audio
    stream."""
    with open_media(path) as container:
        stream = sound_stream_of(container)
        if stream is None:
            return []
        clock, found = StreamClock(packets_of(path), stream), []
        for packet in container.demux(stream):
            clock.shift(packet)
            if packet.size and packet.pts is not None:
                found.append((packet.pts * packet.time_base, bytes(packet)))
        return found


def _waveform(path: Path) -> np.ndarray:
    """Mono float samples at RATE_HZ on the clock of frames: sample 0 is time 0."""
    import av

    pieces = []
    with open_media(path) as container:
        resampler = av.AudioResampler("flt", "mono", RATE_HZ)
        start = None
        for frame in container.decode(sound_stream_of(container)):
            if start is None and frame.pts is not None:
                start = float(frame.pts * frame.time_base - packets_of(path).start_seconds)
            pieces += [one.to_ndarray().ravel() for one in resampler.resample(frame)]
        pieces += [one.to_ndarray().ravel() for one in resampler.resample(None) if one is not None]
    samples = np.concatenate(pieces) if pieces else np.zeros(1, np.float32)
    shift = round((start or 0.0) * RATE_HZ)
    return np.pad(samples, (shift, 0)) if shift >= 0 else samples[-shift:]


def _offset(own: np.ndarray, other: np.ndarray) -> float:
    """Seconds by which `other` is later, by the peak of the normalised cross-correlation; nan
    when nothing is alike."""
    size = 1 << (len(own) + len(other)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(own, size)), size)
    reach = min(int(MOST_OFFSET_SECONDS * RATE_HZ), size // 2 - 1)
    lags = np.concatenate([np.arange(0, reach + 1), np.arange(-reach, 0)])
    scale = float(np.sqrt((own**2).sum() * (other**2).sum()))
    if scale == 0:
        return float("nan")
    best = int(lags[np.argmax(correlation[lags])])
    return best / RATE_HZ if correlation[best] / scale >= _LIKE else float("nan")
