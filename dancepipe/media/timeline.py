"""When decoded frames are shown, and whether the file ends where it says."""

from collections import deque
from fractions import Fraction

import av

from dancepipe.media.probe import DEFAULT_RATE

TOLERATED_SHORTFALL_FRAMES = 2  # containers round their durations by about that much


class FrameClock:
    """Presentation times of decoded frames."""

    def __init__(self, has_times: bool, format_name: str, info):
        # AVI stores decoding order only: its n-th frame shown takes the n-th decoding time.
        self._decode_times = deque() if format_name == "avi" else None
        self._has_times, self._step, self._count = has_times, info.time_base, 0

    def see_packet(self, packet) -> None:
        """Every packet of the video stream, before its frames."""
        if self._decode_times is not None and packet.dts is not None:
            self._decode_times.append(packet.dts * packet.time_base)

    def time_of(self, decoded) -> Fraction | None:
        """Seconds; None for a frame without a time in a stream that has times. To be asked once
        for every frame, in order."""
        self._count += 1
        if not self._has_times:
            return self._step * (self._count - 1)
        if self._decode_times is not None:
            return Fraction(self._decode_times.popleft()) if self._decode_times else None
        return None if decoded.pts is None else Fraction(decoded.pts * decoded.time_base)


class DeclaredEnd:
    """Compares where the file ends with where it says that it ends."""

    def __init__(self, container, stream, layout):
        info, packets = layout.info, layout.packets
        self.streams = [stream]
        self._frame_seconds = 1 / (info.frame_rate or DEFAULT_RATE)
        self._declared_end = self._seen_end = None
        self._by_packets = False
        if stream.duration:
            self._declared_end = ((stream.start_time or 0) + stream.duration) * stream.time_base
        elif container.duration:
            # Matroska declares one duration for all its streams together: watch them all.
            self._by_packets = True
            self.streams = [one for one in container.streams if one.type in ("video", "audio")]
            start = container.start_time or 0
            # Some writers count this length from 0, some from the start.
            end = container.duration + (start if container.duration < start else min(start, 0))
            self._declared_end = Fraction(end, av.time_base)
        if self._declared_end is not None:
            if packets.is_unbroken:
                self._declared_end -= packets.start_seconds
            else:  # of files laid end to end the declared one says nothing
                self._declared_end = None

    def see_packet(self, packet) -> None:
        """Every packet of self.streams."""
        if self._by_packets and packet.pts is not None and packet.size > 0:
            self._see_end((packet.pts + (packet.duration or 0)) * packet.time_base)

    def see_frame(self, time_seconds: Fraction, decoded) -> None:
        """Every frame that is delivered."""
        length = (
            decoded.duration * decoded.time_base
            if decoded.duration and decoded.time_base
            else self._frame_seconds
        )
        self._see_end(time_seconds + length)

    def _see_end(self, end_seconds: Fraction) -> None:
        self._seen_end = end_seconds if self._seen_end is None else max(self._seen_end, end_seconds)

    def shortfall_seconds(self, until_seconds: Fraction | None = None) -> Fraction:
        """How much is missing at the end, or until then; 0 within the tolerance, or when nothing
        is declared."""
        if self._declared_end is None or self._seen_end is None:
            return Fraction(0)
        end = self._declared_end
        end = end if until_seconds is None else min(end, until_seconds)
        short = Fraction(end - self._seen_end)
        return short if short > TOLERATED_SHORTFALL_FRAMES * self._frame_seconds else Fraction(0)
