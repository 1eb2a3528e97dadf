"""A result without the frames in which the dancer is not seen: what is left moves together."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from fractions import Fraction

from dancepipe.media.stretch import Span


class Cut:
    """When what is left is shown and heard, gap by gap earlier. Seconds on the driver's clock, as
    it would be without a cut, and on the result's."""

    def __init__(self, times: Sequence[Fraction], kept: Collection[Fraction]):
        """times: of all frames, rising. kept: of those that are left, at least one."""
        self._spans: list[Span] = []
        begin = None
        for seconds in times:
            if seconds in kept and begin is None:
                begin = seconds
            elif seconds not in kept and begin is not None:
                self._spans.append(Span(begin, seconds))
                begin = None
        if begin is not None:
            self._spans.append(Span(begin, None))
        if times[0] in kept:  # sound may begin before the first picture, and stays with it
            self._spans[0] = Span(None, self._spans[0].end_seconds)
        self._begins = [span.begin_seconds or Fraction(0) for span in self._spans]
        self._moved_by = [self._begins[0]]
        for before, begin in zip(self._spans, self._begins[1:]):
            assert before.end_seconds is not None  # another one follows
            self._moved_by.append(self._moved_by[-1] + begin - before.end_seconds)

    def moved(self, seconds: Fraction) -> Fraction:
        """When the frame of that time is shown."""
        return seconds - self._moved_by[max(0, bisect_right(self._begins, seconds) - 1)]

    def sound(self, whole: Span) -> tuple[Span, ...]:
        """What is heard, on the sound file's clock. whole: what would be heard without a cut."""
        origin = whole.begin_seconds or Fraction(0)
        return tuple(
            Span(
                whole.begin_seconds if one.begin_seconds is None else origin + one.begin_seconds,
                whole.end_seconds if one.end_seconds is None else origin + one.end_seconds,
            )
            for one in self._spans
        )
