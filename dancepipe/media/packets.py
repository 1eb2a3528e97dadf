"""What the packets of a file say of its clock, its rate and its length; nothing is decoded.

A result's clock begins at 0. Where the file's own begins late (transport streams, recordings of
streams), one start of picture and sound is subtracted from both; where it begins anew midway (files
laid end to end), it goes on instead.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Stream

BROKEN_CLOCK = "its clock begins anew midway; the result's goes on"
_MAY_BREAK = 0x0200  # AVFMT_TS_DISCONT
# What FFmpeg's own program takes for a new beginning.
_STEP_BACK_SECONDS, _LEAP_SECONDS = 0.1, 10
_SAME_BREAK_SECONDS = 1
# The formats of MP4's family say where 0 is: a start of a moment is meant, a later one is a clock.
_ORIGIN_IN_FILE, _LATEST_MEANT_SECONDS = "mov", 10


@dataclass(frozen=True)
class PacketFacts:
    """Of the pictures, and of how both streams' times are shifted. On the result's clock."""

    shifts: dict[int, list[tuple[int, Fraction]]]  # by stream: from which packet on, what to add
    times: list[Fraction]  # of the frames that are shown, rising
    length_seconds: Fraction | None  # from the first frame to the end of the last
    frame_rate: Fraction | None  # measured; None for fewer than two frames
    hides_frames: bool  # by an edit list
    count: int  # frames, also where they carry no times

    @property
    def is_unbroken(self) -> bool:
        """One clock from the beginning to the end."""
        return all(len(shifts) == 1 for shifts in self.shifts.values())

    @property
    def start_seconds(self) -> Fraction:
        """On the file's own clock, where the result's begins."""
        return -next(iter(self.shifts.values()))[0][1] if self.shifts else Fraction(0)


NO_PICTURES = PacketFacts({}, [], None, None, False, 0)


class StreamClock:
    """The result's times for the packets of one stream."""

    def __init__(self, facts: PacketFacts, stream: Stream):
        self._shifts = list(facts.shifts.get(stream.index, [(0, Fraction(0))]))
        self._seen = 0

    def shift(self, packet: av.Packet) -> None:
        """Changes the packet's times; to be called once for each, in the file's order."""
        if not packet.size:
            return
        while len(self._shifts) > 1 and self._shifts[1][0] <= self._seen:
            del self._shifts[0]
        self._seen += 1
        seconds = self._shifts[0][1]
        if not seconds or packet.time_base is None:
            return
        ticks = round(seconds / packet.time_base)
        with suppress(OverflowError):  # a damaged time beyond all that can be said
            if packet.pts is not None:
                packet.pts += ticks
            if packet.dts is not None:
                packet.dts += ticks


@dataclass
class _Part:
    """The packets of a stream from one beginning of its clock to the next. Ticks."""

    first: int  # number of its first packet in the stream
    order: int  # and in the file
    begin: int
    end: int  # of the last packet
    reach: int  # highest decoding time


@dataclass
class _Track:
    tick_seconds: Fraction
    parts: list[_Part] = field(default_factory=list)
    packets: int = 0


def read_packets(
    container: InputContainer, pictures: av.VideoStream, sound: Stream | None
) -> PacketFacts:
    """Reads the container to its end, or to where it is damaged."""
    breaks = bool(container.format.flags & _MAY_BREAK)
    by_decoding = container.format.name == "avi"  # see FrameClock
    streams = [stream for stream in (pictures, sound) if stream is not None]
    tracks = {one.index: _Track(Fraction(one.time_base or 1)) for one in streams}
    shown: list[tuple[int, int, int]] = []  # part, time and length in ticks
    count = hidden = order = 0
    try:
        for packet in container.demux(streams):
            if not packet.size:
                continue
            track = tracks[packet.stream.index]
            order += 1
            track.packets += 1
            is_picture = packet.stream is pictures
            count += is_picture and not packet.is_discard
            hidden += is_picture and packet.is_discard
            time = packet.dts if by_decoding or packet.pts is None else packet.pts
            if time is None or packet.is_discard:
                continue
            _add(track, order, time, packet, breaks)
            if is_picture:
                shown.append((len(track.parts) - 1, time, packet.duration or 0))
    except (FFmpegError, OSError):
        pass  # the reader counts and says it
    tick = tracks[pictures.index].tick_seconds
    shifts = _shifts(tracks, pictures, is_meant=_ORIGIN_IN_FILE in container.format.name.split(","))
    of_parts = [round(seconds / tick) for _, seconds in shifts.get(pictures.index, [])]
    times = sorted({time + of_parts[part] for part, time, _ in shown})
    step = _step(times)
    end = max(
        (time + of_parts[part] + (length or step or 0) for part, time, length in shown), default=0
    )
    return PacketFacts(
        shifts=shifts,
        times=[time * tick for time in times],
        length_seconds=(end - times[0]) * tick if times else None,
        frame_rate=1 / (step * tick) if step else None,
        hides_frames=hidden > 0,
        count=len(times) or count,
    )


def _add(track: _Track, order: int, time: int, packet: av.Packet, breaks: bool) -> None:
    decoded = time if packet.dts is None else packet.dts
    part = track.parts[-1] if track.parts else None
    if part is not None and breaks:
        ahead = (decoded - part.reach) * track.tick_seconds
        if ahead < -_STEP_BACK_SECONDS or ahead > _LEAP_SECONDS:
            part = None
    if part is None:
        part = _Part(track.packets - 1, order, begin=time, end=time, reach=decoded)
        track.parts.append(part)
    length = packet.duration or max(decoded - part.reach, 0)
    part.begin, part.end = min(part.begin, time), max(part.end, time + length)
    part.reach = max(part.reach, decoded)


def _shifts(
    tracks: dict[int, _Track], pictures: Stream, *, is_meant: bool
) -> dict[int, list[tuple[int, Fraction]]]:
    """PacketFacts.shifts. All are whole ticks of the pictures."""
    tick = tracks[pictures.index].tick_seconds
    begins = {
        index: track.parts[0].begin * track.tick_seconds
        for index, track in tracks.items()
        if track.parts
    }
    if pictures.index not in begins:
        return {}
    start = min(begins.values())
    if start < 0:  # an encoder of sound may begin before 0, and is not waited for
        start = min(begins[pictures.index], Fraction(0))
    if is_meant and start <= _LATEST_MEANT_SECONDS:
        start = Fraction(0)
    shift = -math.floor(start / tick) * tick
    shifts = {index: [(0, shift)] for index in begins}
    ends = {
        index: tracks[index].parts[0].end * tracks[index].tick_seconds + shift for index in begins
    }
    for parts in _breaks(tracks):
        starts = {index: part.begin * tracks[index].tick_seconds for index, part in parts.items()}
        shift = math.ceil(max(ends[index] - starts[index] for index in parts) / tick) * tick
        for index, part in parts.items():
            shifts[index].append((part.first, shift))
            ends[index] = part.end * tracks[index].tick_seconds + shift
    return shifts


def _breaks(tracks: dict[int, _Track]) -> list[dict[int, _Part]]:
    """The parts after each stream's first, those of the same break together, in the file's
    order."""
    later = sorted(
        ((part.order, index, part) for index, track in tracks.items() for part in track.parts[1:]),
        key=lambda one: one[0],
    )
    found: list[dict[int, _Part]] = []
    for _, index, part in later:
        begin = part.begin * tracks[index].tick_seconds
        group = found[-1] if found else {}
        near = [
            abs(begin - other.begin * tracks[one].tick_seconds) <= _SAME_BREAK_SECONDS
            for one, other in group.items()
        ]
        if group and index not in group and all(near):
            group[index] = part
        else:
            found.append({index: part})
    return found


def _step(times: Sequence[int]) -> Fraction | None:
    """The usual step between frames, in ticks: the mean of those near the median."""
    steps = sorted(after - before for before, after in zip(times, times[1:]))
    if not steps:
        return None
    median = steps[len(steps) // 2]
    usual = [step for step in steps if median / 2 <= step <= median * 3 / 2]
    return Fraction(sum(usual), len(usual))
